-- One row per published version, with the bounds of its time of publication.
with keyed as (
    select
        *,
        row_number() over (partition by name, num order by published_at, position) as copy,
        cargo_version_key(num) as version_key
    from source_versions
),

judged as (
    select
        v.*,
        crates.id as crate_id,
        case
            when v.name is null or v.num is null then 'name, num: a version needs both'
            when crates.id is null then 'name: "' || v.name || '" was rejected as a crate'
            when v.version_key is null
                then 'num: "' || v.num || '" is not a version (major.minor.patch, each below 2^64)'
            -- only first copies compete: of two equal rows one stays
            when v.copy = 1 and row_number() over (
                partition by crates.id, v.version_key, v.copy = 1 order by v.published_at, v.position
            ) > 1
                then 'num: "' || v.num || '" equals another number of this crate; the first was kept'
            when v.copy > 1 then 'num: "' || v.num || '" stands more than once for this crate; the first was kept'
            when v.published_at is null then 'published_at: is missing'
            when v.published_at > getvariable('snapshot_at')
                then 'published_at: ' || v.published_at || ' is after the snapshot (' || getvariable('snapshot_at') || ')'
            when v.published_after > v.published_at then 'published_after: is later than published_at'
        end as rejected
    from keyed as v
    left join crates on crates.name = v.name
)

select
    -- the bundled registry has no ids of its own; those of good rows do not depend on bad ones
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
from judged as v
order by rejected is not null, id
