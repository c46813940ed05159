-- One row per distinct text of the shard's crates: the earliest version with it. Needs `crates`, `versions`, `texts`.
create or replace temp view shard_texts as
with version_texts as (
    select
        c.canonical_name as crate,
        c.name,
        v.num,
        v.version_key,
        v.created_at as known_at,
        v.keywords,
        v.categories,
        t.description,
        t.readme,
        t.content_sha256,
        sha256(
            concat_ws(
                chr(0),
                c.name,
                coalesce(t.description, chr(1)),
                coalesce(t.readme, chr(1)),
                coalesce(array_to_string(v.keywords, ','), chr(1)),
                coalesce(array_to_string(v.categories, ','), chr(1))
            )
        ) as input_sha256
    from texts as t
    join versions as v on v.id = t.version_id
    join crates as c on c.id = t.crate_id
    where left(sha256(c.canonical_name), 1) = getvariable('shard')
    -- crates.io has one README per crate: without one, a version has a part of the same text
    qualify t.readme is not null or not bool_or(t.readme is not null) over (partition by c.id, t.description)
)

select * exclude (version_key)
from version_texts
qualify row_number() over (partition by input_sha256 order by known_at, version_key) = 1
