-- Which crates of a build hold its risk: the five that hold most, and all others together; effects add up to
-- -log(1 - probability). Needs: `tree_levels` (target, level), and as tree_sums.sql `builds` and `crate_hazards`.
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

whole as (
    select *, sum(events) over (partition by crate) as total from shares
)

select
    w.crate,
    l.target,
    list({
        'topic': 'build',
        'feature': coalesce(w.member, 'others'),
        'value': if(w.member is null, w.crates, null)::double,
        'effect': l.level * w.events::double / 1e15,
        'words': coalesce('builds with ' || w.member, w.crates || if(w.crates = 1, ' other crate', ' other crates') || ' in its build')
            || printf(': %.0f%% of the risk', 100 * w.events::double / w.total::double)
    } order by w.member is null, w.events desc, w.member) as evidence
from whole as w
cross join tree_levels as l
group by w.crate, l.target
union all
select
    b.crate,
    l.target,
    [{'topic': 'build', 'feature': 'none', 'value': 0.0, 'effect': 0.0, 'words': 'builds with no other crate'}] as evidence
from builds as b
cross join tree_levels as l
where len(b.build) = 0
