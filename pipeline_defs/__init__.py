"""Wiring only: what runs when, and with which resources."""

import warnings

from dagster import BetaWarning

# backfill policies, owners and freshness policies are beta in Dagster 1.13; the lock file pins what we tested
warnings.filterwarnings("ignore", category=BetaWarning)
