-- Each `select` returns a name, a value and the expected value (null: any). Tables are views of the dump's files with all
-- columns as text.

create table version_facts as
select id::int as id, crate_id::int as crate_id, num_no_build, yanked, created_at::timestamptz as created_at,
    updated_at::timestamptz as updated_at, downloads::bigint as downloads, length(features) as features_length,
    json_valid(features) and not contains(features, '":"') and not contains(features, '",""') as is_jsonb,
    regexp_full_match(tar_sha256, '\\x[0-9a-f]{64}') and keywords[1] = '{' and keywords[-1] = '}' as is_text_of_value,
    license is null as no_license, license = '' as empty_license
from versions;

create table crate_facts as
select id::int as id, lower(replace(name, '-', '_')) as canonical, created_at::timestamptz as created_at,
    length(readme) as readme_length, contains(readme, chr(13)) as has_returns, description
from crates;

create table dependency_facts as
select id::int as id, version_id::int as version_id, crate_id::int as crate_id, kind, optional, target
from dependencies;

create table edges as
select distinct v.crate_id as source, d.crate_id as target
from default_versions as f
join version_facts as v on v.id = f.version_id::int
join dependency_facts as d on d.version_id = v.id
where kind = '0' and optional = 'f';

create table day_sums as
select version_id::int as id, sum(downloads::int)::bigint as downloads, count(*) as days
from version_downloads group by all;

select 'crates', count(*), count(distinct canonical) from crate_facts;
select 'versions', count(*), count(distinct id) from version_facts;
select 'distinct versions of a crate', count(*), (select count(*) from version_facts)
from (select distinct crate_id, num_no_build from version_facts);
select 'dependencies', count(*), count(distinct id) from dependency_facts;
select 'days of downloads', sum(days)::bigint, null from day_sums;
select 'max days of downloads of a version', max(days), 90 from day_sums;
select 'versions without crate', count(*), 0 from version_facts as v anti join crate_facts as c on c.id = v.crate_id;
select 'crates without version', count(*), 0 from crate_facts as c anti join version_facts as v on c.id = v.crate_id;
select 'dependencies without version', count(*), 0
from dependency_facts anti join version_facts as v on version_id = v.id;
select 'dependencies on a missing crate', count(*), 0 from dependency_facts anti join crate_facts as c on crate_id = c.id;
-- a filter, because DuckDB would use a condition to join versions with crates first
select 'dependencies on a younger crate', count(*) filter (where c.created_at > v.created_at), null
from dependency_facts as d join version_facts as v on v.id = version_id join crate_facts as c on c.id = d.crate_id;
select 'versions with more downloads in 90 days than in total', count(*) filter (where s.downloads > v.downloads), 0
from day_sums as s join version_facts as v using (id);
select 'crates whose downloads differ from those of their versions', count(*), 0
from (select crate_id, sum(downloads) as downloads from version_facts group by all) as v
join crate_downloads as c on c.crate_id::int = v.crate_id where c.downloads::bigint <> v.downloads;
select 'versions after the dump or updated before creation', count(*), 0
from version_facts where updated_at > '2026-11-20 02:15:07+00'::timestamptz or updated_at < created_at;
select 'versions older than one with a smaller id', count(*), 0
from (select created_at < lag(created_at) over (order by id) as back from version_facts) where back;
select 'features that are not jsonb text', count(*), 0 from version_facts where not is_jsonb;
select 'digests or arrays with invalid text', count(*), 0 from version_facts where not is_text_of_value;
select 'owners without account', count(*), 0
from crate_owners as o where (owner_kind = '0' and owner_id not in (select id from users))
    or (owner_kind = '1' and owner_id not in (select id from teams));
select 'publishers without account', count(*), 0 from versions where published_by not in (select id from users);
select 'null READMEs', count(*), null from crate_facts where readme_length is null;
select 'empty READMEs', count(*), null from crate_facts where readme_length = 0;
select 'READMEs with carriage returns', count(*), null from crate_facts where has_returns;
select 'READMEs over 64,000 characters', count(*), null from crate_facts where readme_length > 64_000;
select 'characters of the median README', median(readme_length)::bigint, null from crate_facts;
select 'null descriptions', count(*), null from crate_facts where description is null;
select 'empty descriptions', count(*), null from crate_facts where description = '';
select 'null licenses', count(*), null from version_facts where no_license;
select 'empty licenses', count(*), 0 from version_facts where empty_license;
select 'yanked versions', count(*), null from version_facts where yanked = 't';
select 'required normal edges of default versions', count(*), null from edges;
select 'crates with such an edge to them', count(distinct target), null from edges;
select 'max such edges to one crate', max(n), null from (select count(*) as n from edges group by target);
select 'max versions of a crate', max(n), null from (select count(*) as n from version_facts group by crate_id);
select 'max dependencies of a version', max(n), null
from (select count(*) as n from dependency_facts group by version_id);
