-- One row per version with a text. Dumps since 2024-11 have a description per version. Earlier dumps have one per crate,
-- as all dumps have one README per crate: both are those of the version that crates.io shows.
with shown as (
    select crate_id, arg_max(id, (not yanked, not cargo_is_prerelease(version_key), version_key)) as version_id
    from versions
    group by crate_id
),

crate_texts as (
    select s.version_id, c.description, c.readme
    from source_crates as c
    join shown as s on s.crate_id = try_cast(c.id as bigint)
),

version_texts as (
    select try_cast(id as bigint) as version_id, description from source_versions where description is not null
),

combined as (
    select
        coalesce(v.version_id, c.version_id) as version_id,
        nullif(coalesce(v.description, c.description), '') as description,
        nullif(c.readme, '') as readme
    from version_texts as v
    full join crate_texts as c on c.version_id = v.version_id
)

select
    t.version_id,
    v.crate_id,
    t.description,
    t.readme,
    sha256(concat(t.description, chr(0), t.readme)) as content_sha256,
    null::varchar as rejected,
    null::varchar as source_key
from combined as t
join versions as v on v.id = t.version_id
where t.description is not null or t.readme is not null
order by t.version_id, hash(content_sha256)
