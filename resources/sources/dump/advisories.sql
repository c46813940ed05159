-- One row per revision of an advisory committed to the database by the snapshot.
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
order by id, revised_at
