-- What happened to each crate known at the as-of instant, by the end of each horizon.
-- A label is null (censored) while the horizon has not passed, or where the source does not know
-- exactly what existed at its end. Needs: `label_instants` (name, instant), 'now' and one row per horizon
-- in days.
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
),

published as (
    select distinct h.horizon_days, v.crate_id
    from horizons as h
    join versions as v on v.created_at > getvariable('known_at') and v.created_at <= h.ends_at
),

edges as (
    from built_edges_at('label_instants')
),

gained as (
    select distinct e.instant_name, e.crate_id
    from edges as e
    join crates as s on s.id = e.dependent_id
    join crates as t on t.id = e.crate_id
    where e.instant_name != 'now'
        and crate_family(s.canonical_name) != crate_family(t.canonical_name)
        and not exists (
            select 1 from edges as before
            where before.instant_name = 'now' and before.dependent_id = e.dependent_id and before.crate_id = e.crate_id
        )
)

select
    getvariable('as_of')::date as as_of,
    c.crate,
    c.family,
    t.target,
    h.horizon_days,
    case
        when h.censored is not null then null
        when t.target = 'maintenance' then p.crate_id is not null
        when t.target = 'popularity' then g.crate_id is not null
    end as label,
    h.ends_at as known_at,
    h.censored
from known_crates as c
cross join horizons as h
cross join (values ('maintenance'), ('popularity')) as t(target)
left join published as p on p.crate_id = c.crate_id and p.horizon_days = h.horizon_days
left join gained as g on g.crate_id = c.crate_id and g.instant_name = h.horizon_days::varchar
order by c.crate, t.target, h.horizon_days
