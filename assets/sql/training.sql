-- Features with the label of one target and horizon, where it is known.
select f.*, l.label
from features as f
join labels as l using (as_of, crate)
where l.target = $target
    and l.horizon_days = $horizon_days
    and l.label is not null
    and list_contains($dates, f.as_of)
order by f.as_of, f.crate
