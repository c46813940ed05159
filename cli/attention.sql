-- The ten crates, of the 200 that most other projects build on, that most need attention: those with a known vulnerability or an
-- advisory on their upkeep first, then trouble in their build; within each, the least likely to be released again.
-- A score is the chance that things go well, so a risk is what is left to 1; at the worst end, risks of 10 % are told.
create or replace temp macro percent(chance) as printf('%.0f %%', 100 * chance);

-- "3 to 4 %": from the worst end, which ranks, to the best.
create or replace temp macro ranged(worst, best) as case
    when worst is null then 'unknown'
    when round(100 * worst) < round(100 * best) then printf('%.0f to %.0f %%', 100 * worst, 100 * best)
    else percent(worst)
end;

with most_used as (
    select s.*, f.is_vulnerable, f.is_unmaintained, f.tree_vulnerable, f.tree_unmaintained
    from scores as s
    join features as f using (as_of, crate)
    order by s.dependents_independent desc, s.crate
    limit 200
),

who_must_act as (
    select
        as_of,
        crate,
        list(
            format('{} {} is {} ({} act): {}', culprit, culprit_version, trouble, coalesce(actor || ' must', 'nobody can'), remedy)
            order by trouble = 'unmaintained', culprit, culprit_version, trouble
        ) as culprits
    from culprits
    group by as_of, crate
)

select
    name,
    default_version as version,
    description,
    dependents,
    dependents_independent as projects,
    'maintenance ' || ranged(maintenance, maintenance_best)
        || ', popularity ' || ranged(popularity, popularity_best)
        || ', security ' || ranged(security, security_best)
        || ', dependency health ' || ranged(dependency_health, dependency_health_best)
        || ', quality ' || ranged(quality, quality_best) as chances,
    list_filter([
        case when 1 - security >= 0.1 then 'a vulnerability advisory on it within 16 months: ' || percent(1 - security) end,
        case when 1 - dependency_health >= 0.1 then 'a vulnerability in its build within 12 months: ' || percent(1 - dependency_health) end
    ], lambda risk: risk is not null) as risks,
    -- what is wrong in its build is told with who must act
    list_filter(findings, lambda finding: culprits is null or not contains(finding, ' in its build: ')) as found,
    coalesce(culprits, []) as culprits,
    list_filter(evidence, lambda e: contains(e, 'released:'))[1:2] as evidence,
    -- but for those that would read the same
    list_filter(
        changes, lambda c: regexp_extract(c, '(\d+)% instead', 1) != regexp_extract(c, 'instead of (\d+)%', 1)
    )[1:2] as changes
from most_used
left join who_must_act using (as_of, crate)
where len(findings) > 0
order by
    is_vulnerable desc,
    is_unmaintained desc,
    tree_vulnerable > 0 desc,
    tree_unmaintained > 0 desc,
    maintenance nulls first,
    name
limit 10
