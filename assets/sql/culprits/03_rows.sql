-- Which way out each crate has: run after 02_paths.sql, for the same part of the culprits.

-- The newest free versions of the crates on the paths: what they pull in holds no version of the culprit in that trouble.
create or replace temp table free_versions as
with asked as (
    select distinct t.crate_id as culprit_crate_id, t.trouble, s.crate_id
    from path_steps as s
    join troubles as t on t.version_id = s.culprit_id
    where s.step > 0 or s.distance = 1
),

tied as (
    select t.crate_id as culprit_crate_id, t.trouble, e.dependent_id as version_id
    from troubles as t
    join reach as r on r.culprit_id = t.version_id
    join version_edges as e on e.version_id = r.version_id
    union
    select crate_id, trouble, version_id from troubles
)

select
    a.culprit_crate_id,
    a.trouble,
    a.crate_id,
    max(v.version_key) filter (not v.is_prerelease) as release_key,
    arg_max(v.num, (v.version_key, v.id)) filter (not v.is_prerelease) as release,
    max(v.version_key) filter (v.is_prerelease) as prerelease_key,
    arg_max(v.num, (v.version_key, v.id)) filter (v.is_prerelease) as prerelease
from asked as a
join known_versions as v on v.crate_id = a.crate_id and not v.yanked
anti join broken_versions as b on b.version_id = v.id
anti join tied as t on t.culprit_crate_id = a.culprit_crate_id and t.trouble = a.trouble and t.version_id = v.id
group by a.culprit_crate_id, a.trouble, a.crate_id;

-- How many crates of each build hold the culprit directly.
create or replace temp table holder_counts as
with holders as (
    select r.culprit_id, r.version_id, v.crate_id
    from reach as r
    join known_versions as v on v.id = r.version_id
    where r.distance = 1
),

pulled_in as (
    select culprit_id, version_id, crate_id from holders
    union
    select h.culprit_id, t.root, h.crate_id from library_trees as t join holders as h on h.version_id = t.version_id
),

built as (
    select h.root, h.culprit_id, p.crate_id
    from held as h
    join version_edges as e on e.dependent_id = h.version_id
    join pulled_in as p on p.culprit_id = h.culprit_id and p.version_id = e.version_id
    union
    select root, culprit_id, root as crate_id from held where distance = 1
)

select root, culprit_id, count(*) as holders from built group by root, culprit_id;

insert into culprits
with ways as (
    -- where each step could go: to a newer free version if there is one, and to a release before a pre-release
    select
        s.*,
        t.trouble,
        t.advisories,
        coalesce(greatest(f.release_key, f.prerelease_key) > s.version_key, false) as is_newer,
        case
            when f.release_key > s.version_key then f.release
            when f.prerelease_key > s.version_key then f.prerelease
            else coalesce(f.release, f.prerelease)
        end as free
    from path_steps as s
    join troubles as t on t.version_id = s.culprit_id
    left join free_versions as f
        on f.culprit_crate_id = t.crate_id and f.trouble = t.trouble and f.crate_id = s.crate_id
),

paths as (
    select
        root,
        culprit_id,
        trouble,
        any_value(advisories) as advisories,
        list({name: name, num: num, version_id: version_id, free: free, is_newer: is_newer} order by step) as steps,
        -- the first that could take a newer version of the next acts, else the first that could go back to an older one
        arg_min(step, (not is_newer, step)) filter (step > 0 and free is not null) as free_step
    from ways
    group by root, culprit_id, trouble
),

-- a list counts from 1, steps from 0
named as (
    select
        * exclude (steps),
        list_transform(steps, lambda s: s.name) as path,
        steps[-1] as culprit,
        steps[-2] as holder,
        steps[free_step] as actor,
        steps[free_step + 1] as taken
    from paths
),

requirements_held as (
    select d.version_id, r.version_id as culprit_id, min(d.req) as req
    from known_dependencies as d
    join resolved_requirements as r on r.crate_id = d.crate_id and r.req = d.req
    where d.kind in ('normal', 'build') and not d.optional and r.version_id in (select culprit_id from held)
    group by d.version_id, r.version_id
)

select
    getvariable('as_of')::date as as_of,
    c.crate,
    n.culprit.name as culprit,
    n.culprit.num as culprit_version,
    n.trouble,
    n.advisories,
    n.path,
    h.through,
    o.holders,
    n.holder.name as holder,
    n.holder.num as holder_version,
    q.req as holder_requirement,
    n.holder.free as frees_version,
    n.culprit.free as fixed_version,
    case when n.free_step is null then 'nobody' when n.free_step = 1 then 'you' else 'dependency' end as who,
    n.actor.name as actor,
    case
        when n.free_step is null and len(n.path) = 2 then format('no fixed version of {}: replace it', n.culprit.name)
        when n.free_step is null
            then format('no fixed version of {}: ask {} to replace it, or do without {}', n.culprit.name, n.holder.name, n.path[2])
        when n.free_step = 1 and n.taken.is_newer then format('require {} {} or later', n.taken.name, n.taken.free)
        when n.free_step = 1 and len(n.path) = 2
            then format('go back to {} {}: no newer version is fixed', n.taken.name, n.taken.free)
        when n.free_step = 1
            then format('go back to {} {}: no newer version is free of {}', n.taken.name, n.taken.free, n.culprit.name)
        when n.taken.is_newer then format('wait for {}: ask it to take {} {}', n.actor.name, n.taken.name, n.taken.free)
        else format('wait for {}: ask it to go back to {} {}', n.actor.name, n.taken.name, n.taken.free)
    end || case
        when len(h.through) = 2 then '; another dependency pulls it in too'
        when len(h.through) > 2 then format('; {} other dependencies pull it in too', len(h.through) - 1)
        else ''
    end as remedy
from named as n
join known_crates as c on c.crate_id = n.root
join held as h on h.root = n.root and h.culprit_id = n.culprit_id
join holder_counts as o on o.root = n.root and o.culprit_id = n.culprit_id
join requirements_held as q on q.version_id = n.holder.version_id and q.culprit_id = n.culprit_id;
