-- The model, the base rate, logistic regression and the three best signals or formulas of each target, by models that never saw
-- a crate's family.
with wide as (
    pivot (from backtests where slice = 'unseen_families' and method != 'champion')
    on metric in ('roc_auc', 'average_precision', 'brier_skill', 'ece', 'accuracy', 'majority_share')
    using any_value(value)
    group by target, test_as_of, method
),

placed as (
    select *, list_position(['model', 'base_rate', 'logistic_regression'], method) as place
    from wide
)

select target, test_as_of, method, roc_auc, average_precision, brier_skill, ece, accuracy, majority_share
from placed
qualify place is not null
    or row_number() over (partition by target, place is null order by average_precision desc, method) <= 3
order by target, place nulls last, average_precision desc, method
