-- Features with the known labels of one target. Needs: `features`, `labels`, and `chosen_labels` (as_of, horizon_days).
select f.* exclude (build, tree_vulnerable_names, tree_unmaintained_names), l.label, l.horizon_days as exposure_days
from features as f
join chosen_labels as s using (as_of)
join labels as l on l.as_of = s.as_of and l.horizon_days = s.horizon_days and l.crate = f.crate and l.target = $target
where l.label is not null
order by f.as_of, f.crate
