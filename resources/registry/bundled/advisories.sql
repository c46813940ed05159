-- One row per RustSec advisory committed by the time the advisory database was read: later than the snapshot, so that
-- what became of its crates can be known. Whoever asks what was known at an instant goes by `known_at`.
select
    id,
    package,
    lower(replace(package, '-', '_')) as canonical_name,
    date,
    known_at,
    -- the facts have one revision of each: the last
    known_at as revised_at,
    informational,
    cvss,
    categories,
    aliases,
    patched,
    unaffected,
    withdrawn,
    null::varchar as source_key,
    case
        when id is null or package is null then 'id, package: an advisory needs both'
        when known_at is null then 'known_at: is missing (the time it was committed to the database)'
        when row_number() over (partition by id order by known_at, package, patched, unaffected) > 1
            then 'id: stands more than once; the first was kept'
        when informational not in ('unmaintained', 'unsound', 'notice')
            then 'informational: "' || informational || '" is not one of unmaintained, unsound, notice'
    end as rejected
from source_advisories
where known_at is null or known_at <= getvariable('advisories_read_at')
order by id
