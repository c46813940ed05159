-- One row per published version, with the bounds of its time of publication.
with numbered as (
    select
        *,
        row_number() over (order by name, position, num) as id,
        row_number() over (partition by name, num order by published_at, position) as copy,
        cargo_version_key(num) as version_key
    from source_versions
)

select
    v.id,
    crates.id as crate_id,
    v.num,
    v.version_key,
    v.published_at as created_at,
    v.published_after as created_after,
    v.published_at_exact as created_at_exact,
    exists (
        select 1 from source_yanks as y
        where y.name = v.name and y.num = v.num and y.unyanked_at is null and y.yanked_at <= getvariable('snapshot_at')
    ) as yanked,
    v.feature_names,
    v.links,
    case
        when v.name is null or v.num is null then 'name, num: a version needs both'
        when crates.id is null then 'name: "' || v.name || '" was rejected as a crate'
        when v.version_key is null then 'num: "' || v.num || '" is not a version (major.minor.patch, each below 2^64)'
        when v.copy > 1 then 'num: "' || v.num || '" stands more than once for this crate; the first was kept'
        when v.published_at is null then 'published_at: is missing'
        when v.published_at > getvariable('snapshot_at')
            then 'published_at: ' || v.published_at || ' is after the snapshot (' || getvariable('snapshot_at') || ')'
        when v.published_after > v.published_at then 'published_after: is later than published_at'
    end as rejected
from numbered as v
left join crates on crates.name = v.name
order by v.id
