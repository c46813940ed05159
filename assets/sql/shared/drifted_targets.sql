-- What drifted of each target, and whether it should be retrained: if its score or its calibration drifted, or at least
-- $min_drifted_share of its inputs. Targets without drift are omitted. Needs: `drift` of one as-of date.
select
    target,
    bool_or(is_drifted and kind != 'input')
    or coalesce(avg(is_drifted::int) filter (kind = 'input'), 0) >= $min_drifted_share as needs_retraining,
    string_agg(
        format('{} {}: {:.3f} (threshold {})', kind, name, value, threshold), '; ' order by kind, name
    ) filter (is_drifted) as words
from drift
group by target
having bool_or(is_drifted)
order by target
