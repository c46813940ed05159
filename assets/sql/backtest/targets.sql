-- Each target's question and its newest test.
select target, question, horizon_days, test_as_of::varchar as test_as_of, crates, positives, percent(positives / crates) as share
from tested
join questions using (target)
where method = 'model' and slice = 'unseen_families' and is_newest
order by target
