"""The MLflow tracking store on SQLite in the data folder: experiments, runs and registered models."""

import fcntl
import logging
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.common.files import remove_leftovers, temporary_path

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT, BACKTEST = "predictor", "backtest"  # trained models; backtests of every date
OPENS_ON_RUNS = {"mlflow.experimentKind": "custom_model_development"}  # else MLflow's pages open on traces
DATABASE = "mlflow.db"
MODEL_ID = "model_id"  # tag of a model version: the content hash of the model


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model: the run that logged it, its tags and the fitted model."""

    name: str
    version: str
    run_id: str
    tags: dict[str, str]

    @cached_property
    def model(self) -> Any:
        """Loaded on first use, from skops files: no pickle is read."""
        from mlflow import sklearn as flavor

        return flavor.load_model(f"models:/{self.name}/{self.version}")


@dataclass(frozen=True)
class Tracking:
    """The MLflow store in `folder`. MLflow is imported on first use, because its import takes seconds."""

    folder: str

    @property
    def uri(self) -> str:
        return _uri(Path(self.folder) / DATABASE)

    def start(self, experiment: str = EXPERIMENT) -> "MlflowClient":
        """Creates the store and the experiment if needed, makes the experiment active and returns a client."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        os.environ.setdefault("MPLCONFIGDIR", str(Path(self.folder) / "matplotlib"))
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.ERROR)
        _create_store(Path(self.folder))
        mlflow.set_tracking_uri(self.uri)
        client = mlflow.MlflowClient(self.uri)
        if client.get_experiment_by_name(experiment) is None:
            artifacts = (Path(self.folder) / "artifacts").as_uri()
            client.create_experiment(experiment, artifact_location=artifacts, tags=OPENS_ON_RUNS)
        mlflow.set_experiment(experiment)
        return client

    def load(self, name: str, alias: str) -> ModelVersion | None:
        """The version of a registered model with an alias, or None."""
        client = self.start()
        from mlflow.exceptions import MlflowException

        try:
            version = client.get_model_version_by_alias(name, alias)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            return None  # there is no such model or alias
        return ModelVersion(name, str(version.version), version.run_id or "", dict(version.tags))

    def find(self, name: str, model_id: str) -> str | None:
        """The version of a registered model with this content hash, or None."""
        versions = self.start().search_model_versions(f"name = '{name}'")
        return next(
            (str(v.version) for v in versions if v.tags.get(MODEL_ID) == model_id and v.status == "READY"), None
        )

    def log_once(self, experiment: str, name: str, parameters: dict[str, str], metrics: dict[str, float]) -> bool:
        """Logs a finished run, unless one with the same name and parameters exists. Returns whether it did."""
        client = self.start(experiment)
        from mlflow.entities import Metric, Param

        (found,) = client.search_experiments(filter_string=f"name = '{experiment}'")
        same_parameters = " and ".join(f"params.{key} = '{value}'" for key, value in parameters.items())
        where = f"attributes.status = 'FINISHED' and attributes.run_name = '{name}' and {same_parameters}"
        if client.search_runs([found.experiment_id], where, max_results=1):
            return False
        run = client.create_run(found.experiment_id, run_name=name)
        now = run.info.start_time
        client.log_batch(
            run.info.run_id,
            metrics=[Metric(key, value, now, 0) for key, value in metrics.items()],
            params=[Param(key, value) for key, value in parameters.items()],
        )
        client.set_terminated(run.info.run_id)
        return True


def _create_store(folder: Path) -> None:
    """Creates the database under a temporary name and renames it, so a killed migration leaves no database."""
    import mlflow

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "create.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / DATABASE).exists():
            remove_leftovers(folder)
            temporary = temporary_path(folder / DATABASE)
            mlflow.MlflowClient(_uri(temporary)).search_experiments()
            temporary.replace(folder / DATABASE)


def _uri(database: Path) -> str:
    return f"sqlite:///{database}"
