-- How many of the 100 crates that the model ranks first had the outcome, beside the best other method and a random choice.
-- By models that were not trained on any crate of the same project. Needs: `backtests`.
with tested as (
    from backtests where slice = 'unseen_families' and metric = 'precision_at_100' and method not in ('champion', 'base_rate')
)

select
    target,
    any_value(value) filter (method = 'model') as model,
    any_value(positives / crates) filter (method = 'model') as at_random,
    max(value) filter (method != 'model') as other,
    arg_max(replace(method, '_', ' '), (value, method)) filter (method != 'model') as other_name,
    count(*) filter (method != 'model') as others
from tested
group by target
-- a registry of fewer crates has no first 100
having count(*) filter (method = 'model') > 0 and count(*) filter (method != 'model') > 0
