-- The fix of each crate and culprit: who can make it, and what to do. Runs after 02_paths.sql, for the same part.

-- For each crate on a path, its newest version without the issue: no version of the culprit with it is in its tree.
create or replace temp table fixed_versions as
with candidates as (
    select distinct i.crate_id as culprit_crate_id, i.issue, s.crate_id
    from path_steps as s
    join issues as i on i.version_id = s.culprit_id
    where s.step > 0 or s.distance = 1
),

affected as (
    select i.crate_id as culprit_crate_id, i.issue, e.dependent_id as version_id
    from issues as i
    join reach as r on r.culprit_id = i.version_id
    join version_edges as e on e.version_id = r.version_id
    union
    select crate_id, issue, version_id from issues
)

select
    c.culprit_crate_id,
    c.issue,
    c.crate_id,
    max(v.version_key) filter (not v.is_prerelease) as release_key,
    arg_max(v.num, (v.version_key, v.id)) filter (not v.is_prerelease) as release,
    max(v.version_key) filter (v.is_prerelease) as prerelease_key,
    arg_max(v.num, (v.version_key, v.id)) filter (v.is_prerelease) as prerelease
from candidates as c
join known_versions as v on v.crate_id = c.crate_id and not v.yanked
anti join broken_versions as b on b.version_id = v.id
anti join affected as a on a.culprit_crate_id = c.culprit_crate_id and a.issue = c.issue and a.version_id = v.id
group by c.culprit_crate_id, c.issue, c.crate_id;

-- How many crates of each build depend directly on the culprit.
create or replace temp table holder_counts as
with holders as (
    select r.culprit_id, r.version_id, v.crate_id
    from reach as r
    join known_versions as v on v.id = r.version_id
    where r.distance = 1
),

holders_below as (
    select culprit_id, version_id, crate_id from holders
    union
    select h.culprit_id, t.root, h.crate_id from library_trees as t join holders as h on h.version_id = t.version_id
),

holders_of_build as (
    select h.root, h.culprit_id, b.crate_id
    from root_culprits as h
    join version_edges as e on e.dependent_id = h.version_id
    join holders_below as b on b.culprit_id = h.culprit_id and b.version_id = e.version_id
    union
    select root, culprit_id, root as crate_id from root_culprits where distance = 1
)

select root, culprit_id, count(*) as holders from holders_of_build group by root, culprit_id;

insert into culprits
with fixes as (
    -- the fixed version of each step: newer before older, a release before a pre-release
    select
        s.*,
        i.issue,
        i.advisories,
        coalesce(greatest(f.release_key, f.prerelease_key) > s.version_key, false) as is_newer,
        case
            when f.release_key > s.version_key then f.release
            when f.prerelease_key > s.version_key then f.prerelease
            else coalesce(f.release, f.prerelease)
        end as fixed
    from path_steps as s
    join issues as i on i.version_id = s.culprit_id
    left join fixed_versions as f
        on f.culprit_crate_id = i.crate_id and f.issue = i.issue and f.crate_id = s.crate_id
),

paths as (
    select
        root,
        culprit_id,
        issue,
        any_value(advisories) as advisories,
        list({name: name, num: num, version_id: version_id, fixed: fixed, is_newer: is_newer} order by step) as steps,
        -- the first step with a newer fixed version, else the first with an older one: the crate before it must act
        arg_min(step, (not is_newer, step)) filter (step > 0 and fixed is not null) as fix_step
    from fixes
    group by root, culprit_id, issue
),

-- lists count from 1, steps from 0
named as (
    select
        * exclude (steps),
        list_transform(steps, lambda s: s.name) as path,
        steps[-1] as culprit,
        steps[-2] as holder,
        steps[fix_step] as actor,
        steps[fix_step + 1] as upgraded,
        if(issue = 'unmaintained', 'is maintained', 'has a fix') as has_fix
    from paths
),

culprit_requirements as (
    select d.version_id, r.version_id as culprit_id, min(d.req) as req
    from known_dependencies as d
    join resolved_requirements as r on r.crate_id = d.crate_id and r.req = d.req
    where d.kind in ('normal', 'build') and not d.optional and r.version_id in (select culprit_id from root_culprits)
    group by d.version_id, r.version_id
)

select
    getvariable('as_of')::date as as_of,
    c.crate,
    n.culprit.name as culprit,
    n.culprit.num as culprit_version,
    n.issue,
    n.advisories,
    n.path,
    h.through,
    o.holders,
    n.holder.name as holder,
    n.holder.num as holder_version,
    q.req as holder_requirement,
    n.holder.fixed as holder_fixed_version,
    n.culprit.fixed as fixed_version,
    case when n.fix_step is null then 'nobody' when n.fix_step = 1 then 'you' else 'dependency' end as fixable_by,
    n.actor.name as actor,
    case
        when n.fix_step is null and len(n.path) = 2 then format('replace {}: no version of it {}', n.culprit.name, n.has_fix)
        when n.fix_step is null
            then format(
                'ask {} to replace {}, or stop using {}: no version of {} {}',
                n.holder.name,
                n.culprit.name,
                n.path[2],
                n.culprit.name,
                n.has_fix
            )
        when n.fix_step = 1 and n.upgraded.is_newer
            then format('upgrade {} to {} or later', n.upgraded.name, n.upgraded.fixed)
        when n.fix_step = 1 and len(n.path) = 2
            then format('replace {}, or downgrade it to {}: no newer version {}', n.upgraded.name, n.upgraded.fixed, n.has_fix)
        when n.fix_step = 1
            then format(
                'replace {}, or downgrade it to {}: every newer version depends on an affected {}',
                n.upgraded.name,
                n.upgraded.fixed,
                n.culprit.name
            )
        when n.upgraded.is_newer
            then format('ask {} to upgrade {} to {} or later', n.actor.name, n.upgraded.name, n.upgraded.fixed)
        else format('ask {} to replace {}, or to downgrade it to {}', n.actor.name, n.upgraded.name, n.upgraded.fixed)
    end || case
        when len(h.through) = 2 then '; another direct dependency pulls it in too'
        when len(h.through) > 2 then format('; {} other direct dependencies pull it in too', len(h.through) - 1)
        else ''
    end as remedy
from named as n
join known_crates as c on c.crate_id = n.root
join root_culprits as h on h.root = n.root and h.culprit_id = n.culprit_id
join holder_counts as o on o.root = n.root and o.culprit_id = n.culprit_id
join culprit_requirements as q on q.version_id = n.holder.version_id and q.culprit_id = n.culprit_id;
