"""Training, backtests, predictions and drift, on the tables of `assets/features`."""
