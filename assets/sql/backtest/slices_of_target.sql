-- Our model on every slice of the newest test of a target; a slice with too few of a class has no metrics.
with slices as (
    from (values
        (1, 'all', 'all, by the released model'),
        (2, 'unseen_families', 'all, each by a model trained without its family'),
        (3, 'new_crates', 'new since training'),
        (4, 'dependents_0', '0 dependents'),
        (5, 'dependents_1_2', '1 or 2 dependents'),
        (6, 'dependents_0_2', '0 to 2 dependents'),
        (7, 'dependents_3_9', '3 to 9 dependents'),
        (8, 'dependents_10_99', '10 to 99 dependents'),
        (9, 'dependents_100', '100 dependents or more')
    ) as s (place, slice, words)
),

model_rows as (
    from tested where target = getvariable('target') and method = 'model' and is_newest
)

select
    words || coalesce(format(' ({:,} of {:,})', positives, crates), ' (none, or too few to measure)') as name,
    slice,
    figures,
    place
from slices
left join model_rows using (slice)
