"""MLflow on SQLite under the data folder: experiments, runs, registered models."""

import fcntl
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "predictor"
DATABASE = "mlflow.db"
MODEL_ID = "model_id"  # tag of a registered version: the content hash of the model


@dataclass(frozen=True)
class Registered:
    """A registered model version: the fitted pipeline, the run that made it, and its tags."""

    name: str
    version: str
    run_id: str
    tags: dict[str, str]
    pipeline: Any


class Tracking(ConfigurableResource):
    """The MLflow store in `folder`. MLflow is imported on first use: it costs seconds."""

    folder: str

    @property
    def uri(self) -> str:
        return _uri(Path(self.folder) / DATABASE)

    def start(self) -> "MlflowClient":
        """Points MLflow at the store, makes the experiment on first use, and returns a client."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        os.environ.setdefault("MPLCONFIGDIR", str(Path(self.folder) / "matplotlib"))
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.ERROR)
        _create_store(Path(self.folder))
        mlflow.set_tracking_uri(self.uri)
        client = mlflow.MlflowClient(self.uri)
        if client.get_experiment_by_name(EXPERIMENT) is None:
            client.create_experiment(EXPERIMENT, artifact_location=(Path(self.folder) / "artifacts").as_uri())
        mlflow.set_experiment(EXPERIMENT)
        return client

    def load(self, name: str, alias: str) -> Registered | None:
        """The version of a registered model that an alias points to, or None. Files are skops: no pickle is read."""
        client = self.start()
        from mlflow import sklearn as flavor
        from mlflow.exceptions import MlflowException

        try:
            version = client.get_model_version_by_alias(name, alias)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            return None  # no such model, or no such alias
        pipeline = flavor.load_model(f"models:/{name}/{version.version}")
        return Registered(name, version.version, version.run_id or "", dict(version.tags), pipeline)

    def find(self, name: str, model_id: str) -> str | None:
        """The version of a registered model with this content, or None."""
        versions = self.start().search_model_versions(f"name = '{name}'")
        return next((v.version for v in versions if v.tags.get(MODEL_ID) == model_id and v.status == "READY"), None)


def _create_store(folder: Path) -> None:
    """Makes the database under another name and renames it: a run killed among its migrations leaves none."""
    import mlflow

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "create.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / DATABASE).exists():
            temporary = folder / f".{os.getpid()}.db"
            mlflow.MlflowClient(_uri(temporary)).search_experiments()
            temporary.replace(folder / DATABASE)


def _uri(database: Path) -> str:
    return f"sqlite:///{database}"
