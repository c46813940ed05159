-- Predictions with percentile, evidence and counterfactuals. Evidence is per topic, the largest effect first.
-- Needs: `predicted` (crate, target, is_good, and the columns of ml/prediction.py), `evidence` (crate, target, and the
-- columns of ml/explanation.py), `wording` (ml/features.py), `changes` (crate, target, and the columns of
-- ml/counterfactuals.py), `tree_evidence`, and `peers` (target, is_good, worst): the crates that a percentile ranks among.
with numbers as (
    -- as text: whole from 10 on, with one decimal below
    select
        *,
        list_transform([low, high, value], lambda x: case
            when abs(x) < 10 and round(x, 1) != round(x) then format('{:,.1f}', round(x, 1))
            else format('{:,}', round(x)::hugeint)
        end) as texts
    from evidence
),

evidence_texts as (
    select
        n.crate,
        n.target,
        n.topic,
        n.feature,
        n.value,
        n.effect,
        w.subject,
        w.words,
        if(n.low = 0 and n.high = 0, w.zero, null) as zero,
        replace(texts[3], ',', '') as plain,
        case
            when texts[1] = texts[2] then texts[1]
            when n.high is null then 'at least ' || texts[1]
            when n.low is null then 'up to ' || texts[2]
            else format('{} to {}', texts[1], texts[2])
        end as number
    from numbers as n
    join wording as w on w.feature = n.feature
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
                when number is null then 'Unknown: ' || subject
                when zero is not null then zero
                else replace(
                    replace(if(number = '1', replace(words, '{} days', '{} day'), words), '{plain}', coalesce(plain, '')),
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
