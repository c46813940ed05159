"""The code location that Dagster loads (workspace.yaml)."""

from pipeline_defs.build import build_defs

defs = build_defs()
