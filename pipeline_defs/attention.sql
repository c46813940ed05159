-- The ten crates, of the 200 that most other projects build on, that most need attention: those with a known vulnerability or an
-- advisory on their upkeep first, then trouble in their build; within each, the least likely to be released again.
with most_used as (
    select s.*, f.is_vulnerable, f.is_unmaintained, f.tree_vulnerable, f.tree_unmaintained, f.dependencies_outdated
    from scores as s
    join features as f using (as_of, crate)
    order by s.dependents_independent desc, s.crate
    limit 200
)

select
    name,
    default_version,
    description,
    dependents,
    dependents_independent,
    'A release within 43 days: ' || printf('%.0f%%', 100 * maintenance)
        || if(round(100 * maintenance) < round(100 * maintenance_best), printf(' to %.0f%%', 100 * maintenance_best), '')
        || printf(' (higher than %d%% of all crates)', floor(100 * maintenance_percentile)::integer) as maintenance,
    'new project building on it: ' || printf('%.0f%%', 100 * popularity)
        || if(round(100 * popularity) < round(100 * popularity_best), printf(' to %.0f%%', 100 * popularity_best), '') as popularity,
    findings,
    list_filter(evidence, lambda e: contains(e, 'released:')) as evidence
from most_used
where len(findings) > 0
order by
    is_vulnerable desc,
    is_unmaintained desc,
    tree_vulnerable > 0 desc,
    tree_unmaintained > 0 desc,
    maintenance,
    name
limit 10
