-- Published names of the dependencies of new versions that are in neither the snapshot nor the events.
with wanted as (
    select distinct dependency from (select unnest(dependencies).dependency as dependency from events)
)

select dependency
from wanted
where cargo_canonical(dependency) not in (select canonical_name from crates)
    and cargo_canonical(dependency) not in (select crate from events)
order by dependency
