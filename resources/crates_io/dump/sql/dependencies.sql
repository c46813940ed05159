-- One row per dependency of a version; `crate_id` is the crate depended on.
with typed as (
    select
        *,
        try_cast(id as bigint) as dependency_id,
        try_cast(version_id as bigint) as of_version_id,
        try_cast(crate_id as bigint) as on_crate_id
    from source_dependencies
),

checked as (
    select
        dependency_id as id,
        of_version_id as version_id,
        on_crate_id as crate_id,
        req,
        case kind when '0' then 'normal' when '1' then 'build' when '2' then 'dev' end as kind,
        pg_bool(optional) as optional,
        pg_bool(default_features) as default_features,
        target,
        explicit_name,
        case
            when dependency_id is null then 'id: "' || coalesce(id, 'null') || '" is not a number'
            when of_version_id is null or of_version_id not in (select id from versions)
                then 'version_id: ' || coalesce(version_id, 'null') || ' is not a version of the dump'
            when on_crate_id is null or on_crate_id not in (select id from crates)
                then 'crate_id: ' || coalesce(crate_id, 'null') || ' is not a crate of the dump'
            when kind is null or kind not in ('0', '1', '2')
                then 'kind: "' || coalesce(kind, 'null') || '" is not one of 0 (normal), 1 (build), 2 (dev)'
            when req is null then 'req: is missing'
            when pg_bool(optional) is null then 'optional: "' || coalesce(optional, 'null') || '" is neither t nor f'
            when pg_bool(default_features) is null
                then 'default_features: "' || coalesce(default_features, 'null') || '" is neither t nor f'
        end as rejected,
        concat_ws(' ', id) as raw_key
    from typed
)

select * exclude (raw_key), case when rejected is not null then raw_key end as source_key
from checked
order by id, hash(checked)
