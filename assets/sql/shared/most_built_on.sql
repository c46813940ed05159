-- The crates with the most dependents over all versions.
with counted as (
    select d.crate_id, count(distinct v.crate_id) as dependents
    from dependencies as d
    join versions as v on v.id = d.version_id
    where d.kind in ('normal', 'build')
    group by d.crate_id
)

select c.name
from counted as d
join crates as c on c.id = d.crate_id
order by d.dependents desc, c.id
limit $most
