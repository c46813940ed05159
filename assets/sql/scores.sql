-- One row per crate: the five scores side by side, the facts that need attention, evidence and advice in words.
-- A score is the chance of the wanted outcome: of an unwanted one, the chance that it does not happen. It is null where too
-- few inputs are known. Needs: `predictions`, `features`, `crates`, `texts`, `wording_of_targets` (target, outcome, more,
-- less), and the variables `min_coverage` and `targets`.
with scored as (
    select
        crate,
        target,
        coverage,
        if(is_good, worst, 1 - worst) as worst,
        if(is_good, probability, 1 - probability) as probability,
        if(is_good, best, 1 - best) as best,
        percentile,
        list_transform(
            list_filter(evidence[1:3], lambda e: abs(e.effect) >= 0.1),
            lambda e: format('{} ({})', e.words, if(e.effect < 0, t.less, t.more))
        ) as evidence,
        list_transform(
            -- an improvement that disappears when rounded is not worth mentioning
            list_filter(changes, lambda c: c.is_advice and round(100 * c.worst) != round(100 * worst))[1:1],
            lambda c: format(
                '{}: {:.0f}% instead of {:.0f}% {} of {}',
                upper(c.change[1]) || c.change[2:],
                100 * c.worst,
                100 * worst,
                if(is_good, 'chance', 'risk'),
                t.outcome
            )
        ) as changes
    from predictions
    join wording_of_targets as t using (target)
),

wide as (
    select
        crate,
        any_value(s) filter (target = 'maintenance' and coverage >= getvariable('min_coverage')) as maintenance,
        any_value(s) filter (target = 'popularity' and coverage >= getvariable('min_coverage')) as popularity,
        any_value(s) filter (target = 'security' and coverage >= getvariable('min_coverage')) as security,
        any_value(s) filter (target = 'dependency_health' and coverage >= getvariable('min_coverage')) as dependency_health,
        any_value(s) filter (target = 'quality' and coverage >= getvariable('min_coverage')) as quality,
        min(coverage) as coverage,
        list(target order by target) filter (coverage >= getvariable('min_coverage')) as known_scores
    from scored as s
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
    w.security.worst as security,
    w.security.probability as security_probability,
    w.security.best as security_best,
    w.security.percentile as security_percentile,
    w.dependency_health.worst as dependency_health,
    w.dependency_health.probability as dependency_health_probability,
    w.dependency_health.best as dependency_health_best,
    w.dependency_health.percentile as dependency_health_percentile,
    w.quality.worst as quality,
    w.quality.probability as quality_probability,
    w.quality.best as quality_best,
    w.quality.percentile as quality_percentile,
    w.coverage,
    list_filter(getvariable('targets'), lambda t: not list_contains(coalesce(w.known_scores, []), t)) as unknown_scores,
    flatten(list_filter(
        [
            w.maintenance.evidence, w.popularity.evidence, w.security.evidence,
            w.dependency_health.evidence, w.quality.evidence
        ],
        lambda e: e is not null
    )) as evidence,
    flatten(list_filter(
        [w.maintenance.changes, w.popularity.changes, w.security.changes, w.quality.changes],
        lambda c: c is not null
    )) as changes,
    list_filter([
        case when f.is_vulnerable then 'a known vulnerability affects its default version' end,
        case when f.is_unmaintained then 'an advisory reports it as unmaintained' end,
        case when f.all_yanked then 'every version is yanked' end,
        case when f.tree_vulnerable > 0 then
            f.tree_vulnerable || ' vulnerable ' || if(f.tree_vulnerable = 1, 'crate', 'crates')
            || ' in its build: ' || array_to_string(f.tree_vulnerable_names[1:5], ', ')
        end,
        case when f.tree_unmaintained > 0 then
            f.tree_unmaintained || ' unmaintained ' || if(f.tree_unmaintained = 1, 'crate', 'crates')
            || ' in its build: ' || array_to_string(f.tree_unmaintained_names[1:5], ', ')
        end,
        case when f.dependencies_unresolved > 0 then
            f.dependencies_unresolved || if(f.dependencies_unresolved = 1, ' dependency', ' dependencies')
            || ' without a matching version'
        end,
        case when f.dependencies_outdated > 0 then
            f.dependencies_outdated || ' outdated ' || if(f.dependencies_outdated = 1, 'dependency', 'dependencies')
        end,
        case when f.requirements_wildcard > 0 then
            f.requirements_wildcard || ' wildcard ' || if(f.requirements_wildcard = 1, 'requirement', 'requirements')
        end
    ], lambda finding: finding is not null) as findings,
    f.dependents,
    f.dependents_independent,
    f.transitive_dependents
from features as f
join wide as w using (crate)
left join descriptions as d using (crate)
order by f.crate
