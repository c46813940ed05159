-- The known versions that each known advisory affects: those that match none of its patched and unaffected requirements.
create or replace temp view requirements as
select distinct unnest(patched || unaffected) as req from known_advisories;

create or replace temp table safe_bounds as from cargo_requirement_bounds('requirements');

create or replace temp table affected_versions as
with safe_requirements as (
    select distinct id, unnest(patched || unaffected) as req from known_advisories
)

select v.id as version_id, v.crate_id, a.id as advisory_id, a.informational
from known_advisories as a
join known_versions as v using (canonical_name)
where not exists (
    select 1
    from safe_requirements as s
    join safe_bounds as b on b.req = s.req and b.is_valid
    where s.id = a.id
        and case
            when v.is_prerelease then list_contains(b.pre_triples, cargo_key_triple(v.version_key))
                and v.version_key >= b.pre_lower and v.version_key < b.pre_upper
            else v.version_key >= b.lower and v.version_key < b.upper
        end
);
