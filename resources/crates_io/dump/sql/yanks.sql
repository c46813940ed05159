-- One row per yank that the dump still shows. Since 2021-10-08 `updated_at` changes only with `yanked`; older rows
-- carry the time of whatever touched them last. A version that is not yanked but was changed since was yanked and
-- un-yanked by then: when it was yanked is not known.
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
