-- All that is known of one crate, as one JSON text: its row of `scores`, and the trouble in its build. Needs: `scores`,
-- `culprits`, and the variable `crate` (a name in any spelling).
with found as (
    from scores where crate = replace(lower(getvariable('crate')), '-', '_')
),

trouble as (
    select list(c order by c.culprit, c.culprit_version, c.trouble) as culprits
    from culprits as c
    join found using (crate)
)

select to_json(struct_pack(scores := found, culprits := coalesce(culprits, [])))
from found
cross join trouble
