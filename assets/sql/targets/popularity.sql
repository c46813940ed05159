-- Crates with a dependent of another family at the end of the horizon that did not depend on them before.
select distinct e.instant_name::integer as horizon_days, e.crate_id
from independent_edges as e
where e.instant_name != 'now'
    and not exists (
        select 1 from independent_edges as before
        where before.instant_name = 'now' and before.dependent_id = e.dependent_id and before.crate_id = e.crate_id
    )
