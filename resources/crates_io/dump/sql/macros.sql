-- Postgres' text formats as DuckDB types; invalid values become null.

-- `2015-01-13 09:41:20.782996+00`; before 2025-02-17 without `+00`. A cast would also accept `infinity`, years before
-- Christ, and other time zones as if they were UTC.
create or replace temp macro pg_timestamp(text) as
    try_cast(nullif(regexp_extract(text, '^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?)(\+00)?$', 1), '') as timestamp);

create or replace temp macro pg_bool(text) as case text when 't' then true when 'f' then false end;

-- `{a,"b c","q\"uote",NULL}`
create or replace temp macro pg_array(text) as case
    when text is null or text[1] != '{' or text[-1] != '}' then null
    when text = '{}' then []::varchar[]
    when not contains(text, '"') then list_transform(string_split(text[2:-2], ','), lambda item: nullif(item, 'NULL'))
    else list_transform(
        regexp_extract_all(text[2:-2], '"(?:[^"\\]|\\.)*"|[^,]+'),
        lambda item: case
            when item = 'NULL' then null
            when item[1] = '"' then regexp_replace(item[2:-2], '\\(.)', '\1', 'g')
            else item
        end
    )
end;
