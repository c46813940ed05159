-- Which known versions each known advisory affects: those that match none of its patched and unaffected requirements.
create or replace temp view requirements as
select distinct unnest(patched || unaffected) as req from known_advisories;

create or replace temp table safe_bounds as from cargo_requirement_bounds('requirements');

create or replace temp table affected_versions as
with safe as (
    select distinct id, unnest(patched || unaffected) as req from known_advisories
)

select v.id as version_id, v.crate_id, a.id as advisory_id, a.informational
from known_advisories as a
join known_versions as v using (canonical_name)
where not exists (
    select 1
    from safe as s
    join safe_bounds as b on b.req = s.req and b.is_valid
    where s.id = a.id
        and case
            when v.is_prerelease then list_contains(b.pre_triples, cargo_key_triple(v.version_key))
                and v.version_key >= b.pre_lower and v.version_key < b.pre_upper
            else v.version_key >= b.lower and v.version_key < b.upper
        end
);

-- Dependencies that resolve to a version with a known vulnerability.
create or replace temp table vulnerable_edges as
select distinct d.dependent_id, d.crate_id
from default_dependencies as d
join resolved_requirements as r on r.crate_id = d.crate_id and r.req = d.req
join affected_versions as a on a.version_id = r.version_id and a.informational is null
where d.kind = 'normal' and not d.optional and d.dependent_id != d.crate_id;

create or replace temp table unmaintained_crates as
select distinct c.crate_id
from known_advisories as a
join known_crates as c on c.crate = a.canonical_name
where a.informational = 'unmaintained' and len(a.patched) = 0;
