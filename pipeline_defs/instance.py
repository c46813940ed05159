"""The Dagster instance under the data folder, made on first use."""

import os
import shutil

from dagster import DagsterInstance

from resources.errors import CannotWrite
from resources.settings import PROJECT, Settings


def prepare_home(settings: Settings) -> None:
    """Makes $CRATES_DATA/dagster with our dagster.yaml, and points DAGSTER_HOME at it. Raises CannotWrite."""
    home = settings.dagster_home
    try:
        home.mkdir(parents=True, exist_ok=True)
        settings.scratch.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / "dagster.yaml", home / "dagster.yaml")
    except OSError as error:
        raise CannotWrite(
            f"cannot write {home}: {error.strerror}. Set CRATES_DATA to a folder that can be written"
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["CRATES_DATA"] = str(settings.data)


def open_instance(settings: Settings) -> DagsterInstance:
    """The persistent instance: its runs show in the UI."""
    prepare_home(settings)
    return DagsterInstance.get()
