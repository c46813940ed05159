-- The uncertain period that contains the as-of instant, if any.
select starts_at, ends_at
from uncertain_periods(timestamp '9999-12-31')
where starts_at < getvariable('known_at') and getvariable('known_at') < ends_at
