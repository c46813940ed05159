-- The end of each horizon, and why its labels are not known, if they are not. The registry is known until the snapshot,
-- except where its dates are inexact; advisories are known until the last revision read.
-- Needs: `wanted_horizons` (target, horizon_days, facts).
with ends as (
    select *, getvariable('known_at') + to_days(horizon_days) as ends_at from wanted_horizons
)

select
    e.target,
    e.horizon_days,
    e.facts,
    e.ends_at,
    case
        when e.facts = 'advisories' then
            case when e.ends_at > greatest(getvariable('snapshot_at'), (select max(revised_at) from advisories)) then 'not yet' end
        when e.ends_at > getvariable('snapshot_at') then 'not yet'
        when exists (
            select 1 from uncertain_periods(getvariable('snapshot_at')) as u where u.starts_at < e.ends_at and e.ends_at < u.ends_at
        ) then 'inexact dates'
    end as censored
from ends as e
