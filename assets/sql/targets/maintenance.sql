-- Crates that published a new version by the end of the horizon.
select distinct i.name::integer as horizon_days, v.crate_id
from label_instants as i
join versions as v on v.created_at > getvariable('known_at') and v.created_at <= i.instant
where i.name != 'now'
