-- At most five names that a misspelt one may stand for: the fewest edits first, then what most crates build on.
-- Needs: `scores`, and the variable `crate` (a canonical name).
with distances as (
    select
        name,
        dependents,
        damerau_levenshtein(replace(crate, '_', ''), replace(getvariable('crate'), '_', '')) as edits
    from scores
)

select name
from distances
where edits <= greatest(1, len(getvariable('crate')) // 4)
order by edits, dependents desc, name
limit 5
