-- One row per distinct requirement, with the version keys that match it as bounds lower <= key < upper.
--
-- Releases match between `lower` and `upper`. A pre-release matches only if it also shares
-- major.minor.patch with a comparator that names a pre-release (`pre_triples`), between
-- `pre_lower` and `pre_upper`: partial comparators (`>=1.2`) treat the two differently.
-- A text that is not a valid Cargo requirement has null bounds.
-- `requirements` names a relation with a column `req`. Rules: the `semver` crate's `eval.rs`.
create or replace macro cargo_requirement_bounds(requirements) as table
with comparators as (
    -- the only whitespace that Cargo allows is the space
    select req, trim(text, ' ') as text
    from (select distinct req from query_table(requirements)),
        unnest(string_split(req, ',')) as parts(text)
),

parsed as (
    select
        req,
        text,
        regexp_extract(
            text,
            '^(=|>=|>|<=|<|~|\^)? *(0|[1-9][0-9]{0,19}|[*xX])'
            || '(?:\.(0|[1-9][0-9]{0,19}|[*xX]))?(?:\.(0|[1-9][0-9]{0,19}|[*xX]))?'
            || '(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$',
            ['op', 'major', 'minor', 'patch', 'pre', 'build']
        ) as c
    from comparators
),

typed as (
    select
        req,
        text,
        c.op as written_op,
        c.major in ('*', 'x', 'X') as any_version,
        c.minor in ('*', 'x', 'X') or c.patch in ('*', 'x', 'X') as wildcard,
        try_cast(c.major as hugeint) as major,
        try_cast(c.minor as hugeint) as minor,
        try_cast(c.patch as hugeint) as patch,
        c.pre,
        c.major != ''
            -- `1.*.*` means `1.*`; `1.*.3` is invalid
            and not (c.minor in ('*', 'x', 'X') and regexp_full_match(c.patch, '[0-9]+'))
            and not (c.pre || c.build != '' and not regexp_full_match(c.patch, '[0-9]+'))
            -- `*` must be the only comparator
            and not (c.major in ('*', 'x', 'X') and trim(req, ' ') not in ('*', 'x', 'X'))
            -- each number has 64 bits
            and coalesce(try_cast(c.major as hugeint), 0) < 18446744073709551616
            and coalesce(try_cast(c.minor as hugeint), 0) < 18446744073709551616
            and coalesce(try_cast(c.patch as hugeint), 0) < 18446744073709551616
            as is_valid
    from parsed
),

operators as (
    select
        *,
        case
            when any_version then '*'
            when wildcard and written_op in ('', '=') then '='
            when written_op = '' then '^'
            else written_op
        end as op,
        cargo_triple(major, coalesce(minor, 0), coalesce(patch, 0)) as triple,
        -- the first triple after all that share the given parts
        case
            when minor is null then cargo_triple(major + 1, 0, 0)
            when patch is null then cargo_triple(major, minor + 1, 0)
        end as next_partial,
        triple || case when pre = '' then '~' else cargo_identifiers(pre) end as key
    from typed
),

bounds as (
    select
        req,
        op,
        is_valid,
        case when pre != '' then triple end as pre_triple,
        case op
            when '*' then ''
            when '>' then coalesce(next_partial, key || '"')
            when '<' then ''
            when '<=' then ''
            else key
        end as lower,
        case op
            when '*' then null
            when '=' then coalesce(next_partial, key || '"')
            when '>' then null
            when '>=' then null
            when '<' then case when patch is null then triple else key end
            when '<=' then coalesce(next_partial, key || '"')
            when '~' then coalesce(next_partial, cargo_triple(major, minor + 1, 0))
            when '^' then case
                when major > 0 or minor is null then cargo_triple(major + 1, 0, 0)
                when minor > 0 or patch is null then cargo_triple(major, minor + 1, 0)
                else cargo_triple(major, minor, patch + 1)
            end
        end as upper,
        -- a partial `=`, `~` or wildcard never matches a pre-release
        op in ('=', '~', '*') and patch is null as no_pre,
        case
            when op = '>=' and patch is null then next_partial
            when op = '^' and patch is null then triple
            else lower
        end as pre_lower,
        case
            when op = '<=' and patch is null then triple
            else upper
        end as pre_upper
    from operators
)

select
    req,
    -- the `semver` crate allows at most 32 comparators
    bool_and(is_valid) and count(*) <= 32 as is_valid,
    case when bool_and(is_valid) and count(*) <= 32 then max(lower) end as lower,
    -- '\x7F' sorts after every key
    case when bool_and(is_valid) and count(*) <= 32 then coalesce(min(upper), chr(127)) end as upper,
    case
        when bool_and(is_valid) and count(*) <= 32 and not bool_or(no_pre)
            then list(distinct pre_triple order by pre_triple) filter (pre_triple is not null)
    end as pre_triples,
    max(pre_lower) as pre_lower,
    coalesce(min(pre_upper), chr(127)) as pre_upper,
    bool_and(op = '*') as is_wildcard,
    -- no upper bound: future breaking releases match too
    bool_and(upper is null) and not bool_and(op = '*') as is_unbounded,
    -- `=1.2.3`: exactly one version
    bool_or(op = '=' and pre_lower || '"' = pre_upper) as is_exact
from bounds
group by req
order by req;
