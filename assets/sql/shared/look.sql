-- What a look at the index found, by canonical names, and what was known of these crates before it.
-- Needs: `looked_versions`, `looked_dependencies` (resources/crates_io/sparse_index.py), `looked_at` (name, looked_at),
-- `earlier_events`, and the snapshot's `crates` and `versions`.
create or replace temp view crate_versions as
select * replace (cargo_canonical(name) as name) from looked_versions
-- Cargo cannot order what is no version: the snapshot has none of these either
where cargo_version_key(num) is not null;

create or replace temp view crate_dependencies as
select * replace (cargo_canonical(name) as name) from looked_dependencies;

create or replace temp view crate_looks as
select cargo_canonical(name) as name, min(looked_at) as looked_at from looked_at group by all order by all;

create or replace temp view base_states as
select c.canonical_name as name, v.num, v.yanked
from versions as v
join crates as c on c.id = v.crate_id
where c.canonical_name in (select name from crate_versions)
order by all;

create or replace temp view event_states as
select crate as name, num, kind, occurred_at, occurred_at_exact, occurred_after, known_at
from earlier_events
where crate in (select name from crate_versions)
order by all;
