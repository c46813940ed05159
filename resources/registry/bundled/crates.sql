-- One row per crate. The bundled registry has no ids, so ids number the names in byte order.
with named as (
    select
        name,
        lower(replace(name, '-', '_')) as canonical_name,
        min(published_at) as created_at,
        -- null if any version has no lower bound, because that version may be the first
        case when count(published_after) = count(*) then min(published_after) end as created_after,
        arg_min(published_at_exact, (published_at, position)) as created_at_exact
    from source_versions
    -- a crate exists if it has a valid version
    where name is not null and published_at <= getvariable('snapshot_at') and cargo_version_key(num) is not null
    group by name
),

checked as (
    select
        *,
        case
            when not regexp_full_match(name, '[A-Za-z][A-Za-z0-9_-]{0,63}')
                then 'name: "' || name || '" is not a crate name (a letter, then letters, digits, - and _, at most 64)'
            when row_number() over (partition by canonical_name order by created_at, name) > 1
                then 'name: "' || name || '" differs from another crate''s name in case, - and _ only; the older crate is used'
        end as rejected
    from named
)

select
    row_number() over (partition by rejected is null order by name) as id,
    *,
    null::varchar as source_key
from checked
order by rejected is not null, id
