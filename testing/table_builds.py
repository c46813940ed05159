"""Tables built without Dagster: the same functions, contracts and store, in milliseconds."""

import logging
from dataclasses import replace
from pathlib import Path

from assets.table_asset import BUILDERS
from assets.table_build import BuildResult
from pipeline_defs.build import Resources, build_defs, build_resources
from resources.common.settings import Settings

REGISTRY = ("snapshots", "crates", "versions", "yanks", "dependencies", "owners", "downloads", "advisories")
LOG = logging.getLogger("tests")
build_defs()  # loads every table asset, and so fills BUILDERS


def bundled_resources(data: Path, registry: Path) -> Resources:
    return resources_of(replace(Settings.from_env(), data=data, registry=registry, threads=2))


def resources_of(settings: Settings) -> Resources:
    """The resources of an installation, whatever its source."""
    return build_resources(settings)


def build(table: str, key: str, resources: Resources) -> BuildResult:
    """Builds and publishes one partition."""
    return BUILDERS[table].run(key, resources, LOG)


def build_registry(resources: Resources, snapshot: str = "2020-07-20") -> None:
    """The registry tables that features and labels need."""
    for table in REGISTRY:
        build(table, snapshot, resources)
