-- All rows: what is `made` now takes the place of what `enriched` has of the same key.
from made
union all by name
from enriched anti join made using (input_sha256, prompt_version, model)
order by input_sha256, prompt_version, model
