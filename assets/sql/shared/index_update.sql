-- The rows of an index update by canonical names, and the known state of its crates.
-- Needs: `index_versions`, `index_dependencies` (resources/crates_io/index_format.py), `index_reads` (name, read_at),
-- `earlier_events`, and the snapshot's `crates` and `versions`.
create or replace temp view crate_versions as
select * replace (cargo_canonical(name) as name) from index_versions
-- invalid versions have no order; the snapshot rejects them too
where cargo_version_key(num) is not null;

create or replace temp view crate_dependencies as
select * replace (cargo_canonical(name) as name) from index_dependencies;

create or replace temp view crate_reads as
select cargo_canonical(name) as name, min(read_at) as read_at from index_reads group by all order by all;

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
