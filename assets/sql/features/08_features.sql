-- The rows of `features`. A count is 0 if there is nothing to count, and null if the source lacks the facts.
select
    getvariable('as_of')::date as as_of,
    c.crate,
    c.name,
    c.family,
    dv.num as default_version,

    r.versions,
    r.age_days_min,
    r.age_days_max,
    r.days_since_release_min,
    r.days_since_release_max,
    r.releases_30d_min,
    r.releases_30d_max,
    r.releases_90d_min,
    r.releases_90d_max,
    r.releases_180d_min,
    r.releases_180d_max,
    r.releases_365d_min,
    r.releases_365d_max,
    r.releases_730d_min,
    r.releases_730d_max,
    ca.release_interval_days,
    r.exact_versions / r.versions as exact_share,

    r.yanked_versions,
    f.all_yanked,
    coalesce(y.yanks, 0) as yanks,
    coalesce(y.yanks_90d_min, 0) as yanks_90d_min,
    coalesce(y.yanks_90d_max, 0) as yanks_90d_max,

    dv.version_key[1:20]::ubigint as major,
    dv.version_key[21:40]::ubigint as minor,
    dv.version_key[41:60]::ubigint as patch,
    dv.is_prerelease,
    r.prerelease_versions,
    r.mature_versions,
    r.patch_versions,
    r.highest_patch,
    len(dv.feature_names) as feature_count,
    dv.links is not null as has_links,
    dv.crate_size,
    try_cast(dv.edition as integer) as edition,

    case when list_contains(getvariable('tables'), 'owners') then coalesce(oc.owners_min, 0) end as owners_min,
    case when list_contains(getvariable('tables'), 'owners') then coalesce(oc.owner_teams_min, 0) end as owner_teams_min,
    dc.downloads_30d,
    dc.downloads_previous_30d,

    coalesce(s.dependencies_normal, 0) as dependencies_normal,
    coalesce(s.dependencies_optional, 0) as dependencies_optional,
    coalesce(s.dependencies_dev, 0) as dependencies_dev,
    coalesce(s.dependencies_build, 0) as dependencies_build,
    coalesce(s.requirements_wildcard, 0) as requirements_wildcard,
    coalesce(s.requirements_unbounded, 0) as requirements_unbounded,
    coalesce(s.requirements_exact, 0) as requirements_exact,
    coalesce(s.requirements_unreadable, 0) as requirements_unreadable,
    coalesce(s.dependencies_outdated, 0) as dependencies_outdated,
    coalesce(s.dependencies_unresolved, 0) as dependencies_unresolved,
    coalesce(t.transitive_dependencies, 0) as transitive_dependencies,
    coalesce(t.build, []) as build,

    coalesce(d.dependents, 0) as dependents,
    coalesce(d.dependents_dev, 0) as dependents_dev,
    coalesce(d.dependents_independent, 0) as dependents_independent,
    coalesce(d.dependents_outdated, 0) as dependents_outdated,
    coalesce(d.dependents_active_min, 0) as dependents_active_min,
    coalesce(td.transitive_dependents, 0) as transitive_dependents,
    pr.pagerank,
    coalesce(td.conemass, 0) as conemass,
    case when recent.days is not null then coalesce(cr.gained, 0) * 30 / recent.days end as dependents_gained_recent,
    case when recent.days is not null then coalesce(cr.lost, 0) * 30 / recent.days end as dependents_lost_recent,
    case when long.days is not null then coalesce(cl.gained, 0) * 30 / long.days end as dependents_gained_long,
    case when long.days is not null then coalesce(cl.lost, 0) * 30 / long.days end as dependents_lost_long,

    coalesce(a.advisories, 0) as advisories,
    coalesce(a.advisories_365d, 0) as advisories_365d,
    coalesce(a.advisories_unsound, 0) as advisories_unsound,
    coalesce(x.is_unmaintained, false) as is_unmaintained,
    coalesce(x.is_vulnerable, false) as is_vulnerable,
    coalesce(len(t.vulnerable_names), 0) as tree_vulnerable,
    coalesce(len(t.unmaintained_names), 0) as tree_unmaintained,
    coalesce(t.vulnerable_names, []) as tree_vulnerable_names,
    coalesce(t.unmaintained_names, []) as tree_unmaintained_names
from known_crates as c
semi join wanted_crates using (crate_id)
join default_versions as f using (crate_id)
join known_versions as dv on dv.id = f.version_id
join releases as r using (crate_id)
left join cadence as ca using (crate_id)
left join yank_history as y using (crate_id)
left join dependency_shape as s using (crate_id)
left join tree as t using (crate_id)
left join dependents as d using (crate_id)
left join transitive_dependents as td using (crate_id)
left join pagerank as pr using (crate_id)
left join owner_counts as oc on oc.crate_id = c.crate_id
left join download_counts as dc on dc.crate_id = c.crate_id
left join dependents_change as cr on cr.crate_id = c.crate_id and cr.instant_name = 'recent'
left join dependents_change as cl on cl.crate_id = c.crate_id and cl.instant_name = 'long'
left join own_advisories as a on a.crate_id = c.crate_id
left join default_issues as x on x.crate_id = c.crate_id
cross join (select epoch(getvariable('known_at') - instant) / 86400 as days from instants where name = 'recent') as recent
cross join (select epoch(getvariable('known_at') - instant) / 86400 as days from instants where name = 'long') as long
order by c.crate
