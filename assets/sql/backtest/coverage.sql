-- Each method with its description, and how much of it the source's columns cover: per target, where that differs.
with per_coverage as (
    select method, kind, description, covers, string_agg(distinct target, ', ' order by target) as targets
    from methods
    join tested using (method, kind)
    where is_newest
    group by method, kind, description, covers
)

select
    method,
    kind,
    description,
    if(count(*) = 1, any_value(covers), string_agg(targets || ': ' || covers, '; ' order by targets)) as "covered by the source"
from per_coverage
group by method, kind, description
order by list_position(['model', 'base rate', 'logistic regression', 'single signal', 'formula'], kind), method
