-- Crates that a crate of another family, which did not build on them before, builds on at the end of the horizon.
with edges as (
    from built_edges_at('label_instants')
)

select distinct e.instant_name::integer as horizon_days, e.crate_id
from edges as e
join crates as s on s.id = e.dependent_id
join crates as t on t.id = e.crate_id
where e.instant_name != 'now'
    and crate_family(s.canonical_name) != crate_family(t.canonical_name)
    and not exists (
        select 1 from edges as before
        where before.instant_name = 'now' and before.dependent_id = e.dependent_id and before.crate_id = e.crate_id
    )
