-- One row per version and day, from the dump and, for earlier days, from crates.io's download archive.
--
-- A day may be in both, because crates.io writes the archive before it deletes the day from its database. A count grows
-- while its day is in the database, and restarts from 0 if it is counted after the deletion. So the larger of two counts
-- is more accurate. The day of the dump is incomplete and is dropped.
with typed as (
    select
        -- a cast would accept `infinity` and years with five digits
        case when length(date) = 10 then try_cast(date as date) end as date,
        try_cast(version_id as bigint) as version_id,
        try_cast(downloads as bigint) as downloads,
        date as date_text,
        version_id as version_id_text,
        downloads as downloads_text
    from source_version_downloads
),

dump_rows as (
    select
        *,
        case
            when date is null then 'date: "' || coalesce(date_text, 'null') || '" is not a date'
            when date < date '2014-11-01' or date > getvariable('snapshot_at')::date
                then 'date: ' || date || ' is not between the first day of crates.io and the snapshot'
            when version_id is null then 'version_id: "' || coalesce(version_id_text, 'null') || '" is not a number'
            when version_id not in (select id from versions) then 'version_id: ' || version_id || ' is not a version of the dump'
            when downloads is null or downloads < 0 then 'downloads: "' || coalesce(downloads_text, 'null') || '" is not a count'
        end as rejected
    from typed
),

in_both as (
    select date, version_id, max(downloads) as downloads
    from (
        select date, version_id, downloads from dump_rows
        where rejected is null and date <= getvariable('newest_archived')
        union all
        -- the archive still has versions that were deleted since
        select date, version_id, downloads from archived_downloads where version_id in (select id from versions)
    )
    group by date, version_id
),

daily as (
    from dump_rows where rejected is not null or date > coalesce(getvariable('newest_archived'), date '1970-01-01')
    union all by name
    from in_both
),

masked as (
    select unnest(generate_series(starts_on, ends_on, interval 1 day))::date as date, name
    from (select starts_on, ends_on, unnest(scope) as name from download_breaks where kind != 'method')
),

masked_versions as (
    select m.date, v.id as version_id
    from masked as m
    join crates as c on c.name = m.name
    join versions as v on v.crate_id = c.id
),

calendar as (
    select
        d.date,
        d.date in (select date from masked where name = 'all') as is_masked,
        count(b.starts_on) filter (b.ends_on < d.date) as methods_before,
        coalesce(bool_or(d.date between b.starts_on and b.ends_on), false) as is_changing
    from (select unnest(generate_series(date '2014-11-01', getvariable('snapshot_at')::date, interval 1 day))::date as date) as d
    left join download_breaks as b on b.kind = 'method' and b.starts_on <= d.date
    group by d.date
)

select
    d.date,
    d.version_id,
    d.downloads,
    -- not a join, whose plan would hold the downloads in memory instead of the breaks
    coalesce(c.is_masked, false) or (d.date, d.version_id) in (select (date, version_id) from masked_versions) as is_masked,
    -- counts of different methods are not comparable; null while the method was changing
    case when not c.is_changing then c.methods_before end as counting_method,
    d.rejected,
    case when d.rejected is not null then concat_ws(' ', d.date_text, d.version_id_text) end as source_key
from daily as d
left join calendar as c on c.date = d.date
where d.rejected is not null or d.date < getvariable('snapshot_at')::date
order by d.date, d.version_id, d.downloads
