-- Per target, on unseen families: our model, the best method of each kind, and how many methods our model is ahead of.
with metrics as (
    from (values (1, 'ROC-AUC', 'roc_auc'), (2, 'PR-AUC', 'average_precision')) as m (place, metric, key)
),

ranked as (
    select
        target,
        test_as_of,
        kind,
        place,
        metric,
        three(figures[key].value) as value,
        claim(figures[key || '_gain']) as claim,
        row_number() over (partition by target, metric, kind order by figures[key].value desc, method) = 1 as is_best,
        if(kind in ('single signal', 'formula'), method || ' ', '') || value || if(kind = 'model', '', ', ' || claim) as words
    from tested, metrics
    where slice = 'unseen_families' and is_newest
)

select
    target,
    test_as_of::varchar as "test date",
    metric,
    any_value(words) filter (kind = 'model') as model,
    any_value(words) filter (kind = 'base rate') as "base rate",
    any_value(words) filter (kind = 'single signal' and is_best) as "best single signal",
    any_value(words) filter (kind = 'logistic regression') as "logistic regression",
    any_value(words) filter (kind = 'formula' and is_best) as "best formula",
    count(*) filter (kind != 'model' and claim = 'ahead') || ' of ' || count(*) filter (kind != 'model') as "ahead of"
from ranked
group by target, test_as_of, place, metric
order by target, place
