"""What exists: one module per table, its SQL in `sql/`, its schema in `schemas/`."""
