-- How well ours ranks each of the chosen slices, beside what comes nearest there.
select
    name,
    ranged(figures['roc_auc']) as "ROC-AUC",
    ranged(figures['average_precision']) as "PR-AUC",
    o.method as "best other by PR-AUC",
    three(o.other['average_precision'].value) as "its PR-AUC",
    ranged(o.other['average_precision_gain']) || ' ' || claim(o.other['average_precision_gain']) as "our gain"
from chosen
left join best_others as o on o.slice = chosen.slice and o.target = getvariable('target') and o.is_newest
order by place
