-- One row per yank of a version; `unyanked_at` is null if it was not undone.
select
    v.id as version_id,
    y.yanked_at,
    y.yanked_at_exact,
    -- an un-yank after the snapshot is not known yet
    case when y.unyanked_at <= getvariable('snapshot_at') then y.unyanked_at end as unyanked_at,
    null::varchar as source_key,
    case
        when v.id is null then 'num: ' || coalesce(y.name, '?') || ' ' || coalesce(y.num, '?') || ' is not a version of the registry'
        when y.yanked_at is null then 'yanked_at: is missing'
        when y.yanked_at > getvariable('snapshot_at')
            then 'yanked_at: ' || y.yanked_at || ' is after the snapshot (' || getvariable('snapshot_at') || ')'
        when y.unyanked_at < y.yanked_at then 'unyanked_at: is earlier than yanked_at'
        when row_number() over (partition by v.id, y.yanked_at order by y.unyanked_at) > 1
            then 'yanked_at: the yank appears more than once; the first row is used'
    end as rejected
from source_yanks as y
left join crates as c on c.name = y.name
left join versions as v on v.crate_id = c.id and v.num = y.num
order by version_id, yanked_at
