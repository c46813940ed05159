-- One row per crate with its bundled description, attributed to the version that crates.io would show.
select
    arg_max(v.id, (not v.yanked, not cargo_is_prerelease(v.version_key), v.version_key)) as version_id,
    c.id as crate_id,
    d.description,
    null::varchar as readme,
    sha256(d.description) as content_sha256,
    null::varchar as source_key,
    case
        when c.id is null then 'name: "' || coalesce(d.name, '?') || '" is not a crate of the registry'
        when coalesce(trim(d.description), '') = '' then 'description: is empty'
        when row_number() over (partition by c.id order by d.description) > 1
            then 'name: "' || d.name || '" has more than one description; the first is used'
    end as rejected
from source_texts as d
left join crates as c on c.name = d.name
left join versions as v on v.crate_id = c.id
group by c.id, d.name, d.description
order by version_id
