"""The predictor: models in the MLflow registry, one per target."""

import json
from typing import Any

from dagster import AssetExecutionContext, Failure, MaterializeResult, MetadataValue, asset

from assets.features.features import features
from assets.features.labels import labels
from assets.predictions.training_data import attach, data_hash, dates_of, frame
from assets.table_asset import ONLY, OWNER, Inputs, Tools, all_partitions
from ml.inputs import NAMES
from ml.split import Split, held_out
from ml.targets import TARGETS, Target
from resources.errors import BadInput
from resources.tracking import MODEL_ID, Tracking

CHALLENGER, CHAMPION = "challenger", "champion"


@asset(
    group_name="predictions",
    deps=[all_partitions(features), all_partitions(labels)],
    kinds={"python", "scikitlearn", "mlflow"},
    owners=[OWNER],
    required_resource_keys=set(Tools.NAMES),
)
def predictor(context: AssetExecutionContext) -> MaterializeResult:
    """One registered model per target, trained on past as-of dates and calibrated on a later one.

    The newest is the `challenger`; `backtests` tests it and makes it the `champion`. The same data give the same
    model, which is then not registered twice.
    """
    tools = Tools.of(context)
    metadata: dict[str, Any] = {}
    with tools.sessions.open() as con:
        inputs = Inputs(ONLY, con, tools, context.log)
        try:
            attach(inputs)
            for target in TARGETS:
                metadata |= _train(inputs, target)
        except (BadInput, ValueError) as error:
            raise Failure(f"predictor: {error}", allow_retries=False) from error
    return MaterializeResult(metadata=metadata)


def _train(inputs: Inputs, target: Target) -> dict[str, Any]:
    from ml.model import train

    dates = dates_of(inputs, target)
    training = frame(inputs, target, dates.train)
    calibration = frame(inputs, target, [dates.calibration])
    trained = train(training[~held_out(training["family"])], calibration[~held_out(calibration["family"])])
    tags = {
        MODEL_ID: trained.model_id,
        "base_rate": repr(trained.base_rate),
        "known_through": str(dates.known_through),
        "test_as_of": str(dates.test),
        "calibration_as_of": str(dates.calibration),
    }
    version = inputs.tools.tracking.find(target.name, trained.model_id)
    if version is None:
        parameters = {
            "target": target.name,
            "question": target.question,
            "horizon_days": target.horizon_days,
            "train_as_of": json.dumps([str(d) for d in dates.train]),
            "calibration_as_of": str(dates.calibration),
            "test_as_of": str(dates.test),
            "training_rows": len(training),
            "inputs": len(NAMES),
            "data_sha256": data_hash(inputs, [*dates.train, dates.calibration]),
        }
        version = _register(
            inputs.tools.tracking, target, trained.pipeline, frame(inputs, target, [dates.test]), parameters, tags
        )
    client = inputs.tools.tracking.start()
    for tag, value in tags.items():  # the same model may stand a later test
        client.set_model_version_tag(target.name, version, tag, value)
    client.set_registered_model_alias(target.name, CHALLENGER, version)
    inputs.log.info(f"{target.name}: model {trained.model_id} is version {version}, trained on {len(training):,} rows")
    return _metadata(target, dates, trained.base_rate, trained.model_id, version)


def _register(
    tracking: Tracking, target: Target, pipeline: Any, example: Any, parameters: dict[str, Any], tags: dict[str, str]
) -> str:
    """Logs the model in a run of its own and registers it; returns the version."""
    client = tracking.start()
    import mlflow
    from mlflow import sklearn as flavor
    from mlflow.models import infer_signature

    from ml.inputs import matrix
    from ml.plots import importances

    x = matrix(example)
    with mlflow.start_run(run_name=f"{target.name} {tags['test_as_of']}", tags=tags) as run:
        mlflow.log_params(parameters)
        mlflow.log_figure(importances(pipeline, pipeline[:-1].transform(x)), "importances.png")
        logged = flavor.log_model(
            pipeline,
            name="model",
            signature=infer_signature(x.head(5), pipeline.predict_proba(x.head(5))),
            serialization_format="skops",  # no pickle: loading runs no code from the file
            skops_trusted_types=["numpy.dtype"],
            pyfunc_predict_fn="predict_proba",
            pip_requirements=["scikit-learn"],  # or MLflow spends seconds on finding them out
        )
        if not client.search_registered_models(f"name = '{target.name}'"):
            client.create_registered_model(target.name, description=target.question)
        version = client.create_model_version(target.name, logged.model_uri, run.info.run_id, tags=tags)
    return str(version.version)


def _metadata(target: Target, dates: Split, base_rate: float, model_id: str, version: str) -> dict[str, Any]:
    return {
        f"{target.name}_model": MetadataValue.text(f"{model_id} (version {version})"),
        f"{target.name}_trained_on": MetadataValue.text(", ".join(map(str, dates.train))),
        f"{target.name}_calibrated_on": MetadataValue.text(str(dates.calibration)),
        f"{target.name}_test_date": MetadataValue.text(str(dates.test)),
        f"{target.name}_base_rate": base_rate,
    }
