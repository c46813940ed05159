-- The 18 files of a dump in the layout of 2026-08-21: columns in alphabetical order, values in PostgreSQL's format.
-- `part` numbers the parts of a file (PARTS in simulated_dump.py).

create macro pg_time(t) as t::varchar || '+00';
create macro pg_bool(b) as if(b, 't', 'f');
-- PostgreSQL would quote none of these elements
create macro pg_array(elements) as '{' || array_to_string(elements, ',') || '}';
create macro digest(kind, id) as '\x' || sha256(kind || id);

create macro categories_csv(part) as table
select
    replace(slug, '-', ' ') as category,
    coalesce(crates_cnt, 0) as crates_cnt,
    pg_time(getvariable('born') + u * interval 17 hour) as created_at,
    'Crates about "' || replace(slug, '::', ', ') || '".' as description,
    category_id(u) as id,
    'root.' || replace(replace(slug, '-', '_'), '::', '.') as path,
    slug
from category_slugs
left join (
    select u, count(*) as crates_cnt from crate_texts, unnest(category_numbers) as t(u) group by u
) using (u)
order by u;

create macro crate_downloads_csv(part) as table
select crate_id, sum(downloads)::bigint as downloads from versions group by crate_id order by crate_id;

create macro crates_csv(part) as table
select
    pg_time(created_at) as created_at,
    description,
    documentation,
    homepage,
    crate_id as id,
    if(chance(i, 38) < 0.0005, 500, null) as max_features,
    if(chance(i, 39) < 0.001, 20_971_520, null) as max_upload_size,
    name,
    case
        when chance(i, 40) < 0.003 then ''
        when chance(i, 40) < 0.04 then replace(readme(i, name, readme_size), chr(10), chr(13) || chr(10))
        else readme(i, name, readme_size)
    end as readme,
    repository,
    pg_bool(chance(i, 41) < 0.01) as trustpub_only,
    pg_time(least(updated_at + to_seconds(pick(i, 42, 600)), getvariable('dumped'))) as updated_at
from crates join crate_texts using (i, crate_id, ordinal, name)
where ordinal // getvariable('crates_per_part') = part
order by ordinal;

create macro keywords_csv(part) as table
select
    coalesce(crates_cnt, 0) as crates_cnt,
    pg_time(
        getvariable('born') + u * ((getvariable('dumped') - getvariable('born')) / getvariable('keywords'))
    ) as created_at,
    keyword_id(u) as id,
    keyword
from keyword_names
left join (
    select u, count(*) as crates_cnt from crate_texts, unnest(keyword_numbers) as t(u) group by u
) using (u)
order by u;

create macro metadata_csv(part) as table
select sum(downloads)::bigint as total_downloads from versions;

create macro oauth_github_csv(part) as table
select
    1000 + user_id(u) * 7 as account_id,
    if(chance(u, 43) < 0.95, 'https://avatars.example.org/u/' || user_id(u) || '?v=4', null) as avatar,
    'user-' || u as login,
    user_id(u) as user_id
from range(getvariable('users')) as t(u) order by u;

create macro reserved_crate_names_csv(part) as table
select unnest([
    'alloc', 'arena', 'ast', 'builtins', 'collections', 'compiler-builtins', 'compiletest', 'core', 'coretest', 'debug',
    'driver', 'flate', 'fmt_macros', 'grammar', 'macro', 'proc_macro', 'rustc', 'rustdoc', 'std', 'test', 'nul', 'con',
    'prn', 'aux'
]) as name;

create macro reserved_usernames_csv(part) as table
select unnest(['about', 'admin', 'api', 'categories', 'crates', 'dashboard', 'keywords', 'login', 'me', 'policies',
    'search', 'settings', 'support', 'teams', 'users']) as username;

