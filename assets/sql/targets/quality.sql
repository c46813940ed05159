-- Crates with a new dependent family at the end of the horizon, and at least as many families gained as lost.
with families as (
    select distinct instant_name, crate_id, family from independent_edges
),

gained as (
    select f.instant_name, f.crate_id, count(*) as families
    from families as f
    where f.instant_name != 'now'
        and not exists (
            select 1 from families as before
            where before.instant_name = 'now' and before.crate_id = f.crate_id and before.family = f.family
        )
    group by f.instant_name, f.crate_id
),

lost as (
    select i.name as instant_name, before.crate_id, count(*) as families
    from families as before
    cross join registry_instants as i
    where before.instant_name = 'now'
        and i.name != 'now'
        and not exists (
            select 1 from families as f
            where f.instant_name = i.name and f.crate_id = before.crate_id and f.family = before.family
        )
    group by i.name, before.crate_id
)

select g.instant_name::integer as horizon_days, g.crate_id
from gained as g
left join lost as l using (instant_name, crate_id)
where g.families >= coalesce(l.families, 0)
