-- Every requirement of a known version, resolved to the newest version that Cargo would select at the as-of instant.
create or replace temp table known_dependencies as
select v.id as version_id, v.crate_id as dependent_id, d.crate_id, d.req, d.kind, d.optional
from dependencies as d
join known_versions as v on v.id = d.version_id
join known_crates as c on c.crate_id = d.crate_id;

create or replace temp view requirements as select distinct req from known_dependencies;

create or replace temp table bounds as from cargo_requirement_bounds('requirements');

create or replace temp table resolved_requirements as
with wanted as (
    select distinct d.crate_id, d.req, b.* exclude (req)
    from known_dependencies as d
    join bounds as b using (req)
    where b.is_valid
),

releases as (
    select crate_id, version_key, id from known_versions where not yanked and not is_prerelease
),

newest_release as (
    select w.crate_id, w.req, r.version_key, r.id
    from wanted as w
    asof join releases as r on r.crate_id = w.crate_id and r.version_key < w.upper
    where r.version_key >= w.lower
),

newest_prerelease as (
    select w.crate_id, w.req, max(v.version_key) as version_key, arg_max(v.id, v.version_key) as id
    from wanted as w
    join known_versions as v
        on v.crate_id = w.crate_id
        and list_contains(w.pre_triples, cargo_key_triple(v.version_key))
        and v.version_key >= w.pre_lower and v.version_key < w.pre_upper
    where w.pre_triples is not null and v.is_prerelease and not v.yanked
    group by w.crate_id, w.req
),

newest as (
    select crate_id, req, arg_max(id, version_key) as version_id, max(version_key) as version_key
    from (from newest_release union all from newest_prerelease)
    group by crate_id, req
)

select
    w.crate_id,
    w.req,
    n.version_id,
    -- the requirement excludes a newer release
    n.version_key < f.version_key and not f.is_prerelease and not f.yanked as is_outdated,
    -- only yanked versions match, or none
    n.version_id is null as is_unresolved,
    w.is_wildcard,
    w.is_unbounded,
    w.is_exact
from wanted as w
left join newest as n using (crate_id, req)
join default_versions as dv using (crate_id)
join known_versions as f on f.id = dv.version_id;

create or replace temp table default_dependencies as
select d.*
from known_dependencies as d
join default_versions as f on f.version_id = d.version_id;
