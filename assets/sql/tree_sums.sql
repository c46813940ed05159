-- Expected events of each build: the sum over its crates, each counted once, in integers of 1e-15 so that the order of sums
-- changes no bit. Coverage is the mean over its crates, and 1 for an empty build.
-- Needs: `builds` (crate, build) and `crate_hazards` (crate, events, events_low, events_high, coverage).
with members as (
    select distinct crate, split_part(spec, '@', 1) as member
    from (select crate, unnest(build) as spec from builds)
),

sums as (
    select
        m.crate,
        sum((h.events * 1e15)::hugeint) as events,
        sum((h.events_low * 1e15)::hugeint) as events_low,
        sum((h.events_high * 1e15)::hugeint) as events_high,
        sum((h.coverage * 1e6)::bigint) as coverage,
        count(*) as members
    from members as m
    join crate_hazards as h on h.crate = m.member
    group by m.crate
)

select
    b.crate,
    coalesce(s.events::double / 1e15, 0) as events,
    coalesce(s.events_low::double / 1e15, 0) as events_low,
    coalesce(s.events_high::double / 1e15, 0) as events_high,
    coalesce(s.coverage::double / 1e6 / s.members, 1) as coverage
from builds as b
left join sums as s using (crate)
order by b.crate
