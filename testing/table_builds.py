"""Tables built without Dagster: the same functions, contracts and store, in milliseconds."""

import logging
from dataclasses import replace
from pathlib import Path

from assets.table_asset import BUILDS, Built, Tools
from pipeline_defs.build import build_defs, build_resources
from resources.common.settings import Settings

REGISTRY = ("snapshots", "crates", "versions", "yanks", "dependencies", "owners", "downloads", "advisories")
LOG = logging.getLogger("tests")
build_defs()  # loads every table asset, and so fills BUILDS


def tools(data: Path, registry: Path) -> Tools:
    return sources_tools(replace(Settings.from_env(), data=data, registry=registry, threads=2))


def sources_tools(settings: Settings) -> Tools:
    """The tools of an installation, whatever its source."""
    resources = build_resources(settings)
    return Tools(**{name: resources[name] for name in Tools.NAMES})


def build(table: str, key: str, with_tools: Tools) -> Built:
    """Builds and publishes one partition."""
    return BUILDS[table].run(key, with_tools, LOG)


def build_registry(with_tools: Tools, snapshot: str = "2020-07-20") -> None:
    """The registry tables that features and labels need."""
    for table in REGISTRY:
        build(table, snapshot, with_tools)
