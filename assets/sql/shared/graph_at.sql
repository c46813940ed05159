-- The registry at given instants. `instants` names a relation (name, instant); rows with a null instant are ignored. Only
-- facts up to an instant are read for it.

-- The version that crates.io would show of each crate: versions that are not yanked first, then releases, then the highest.
create or replace temp macro default_versions_at(instants) as table
with published_versions as (
    select
        i.name as instant_name,
        v.crate_id,
        v.id,
        v.version_key,
        cargo_is_prerelease(v.version_key) as is_prerelease,
        exists (
            select 1 from yanks as y
            where y.version_id = v.id and y.yanked_at <= i.instant
                and (y.unyanked_at is null or y.unyanked_at > i.instant)
        ) as yanked
    from query_table(instants) as i
    join versions as v on v.created_at <= i.instant
)

select
    instant_name,
    crate_id,
    arg_max(id, (not yanked, not is_prerelease, version_key)) as version_id,
    bool_and(yanked) as all_yanked
from published_versions
group by instant_name, crate_id;

-- Which crates depend on which (normal and build dependencies of default versions that are not yanked).
create or replace temp macro built_edges_at(instants) as table
select distinct f.instant_name, f.crate_id as dependent_id, d.crate_id
from default_versions_at(instants) as f
join dependencies as d on d.version_id = f.version_id
where not f.all_yanked and d.kind in ('normal', 'build') and d.crate_id != f.crate_id;

-- A crate's family: the first word of its name, so that the many crates of one project count once. Common words form no
-- family.
create or replace temp macro crate_family(canonical_name) as
    case
        when length(split_part(canonical_name, '_', 1)) <= 2
            or split_part(canonical_name, '_', 1) in ('rust', 'cargo', 'lib', 'simple', 'easy', 'fast', 'tiny', 'mini', 'async', 'embedded')
            then canonical_name
        else split_part(canonical_name, '_', 1)
    end;

-- The intervals between the date bounds of versions, merged: within them the source does not know exactly which versions
-- existed.
create or replace temp macro uncertain_periods(known_at) as table
with brackets as (
    select distinct coalesce(created_after, timestamp '1970-01-01') as starts_at, created_at as ends_at
    from versions
    where not created_at_exact and created_at <= known_at
),

marked as (
    select *, max(ends_at) over (order by starts_at, ends_at rows between unbounded preceding and 1 preceding) as reached
    from brackets
    where starts_at < ends_at
),

islands as (
    select *, count(*) filter (reached is null or starts_at >= reached) over (order by starts_at, ends_at) as island
    from marked
)

select min(starts_at) as starts_at, max(ends_at) as ends_at from islands group by island;
