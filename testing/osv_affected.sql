-- The versions that each advisory affects by OSV's rule, for comparison with RustSec's rule
-- (assets/sql/features/05_advisories.sql).
--
-- Events are sorted by version. A version is affected if the last event at or before it is `introduced`. Pre-releases sort
-- before their release like all other versions.
-- `advisories` names a relation with `id`, `package` and `events`, one row per id; `versions` one with `name` and `num`.
create or replace macro osv_affected_versions(advisories, versions) as table
with events as (
    select
        a.id,
        lower(replace(a.package, '-', '_')) as canonical_name,
        e.position,
        e.event.introduced is not null as is_introduced,
        coalesce(e.event.introduced, e.event.fixed) as num,
        -- `0` sorts before every version; OSV ignores build metadata
        case when num = '0' then '' else cargo_version_key(split_part(num, '+', 1)) end as event_key
    from query_table(advisories) as a, unnest(a.events) with ordinality as e(event, position)
),

keyed_versions as (
    select distinct name, num, lower(replace(name, '-', '_')) as canonical_name, cargo_version_key(num) as version_key
    from query_table(versions)
),

last_events as (
    select
        e.id,
        v.name,
        v.num,
        -- of two events at one version, the later one in the list
        max({'key': e.event_key, 'position': e.position, 'is_introduced': e.is_introduced}).is_introduced as is_affected
    from events as e
    join keyed_versions as v on v.canonical_name = e.canonical_name and e.event_key <= v.version_key
    group by e.id, v.name, v.num
)

select id, name, num
from last_events
where is_affected
order by id, name, num;
