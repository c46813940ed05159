-- One table per subject with one row per crate; the last step joins them.

-- Counts over a window have bounds where dates have: `_min` counts what is certainly in the window, `_max` what may be.
create or replace temp table releases as
select
    crate_id,
    count(*) as versions,
    count(*) filter (yanked) as yanked_versions,
    count(*) filter (is_prerelease) as prerelease_versions,
    count(*) filter (not yanked and not is_prerelease and version_key[1:40] > repeat('0', 40)) as mature_versions,
    count(*) filter (not yanked and version_key[1:20]::ubigint > 0 and version_key[41:60]::ubigint > 0) as patch_versions,
    coalesce(max(version_key[41:60]::ubigint) filter (not yanked), 0) as highest_patch,
    count(*) filter (created_after > getvariable('known_at') - interval 30 days) as releases_30d_min,
    count(*) filter (created_at > getvariable('known_at') - interval 30 days) as releases_30d_max,
    count(*) filter (created_after > getvariable('known_at') - interval 90 days) as releases_90d_min,
    count(*) filter (created_at > getvariable('known_at') - interval 90 days) as releases_90d_max,
    count(*) filter (created_after > getvariable('known_at') - interval 180 days) as releases_180d_min,
    count(*) filter (created_at > getvariable('known_at') - interval 180 days) as releases_180d_max,
    count(*) filter (created_after > getvariable('known_at') - interval 365 days) as releases_365d_min,
    count(*) filter (created_at > getvariable('known_at') - interval 365 days) as releases_365d_max,
    count(*) filter (created_after > getvariable('known_at') - interval 730 days) as releases_730d_min,
    count(*) filter (created_at > getvariable('known_at') - interval 730 days) as releases_730d_max,
    epoch(getvariable('known_at') - min(created_at)) / 86400 as age_days_min,
    -- null if any version has no lower bound, since it may be the first
    case when count(created_after) = count(*) then epoch(getvariable('known_at') - min(created_after)) / 86400 end as age_days_max,
    epoch(getvariable('known_at') - max(created_at)) / 86400 as days_since_release_min,
    epoch(getvariable('known_at') - max(created_after)) / 86400 as days_since_release_max,
    count(*) filter (created_at_exact) as exact_versions
from known_versions
group by crate_id;

-- The median time between releases, for crates with at least three releases of exact time.
create or replace temp table cadence as
with gaps as (
    select crate_id, epoch(created_at - lag(created_at) over (partition by crate_id order by created_at, id)) / 86400 as days
    from known_versions
    where created_at_exact
)

select crate_id, median(days) as release_interval_days from gaps group by crate_id having count(days) >= 2;

create or replace temp table yank_history as
select
    crate_id,
    count(*) as yanks,
    count(*) filter (yanked_at_exact and yanked_at > getvariable('known_at') - interval 90 days) as yanks_90d_min,
    count(*) filter (yanked_at > getvariable('known_at') - interval 90 days) as yanks_90d_max
from known_yanks
group by crate_id;

create or replace temp table dependency_shape as
select
    d.dependent_id as crate_id,
    count(distinct d.crate_id) filter (d.kind = 'normal' and not d.optional) as dependencies_normal,
    count(distinct d.crate_id) filter (d.optional) as dependencies_optional,
    count(distinct d.crate_id) filter (d.kind = 'dev') as dependencies_dev,
    count(distinct d.crate_id) filter (d.kind = 'build') as dependencies_build,
    count(*) filter (r.is_wildcard) as requirements_wildcard,
    count(*) filter (r.is_unbounded) as requirements_unbounded,
    count(*) filter (r.is_exact) as requirements_exact,
    count(distinct d.crate_id) filter (r.is_outdated and d.kind != 'dev') as dependencies_outdated,
    count(distinct d.crate_id) filter (r.is_unresolved and d.kind != 'dev') as dependencies_unresolved,
    -- a requirement that Cargo's rules do not accept
    count(*) filter (r.req is null) as requirements_unreadable
