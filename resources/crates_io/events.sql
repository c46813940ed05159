-- What index files say that was not known: the events, and the facts of the versions that are new.
--
-- Inputs: `known` (name, num, yanked), `looks` (name, looked_at: the last look at a crate's file before this one),
-- `versions` and `dependencies` (of the files seen at `seen_at`, as resources/crates_io/sparse_index.py reads them).

create or replace temp view fresh as
select
    name, num, position, yanked, feature_names, links, rust_version, checksum,
    -- a time of publication after the time it was seen is no time of publication
    coalesce(versions.published_at <= getvariable('seen_at'), false) as is_exact,
    if(is_exact, versions.published_at, getvariable('seen_at')) as published_at,
    if(is_exact, versions.published_at, looked_at) as published_after
from versions
anti join known using (name, num)
left join looks using (name);

create or replace temp view events as
with
    happened as (
        select
            name, num, position, 'publish' as kind, published_at as occurred_at, is_exact as occurred_at_exact,
            published_after as occurred_after
        from fresh
        union all by name
        -- first seen when it was yanked already: that happened after publication, since the look before
        select
            name, num, position, 'yank' as kind, getvariable('seen_at') as occurred_at, false as occurred_at_exact,
            greatest(published_after, looked_at) as occurred_after
        from fresh
        left join looks using (name)
        where yanked
        union all by name
        select
            name, num, position, if(versions.yanked, 'yank', 'unyank') as kind, getvariable('seen_at') as occurred_at,
            false as occurred_at_exact, looked_at as occurred_after
        from versions
        join known using (name, num)
        left join looks using (name)
        where versions.yanked <> known.yanked
    )
select name, num, kind, occurred_at, occurred_at_exact, occurred_after, getvariable('seen_at') as known_at
from happened
order by name, position, kind;

create or replace temp view new_versions as
select
    name, num, position, published_at, published_after, is_exact as published_at_exact, feature_names, links,
    rust_version, checksum, getvariable('seen_at') as known_at
from fresh
order by name, position;

create or replace temp view new_dependencies as
select dependencies.*
from dependencies
anti join known using (name, num)
order by all;
