-- The as-of instant, and the starts of two windows before it: `recent`, about 30 days back, and `long`, about 120. If the
-- source does not know exactly what existed at a start, it moves to the last earlier instant that is known, or is null.
create or replace temp table instants as
select 'now' as name, getvariable('known_at') as instant
union all
select
    w.name,
    case when u.starts_at is null then w.wanted_at when u.starts_at > timestamp '1970-01-01' then u.starts_at end
from (values
    ('recent', getvariable('known_at') - interval 30 days),
    ('long', getvariable('known_at') - interval 120 days)
) as w(name, wanted_at)
left join uncertain_periods(getvariable('known_at')) as u on u.starts_at < w.wanted_at and w.wanted_at < u.ends_at;

create or replace temp table default_versions as
select crate_id, version_id, all_yanked from default_versions_at('instants') where instant_name = 'now';