from default_dependencies as d
left join resolved_requirements as r on r.crate_id = d.crate_id and r.req = d.req
group by d.dependent_id;

create or replace temp table dependents as
select
    e.crate_id,
    count(*) filter (e.is_built) as dependents,
    count(*) filter (not e.is_built) as dependents_dev,
    count(distinct s.family) filter (e.is_built and s.family != t.family) as dependents_independent,
    count(*) filter (e.is_built and e.is_outdated) as dependents_outdated,
    count(*) filter (e.is_built and r.days_since_release_max <= 180) as dependents_active_min
from edges as e
join known_crates as s on s.crate_id = e.dependent_id
join known_crates as t on t.crate_id = e.crate_id
join releases as r on r.crate_id = e.dependent_id
group by e.crate_id;

-- Independent dependents gained and lost since the start of each window; no rows for a window whose start is unknown.
create or replace temp table dependents_change as
with present as (
    select i.name as instant_name, e.dependent_id, e.crate_id
    from instants as i
    cross join edges as e
    where i.name != 'now' and i.instant is not null and e.is_built
),

change as (
    select
        coalesce(e.instant_name, p.instant_name) as instant_name,
        coalesce(e.crate_id, p.crate_id) as crate_id,
        coalesce(e.dependent_id, p.dependent_id) as dependent_id,
        p.crate_id is null as is_gained,
        e.crate_id is null as is_lost
    from present as e
    full join past_edges as p
        on p.instant_name = e.instant_name and p.crate_id = e.crate_id and p.dependent_id = e.dependent_id
)

select
    n.crate_id,
    n.instant_name,
    count(distinct s.family) filter (n.is_gained) as gained,
    count(distinct s.family) filter (n.is_lost) as lost
from change as n
join known_crates as s on s.crate_id = n.dependent_id
join known_crates as t on t.crate_id = n.crate_id
where s.family != t.family
group by n.crate_id, n.instant_name;

create or replace temp table transitive_dependents as
select
    crate_id,
    sum(dependents)::bigint as transitive_dependents,
    sum(conemass)::double / 1e12 as conemass
from tree_dependents
group by crate_id;

create or replace temp table default_issues as
select
    f.crate_id,
    bool_or(a.informational is null) as is_vulnerable,
    bool_or(coalesce(a.informational, '') = 'unmaintained') as is_unmaintained
from default_versions as f
join affected_versions as a on a.version_id = f.version_id
group by f.crate_id;

create or replace temp table own_advisories as
select
    c.crate_id,
    count(*) filter (a.informational is null) as advisories,
    count(*) filter (a.informational is null and a.known_at > getvariable('known_at') - interval 365 days) as advisories_365d,
    count(*) filter (a.informational = 'unsound') as advisories_unsound
from known_advisories as a
join known_crates as c on c.crate = a.canonical_name
group by c.crate_id;

create or replace temp table owner_counts as
select
    crate_id,
    count(*) filter (kind = 'user') as owners_min,
    count(*) filter (kind = 'team') as owner_teams_min
from known_owners
group by crate_id;

-- Downloads in 30 days, extrapolated from the known days; null if fewer than 20 are known.
create or replace temp table download_counts as
with periods as (
    select
        max(days) filter (period = 1 and is_one_method) as days_now,
        max(days) filter (period = 2 and is_one_method) as days_before,
        count(distinct counting_method) = 1 as is_comparable
    from known_download_periods
)

select
    c.crate_id,
    case when w.days_now >= 20 then coalesce(any_value(d.downloads) filter (d.period = 1), 0) * 30 / w.days_now end as downloads_30d,
    case when w.days_before >= 20 and w.is_comparable
        then coalesce(any_value(d.downloads) filter (d.period = 2), 0) * 30 / w.days_before
    end as downloads_previous_30d
from known_crates as c
cross join periods as w
left join known_downloads as d on d.crate_id = c.crate_id
group by c.crate_id, w.days_now, w.days_before, w.is_comparable;
