"""Which assets run together. The partitioned assets of a job share a partition set: snapshots, dates or shards."""

from dagster import AssetSelection, define_asset_job

from pipeline_defs.warming import warm_look_ups

RETENTION = AssetSelection.assets("retained_snapshots")
EVENTS = AssetSelection.assets("events")
REGISTRY = (AssetSelection.groups("registry") | AssetSelection.assets("texts")) - RETENTION - EVENTS

load_snapshot = define_asset_job(
    "load_snapshot",
    selection=REGISTRY,
    description="Loads the registry tables of one snapshot.",
)
compute_features = define_asset_job(
    "compute_features",
    selection=AssetSelection.assets("features", "labels"),
    description="Computes features and labels of one as-of date, or of a range of dates in one run.",
)
compute_labels = define_asset_job(
    "compute_labels",
    selection=AssetSelection.assets("labels"),
    description="Computes labels alone, of dates whose horizon has ended since the features were computed.",
)
enrich_texts = define_asset_job(
    "enrich_texts",
    selection=AssetSelection.assets("enrichments"),
    description="Reads every new text of one shard, or of all shards in one run: summary, use cases and category.",
)
train_predictor = define_asset_job(
    "train_predictor",
    selection=AssetSelection.assets("predictor", "backtests"),
    description="Trains on every labelled date, tests on the newest and promotes a challenger that wins.",
)
backtest = define_asset_job(
    "backtest",
    selection=AssetSelection.assets("walk_forward"),
    description="Trains and tests on every labelled date, for docs/backtest.md.",
)
score_crates = define_asset_job(
    "score_crates",
    selection=AssetSelection.assets("culprits", "predictions", "drift", "scores"),
    hooks={warm_look_ups},
    description="Predicts one as-of date with the champions: scores, drift and the culprits in each build.",
)
score_snapshot = define_asset_job(
    "score_snapshot",
    selection=AssetSelection.assets("features", "labels", "culprits", "predictions", "drift", "scores") | RETENTION,
    hooks={warm_look_ups},
    description="Takes a loaded snapshot to scores, then prunes expired snapshots.",
)
refresh_touched = define_asset_job(
    "refresh_touched",
    selection=EVENTS | AssetSelection.assets("fresh_features", "fresh_predictions", "scores"),
    hooks={warm_look_ups},
    description="Scores the crates that changed since the newest snapshot, and the crates that build on them.",
)
prune_snapshots = define_asset_job(
    "prune_snapshots",
    selection=RETENTION,
    description="Prunes expired snapshots and reports the space used by the rest.",
)

JOBS = [
    load_snapshot,
    compute_features,
    compute_labels,
    enrich_texts,
    train_predictor,
    backtest,
    score_crates,
    score_snapshot,
    refresh_touched,
    prune_snapshots,
]
