-- What happened to each crate known at the as-of instant, by the end of each horizon.
-- A label is null (censored) while the horizon has not passed, or where the source does not know
-- exactly what existed at its end. Needs: `label_instants` (name, instant), 'now' and one row per horizon in days,
-- and `outcomes` (target, horizon_days, crate_id): the crates for which a target came true, from targets/*.sql.
with horizons as (
    select
        i.name::integer as horizon_days,
        i.instant as ends_at,
        case
            when i.instant > getvariable('snapshot_at') then 'not yet'
            when exists (
                select 1 from uncertain_periods(getvariable('snapshot_at')) as u
                where u.starts_at < i.instant and i.instant < u.ends_at
            ) then 'inexact dates'
        end as censored
    from label_instants as i
    where i.name != 'now'
),

known_crates as (
    select c.id as crate_id, c.canonical_name as crate, crate_family(c.canonical_name) as family
    from crates as c
    where exists (select 1 from versions as v where v.crate_id = c.id and v.created_at <= getvariable('known_at'))
)

select
    getvariable('as_of')::date as as_of,
    c.crate,
    c.family,
    t.target,
    h.horizon_days,
    case when h.censored is null then o.crate_id is not null end as label,
    h.ends_at as known_at,
    h.censored
from known_crates as c
cross join horizons as h
cross join (select unnest(getvariable('targets')) as target) as t
left join outcomes as o on o.target = t.target and o.horizon_days = h.horizon_days and o.crate_id = c.crate_id
order by c.crate, t.target, h.horizon_days
