-- The ten crates, of the 200 that most other projects build on, that most need attention: those with a known vulnerability
-- or an advisory on their upkeep first, then issues in their build; within each, the least likely to be released again.
-- Needs: `scores` and `features`.
with most_used as (
    select s.name, s.maintenance, s.findings, f.is_vulnerable, f.is_unmaintained, f.tree_vulnerable, f.tree_unmaintained
    from scores as s
    join features as f using (as_of, crate)
    order by s.dependents_independent desc, s.crate
    limit 200
)

select name
from most_used
where len(findings) > 0
order by
    is_vulnerable desc,
    is_unmaintained desc,
    tree_vulnerable > 0 desc,
    tree_unmaintained > 0 desc,
    maintenance nulls first,
    name
limit 10
