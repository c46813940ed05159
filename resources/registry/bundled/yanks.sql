-- One row per time a version was yanked; `unyanked_at` is null while the yank stands.
select
    v.id as version_id,
    y.yanked_at,
    y.yanked_at_exact,
    -- a later undoing is not a fact of this snapshot
    case when y.unyanked_at <= getvariable('snapshot_at') then y.unyanked_at end as unyanked_at,
    null::varchar as source_key,
    case
        when v.id is null then 'num: ' || coalesce(y.name, '?') || ' ' || coalesce(y.num, '?') || ' is not a version of the registry'
        when y.yanked_at is null then 'yanked_at: is missing'
        when y.yanked_at > getvariable('snapshot_at')
            then 'yanked_at: ' || y.yanked_at || ' is after the snapshot (' || getvariable('snapshot_at') || ')'
        when y.unyanked_at < y.yanked_at then 'unyanked_at: is earlier than yanked_at'
        when row_number() over (partition by v.id, y.yanked_at order by y.unyanked_at) > 1
            then 'yanked_at: the same yank stands twice; the first was kept'
    end as rejected
from source_yanks as y
left join crates as c on c.name = y.name
left join versions as v on v.crate_id = c.id and v.num = y.num
order by version_id, yanked_at
