-- One row per crate: predictions side by side, facts that call for a look, evidence in words.
with wide as (
    select
        crate,
        any_value(p) filter (target = 'maintenance') as maintenance,
        any_value(p) filter (target = 'popularity') as popularity,
        min(coverage) as coverage
    from predictions as p
    group by crate
),

descriptions as (
    select c.canonical_name as crate, min(t.description) as description
    from texts as t
    join crates as c on c.id = t.crate_id
    group by c.canonical_name
)

select
    f.as_of,
    f.refreshed_at,
    f.crate,
    f.name,
    f.default_version,
    d.description,
    w.maintenance.worst as maintenance,
    w.maintenance.probability as maintenance_probability,
    w.maintenance.best as maintenance_best,
    w.maintenance.percentile as maintenance_percentile,
    w.popularity.worst as popularity,
    w.popularity.probability as popularity_probability,
    w.popularity.best as popularity_best,
    w.popularity.percentile as popularity_percentile,
    null::double as security,
    null::double as security_probability,
    null::double as security_best,
    null::double as security_percentile,
    null::double as dependency_health,
    null::double as dependency_health_probability,
    null::double as dependency_health_best,
    null::double as dependency_health_percentile,
    null::double as quality,
    null::double as quality_probability,
    null::double as quality_best,
    null::double as quality_percentile,
    w.coverage,
    ['security', 'dependency_health', 'quality'] as unknown_scores,
    list_concat(
        list_transform(list_filter(w.maintenance.evidence[1:3], lambda e: abs(e.effect) >= 0.1), lambda e: if(e.effect < 0, 'less', 'more') || ' likely to be released: ' || e.words),
        list_transform(list_filter(w.popularity.evidence[1:3], lambda e: abs(e.effect) >= 0.1), lambda e: if(e.effect < 0, 'less', 'more') || ' likely to be adopted: ' || e.words)
    ) as evidence,
    list_filter([
        case when f.is_vulnerable then 'a known vulnerability affects its default version' end,
        case when f.is_unmaintained then 'an advisory calls it unmaintained' end,
        case when f.all_yanked then 'every version is yanked' end,
        case when f.tree_vulnerable > 0 then f.tree_vulnerable || ' vulnerable ' || if(f.tree_vulnerable = 1, 'crate', 'crates') || ' in its build: ' || array_to_string(f.tree_vulnerable_names[1:5], ', ') end,
        case when f.tree_unmaintained > 0 then f.tree_unmaintained || ' unmaintained ' || if(f.tree_unmaintained = 1, 'crate', 'crates') || ' in its build: ' || array_to_string(f.tree_unmaintained_names[1:5], ', ') end,
        case when f.dependencies_unresolved > 0 then f.dependencies_unresolved || if(f.dependencies_unresolved = 1, ' dependency', ' dependencies') || ' that no version left matches' end,
        case when f.dependencies_outdated > 0 then f.dependencies_outdated || ' outdated ' || if(f.dependencies_outdated = 1, 'dependency', 'dependencies') end,
        case when f.requirements_wildcard > 0 then f.requirements_wildcard || ' wildcard ' || if(f.requirements_wildcard = 1, 'requirement', 'requirements') end
    ], lambda finding: finding is not null) as findings,
    f.dependents,
    f.dependents_independent,
    f.transitive_dependents
from features as f
join wide as w using (crate)
left join descriptions as d using (crate)
order by f.crate
