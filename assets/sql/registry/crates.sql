-- One row per crate that has a version the contracts accept.
-- Ids number the names in byte order: the bundled registry has no ids of its own.
select
    row_number() over (order by name) as id,
    name,
    lower(replace(name, '-', '_')) as canonical_name,
    min(published_at) as created_at,
    arg_min(published_after, position) as created_after,
    bool_and(published_at_exact) as created_at_exact,
    case
        when not regexp_full_match(name, '[A-Za-z][A-Za-z0-9_-]{0,63}')
            then 'name: "' || name || '" is not a crate name (a letter, then letters, digits, - and _, at most 64)'
    end as rejected
from source_versions
where name is not null
group by name
order by id
