-- The build of each crate: its direct and transitive dependencies. Runs once per part of the crates, getvariable('part') of
-- getvariable('parts'), since all trees together are hundreds of millions of pairs.

create temp table if not exists tree (
    crate_id bigint, transitive_dependencies bigint, build varchar[], vulnerable_names varchar[], unmaintained_names varchar[]
);
create temp table if not exists tree_dependents (crate_id bigint, dependents bigint, conemass bigint);

-- The versions that a crate's default version resolves to, with their transitive dependencies.
create or replace temp table built_versions as
with direct as (
    select f.crate_id as root, e.version_id
    from default_versions as f
    join version_edges as e on e.dependent_id = f.version_id
    semi join wanted_crates as w on w.crate_id = f.crate_id
    where not f.all_yanked and f.crate_id % getvariable('parts') = getvariable('part')
),

built as (
    from direct
    union
    select d.root, t.version_id from direct as d join library_trees as t on t.root = d.version_id
)

select b.root, b.version_id, v.crate_id, v.canonical_name || '@' || v.num as spec
from built as b
join known_versions as v on v.id = b.version_id
where v.crate_id != b.root;

insert into tree
with issues as (
    select
        b.root,
        list(distinct c.name order by c.name) filter (a.informational is null) as vulnerable_names,
        list(distinct c.name order by c.name) filter (a.informational = 'unmaintained') as unmaintained_names
    from built_versions as b
    join affected_versions as a on a.version_id = b.version_id
    join known_crates as c on c.crate_id = b.crate_id
    group by b.root
),

sizes as (
    select root, count(distinct crate_id) as transitive_dependencies, list(spec order by spec) as build
    from built_versions
    group by root
)

select s.root as crate_id, s.transitive_dependencies, s.build, i.vulnerable_names, i.unmaintained_names
from sizes as s
left join issues as i using (root);

-- Each crate gets a share of every tree that it is in, larger in smaller trees: in integers of 1e-12, so that the order of
-- sums changes no bit.
insert into tree_dependents
with pairs as (select distinct root, crate_id from built_versions)

select p.crate_id, count(*), sum(1000000000000 // (1 + t.transitive_dependencies))::bigint
from pairs as p
join tree as t on t.crate_id = p.root
group by p.crate_id;
