-- Predictions with percentile, evidence and counterfactuals. Evidence is per topic, the largest effect first.
-- Needs: `predicted` (crate, target, is_good, and the columns of ml/prediction.py), `evidence` (crate, target, and the
-- columns of ml/explanation.py), `wording` (ml/features.py), `changes` (crate, target, and the columns of
-- ml/counterfactuals.py), `tree_evidence`, and `peers` (target, is_good, worst): the crates that a percentile ranks among.
with rounded as (
    -- one decimal below 10
    select *, if(abs(value) >= 10, round(value), round(value, 1)) as shown from evidence
),

evidence_texts as (
    select
        e.crate,
        e.target,
        e.topic,
        e.feature,
        e.value,
        e.effect,
        w.subject,
        w.words,
        w.zero,
        if(e.is_exact, '', w.bound) as bound,
        e.is_exact,
        if(e.shown = round(e.shown), format('{:,}', e.shown::hugeint), format('{:,.1f}', e.shown)) as number
    from rounded as e
    join wording as w on w.feature = e.feature
),

evidence_lists as (
    select
        crate,
        target,
        list({
            'topic': topic,
            'feature': feature,
            'value': value,
            'effect': effect,
            'words': case
                when value is null then 'Unknown: ' || subject
                -- the upper bound of an inexact count is above 0
                when value = 0 and zero is not null and not is_exact then 'Possibly ' || lower(zero[1]) || zero[2:]
                when value = 0 and zero is not null then zero
                else replace(
                    replace(
                        replace(if(number = '1', replace(words, '{} days', '{} day'), words), '{bound}', bound),
                        '{plain}',
                        replace(number, ',', '')
                    ),
                    '{}',
                    number
                )
            end
        } order by abs(effect) desc, topic) as evidence
    from evidence_texts
    group by crate, target
    union all
    from tree_evidence
),

change_lists as (
    select
        c.crate,
        c.target,
        list(
            {'change': c.change, 'is_advice': c.is_advice, 'probability': c.probability, 'worst': c.worst}
            order by abs(c.worst - p.worst) desc, c.change
        ) as changes
    from changes as c
    join predicted as p using (crate, target)
    group by c.crate, c.target
),

percentiles as (
    select distinct
        target,
        if(is_good, worst, -worst) as goodness,
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
    coalesce(r.percentile, 1) as percentile,
    p.base_rate,
    p.coverage,
    e.evidence,
    coalesce(c.changes, []) as changes,
    p.model_id
from predicted as p
join evidence_lists as e using (crate, target)
left join change_lists as c using (crate, target)
-- the first peer that is not worse
asof left join percentiles as r on r.target = p.target and if(p.is_good, p.worst, -p.worst) <= r.goodness
order by p.crate, p.target
