-- What drifted of each target, and whether that calls for training anew: its scores, its calibration, or as large a share of
-- its inputs. Targets of which nothing drifted are left out. Needs: `drift` of one as-of date.
select
    target,
    bool_or(is_drifted and kind != 'input')
    or coalesce(avg(is_drifted::int) filter (kind = 'input'), 0) >= $min_drifted_share as calls_for_training,
    string_agg(
        format('{} {}: {:.3f} (threshold {})', kind, name, value, threshold), '; ' order by kind, name
    ) filter (is_drifted) as words
from drift
group by target
having bool_or(is_drifted)
order by target
