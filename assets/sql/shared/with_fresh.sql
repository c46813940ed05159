-- The newest full features and predictions, with the rows of fresh crates replaced.
-- Needs: `daily_features`, `daily_predictions`, `fresh_features` and `fresh_predictions`.
create or replace temp table fresh_crates as
select distinct f.crate
from fresh_features as f
-- a killed run can leave fresh features without predictions
join fresh_predictions as p on p.crate = f.crate and p.as_of = f.as_of;

create or replace temp view features as
select *, null::timestamp as refreshed_at from daily_features anti join fresh_crates using (crate)
union all by name
from fresh_features semi join fresh_crates using (crate);

create or replace temp view predictions as
from daily_predictions anti join fresh_crates using (crate)
union all by name
from fresh_predictions semi join fresh_crates using (crate);
