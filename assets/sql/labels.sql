-- The label of each crate known at the as-of instant, per target and horizon. It is null (censored) while the horizon has not
-- passed, or if the source does not know exactly what existed at its end. Needs: `target_horizons` (target, horizon_days,
-- ends_at, censored) and `outcomes` (target, horizon_days, crate_id): the positives, from targets/*.sql.
with known_crates as (
    select c.id as crate_id, c.canonical_name as crate, crate_family(c.canonical_name) as family
    from crates as c
    where exists (select 1 from versions as v where v.crate_id = c.id and v.created_at <= getvariable('known_at'))
)

select
    getvariable('as_of')::date as as_of,
    c.crate,
    c.family,
    h.target,
    h.horizon_days,
    case when h.censored is null then o.crate_id is not null end as label,
    h.ends_at as known_at,
    h.censored
from known_crates as c
cross join target_horizons as h
left join outcomes as o on o.target = h.target and o.horizon_days = h.horizon_days and o.crate_id = c.crate_id
order by c.crate, h.target, h.horizon_days
