-- The crates that events touched, and all that any version of builds on them, near and far: what is computed for none but
-- these is whole, since nothing else has one of them in its build.
with recursive builds_on as (
    select distinct dependent_id, crate_id from known_dependencies where kind in ('normal', 'build')
),

affected(crate_id) as (
    select crate_id from known_crates where crate in (select crate from events)
    union
    select b.dependent_id from affected as a join builds_on as b using (crate_id)
)

select crate_id from affected
