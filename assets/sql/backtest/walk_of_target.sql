-- Our model on every test date of a target, on unseen families, and the best other method.
select
    t.test_as_of::varchar as "test date",
    format('{:,} of {:,}', t.positives, t.crates) as "positives",
    percent(t.positives / t.crates) as share,
    ranged(t.figures['roc_auc']) as "ROC-AUC",
    ranged(t.figures['average_precision']) as "PR-AUC",
    o.method as "best other method by PR-AUC",
    three(o.other['average_precision'].value) as "its PR-AUC",
    ranged(o.other['average_precision_gain']) || ' ' || claim(o.other['average_precision_gain']) as "gain of our model",
    ranged(t.figures['brier_skill']) as "Brier skill",
    finely_ranged(t.figures['ece']) as "ECE"
from tested as t
left join best_others as o using (target, test_as_of, slice)
where t.target = getvariable('target') and t.method = 'model' and t.slice = 'unseen_families'
order by t.test_as_of
