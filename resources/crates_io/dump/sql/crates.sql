-- One row per crate, with crates.io's own ids.
with typed as (
    select
        try_cast(id as bigint) as id,
        name,
        lower(replace(name, '-', '_')) as canonical_name,
        pg_timestamp(created_at) as created_at,
        id as id_text,
        created_at as created_at_text
    from source_crates
),

checked as (
    select
        id,
        name,
        canonical_name,
        created_at,
        created_at as created_after,
        true as created_at_exact,
        case
            when id is null then 'id: "' || coalesce(id_text, 'null') || '" is not a number'
            when name is null or not regexp_full_match(name, '[A-Za-z][A-Za-z0-9_-]{0,63}')
                then 'name: "' || coalesce(name, 'null') || '" is not a crate name (a letter, then letters, digits, - and _, at most 64)'
            when created_at is null then 'created_at: "' || coalesce(created_at_text, 'null') || '" is not a time'
            when created_at > getvariable('snapshot_at')
                then 'created_at: ' || created_at || ' is after the snapshot (' || getvariable('snapshot_at') || ')'
        end as invalid,
        concat_ws(' ', id_text) as raw_key
    from typed
),

named as (
    select
        *,
        case
            when invalid is not null then invalid
            when row_number() over (partition by canonical_name, invalid is null order by created_at, id) > 1
                then 'name: "' || name || '" differs from another crate''s name in case, - and _ only; the older crate is used'
        end as rejected
    from checked
)

select * exclude (invalid, raw_key), case when rejected is not null then raw_key end as source_key
from named
order by id, created_at, name
