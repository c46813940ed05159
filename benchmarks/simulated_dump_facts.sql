-- The tables of a simulated registry, from the bundled versions, yanks and dependencies (views `sample_*`) and the
-- variables crates, versions, dependencies and downloads (the number of each). `i` numbers the crates; `original` is the
-- bundled crate that a crate copies, and `replica` is 0 for that crate itself.

set variable born = timestamp '2014-11-11 00:00:00';
set variable dumped = timestamp '2026-11-20 02:15:07';

-- uniform in [0, 1) and standard normal; every use needs its own salt below 64, else the draws are correlated
create macro chance(seed, salt) as (hash(seed::bigint * 64 + salt) >> 11)::double * 1.1102230246251565e-16;
create macro pick(seed, salt, choices) as (hash(seed::bigint * 64 + salt) % (choices)::ubigint)::bigint;
create macro normal(seed, salt) as sqrt(-2 * ln(1 - chance(seed, salt))) * cos(2 * pi() * chance(seed, salt + 1));

create table originals as
with dependents as (
    select dependency as name, count(distinct name) as dependents from sample_dependencies group by all
)
select
    row_number() over (order by coalesce(dependents, 0) desc, name) - 1 as original,
    row_number() over (order by hash(name), name) - 1 as shuffled,
    name,
    coalesce(dependents, 0) as dependents
from (select distinct name from sample_versions)
left join dependents using (name)
order by original;

-- the most popular bundled crates come first; the others are copies of all of them
create table drafted_crates as
with sizes as (
    select count(*) as total, round(count(*) * getvariable('crates') / 275_000)::bigint as kept from originals
),
drafts as (
    select range as i, range as original, 0 as replica from range((select kept from sizes))
    union all
    select kept + range, original, 1 + range // total
    from range((select getvariable('crates') - s.kept from sizes as s)), sizes, originals
    where shuffled = range % total
)
select
    *,
    -- copies publish more often, else there are fewer than 3 M versions
    case when replica = 0 then 1 else least(1 - floor(2 * ln(1 - chance(i, 1))), 12) end::bigint as copies
from drafts order by i;

-- times are drawn between their bounds, in the order of publication, and stretched to the longer history
create table model_versions as
with one_per_number as (
    select original, position, num,
        coalesce(published_after, greatest(published_at - interval 500 day, getvariable('born'))) as earliest,
        published_at - (published_at - earliest) * chance(original * 1000 + position, 2) as published
    from sample_versions join originals using (name)
    qualify row_number() over (partition by original, split_part(num, '+', 1) order by position) = 1
),
positions as (
    select original, num, row_number() over (partition by original order by position, num) - 1 as position
    from one_per_number
),
times as (
    select original, published, row_number() over (partition by original order by published) - 1 as position
    from one_per_number
),
stretch as (
    select date_diff('microsecond', getvariable('born'), getvariable('dumped'))
        / date_diff('microsecond', getvariable('born'), max(published_at)) as factor
    from sample_versions
),
stretched as (
    select original, position, num,
        greatest(date_diff('microsecond', getvariable('born'), published), 0) * factor as since_born
    from positions join times using (original, position), stretch
),
yanked as (
    select distinct original, num from sample_yanks join originals using (name) where unyanked_at is null
)
select
    row_number() over (order by original, position) - 1 as model,
    original,
    position,
    num,
    since_born,
    lead(since_born) over (partition by original order by position) as next_since_born,
    y.num is not null as yanked
from stretched left join yanked as y using (original, num)
order by model;

-- the bundled registry has no features of dependencies
create table model_dependencies as
select
    row_number() over (order by v.model, t.original, kind, d.target, req, explicit_name, optional) - 1 as n,
    v.model,
    v.original,
    t.original as target,
    req,
    case kind when 'normal' then 0 when 'build' then 1 else 2 end as kind,
    optional,
    default_features,
    d.target as platform,
    explicit_name,
    case pick(t.original, 3, 10)
        when 0 then '{derive}' when 1 then '{std,alloc}' when 2 then '{full,rt-multi-thread}' else '{}'
    end as features
