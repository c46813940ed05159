-- Per target, on unseen families: the quality of the model's probabilities.
select
    target,
    percent(positives / crates) as "positives",
    ranged(figures['brier_skill']) as "Brier skill",
    finely_ranged(figures['ece']) as "ECE",
    percent(figures['accuracy'].value) as accuracy,
    percent(figures['majority_share'].value) as "majority share",
    percent(figures['balanced_accuracy'].value) as "balanced accuracy"
from tested
where method = 'model' and slice = 'unseen_families' and is_newest
order by target
