-- Crates on which a vulnerability advisory became known by the end of the horizon.
select distinct i.name::integer as horizon_days, c.id as crate_id
from label_instants as i
join later_advisories as a on a.known_at <= i.instant
join crates as c on c.canonical_name = a.canonical_name
where i.name != 'now'
