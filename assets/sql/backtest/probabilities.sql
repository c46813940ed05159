-- The quality of the probabilities of `chosen`; methods that only rank have no Brier score.
select
    name,
    four(figures['brier'].value) as "Brier score",
    ranged(figures['brier_skill']) as "Brier skill",
    four(figures['log_loss'].value) as "log loss",
    finely_ranged(figures['ece']) as "ECE",
    percent(figures['accuracy'].value) as accuracy,
    percent(figures['majority_share'].value) as "majority share",
    percent(figures['balanced_accuracy'].value) as "balanced accuracy"
from chosen
where figures['brier'] is not null
order by place
