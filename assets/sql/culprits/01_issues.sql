-- Versions that a known advisory reports as vulnerable, unsound or unmaintained.
create or replace temp table issues as
select
    version_id,
    crate_id,
    coalesce(informational, 'vulnerable') as issue,
    list(distinct advisory_id order by advisory_id) as advisories
from affected_versions
where informational is null or informational in ('unsound', 'unmaintained')
group by version_id, crate_id, issue;

-- Edges from versions that are themselves a dependency: after its first step, a path uses only these.
create or replace temp table inner_edges as
select e.dependent_id, e.version_id
from version_edges as e
where e.dependent_id in (select version_id from version_edges);

-- Versions that cannot be built, since a requirement in their tree has no matching version: they fix nothing.
create or replace temp table broken_versions as
with recursive unresolved as (
    select distinct d.version_id
    from known_dependencies as d
    left join resolved_requirements as r on r.crate_id = d.crate_id and r.req = d.req
    where d.kind in ('normal', 'build') and not d.optional and r.version_id is null
),

broken(version_id) as (
    select version_id from unresolved
    union
    select e.dependent_id from broken as b join inner_edges as e on e.version_id = b.version_id
)

select version_id from broken
union
select e.dependent_id from broken as b join version_edges as e on e.version_id = b.version_id;
