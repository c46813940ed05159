"""Tables built without Dagster: the same functions, contracts and store, in milliseconds."""

import logging
from pathlib import Path

from assets.table_asset import BUILDS, Built, Tools
from pipeline_defs import definitions  # noqa: F401  (fills BUILDS)
from resources.catalog import Catalog
from resources.registry_source import RegistrySource
from resources.session import Sessions
from resources.table_store import TableStore
from resources.tracking import Tracking

REGISTRY = ("snapshots", "crates", "versions", "yanks", "dependencies", "advisories")
LOG = logging.getLogger("tests")


def tools(data: Path, registry: Path) -> Tools:
    return Tools(
        store=TableStore(root=str(data / "warehouse")),
        catalog=Catalog(path=str(data / "catalog.duckdb")),
        sessions=Sessions(scratch=str(data / "tmp"), memory="1GB", threads=2),
        source=RegistrySource(folder=str(registry)),
        tracking=Tracking(folder=str(data / "mlflow")),
    )


def build(table: str, key: str, with_tools: Tools) -> Built:
    """Builds and publishes one partition."""
    return BUILDS[table].run(key, with_tools, LOG)


def build_registry(with_tools: Tools, snapshot: str = "2020-07-20") -> None:
    """The registry tables that features and labels need."""
    for table in REGISTRY:
        build(table, snapshot, with_tools)
