-- The crates with events, and all crates with a version that depends on them, directly or not. Rows of other crates do not
-- change, since their builds have none of these.
with recursive depends_on as (
    select distinct dependent_id, crate_id from known_dependencies where kind in ('normal', 'build')
),

affected(crate_id) as (
    select crate_id from known_crates where crate in (select crate from events)
    union
    select d.dependent_id from affected as a join depends_on as d using (crate_id)
)

select crate_id from affected
