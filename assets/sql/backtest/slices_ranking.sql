-- Ranking metrics of our model on each slice of `chosen`, and the best other method.
select
    name,
    ranged(figures['roc_auc']) as "ROC-AUC",
    ranged(figures['average_precision']) as "PR-AUC",
    o.method as "best other method by PR-AUC",
    three(o.other['average_precision'].value) as "its PR-AUC",
    ranged(o.other['average_precision_gain']) || ' ' || claim(o.other['average_precision_gain']) as "gain of our model"
from chosen
left join best_others as o on o.slice = chosen.slice and o.target = getvariable('target') and o.is_newest
order by place
