-- Predictions with percentiles, the evidence in words (topics, the one that moved the score most first), and what would
-- change them. Needs: `predicted` (crate, target, is_good, ml.prediction), `evidence` (crate, target, ml.explanation),
-- `wording`, `changes` (crate, target, ml.counterfactuals), what tree_evidence.sql reads, and `peers` (target, is_good, worst):
-- all crates, which a percentile is among.
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
                else replace(
                    -- a value that is no number of days has no date, and its words ask for none
                    replace(w.words, '{date}', coalesce(strftime(getvariable('as_of')::date - try_cast(e.value as integer), '%Y-%m-%d'), '')),
                    '{}',
                    if(e.value >= 10 or e.value = round(e.value), round(e.value)::hugeint::varchar, round(e.value, 1)::varchar)
                )
            end
        } order by abs(e.effect) desc, e.topic) as evidence
    from evidence as e
    join wording as w on w.feature = e.feature
    group by e.crate, e.target
    union all
    from tree_evidence
),

changed as (
    select
        c.crate,
        c.target,
        list(
            {'change': c.change, 'probability': c.probability, 'worst': c.worst}
            order by abs(c.worst - p.worst) desc, c.change
        ) as changes
    from changes as c
    join predicted as p using (crate, target)
    group by c.crate, c.target
),

ladder as (
    select distinct
        target,
        if(is_good, worst, -worst) as height,
        percent_rank() over (partition by target order by if(is_good, worst, -worst)) as percentile
    from peers
)

select
    getvariable('as_of')::date as as_of,
    p.crate,
    p.target,
    p.horizon_days,
    p.is_good,
    p.probability,
    p.worst,
    p.best,
    coalesce(l.percentile, 1) as percentile,
    p.base_rate,
    p.coverage,
    t.evidence,
    coalesce(c.changes, []) as changes,
    p.model_id
from predicted as p
join told as t using (crate, target)
left join changed as c using (crate, target)
-- the first peer that is not worse
asof left join ladder as l on l.target = p.target and if(p.is_good, p.worst, -p.worst) <= l.height
order by p.crate, p.target
