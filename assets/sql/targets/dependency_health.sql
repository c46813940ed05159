-- Crates whose build at the as-of instant has a version that a vulnerability advisory published in the horizon affects.
with built as (
    select c.id as crate_id, unnest(f.build) as spec
    from built_crates as f
    join crates as c on c.canonical_name = f.crate
)

select distinct i.name::integer as horizon_days, b.crate_id
from label_instants as i
join later_advisories as a on a.known_at <= i.instant
join affected_versions as x on x.advisory_id = a.id
join known_versions as v on v.id = x.version_id
join built as b on b.spec = v.canonical_name || '@' || v.num
where i.name != 'now'
