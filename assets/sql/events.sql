-- One row per event since the snapshot: earlier events, and those of the current index update.
-- Needs: `earlier_events`, and `found_events`, `found_versions`, `found_dependencies` (resources/crates_io/events.py).
with names as (
    select cargo_canonical(name) as crate, min(name) as name from index_versions group by all
),

dependency_lists as (
    select
        name as crate,
        num,
        list({
            'dependency': dependency,
            'req': req,
            'kind': kind,
            'optional': optional,
            'default_features': default_features,
            'target': target,
            'explicit_name': explicit_name
        } order by dependency, kind, req, target, explicit_name, optional, default_features) as dependencies
    from found_dependencies
    group by all
),

found as (
    select
        e.name as crate,
        e.num,
        e.occurred_at,
        e.kind,
        e.occurred_at_exact,
        e.occurred_after,
        e.known_at,
        n.name,
        v.feature_names,
        v.links,
        v.rust_version,
        case when e.kind = 'publish' then coalesce(d.dependencies, []) end as dependencies
    from found_events as e
    join names as n on n.crate = e.name
    left join found_versions as v on v.name = e.name and v.num = e.num and e.kind = 'publish'
    left join dependency_lists as d on d.crate = e.name and d.num = e.num
)

from earlier_events
union all by name
from found
order by crate, num, occurred_at, kind
