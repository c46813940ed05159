-- The index has no downloads.
select
    null::date as date, null::bigint as version_id, null::bigint as downloads, null::bool as is_masked,
    null::bigint as counting_method, null::varchar as source_key, null::varchar as rejected
where false
