-- Which crates depend on which: one edge per pair of crates, from default versions that are not yanked.
create or replace temp table edges as
select
    d.dependent_id,
    d.crate_id,
    bool_or(d.kind in ('normal', 'build')) as is_built,
    bool_or(r.is_outdated and d.kind != 'dev') as is_outdated
from default_dependencies as d
join default_versions as f on f.crate_id = d.dependent_id and not f.all_yanked
left join resolved_requirements as r on r.crate_id = d.crate_id and r.req = d.req
where d.dependent_id != d.crate_id
group by d.dependent_id, d.crate_id;

-- The crates to compute rows for: all, unless the caller replaces this table before the trees are computed.
create or replace temp table wanted_crates as select crate_id from known_crates;

create or replace temp table past_edges as
from built_edges_at('instants') where instant_name != 'now';

-- The version that each normal and build dependency of a version resolves to. Optional dependencies are excluded, since the
-- source does not say which features enable them.
create or replace temp table version_edges as
select distinct d.version_id as dependent_id, r.version_id
from known_dependencies as d
join resolved_requirements as r on r.crate_id = d.crate_id and r.req = d.req
where d.kind in ('normal', 'build') and not d.optional and r.version_id is not null;

-- Edges of all versions that a build can contain: the versions that default versions resolve to, and their dependencies.
create or replace temp table library_edges as
with recursive reachable(version_id) as (
    select distinct e.version_id
    from default_versions as f
    join version_edges as e on e.dependent_id = f.version_id
    where not f.all_yanked
    union
    select e.version_id from reachable as r join version_edges as e on e.dependent_id = r.version_id
)

select e.dependent_id, e.version_id
from version_edges as e
semi join reachable as r on r.version_id = e.dependent_id;

-- The transitive dependencies of each of them: with these, the tree of any crate is one join.
create or replace temp table library_trees as
with recursive closure(root, version_id) as (
    select dependent_id, version_id from library_edges
    union
    select c.root, e.version_id from closure as c join library_edges as e on e.dependent_id = c.version_id
)

from closure;

-- PageRank: 20 iterations, damping 0.85, in integers of 1e-15 so that the order of sums changes no bit. The rank of a crate
-- without dependencies is not redistributed.
create or replace temp table pagerank as
with recursive out_edges as (
    select dependent_id, crate_id, count(*) over (partition by dependent_id) as degree from edges where is_built
),

base as (
    select 150000000000000 // greatest(count(*), 1) as share from known_crates
),

ranks(iteration, crate_id, rank) as (
    select 0, crate_id, share from known_crates cross join base
    union all
    select iteration + 1, crate_id, sum(part)::bigint
    from (
        select r.iteration, e.crate_id, (r.rank * 85) // (100 * e.degree) as part
        from ranks as r
        join out_edges as e on e.dependent_id = r.crate_id
        union all
        select r.iteration, r.crate_id, b.share from ranks as r cross join base as b
    )
    where iteration < 20
    group by iteration, crate_id
)

-- times the number of crates: 1 is the average
select crate_id, rank::double * (select count(*) from known_crates) / 1e15 as pagerank from ranks where iteration = 20;
