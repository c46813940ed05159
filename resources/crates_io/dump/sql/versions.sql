-- One row per published version, with crates.io's own ids.
with typed as (
    select
        *,
        try_cast(id as bigint) as version_id,
        try_cast(crate_id as bigint) as of_crate_id,
        cargo_version_key(num) as version_key,
        pg_timestamp(created_at) as published_at,
        pg_timestamp(updated_at) as changed_at
    from source_versions
),

checked as (
    select
        version_id as id,
        of_crate_id as crate_id,
        num,
        version_key,
        published_at as created_at,
        published_at as created_after,
        true as created_at_exact,
        changed_at as updated_at,
        pg_bool(yanked) as yanked,
        list_sort(case when try(json_type(features)) = 'OBJECT' then json_keys(features) end) as feature_names,
        links,
        try_cast(crate_size as bigint) as crate_size,
        edition,
        rust_version,
        license,
        pg_bool(has_lib) as has_lib,
        repository,
        pg_array(categories) as categories,
        pg_array(keywords) as keywords,
        try_cast(published_by as bigint) as published_by,
        case
            when version_id is null then 'id: "' || coalesce(id, 'null') || '" is not a number'
            when of_crate_id is null or of_crate_id not in (select id from crates)
                then 'crate_id: ' || coalesce(crate_id, 'null') || ' is not a crate of the dump'
            when version_key is null
                then 'num: "' || coalesce(num, 'null') || '" is not a version (major.minor.patch, each below 2^64)'
            when published_at is null then 'created_at: "' || coalesce(created_at, 'null') || '" is not a time'
            when published_at > getvariable('snapshot_at')
                then 'created_at: ' || published_at || ' is after the snapshot (' || getvariable('snapshot_at') || ')'
            when changed_at is null then 'updated_at: "' || coalesce(updated_at, 'null') || '" is not a time'
            when pg_bool(yanked) is null then 'yanked: "' || coalesce(yanked, 'null') || '" is neither t nor f'
            when features is not null and feature_names is null then 'features: is not a JSON object'
            when s.crate_size is not null and try_cast(s.crate_size as bigint) is null
                then 'crate_size: "' || s.crate_size || '" is not a number'
            when s.has_lib is not null and pg_bool(s.has_lib) is null
                then 'has_lib: "' || s.has_lib || '" is neither t nor f'
            when s.categories is not null and pg_array(s.categories) is null
                then 'categories: "' || s.categories || '" is not an array'
            when s.keywords is not null and pg_array(s.keywords) is null
                then 'keywords: "' || s.keywords || '" is not an array'
            when s.published_by is not null and try_cast(s.published_by as bigint) is null
                then 'published_by: "' || s.published_by || '" is not a number'
        end as rejected,
        concat_ws(' ', s.id) as raw_key
    from typed as s
)

select * exclude (raw_key), case when rejected is not null then raw_key end as source_key
from checked
order by id, num, hash(checked)
