-- What each method is, and what of it the source's columns allow: of which target, where that differs.
with told as (
    select method, kind, what, covers, string_agg(distinct target, ', ' order by target) as targets
    from methods
    join tested using (method, kind)
    where is_newest
    group by method, kind, what, covers
)

select
    method,
    kind,
    what as "what it is",
    if(count(*) = 1, any_value(covers), string_agg(targets || ': ' || covers, '; ' order by targets)) as "what the source allows"
from told
group by method, kind, what
order by list_position(['model', 'base rate', 'logistic regression', 'single signal', 'formula'], kind), method