create macro teams_csv(part) as table
select
    if(chance(u, 44) < 0.9, 'https://avatars.example.org/t/' || u || '?v=4', null) as avatar,
    5000 + u * 3 as github_id,
    team_id(u) as id,
    'github:org-' || u || ':owners' as login,
    case pick(u, 45, 10) when 0 then null when 1 then '' else 'Owners, "org ' || u || '"' end as name,
    9000 + u * 11 as org_id
from range(getvariable('teams')) as t(u) order by u;

create macro users_csv(part) as table
select
    -- null for accounts created before 2026-06-11
    if(u < getvariable('users') * 0.93, null, pg_time(timestamp '2026-06-11 09:00:00' + to_microseconds(
        (u - getvariable('users') * 0.93)::bigint * (1.35e13 / (getvariable('users') * 0.07 + 1))::bigint
    ))) as created_at,
    if(chance(u, 46) < 0.01, -1, 1000 + user_id(u) * 7) as gh_id,
    'user-' || u as gh_login,
    user_id(u) as id,
    case pick(u, 47, 10)
        when 0 then null when 1 then '' when 2 then 'Último, User ' || u else 'User ' || u
    end as name,
    'user-' || u as username
from range(getvariable('users')) as t(u) order by u;

create macro crates_categories_csv(part) as table
select category_id(u) as category_id, crate_id
from crate_texts, unnest(category_numbers) as c(u) order by ordinal, u;

create macro crates_keywords_csv(part) as table
select crate_id, keyword_id(u) as keyword_id
from crate_texts, unnest(keyword_numbers) as k(u) order by ordinal, u;

create macro crate_owners_csv(part) as table
with owners as (
    select i, owner as creator, user_id(owner) as owner_id, 0 as owner_kind from crate_texts
    union all
    select i, owner, user_id(second_owner), 0 from crate_texts where chance(i, 48) < 0.2
    union all
    select i, owner, team_id(pick(i, 49, getvariable('teams'))), 1 from crate_texts where chance(i, 50) < 0.08
)
select
    crate_id,
    pg_time(if(
        owner_kind = 0 and owner_id = user_id(creator),
        created_at,
        created_at + (getvariable('dumped') - created_at) * chance(i, 51)
    )) as created_at,
    if(chance(i, 52) < 0.9, user_id(creator), null) as created_by,
    owner_id,
    owner_kind
from owners join crates using (i)
order by ordinal, owner_kind, owner_id;

