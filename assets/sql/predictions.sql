-- Predictions with percentile, evidence and counterfactuals. Evidence is per topic, the largest effect first.
-- Needs: `predicted` (crate, target, is_good, and the columns of ml/prediction.py), `evidence` (crate, target, and the
-- columns of ml/explanation.py), `wording` (ml/features.py), `changes` (crate, target, and the columns of
-- ml/counterfactuals.py), `tree_evidence`, and `peers` (target, is_good, worst): the crates that a percentile ranks among.

-- A number as text: whole from 10 on, with one decimal below.
create or replace temp macro number_text(x) as case
    when abs(x) < 10 and round(x, 1) != round(x) then format('{:.1f}', round(x, 1))
    else format('{:,}', round(x)::hugeint)
end;

with evidence_texts as (
    select
        e.crate,
        e.target,
        e.topic,
        e.feature,
        e.value,
        e.effect,
        w.subject,
        w.words,
        if(e.low = 0 and e.high = 0, w.zero, null) as zero,
        case
            when e.low = e.high and contains(w.words, '{plain}') then round(e.value)::hugeint::varchar
            when e.low = e.high or number_text(e.low) = number_text(e.high) then number_text(e.low)
            when e.high is null then 'at least ' || number_text(e.low)
            when e.low is null then 'up to ' || number_text(e.high)
            else format('{} to {}', number_text(e.low), number_text(e.high))
        end as number
    from evidence as e
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
                when number is null then 'Unknown: ' || subject
                when zero is not null then zero
                when number = '1' and contains(words, '{} days') then replace(words, '{} days', '1 day')
                else replace(replace(words, '{plain}', number), '{}', number)
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
