-- The crates that most versions of the snapshot build with.
with counted as (
    select crate_id, count(*) as dependent_versions
    from dependencies
    where kind in ('normal', 'build')
    group by crate_id
)

select c.name
from counted as d
join crates as c on c.id = d.crate_id
order by d.dependent_versions desc, c.id
limit $most
