-- Ranking metrics of `chosen`, and the gain of our model over each.
select
    name,
    ranged(figures['roc_auc']) as "ROC-AUC",
    ranged(figures['average_precision']) as "PR-AUC",
    ranged(figures['roc_auc_gain']) || ' ' || claim(figures['roc_auc_gain']) as "gain in ROC-AUC",
    ranged(figures['average_precision_gain']) || ' ' || claim(figures['average_precision_gain']) as "gain in PR-AUC"
from chosen
order by place
