"""Which assets run together. A partition key is a date: the snapshot's, or the as-of date;
for `enrich_texts` it is a shard."""

from dagster import AssetSelection, define_asset_job

from assets.table_asset import SHARDS

# tags of a run of all shards of `enrich_texts`
ALL_SHARDS: dict[str, str] = {
    "dagster/asset_partition_range_start": SHARDS.get_partition_keys()[0],
    "dagster/asset_partition_range_end": SHARDS.get_partition_keys()[-1],
}

KEPT = AssetSelection.assets("kept_snapshots")
EVENTS = AssetSelection.assets("events")
REGISTRY = (AssetSelection.groups("registry") | AssetSelection.assets("texts")) - KEPT - EVENTS

load_snapshot = define_asset_job(
    "load_snapshot",
    selection=REGISTRY,
    description="Loads the registry tables of one snapshot.",
)
compute_features = define_asset_job(
    "compute_features",
    selection=AssetSelection.assets("features", "labels"),
    description="Features and labels of one as-of date, or of several as one run.",
)
compute_labels = define_asset_job(
    "compute_labels",
    selection=AssetSelection.assets("labels"),
    description="Labels alone, of dates whose horizon has passed since.",
)
enrich_texts = define_asset_job(
    "enrich_texts",
    selection=AssetSelection.assets("enrichments"),
    description="Summary, use cases and category of every text that is new, of one shard, or of several as one run.",
)
train_predictor = define_asset_job(
    "train_predictor",
    selection=AssetSelection.assets("predictor", "backtests"),
    description="Trains on every labelled date, tests on the newest, and makes the champion.",
)
backtest = define_asset_job(
    "backtest",
    selection=AssetSelection.assets("walk_forward"),
    description="Trains and tests anew on every labelled date, as `make backtest` shows it.",
)
score_crates = define_asset_job(
    "score_crates",
    selection=AssetSelection.assets("culprits", "predictions", "drift", "scores"),
    description="Predictions of one as-of date by the champions, scores, what drifted, and the culprits in each build.",
)
snapshot_to_scores = define_asset_job(
    "snapshot_to_scores",
    selection=REGISTRY
    | AssetSelection.assets("features", "labels", "culprits", "predictions", "drift", "scores")
    | KEPT,
    description="From the newest snapshot to scores, every day.",
)
refresh_touched = define_asset_job(
    "refresh_touched",
    selection=EVENTS | AssetSelection.assets("fresh_features", "fresh_predictions", "scores"),
    description="Scores of the crates that changed since the newest snapshot, and of those that build on them.",
)

keep_snapshots = define_asset_job(
    "keep_snapshots",
    selection=KEPT,
    description="Removes snapshots that are kept no longer, and says how much space the others take.",
)

JOBS = [
    load_snapshot,
    compute_features,
    compute_labels,
    enrich_texts,
    train_predictor,
    backtest,
    score_crates,
    snapshot_to_scores,
    refresh_touched,
    keep_snapshots,
]
