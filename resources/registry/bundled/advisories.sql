-- One row per RustSec advisory that was committed before the advisory database was read. That is later than the snapshot,
-- so outcomes after the snapshot are known too. Use `known_at` for what was known at an instant.
select
    id,
    package,
    lower(replace(package, '-', '_')) as canonical_name,
    date,
    known_at,
    -- the bundled registry has the last revision only
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
        when id is null or package is null then 'id, package: one of them is missing'
        when known_at is null then 'known_at: is missing (the time it was committed to the database)'
        when row_number() over (partition by id order by known_at, package, patched, unaffected) > 1
            then 'id: appears more than once; the first row is used'
        when informational not in ('unmaintained', 'unsound', 'notice')
            then 'informational: "' || informational || '" is not one of unmaintained, unsound, notice'
    end as rejected
from source_advisories
where known_at is null or known_at <= getvariable('advisories_read_at')
order by id
