-- Predictions with percentiles, and the evidence in words: topics, the one that moved the score most first.
-- Needs: `predicted` (crate, target, ml.model.predict), `evidence` (crate, target, ml.model.explain), `wording`, and `peers`
-- (target, worst): all crates, which a percentile is among.
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
),

ladder as (
    select distinct target, worst, percent_rank() over (partition by target order by worst) as percentile from peers
)

select
    getvariable('as_of')::date as as_of,
    p.crate,
    p.target,
    p.horizon_days,
    p.probability,
    p.worst,
    p.best,
    coalesce(l.percentile, 1) as percentile,
    p.base_rate,
    p.coverage,
    t.evidence,
    p.model_id
from predicted as p
join told as t using (crate, target)
-- the first peer that is not worse
asof left join ladder as l on l.target = p.target and p.worst <= l.worst
order by p.crate, p.target
