-- The texts of the crates and versions of `simulated_dump_facts.sql`. The words come from the bundled descriptions (view
-- `sample_descriptions`) and from crate names.

create table words as
select row_number() over (order by word) - 1 as w, word
from (select distinct unnest(regexp_extract_all(description, '[A-Za-z]{2,}')) as word from sample_descriptions);
set variable words = (select list(word order by w) from words);
set variable descriptions = (select list(description order by name) from sample_descriptions);

create table keyword_names as
with parts as (
    select distinct unnest(regexp_extract_all(lower(name), '[a-z][a-z0-9]{1,18}')) as part from originals
),
ordered as (
    select row_number() over (order by hash(part), part) - 1 as position, count(*) over () as total, part from parts
)
select position + round_ * total as u, part || if(round_ = 0, '', '-' || round_) as keyword
from ordered, range(20) as r(round_)
where position + round_ * total < getvariable('keywords')
order by u;
set variable keyword_names = (select list(keyword order by u) from keyword_names);

create table category_slugs as
select ordinality - 1 as u, slug
from unnest(string_split(
    'accessibility aerospace aerospace::drones aerospace::protocols aerospace::simulation algorithms api-bindings '
    || 'asynchronous authentication automotive caching command-line-interface command-line-utilities compilers '
    || 'compression computer-vision concurrency config cryptography cryptography::cryptocurrencies data-structures '
    || 'database database-implementations date-and-time development-tools development-tools::build-utils '
    || 'development-tools::cargo-plugins development-tools::debugging development-tools::ffi '
    || 'development-tools::procedural-macro-helpers development-tools::profiling development-tools::testing email '
    || 'embedded emulators encoding external-ffi-bindings filesystem finance game-development game-engines games '
    || 'graphics gui hardware-support internationalization localization mathematics memory-management multimedia '
    || 'multimedia::audio multimedia::encoding multimedia::images multimedia::video network-programming no-std '
    || 'no-std::no-alloc os os::android-apis os::freebsd-apis os::linux-apis os::macos-apis os::unix-apis '
    || 'os::windows-apis parser-implementations parsing rendering rendering::data-formats rendering::engine '
    || 'rendering::graphics-api rust-patterns science science::bioinformatics science::computational-chemistry '
    || 'science::geo science::neuroscience science::quantum-computing science::robotics simulation template-engine '
    || 'text-editors text-processing value-formatting virtualization visualization wasm web-programming '
    || 'web-programming::http-client web-programming::http-server web-programming::websocket', ' '
)) with ordinality as t(slug, ordinality);
set variable category_slugs = (select list(slug order by u) from category_slugs);

-- sentences, headings, list items, code and links of READMEs
create table sentences as
with drawn as (
    select s, 5 + pick(s, 20, 14) as length from range(12_000) as t(s)
),
phrased as (
    select s, array_to_string(list_transform(
        range(length),
        lambda k: getvariable('words')[1 + floor(len(getvariable('words')) * chance(s * 32 + k, 21) ** 1.5)::bigint]
    ), ' ') as phrase
    from drawn
)
select s, case pick(s, 22, 24)
    when 0 then chr(10) || chr(10) || '## ' || phrase[:40] || chr(10) || chr(10)
    when 1 then chr(10) || '- **' || phrase[:20] || '**: ' || phrase || ','
    when 2 then chr(10) || '* `' || lower(phrase[:16]) || '`, see "' || phrase || '"'
    when 3 then '[' || phrase || '](https://docs.example.org/' || s || '), '
    when 4 then chr(10) || '```rust' || chr(10) || 'let value_' || s || ' = parse("' || phrase
        || '", ' || pick(s, 23, 1000) || ')?;' || chr(10) || '```' || chr(10)
    when 5 then phrase || ' — „' || phrase[:12] || '“ naïve café, 例え, 🦀. '
    when 6 then phrase || ', "' || phrase[:25] || '".' || chr(10) || chr(10)
    else phrase || if(s % 3 = 0, '.' || chr(10), '. ')
