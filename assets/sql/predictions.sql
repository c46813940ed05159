-- Predictions with percentiles, and the evidence in words: topics, the one that moved the score most first.
-- Needs: `predicted` (crate, target, ml.model.predict), `evidence` (crate, target, ml.model.explain) and `wording`.
with told as (
    select
        e.crate,
        e.target,
        list({
            'topic': e.topic,
            'feature': e.feature,
            'value': e.value,
            'effect': e.effect,
            'words': case
                when e.value is null then 'not known: ' || replace(replace(w.words, '{} ', ''), ' {}', '')
                when e.value = 0 and w.zero is not null then w.zero
                when e.value >= 10 or e.value = round(e.value) then replace(w.words, '{}', round(e.value)::hugeint::varchar)
                else replace(w.words, '{}', round(e.value, 1)::varchar)
            end
        } order by abs(e.effect) desc, e.topic) as evidence
    from evidence as e
    join wording as w on w.feature = e.feature
    group by e.crate, e.target
)

select
    getvariable('as_of')::date as as_of,
    p.crate,
    p.target,
    p.horizon_days,
    p.probability,
    p.worst,
    p.best,
    percent_rank() over (partition by p.target order by p.worst) as percentile,
    p.base_rate,
    p.coverage,
    t.evidence,
    p.model_id
from predicted as p
join told as t using (crate, target)
order by p.crate, p.target
