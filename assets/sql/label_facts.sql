-- The facts that targets/*.sql read, at the instants of `label_instants` (name, instant): 'now' and the horizons in days.
-- Needs: the registry tables, `target_horizons`, and `built_crates` (crate, build) as of now.

-- The instants at which the registry is known; advisories are known for longer.
create or replace temp view registry_instants as
from label_instants
where name = 'now' or name in (select horizon_days::varchar from target_horizons where facts = 'registry');

-- Edges between crates of different families.
create or replace temp table independent_edges as
select e.instant_name, e.dependent_id, e.crate_id, crate_family(s.canonical_name) as family
from built_edges_at('registry_instants') as e
join crates as s on s.id = e.dependent_id
join crates as t on t.id = e.crate_id
where crate_family(s.canonical_name) != crate_family(t.canonical_name);

-- Vulnerability advisories that became known after the as-of instant, in their latest revision, unless withdrawn.
create or replace temp table later_advisories as
with newest as (
    from advisories
    qualify row_number() over (partition by id order by revised_at desc) = 1
)

select id, canonical_name, informational, known_at, patched, unaffected
from newest
where known_at > getvariable('known_at') and informational is null and withdrawn is null;

-- Input of features/05_advisories.sql, which selects the versions of builds that these advisories affect.
create or replace temp view known_advisories as from later_advisories;

create or replace temp table known_versions as
with specs as (
    select distinct unnest(build) as spec from built_crates
)

select v.id, v.crate_id, c.canonical_name, v.num, v.version_key, cargo_is_prerelease(v.version_key) as is_prerelease
from versions as v
join crates as c on c.id = v.crate_id
semi join later_advisories as a on a.canonical_name = c.canonical_name
semi join specs as s on s.spec = c.canonical_name || '@' || v.num;
