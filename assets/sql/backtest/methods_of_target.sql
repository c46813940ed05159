-- All methods on the newest test of a target, on unseen families: our model, the base rate, logistic regression, then the rest
-- from best to worst.
select
    method as name,
    figures,
    row_number() over (
        order by list_position(['model', 'base rate', 'logistic regression'], kind), figures['average_precision'].value desc, method
    ) as place
from tested
where target = getvariable('target') and slice = 'unseen_families' and is_newest and method != 'champion'
