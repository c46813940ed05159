-- Cargo's version order and requirement matching as DuckDB macros.
--
-- A version becomes a text key that sorts bytewise as the `semver` crate orders versions:
--   20 digits each of major, minor and patch; then `~` for a release, or the pre-release's
--   identifiers; then `!` and the build metadata's identifiers, if any.
-- An identifier is `0` + its length + digits when numeric, `1` + text when not, and ends in a space,
-- so numeric sorts before text, and a prefix before longer texts.
-- `x || '"'` sorts after version x with any build metadata, and before every later version.

create or replace macro cargo_identifiers(dotted) as
    list_aggregate(
        list_transform(
            string_split(dotted, '.'),
            lambda part: case
                when regexp_full_match(part, '[0-9]+')
                    then '0' || lpad(length(ltrim(part, '0'))::varchar, 3, '0') || ltrim(part, '0')
                        -- of equal numbers, the one with fewer leading zeros sorts first (build metadata only)
                        || case when part[1] = '0' then lpad((length(part) - length(ltrim(part, '0')))::varchar, 3, '0') else '' end
                        || ' '
                else '1' || part || ' '
            end
        ),
        'string_agg', ''
    );

create or replace macro cargo_triple(major, minor, patch) as
    lpad(major::varchar, 20, '0') || lpad(minor::varchar, 20, '0') || lpad(patch::varchar, 20, '0');

-- null if `num` is not a version; leading zeros, which crates.io accepted at first, are allowed
create or replace macro cargo_version_pattern() as
    '^([0-9]{1,20})\.([0-9]{1,20})\.([0-9]{1,20})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$';

create or replace macro cargo_version_parts(num) as
    regexp_extract(num, cargo_version_pattern(), ['major', 'minor', 'patch', 'pre', 'build']);

create or replace macro cargo_key_of(p) as
    -- a missing or too large number makes the key null
    cargo_triple(try_cast(p.major as ubigint), try_cast(p.minor as ubigint), try_cast(p.patch as ubigint))
        || case when p.pre = '' then '~' else cargo_identifiers(p.pre) end
        || case when p.build = '' then '' else '!' || cargo_identifiers(p.build) end;

create or replace macro cargo_version_key(num) as cargo_key_of(cargo_version_parts(num));

create or replace macro cargo_is_prerelease(version_key) as version_key[61] != '~';

-- major, minor and patch of a key: what a pre-release must share with a comparator to match at all
create or replace macro cargo_key_triple(version_key) as version_key[1:60];

-- crates.io treats names as equal if they differ in case, - and _ only
create or replace macro cargo_canonical(name) as lower(replace(name, '-', '_'));
