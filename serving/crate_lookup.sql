-- Everything known about one crate, as one JSON text. Needs: `scores`, `culprits`, `predictions`, `fresh_predictions`,
-- `features` and `advisories` of the same date, and the variables `crate` (a name in any spelling) and `targets`.
with found as (
    from scores where crate = replace(lower(getvariable('crate')), '-', '_')
),

own_predictions as (
    select p.* from predictions as p join found as f using (crate) where f.refreshed_at is null
    union all by name
    select p.* from fresh_predictions as p join found as f using (crate) where f.refreshed_at is not null
),

-- shares of all crates whose probability at the worst end is strictly lower, and strictly higher
places as (
    select
        o.target,
        avg((p.worst < o.worst)::int) as share_lower,
        avg((p.worst > o.worst)::int) as share_higher
    from own_predictions as o
    join predictions as p using (target)
    group by o.target
),

each_score as (
    select
        t.target,
        p.crate is not null and not list_contains(f.unknown_scores, t.target) as is_known,
        p.is_good,
        p.horizon_days,
        p.probability,
        p.worst,
        p.best,
        p.base_rate,
        p.percentile,
        s.share_lower,
        s.share_higher,
        p.coverage,
        coalesce(p.evidence, []) as evidence,
        coalesce(p.changes, []) as changes
    from (select unnest(getvariable('targets')) as target) as t
    cross join found as f
    left join own_predictions as p using (target)
    left join places as s using (target)
),

on_itself as (
    select list({'id': id, 'kind': coalesce(informational, 'vulnerability'), 'patched': patched} order by id) as advisories
    from (
        from advisories
        where canonical_name = (select crate from found) and known_at < (select as_of from found)
        qualify row_number() over (partition by id order by revised_at desc) = 1
    )
    where withdrawn is null
),

issues as (
    select list(c order by c.issue = 'unmaintained', c.culprit, c.culprit_version, c.issue) as culprits
    from culprits as c
    join found using (crate)
),

all_scores as (
    select map(list(target order by place), list(score order by place)) as scores
    from (select target, list_position(getvariable('targets'), target) as place, e as score from each_score as e)
)

select to_json(struct_pack(
    name := f.name,
    version := f.default_version,
    description := f.description,
    as_of := f.as_of,
    refreshed_at := f.refreshed_at,
    dependents := f.dependents,
    dependents_independent := f.dependents_independent,
    transitive_dependents := f.transitive_dependents,
    days_since_release := struct_pack("min" := x.days_since_release_min, "max" := x.days_since_release_max),
    is_vulnerable := x.is_vulnerable,
    is_unmaintained := x.is_unmaintained,
    all_yanked := x.all_yanked,
    dependencies_unresolved := x.dependencies_unresolved,
    dependencies_outdated := x.dependencies_outdated,
    requirements_wildcard := x.requirements_wildcard,
    advisories := coalesce(i.advisories, []),
    culprits := coalesce(t.culprits, []),
    scores := s.scores
))
from found as f
left join features as x using (crate)
cross join on_itself as i
cross join issues as t
cross join all_scores as s
