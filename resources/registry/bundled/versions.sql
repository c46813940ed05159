-- One row per published version, with the bounds of its publication time.
with keyed as (
    select
        *,
        row_number() over (partition by name, num order by published_at, position) as copy,
        cargo_version_key(num) as version_key
    from source_versions
),

checked as (
    select
        v.*,
        crates.id as crate_id,
        case
            when v.name is null or v.num is null then 'name, num: one of them is missing'
            when crates.id is null then 'name: "' || v.name || '" was rejected as a crate'
            when v.version_key is null
                then 'num: "' || v.num || '" is not a version (major.minor.patch, each below 2^64)'
            -- copies of a row are rejected below, so only first copies are compared
            when v.copy = 1 and row_number() over (
                partition by crates.id, v.version_key, v.copy = 1 order by v.published_at, v.position
            ) > 1
                then 'num: "' || v.num || '" equals another version of this crate; the first is used'
            when v.copy > 1 then 'num: "' || v.num || '" appears more than once for this crate; the first row is used'
            when v.published_at is null then 'published_at: is missing'
            when v.published_at > getvariable('snapshot_at')
                then 'published_at: ' || v.published_at || ' is after the snapshot (' || getvariable('snapshot_at') || ')'
            when v.published_after > v.published_at then 'published_after: is later than published_at'
        end as rejected
    from keyed as v
    left join crates on crates.name = v.name
)

select
    -- the bundled registry has no ids; those of valid rows do not depend on rejected ones
    row_number() over (partition by rejected is null order by crate_id, position, version_key, num) as id,
    crate_id,
    num,
    version_key,
    published_at as created_at,
    published_after as created_after,
    published_at_exact as created_at_exact,
    null::timestamp as updated_at,
    exists (
        select 1 from source_yanks as y
        where y.name = v.name and y.num = v.num and y.unyanked_at is null and y.yanked_at <= getvariable('snapshot_at')
    ) as yanked,
    feature_names,
    links,
    null::bigint as crate_size,
    null::varchar as edition,
    null::varchar as rust_version,
    null::varchar as license,
    null::bool as has_lib,
    null::varchar as repository,
    null::varchar[] as categories,
    null::varchar[] as keywords,
    null::bigint as published_by,
    null::varchar as source_key,
    rejected
from checked as v
order by rejected is not null, id
