-- One row per yank that is visible in the dump. Since 2021-10-08 `updated_at` changes with `yanked` only; in older rows
-- it is the time of any last change. A version that was updated since, but is not yanked, was yanked and un-yanked before
-- that time: the time of the yank is unknown.
select
    id as version_id,
    least(greatest(updated_at, created_at), getvariable('snapshot_at')) as yanked_at,
    yanked and updated_at >= timestamp '2021-10-08' as yanked_at_exact,
    case when not yanked then least(greatest(updated_at, created_at), getvariable('snapshot_at')) end as unyanked_at,
    null::varchar as rejected,
    null::varchar as source_key
from versions
where yanked or (updated_at > created_at + interval 1 day and updated_at >= timestamp '2021-10-08')
order by version_id
