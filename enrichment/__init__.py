"""A crate's own text to a grounded summary, uses and a category: plain functions, without Dagster."""