from sample_dependencies as d
join originals as o using (name)
join model_versions as v on v.original = o.original and v.num = d.num
join originals as t on t.name = d.dependency
-- with drawn times, 1.5 % of the versions are older than their dependencies
join model_versions as first on first.original = t.original and first.position = 0
where first.since_born <= v.since_born
order by n;

-- further copies of a version are kept with the probability that gives `versions` in total
set variable kept_copies = (
    select (getvariable('versions') - count(*)) / sum(copies - 1)
    from drafted_crates join model_versions using (original)
);

create table drafted_versions as
with copied as (
    select
        i, model, position, num, yanked, replica, copies, copy, i * 16_384 + position * 16 + copy as seed,
        since_born + copy / copies * least(coalesce(next_since_born - since_born, 2.6e12), 1.5e13) as since_born,
        date_diff('microsecond', getvariable('born'), getvariable('dumped')) as age
    from drafted_crates join model_versions using (original), unnest(range(copies)) as c(copy)
    where copy = 0 or chance(i * 16_384 + position * 16 + copy, 4) < getvariable('kept_copies')
),
numbers as (
    select *, regexp_extract(num, '^(\d+\.\d+\.)(\d+)(.*)$', ['head', 'patch', 'tail']) as parts from copied
    where copy = 0 or length(regexp_extract(num, '^\d+\.\d+\.(\d+)', 1)) < 10
)
select
    i, model, position, copy, seed, yanked,
    -- copies get patch numbers between those of the originals, in the same order; huge ones would overflow
    if(
        copies = 1 or length(parts.patch) > 9,
        num,
        parts.head || (try_cast(parts.patch as bigint) * copies + copy) || parts.tail
    ) as num,
    -- copies start later, which gives the real growth; those of one replica start together, so none precedes its
    -- dependencies
    getvariable('born') + to_microseconds((
        age - 1 - greatest(age - 1 - since_born, 0) * if(replica = 0, 1, 1 - 0.3 * chance(replica, 5))
    )::bigint) as created_at
from numbers
order by created_at, i, position, copy;

