"""The read side: look-ups on published tables. Without Dagster, MLflow, pandas or scikit-learn."""
