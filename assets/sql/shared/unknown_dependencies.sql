-- Crates that a new version depends on and that neither the snapshot nor an event has, by their published names.
with wanted as (
    select distinct dependency from (select unnest(dependencies).dependency as dependency from events)
)

select dependency
from wanted
where cargo_canonical(dependency) not in (select canonical_name from crates)
    and cargo_canonical(dependency) not in (select crate from events)
order by dependency