create macro user_id(u) as u * 3 + 1 + pick(u, 6, 3);
create macro team_id(u) as u * 2 + 1 + pick(u, 7, 2);
create macro category_id(u) as u * 2 + 1 + pick(u, 8, 2);
create macro keyword_id(u) as u * 3 + 1 + pick(u, 9, 3);
set variable users = greatest(getvariable('crates') * 28 // 100, 10);
set variable teams = greatest(getvariable('crates') // 100, 5);
set variable keywords = greatest(getvariable('crates') * 35 // 100, 20);

create table crates as
with born as (
    select i, min(created_at) as created_at, max(created_at) as updated_at, count(*) as num_versions
    from drafted_versions group by i
)
select
    sum(1 + pick(i, 10, 8) // 7) over (order by created_at, i rows unbounded preceding)::bigint as crate_id,
    row_number() over (order by created_at, i) - 1 as ordinal,
    i,
    original,
    replica,
    o.name || if(replica = 0, '', '-r' || replica) as name,
    created_at,
    updated_at,
    num_versions,
    if(replica = 0, dependents, 0) as dependents,
    floor(getvariable('users') * chance(i, 11) ** 2)::bigint as owner
from born join drafted_crates using (i) join originals as o using (original)
order by created_at, i;

-- the target of a dependency on an original: crates of one replica depend on each other, and all depend on the popular
-- crates. At small scales a few originals are missing; their substitutes may be younger than the dependent version
create table targets as
select
    o.original as target,
    replica,
    coalesce(if(o.dependents < 10, mate.crate_id, null), itself.crate_id, stand_in.crate_id) as crate_id
from originals as o
cross join (select distinct replica from crates) as r
left join crates as mate using (original, replica)
left join crates as itself on itself.original = o.original and itself.replica = 0
left join crates as stand_in
    on stand_in.i = pick(o.original, 12, least((select count(*) from crates where replica = 0), 300));

-- today's versions have more dependencies than the bundled ones: each crate also gets some of those of a few random
-- crates, preferably popular ones, and more of them if it has more versions. Crates with dependents get only development
-- dependencies, else trees would be ten times too large
create table donors as
select row_number() over (order by original) - 1 as donor, max(model) as model
from model_versions semi join model_dependencies using (model)
group by original;
set variable donors = (select count(*) from donors);

create table drafted_extras as
with own as (select distinct original, target from model_dependencies),
drawn as (
    select
        i, c.original, replica, created_at, num_versions, o.dependents > 0 as is_used,
        pick(i * 8 + draw, 13, getvariable('donors')) as donor
    from crates as c join originals as o using (original) cross join range(8) as r(draw)
),
given as (
    select drawn.i, drawn.original, drawn.num_versions, target, min(n) as n
    from drawn
    join donors using (donor)
    join model_dependencies using (model)
    join targets using (target, replica)
    join crates as used on used.crate_id = targets.crate_id
    where target <> drawn.original and used.created_at <= drawn.created_at and (kind = 2 or not is_used)
    group by all
)
select i, n, num_versions, (1 + ln(num_versions)) * greatest((dependents / 500) ** 0.3, 1) as weight
from (from given anti join own using (original, target))
join originals as t on t.original = target;

set variable kept_extras = (
    select (getvariable('dependencies') - count(*)) / (select sum(num_versions * weight) from drafted_extras)
    from drafted_versions join model_dependencies using (model)
);
create table extras as
select i, n from drafted_extras
where chance(i * 2_000_000 + n, 14) < weight * getvariable('kept_extras')
order by i, n;
drop table drafted_extras;

-- a share of the versions is downloaded every day, the others less often by rank; the total is `downloads`
set variable always = 1 - sqrt(1 - (
    select getvariable('downloads') / sum(least(date_diff('day', created_at, getvariable('dumped')), 90))
    from drafted_versions
));

-- the downloads of a version depend on the dependents of its crate, its age rank in the crate, and chance
create table versions as
with counted as (
    select
        crate_id, v.*,
        coalesce(own.n, 0) + coalesce(more.n, 0) as dependency_count,
        ln(1 + dependents) * 1.5 - 0.4 * ln(num_versions - row_number() over (
            partition by i order by v.created_at, position, copy
        ) + 1) + normal(seed, 15) as score
    from drafted_versions as v
    join crates as c using (i)
    left join (select model, count(*) as n from model_dependencies group by all) as own using (model)
    left join (select i, count(*) as n from extras group by all) as more using (i)
),
ranked as (
    select *,
        getvariable('always') * getvariable('versions')
            / (row_number() over (order by score desc, seed) - 0.5) as strength,
        row_number() over (order by created_at, seed) - 1 as ordinal,
        date_diff('day', created_at, getvariable('dumped')) as age
    from counted
)
select
    ordinal,
    sum(1 + pick(seed, 17, 8) // 7) over (order by ordinal rows unbounded preceding)::bigint as version_id,
    sum(dependency_count + 1 + pick(seed, 18, 3)) over (order by ordinal rows unbounded preceding)::bigint
        - dependency_count as first_dependency_id,
    crate_id, i, model, seed, num, created_at, yanked,
    least(strength, 1) ** 2 as presence,
    greatest(4 * strength, 1) as intensity,
    -- at least those of the last 90 days, each of which is at most 1.25 times the intensity
    least(
        ceil(least(age + 1, 90) * (1.25 * intensity + 1)) + floor(intensity * age * chance(seed, 19) / 2), 2_147_483_647
    )::bigint as downloads
from ranked
order by ordinal;
drop table drafted_versions;
