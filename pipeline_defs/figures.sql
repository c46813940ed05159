-- The model, the base rate and the three best baselines of each target, on families that training never saw.
with wide as (
    pivot (from backtests where slice = 'unseen_families')
    on metric in ('roc_auc', 'average_precision', 'brier_skill', 'ece', 'accuracy', 'majority_share')
    using any_value(value)
    group by target, test_as_of, method
)

select target, test_as_of, method, roc_auc, average_precision, brier_skill, ece, accuracy, majority_share
from wide
qualify method in ('model', 'base_rate')
    or row_number() over (partition by target, method in ('model', 'base_rate') order by average_precision desc) <= 3
order by target, method = 'model' desc, average_precision desc
