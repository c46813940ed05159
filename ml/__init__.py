"""The predictor as plain functions on tables: features, datasets, models, evaluation. Without Dagster or DuckDB."""
