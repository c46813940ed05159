-- One row per revision of an advisory that was committed before the snapshot; revisions that cannot be parsed are rejected.
select
    id,
    package,
    lower(replace(package, '-', '_')) as canonical_name,
    date,
    known_at,
    revised_at,
    informational,
    cvss,
    categories,
    aliases,
    patched,
    unaffected,
    withdrawn,
    null::varchar as rejected,
    null::varchar as source_key
from source_advisories
where revised_at <= getvariable('snapshot_at')
union all by name
select
    file || ' in commit ' || commit || ': ' || reason as rejected,
    concat_ws(' ', file, commit) as source_key
from source_advisories_rejected
order by id, revised_at, rejected