create macro deleted_crates_csv(part) as table
with deleted as (
    select d, getvariable('born') + (getvariable('dumped') - getvariable('born')) * sqrt(d / getvariable('crates') * 50)
        as created_at
    from range(getvariable('crates') // 50) as t(d)
)
select
    pg_time(created_at + interval 5 day) as available_at,
    pg_time(created_at) as created_at,
    pg_time(created_at + interval 4 day) as deleted_at,
    if(chance(d, 53) < 0.9, user_id(pick(d, 54, getvariable('users'))), null) as deleted_by,
    d * 2 + 1 as id,
    case pick(d, 55, 5)
        when 0 then null when 1 then '' else 'spam, "removed"' || chr(10) || 'on request'
    end as message,
    'deleted-' || d as name
from deleted order by d;

create macro versions_csv(part) as table
with chunk as (
    select * from versions where ordinal // getvariable('versions_per_part') = part
)
select
    case
        when chance(seed, 56) < 0.1 then null
        when chance(i, 57) < 0.8 then '{}'
        when chance(i, 57) < 0.801 then '{"' || name || ' tool"}'
        else '{' || name || '}'
    end as bin_names,
    pg_array(list_transform(category_numbers, lambda u: getvariable('category_slugs')[1 + u])) as categories,
    c.crate_id,
    least(floor(exp(9.6 + 1.5 * normal(seed, 58))), 10_485_760)::bigint as crate_size,
    pg_time(created_at) as created_at,
    description,
    documentation,
    downloads,
    case
        when chance(seed, 60) < 0.01 then null
        when created_at < timestamp '2018-12-06' then '2015'
        when created_at < timestamp '2021-10-21' then if(chance(i, 61) < 0.2, '2015', '2018')
        when created_at < timestamp '2025-02-20' then if(chance(i, 61) < 0.2, '2018', '2021')
        else if(chance(i, 61) < 0.5, '2021', '2024')
    end as edition,
    features,
    if(chance(seed, 56) < 0.1, null, pg_bool(chance(i, 57) < 0.85)) as has_lib,
    homepage,
    version_id as id,
    pg_array(list_transform(keyword_numbers, lambda u: getvariable('keyword_names')[1 + u])) as keywords,
    license,
    links,
    num,
    split_part(num, '+', 1) as num_no_build,
    case
        when created_at < timestamp '2018-03-01' then null
        when created_at > timestamp '2025-08-01' and chance(i, 62) < 0.15 then null
        else user_id(if(chance(seed, 63) < 0.93, owner, second_owner))
    end as published_by,
    repository,
    if(
        created_at < timestamp '2021-10-21' or chance(i, 16) < 0.6,
        null,
        ['1.56', '1.60.0', '1.63', '1.70', '1.70.0', '1.74', '1.81.0', '1.85'][1 + pick(i, 16, 8)]
    ) as rust_version,
    digest('tar', version_id) as tar_sha256,
    -- the time of the yank or, for a few versions, of the un-yank; else the publication time
    pg_time(case
        when yanked or chance(seed, 59) < 0.003 then least(
            created_at + to_seconds(floor(exp(11 + 3 * normal(seed, 44)))::bigint), getvariable('dumped')
        )
        else created_at
    end) as updated_at,
    pg_bool(yanked) as yanked,
    if(chance(seed, 0) < 0.75, digest('json', version_id), null) as zip_json_sha256,
    if(chance(seed, 0) < 0.75, digest('zip', version_id), null) as zip_sha256
from chunk
join crate_texts as c using (i)
join model_texts using (model)
order by chunk.ordinal;

create macro default_versions_csv(part) as table
with parsed as (
    select
        crate_id, version_id, yanked,
        regexp_extract(num, '^([^-+]*)-?([^+]*)', ['core', 'prerelease']) as parts,
        count(*) over (partition by crate_id) as num_versions
    from versions
)
select crate_id, num_versions, version_id
from parsed
qualify row_number() over (partition by crate_id order by
    yanked, parts.prerelease <> '',
    list_transform(string_split(parts.core, '.'), lambda n: n::ubigint) desc,
    list_transform(string_split(parts.prerelease, '.'), lambda p:
        if(regexp_full_match(p, '\d+'), '0' || lpad(p, 20, '0'), '1' || p)) desc,
    version_id desc
) = 1
order by crate_id;

create macro dependencies_csv(part) as table
with chunk as (
    select versions.ordinal, version_id, first_dependency_id, i, model, replica
    from versions join crates using (i)
    where versions.ordinal // getvariable('dependencies_per_part') = part
),
drawn as (
    select chunk.*, n from chunk join model_dependencies using (model)
    union all
    select chunk.*, n from chunk join extras using (i)
)
select
    t.crate_id,
    pg_bool(default_features) as default_features,
    explicit_name,
    features,
    first_dependency_id + row_number() over (partition by version_id order by n) - 1 as id,
    kind,
    pg_bool(optional) as optional,
    req,
    platform as target,
    version_id
from drawn
join (select * exclude (model) from model_dependencies) as d using (n)
join targets as t using (target, replica)
order by id;

create macro version_downloads_csv(part) as table
select
    date '2026-08-22' + part as date,
    -- fewer on weekends; the newest day is incomplete
    greatest(1, round(
        intensity * (0.75 + 0.5 * chance(ordinal * 90 + part, 1))
        * if(part % 7 in (0, 1), 0.6, 1) * if(part = 89, 0.3, 1)
    ))::bigint as downloads,
    version_id
from versions
where created_at < date '2026-08-22' + part + 1 and chance(ordinal * 90 + part, 2) < presence
order by ordinal;
