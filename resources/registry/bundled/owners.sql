-- The index has no owners.
select
    null::bigint as crate_id, null::varchar as kind, null::bigint as owner_id, null::varchar as login,
    null::timestamp as created_at, null::varchar as source_key, null::varchar as rejected
where false
