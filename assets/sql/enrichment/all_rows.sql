-- All rows: `new_rows` replace those of `earlier_rows` with the same key.
from new_rows
union all by name
from earlier_rows anti join new_rows using (input_sha256, prompt_version, model)
order by input_sha256, prompt_version, model
