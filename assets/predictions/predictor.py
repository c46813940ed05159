"""The predictor: models in the MLflow registry, one per target."""

import json
import time
from typing import TYPE_CHECKING, Any

from dagster import AssetExecutionContext, Failure, MaterializeResult, MetadataValue, ResourceParam, asset

from assets.features.features import features
from assets.features.labels import labels
from assets.partitions import LATEST, all_partitions
from assets.predictions.evaluation import base_rate
from assets.predictions.training import Model, train, trained_on
from assets.predictions.training_data import attach, data_hash, features_of, folds_of
from assets.table_asset import OWNER
from assets.table_build import BuildContext
from ml.datasets import Fold
from ml.targets import TARGETS, Target
from resources.common.errors import BadInput
from resources.tracking import MODEL_ID, Tracking
from resources.warehouse.session import Sessions
from resources.warehouse.table_store import TableStore

if TYPE_CHECKING:
    from ml.models.additive import Additive

CHALLENGER, CHAMPION = "challenger", "champion"
# skops loads only these classes: a model file cannot run other code
TRUSTED = ["ml.models.additive.Additive", "ml.models.tree_hazard.TreeHazard"]


@asset(
    group_name="predictions",
    deps=[all_partitions(features), all_partitions(labels)],
    kinds={"python", "scikitlearn", "mlflow"},
    owners=[OWNER],
)
def predictor(
    context: AssetExecutionContext,
    store: ResourceParam[TableStore],
    sessions: ResourceParam[Sessions],
    tracking: ResourceParam[Tracking],
) -> MaterializeResult:
    """One registered model per target, trained on what was known on the newest as-of date with labels to test it on.

    The new model is the `challenger`, which `backtests` tests. The same data give the same model, which is registered
    only once. A target without enough training data is skipped with a warning.
    """
    metadata: dict[str, Any] = {}
    skipped = []
    with sessions.open() as con:
        build = BuildContext(LATEST, con, store, context.log)
        try:
            attach(build)
        except BadInput as error:
            raise Failure(f"predictor: {error}", allow_retries=False) from error
        for number, target in enumerate(TARGETS, 1):
            progress, started = f"{number} of {len(TARGETS)}", time.monotonic()
            try:
                metadata |= _train_and_register(build, tracking, target)
            except (BadInput, ValueError) as error:
                skipped.append(f"{target.name}: {str(error).removeprefix(f'{target.name}: ')}")
                context.log.warning(f"no model ({progress}) for {skipped[-1]}")
            else:
                context.log.info(f"{target.name}: trained ({progress}), {time.monotonic() - started:.0f} s")
    if len(skipped) == len(TARGETS):
        raise Failure(f"predictor: no target can be trained: {'; '.join(skipped)}", allow_retries=False)
    return MaterializeResult(metadata=metadata | {"skipped": MetadataValue.json(skipped)})


def _train_and_register(context: BuildContext, tracking: Tracking, target: Target) -> dict[str, Any]:
    """Trains the model of a target and makes it the challenger; returns metadata for the UI."""
    fold = folds_of(context, target)[-1]
    model = train(context, target, fold)
    tags = {
        MODEL_ID: model.digest(),
        "base_rate": repr(base_rate(context, target, fold)),
        "test_as_of": str(fold.test.as_of),
        "snapshot": context.store.partitions("snapshots")[-1],
    }
    client = tracking.start()
    version = tracking.find(target.name, tags[MODEL_ID])
    if version is None:
        version = _register(context, tracking, target, fold, model, tags)
    for tag, value in tags.items():  # the same model may get a later test date
        client.set_model_version_tag(target.name, version, tag, value)
    client.set_registered_model_alias(target.name, CHALLENGER, version)
    return {
        f"{target.name}_model": MetadataValue.text(f"{tags[MODEL_ID]} (version {version})"),
        f"{target.name}_trained_on": MetadataValue.text(trained_on(fold)),
        f"{target.name}_test_date": MetadataValue.text(tags["test_as_of"]),
        f"{target.name}_base_rate": float(tags["base_rate"]),
    }


def _register(
    context: BuildContext, tracking: Tracking, target: Target, fold: Fold, model: Model, tags: dict[str, str]
) -> str:
    """Logs the model in its own MLflow run and registers it; returns the version."""
    client = tracking.start()
    import mlflow
    import pandas as pd
    from mlflow import sklearn as flavor
    from mlflow.models import infer_signature

    from ml.features import COLUMNS, values_of
    from ml.models.additive import Additive
    from ml.plots import shapes

    features_example = features_of(context, fold.test.as_of)[COLUMNS].head(5).astype("float64")
    if isinstance(model, Additive):
        additive, example = model, features_example
    else:
        additive = model.hazard
        example = pd.DataFrame({"events": additive.events(values_of(features_example))})
    with mlflow.start_run(run_name=f"{target.name} {tags['test_as_of']}", tags=tags) as run:
        mlflow.log_params(_parameters(context, target, fold, additive))
        mlflow.log_figure(shapes(additive), "shapes.png")
        logged = flavor.log_model(
            model,
            name="model",
            signature=infer_signature(example, model.predict_proba(example)),
            input_example=example,
            serialization_format="skops",  # no pickle
            skops_trusted_types=TRUSTED,
            pyfunc_predict_fn="predict_proba",
            pip_requirements=["scikit-learn"],  # otherwise MLflow infers them, which takes seconds
        )
        if not client.search_registered_models(f"name = '{target.name}'"):
            client.create_registered_model(target.name, description=target.question)
        version = client.create_model_version(target.name, logged.model_uri, run.info.run_id, tags=tags)
    return str(version.version)


def _parameters(context: BuildContext, target: Target, fold: Fold, additive: "Additive") -> dict[str, Any]:
    """The parameters of the run: the question, the versions of the data and the inputs."""
    from ml.features import SCHEMA_SHA256

    dates = [labels.as_of for labels in fold.train] or [fold.test.as_of]
    snapshot = context.store.partitions("snapshots")[-1]
    return {
        "target": target.name,
        "question": target.question,
        "learner": target.learner,
        "horizon_days": target.horizon_days,
        "trained_on": json.dumps([[str(s.as_of), s.horizon_days] for s in fold.train]),
        "test_as_of": str(fold.test.as_of),
        "snapshot": snapshot,
        "snapshot_sha256": context.store.require("snapshots", snapshot).origin,
        "data_sha256": data_hash(context, [*dates, fold.test.as_of]),
        "features_sha256": SCHEMA_SHA256,
        "inputs": json.dumps(additive.inputs),
    }
