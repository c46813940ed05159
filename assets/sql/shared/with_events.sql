-- The registry at the newest look at the index: the snapshot's rows and the few rows that `events` add, as views. The ids of
-- added rows continue those of the snapshot and are valid only in this session.
alter view crates rename to base_crates;
alter view versions rename to base_versions;
alter view yanks rename to base_yanks;
alter view dependencies rename to base_dependencies;

create or replace temp table new_crates as
with first_versions as (
    from events
    where kind = 'publish' and crate not in (select canonical_name from base_crates)
    qualify row_number() over (partition by crate order by occurred_at, num) = 1
)

select
    (select max(id) from base_crates) + row_number() over (order by crate) as id,
    name,
    crate as canonical_name,
    occurred_at as created_at,
    occurred_after as created_after,
    occurred_at_exact as created_at_exact
from first_versions
order by id;

create or replace temp view crates as from base_crates union all by name from new_crates;

create or replace temp table new_versions as
select
    (select max(id) from base_versions) + row_number() over (order by e.occurred_at, e.crate, e.num) as id,
    c.id as crate_id,
    e.num,
    cargo_version_key(e.num) as version_key,
    e.occurred_at as created_at,
    e.occurred_after as created_after,
    e.occurred_at_exact as created_at_exact,
    false as yanked,
    e.feature_names,
    e.links,
    e.rust_version,
    e.dependencies
from events as e
join crates as c on c.canonical_name = e.crate
where e.kind = 'publish'
order by id;

create or replace temp view versions as from base_versions union all by name select * exclude (dependencies) from new_versions;

create or replace temp table new_dependencies as
with declared as (
    select id as version_id, generate_subscripts(dependencies, 1) as position, unnest(dependencies, recursive := true)
    from new_versions
)

select
    (select max(id) from base_dependencies) + row_number() over (order by d.version_id, d.position) as id,
    d.version_id,
    c.id as crate_id,
    d.* exclude (version_id, position, dependency)
from declared as d
-- a dependency missing from the index is missing from every dump too
join crates as c on c.canonical_name = cargo_canonical(d.dependency)
order by id;

create or replace temp view dependencies as from base_dependencies union all by name from new_dependencies;

-- Yanks and un-yanks of a version alternate.
create or replace temp table yank_events as
select
    v.id as version_id,
    e.kind,
    e.occurred_at,
    -- between two looks, so in every window of the features whenever it was
    coalesce(e.occurred_after > getvariable('known_at') - interval 90 days, false) as is_exact_enough,
    lead(e.occurred_at) over (partition by v.id order by e.known_at) as next_at,
    row_number() over (partition by v.id order by e.known_at) as number
from events as e
join crates as c on c.canonical_name = e.crate
join versions as v on v.crate_id = c.id and v.num = e.num
where e.kind != 'publish';

create or replace temp view yanks as
select y.* replace (coalesce(y.unyanked_at, u.occurred_at) as unyanked_at)
from base_yanks as y
left join yank_events as u on u.version_id = y.version_id and u.number = 1 and u.kind = 'unyank'
union all by name
select version_id, occurred_at as yanked_at, is_exact_enough as yanked_at_exact, next_at as unyanked_at
from yank_events
where kind = 'yank';