end as sentence
from phrased;
set variable sentences = (select list(sentence order by s) from sentences);
set variable sentence_length = (select avg(length(sentence)) from sentences);

create macro sentence(seed, salt) as getvariable('sentences')[1 + pick(seed, salt, 12_000)];
create macro readme(i, name, size) as (
    '# ' || name || chr(10) || chr(10)
    || '[![build](https://ci.example.org/' || name || '.svg)](https://ci.example.org/' || name || ')'
    || chr(10) || chr(10) || array_to_string(list_transform(
        range(ceil(size / getvariable('sentence_length'))::bigint), lambda k: sentence(i * 65_536 + k, 24)
    ), '')
)[:size];

create table crate_texts as
with drawn as (
    select i, crate_id, ordinal, name, owner,
        (owner + 1 + pick(i, 25, getvariable('users') - 1)) % getvariable('users') as second_owner,
        getvariable('descriptions')[1 + pick(i, 26, len(getvariable('descriptions')))] as sentence,
        list_sort(list_distinct(list_transform(
            range(pick(i, 27, 4)),
            lambda k: floor(len(getvariable('category_slugs')) * chance(i * 8 + k, 28) ** 1.5)::bigint
        ))) as category_numbers,
        list_distinct(list_transform(
            range(pick(i, 29, 6)), lambda k: floor(getvariable('keywords') * chance(i * 8 + k, 30) ** 3)::bigint
        )) as keyword_numbers
    from crates
)
select
    drawn.*,
    case pick(i, 31, 50)
        when 0 then null
        when 1 then ''
        when 2 then sentence || chr(10) || chr(10) || 'It is "' || name || '", in short.' || chr(10)
        else name || ': ' || sentence
    end as description,
    if(chance(i, 32) < 0.55, 'https://docs.example.org/' || name, null) as documentation,
    if(chance(i, 33) < 0.3, 'https://' || name || '.example.org/', null) as homepage,
    if(chance(i, 34) < 0.85, 'https://git.example.org/user-' || owner || '/' || name, null) as repository,
    case
        when chance(i, 35) < 0.4 then 'MIT OR Apache-2.0'
        when chance(i, 35) < 0.65 then 'MIT'
        when chance(i, 35) < 0.8 then 'Apache-2.0'
        when chance(i, 35) < 0.88 then 'MIT/Apache-2.0'
        when chance(i, 35) < 0.93 then 'GPL-3.0-or-later'
        when chance(i, 35) < 0.96 then 'MPL-2.0'
        when chance(i, 35) < 0.98 then 'non-standard'
    end as license,
    case
        when i % 100 = 0 and i < getvariable('megabyte_readmes') * 100 then 3_000_000
        -- at most 64 KiB, with carriage returns and multi-byte characters
        when chance(i, 36) > 0.1 then least(floor(exp(7.3 + 1.1 * normal(i, 37))), 60_000)
    end::bigint as readme_size
from drawn
order by ordinal;

-- the jsonb text of a version's features; only their names are bundled
create table feature_texts as
select feature_names, '{' || array_to_string(list_transform(
    list_sort(list_transform(feature_names, lambda f: {'length': length(f), 'name': f})),
    lambda f: '"' || f.name || '": [' || case
        when f.name = 'default' then array_to_string(list_transform(
            list_filter(feature_names, lambda g: g <> 'default')[:2], lambda g: '"' || g || '"'
        ), ', ')
        when hash(f.name) % 4 = 0 then '"dep:' || f.name || '"'
        when hash(f.name) % 4 = 1 then '"std", "' || f.name || '?/std"'
        else ''
    end || ']'
), ', ') || '}' as features
from (select distinct feature_names from sample_versions);

create table model_texts as
select model, features, max(links) as links
from model_versions join originals using (original)
join sample_versions using (name, num)
join feature_texts using (feature_names)
group by all
order by model;
