-- One row per dependency of a version; `crate_id` is the crate depended on, as in the crates.io dump.
with checked as (
    select
        v.id as version_id,
        c.id as crate_id,
        d.req,
        d.kind,
        d.optional,
        d.default_features,
        d.target,
        d.explicit_name,
        case
            when v.id is null
                then 'name, num: ' || coalesce(d.name, '?') || ' ' || coalesce(d.num, '?') || ' is not a version of the registry'
            when c.id is null then 'dependency: "' || coalesce(d.dependency, '?') || '" is not a crate of the registry'
            when d.kind is null or d.kind not in ('normal', 'build', 'dev')
                then 'kind: "' || coalesce(d.kind, 'null') || '" is not one of normal, build, dev'
            when d.req is null then 'req: is missing'
        end as rejected
    from source_dependencies as d
    left join crates as vc on vc.name = d.name
    left join versions as v on v.crate_id = vc.id and v.num = d.num
    left join crates as c on c.name = d.dependency
)

select
    row_number() over (
        partition by rejected is null
        order by version_id, crate_id, kind, target nulls first, explicit_name nulls first, req, optional, default_features
    ) as id,
    *,
    null::varchar as source_key
from checked
order by rejected is not null, id
