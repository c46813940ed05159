-- The crates of a build that contribute most to its risk: the first five, and all others together. Effects add up to
-- -log(1 - probability). Needs: `tree_levels` (target, level), and `builds` and `crate_hazards` as in tree_sums.sql.
create or replace temp table tree_evidence as
with members as (
    select distinct crate, split_part(spec, '@', 1) as member
    from (select crate, unnest(build) as spec from builds)
),

ranked as (
    select
        m.crate,
        m.member,
        (h.events * 1e15)::hugeint as events,
        row_number() over (partition by m.crate order by h.events desc, m.member) as place
    from members as m
    join crate_hazards as h on h.crate = m.member
),

shares as (
    select crate, if(place <= 5, member, null) as member, sum(events) as events, count(*) as crates
    from ranked
    group by crate, if(place <= 5, member, null)
),

shares_of_total as (
    select *, sum(events) over (partition by crate) as total from shares
)

select
    s.crate,
    l.target,
    list({
        'topic': 'build',
        'feature': coalesce(s.member, 'others'),
        'value': if(s.member is null, s.crates, null)::double,
        'effect': l.level * s.events::double / 1e15,
        'words': format(
            '{}: {:.0f}% of the dependency risk',
            coalesce('Builds with ' || s.member, s.crates || if(s.crates = 1, ' other crate', ' other crates') || ' in its build'),
            100 * s.events::double / s.total::double
        )
    } order by s.member is null, s.events desc, s.member) as evidence
from shares_of_total as s
cross join tree_levels as l
group by s.crate, l.target
union all
select
    b.crate,
    l.target,
    [{'topic': 'build', 'feature': 'none', 'value': 0.0, 'effect': 0.0, 'words': 'Builds with no other crate'}] as evidence
from builds as b
cross join tree_levels as l
where len(b.build) = 0
