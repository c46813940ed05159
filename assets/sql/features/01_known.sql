-- The facts known at getvariable('known_at'). To be leak-proof, the later steps read only these tables, the macros of
-- graph_at.sql, which take an instant, and `dependencies`, whose rows belong to a version and never change.

-- Versions published by getvariable('known_at'), and whether each was yanked at that instant.
create or replace temp table known_versions as
select
    v.id,
    v.crate_id,
    c.name,
    c.canonical_name,
    v.num,
    v.version_key,
    cargo_is_prerelease(v.version_key) as is_prerelease,
    v.created_at,
    v.created_after,
    v.created_at_exact,
    exists (
        select 1 from yanks as y
        where y.version_id = v.id
            and y.yanked_at <= getvariable('known_at')
            and (y.unyanked_at is null or y.unyanked_at > getvariable('known_at'))
    ) as yanked,
    v.feature_names,
    v.links,
    v.crate_size,
    v.edition
from versions as v
join crates as c on c.id = v.crate_id
where v.created_at <= getvariable('known_at');

-- Yanks that had happened by getvariable('known_at'), undone or not.
create or replace temp table known_yanks as
select v.crate_id, y.version_id, y.yanked_at, y.yanked_at_exact
from yanks as y
join known_versions as v on v.id = y.version_id
where y.yanked_at <= getvariable('known_at');

-- Advisories committed to the database by getvariable('known_at') and not withdrawn by then, in their latest revision.
create or replace temp table known_advisories as
with revisions as (
    from advisories as a
    where a.revised_at <= getvariable('known_at')
    qualify row_number() over (partition by a.id order by a.revised_at desc) = 1
)

select id, canonical_name, informational, known_at, patched, unaffected
from revisions
where withdrawn is null or withdrawn > getvariable('known_at')::date;

create or replace temp table known_crates as
select
    crate_id,
    any_value(canonical_name order by id) as crate,
    any_value(name order by id) as name,
    crate_family(crate) as family
from known_versions
group by crate_id;

-- Owners added by getvariable('known_at'): a lower bound, since the source does not list removed owners.
create or replace temp table known_owners as
select o.crate_id, o.kind, o.owner_id
from owners as o
join known_crates as c using (crate_id)
where o.created_at <= getvariable('known_at');

-- Downloads per crate in the 60 days up to getvariable('known_at'), without days of known breaks; `period` is 1 for the last
-- 30 days and 2 for the 30 days before.
create or replace temp table known_downloads as
select
    v.crate_id,
    1 + (getvariable('known_at')::date - d.date) // 30 as period,
    sum(d.downloads)::bigint as downloads
from downloads as d
join known_versions as v on v.id = d.version_id
where d.date <= getvariable('known_at')::date and d.date > getvariable('known_at')::date - 60 and not d.is_masked
group by all;

-- How many days of each period are known (neither missing nor masked), and by which counting method: periods with different
-- methods cannot be compared.
create or replace temp table known_download_periods as
select
    1 + (getvariable('known_at')::date - date) // 30 as period,
    count(distinct date) as days,
    min(counting_method) as counting_method,
    count(distinct coalesce(counting_method, -1)) = 1 and count(counting_method) = count(*) as is_one_method
from downloads
where date <= getvariable('known_at')::date and date > getvariable('known_at')::date - 60 and not is_masked
group by all;
