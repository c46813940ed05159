-- The changes in index files: events, and the rows of new versions.
--
-- Inputs: `known` (name, num, yanked), `last_reads` (name, read_at: the previous reading of a crate's file), `versions`
-- and `dependencies` (of the files read at `read_at`, as parsed by resources/crates_io/index_format.py).

create or replace temp view added as
select
    name, num, position, yanked, feature_names, links, rust_version, checksum,
    -- a publication time after the reading is invalid
    coalesce(versions.published_at <= getvariable('read_at'), false) as is_exact,
    if(is_exact, versions.published_at, getvariable('read_at')) as published_at,
    if(is_exact, versions.published_at, last_reads.read_at) as published_after
from versions
anti join known using (name, num)
left join last_reads using (name);

create or replace temp view events as
with
    unsorted as (
        select
            name, num, position, 'publish' as kind, published_at as occurred_at, is_exact as occurred_at_exact,
            published_after as occurred_after
        from added
        union all by name
        -- yanked when first read: it happened after the publication and after the previous reading
        select
            name, num, position, 'yank' as kind, getvariable('read_at') as occurred_at, false as occurred_at_exact,
            greatest(published_after, last_reads.read_at) as occurred_after
        from added
        left join last_reads using (name)
        where yanked
        union all by name
        select
            name, num, position, if(versions.yanked, 'yank', 'unyank') as kind, getvariable('read_at') as occurred_at,
            false as occurred_at_exact, last_reads.read_at as occurred_after
        from versions
        join known using (name, num)
        left join last_reads using (name)
        where versions.yanked <> known.yanked
    )
select name, num, kind, occurred_at, occurred_at_exact, occurred_after, getvariable('read_at') as known_at
from unsorted
order by name, position, kind;

create or replace temp view new_versions as
select
    name, num, position, published_at, published_after, is_exact as published_at_exact, feature_names, links,
    rust_version, checksum, getvariable('read_at') as known_at
from added
order by name, position;

create or replace temp view new_dependencies as
select dependencies.*
from dependencies
anti join known using (name, num)
order by all;
