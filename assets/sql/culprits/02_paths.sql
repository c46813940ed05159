-- The crates whose build has a version with an issue (the culprit), and a shortest path to it. Runs once per part of the
-- crates with an issue: getvariable('part') of getvariable('parts').

-- The versions whose tree has a culprit, and the fewest edges to it. sqlfluff cannot parse `using key`.
create or replace temp table reach as  -- noqa: PRS
with recursive reach(culprit_id, version_id, distance) using key (culprit_id, version_id) as (
    select distinct version_id, version_id, 0 from issues where crate_id % getvariable('parts') = getvariable('part')
    union
    select r.culprit_id, e.dependent_id, r.distance + 1
    from reach as r
    join inner_edges as e on e.version_id = r.version_id
    where not exists (
        from recurring.reach as known where known.culprit_id = r.culprit_id and known.version_id = e.dependent_id
    )
)

from reach;

-- The next version on the shortest path to the culprit; of several paths the first by name.
create or replace temp table next_versions as
select r.culprit_id, r.version_id, arg_min(n.version_id, (c.name, v.version_key, v.id)) as next_id
from reach as r
join inner_edges as e on e.dependent_id = r.version_id
join reach as n on n.culprit_id = r.culprit_id and n.version_id = e.version_id and n.distance = r.distance - 1
join known_versions as v on v.id = n.version_id
join known_crates as c on c.crate_id = v.crate_id
group by r.culprit_id, r.version_id;

-- The same for default versions, with all direct dependencies whose tree has the culprit.
create or replace temp table root_culprits as
select
    f.crate_id as root,
    f.version_id,
    r.culprit_id,
    min(r.distance) + 1 as distance,
    arg_min(r.version_id, (r.distance, c.name, v.version_key, v.id)) as next_id,
    list(distinct c.name order by c.name) as through
from default_versions as f
semi join wanted_crates as w on w.crate_id = f.crate_id
join version_edges as e on e.dependent_id = f.version_id
join reach as r on r.version_id = e.version_id
join known_versions as v on v.id = e.version_id
join known_crates as c on c.crate_id = v.crate_id
join known_versions as t on t.id = r.culprit_id
where not f.all_yanked and t.crate_id != f.crate_id
group by f.crate_id, f.version_id, r.culprit_id;

-- The paths from the crates (step 0) to the culprits (last step).
create or replace temp table path_steps as
with recursive walk(root, culprit_id, step, version_id) as (
    select root, culprit_id, 1, next_id from root_culprits
    union all
    select w.root, w.culprit_id, w.step + 1, n.next_id
    from walk as w
    join next_versions as n on n.culprit_id = w.culprit_id and n.version_id = w.version_id
),

walked as (
    from walk
    union all
    select root, culprit_id, 0, version_id from root_culprits
)

select w.*, h.distance, v.crate_id, v.num, v.version_key, c.name
from walked as w
join root_culprits as h using (root, culprit_id)
join known_versions as v on v.id = w.version_id
join known_crates as c on c.crate_id = v.crate_id;
