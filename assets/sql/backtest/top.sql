-- Precision (P) and recall (R) among the first ranked crates, for each row of `chosen`.
select
    name,
    three(figures['precision_at_100'].value) as "P@100",
    three(figures['precision_at_500'].value) as "P@500",
    three(figures['precision_at_1pct'].value) as "P@1%",
    three(figures['precision_at_10pct'].value) as "P@10%",
    three(figures['recall_at_100'].value) as "R@100",
    three(figures['recall_at_500'].value) as "R@500",
    three(figures['recall_at_1pct'].value) as "R@1%",
    three(figures['recall_at_10pct'].value) as "R@10%"
from chosen
order by place
