"""One place that connects assets and resources, for production, command line and tests alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagster import Definitions, load_asset_checks_from_package_module, load_assets_from_package_module

import assets
from assets.registry.sources import ADVISORY_SOURCE, REGISTRY_SOURCE
from pipeline_defs.jobs import JOBS
from pipeline_defs.schedules import SCHEDULES
from pipeline_defs.sensors import SENSORS
from resources.cache import CacheSettings
from resources.common.settings import BUNDLED, Settings
from resources.crates_io.dump.source import CratesIoDump
from resources.crates_io.index import CratesIoIndex
from resources.language_model.language_model import LanguageModel
from resources.language_model.reply_journal import ReplyJournal
from resources.registry.bundled_registry import BundledRegistry
from resources.registry.source import RegistrySource
from resources.tracking import Tracking
from resources.warehouse.catalog import Catalog
from resources.warehouse.session import Sessions
from resources.warehouse.table_store import TableStore


@dataclass(frozen=True)
class Resources:
    """Every resource of one installation, under the name by which assets, schedules and sensors ask for it."""

    store: TableStore
    catalog: Catalog
    sessions: Sessions
    source: RegistrySource
    index: CratesIoIndex
    tracking: Tracking
    language_model: LanguageModel
    journal: ReplyJournal
    cache: CacheSettings


def build_resources(settings: Settings) -> Resources:
    """The resources of one installation."""
    cache = CacheSettings.of(settings)
    return Resources(
        store=TableStore(root=str(settings.warehouse)),
        catalog=Catalog(path=str(settings.catalog)),
        sessions=Sessions(scratch=str(settings.scratch), memory=settings.memory, threads=settings.threads),
        source=build_source(settings),
        index=CratesIoIndex(
            folder=str(settings.snapshots / "index"),
            contact=settings.contact,
            static_url=settings.static_url,
            index_url=settings.index_url,
            cache=cache,
        ),
        tracking=Tracking(folder=str(settings.mlflow)),
        language_model=LanguageModel(
            model=settings.model,
            sha256=settings.model_sha256,
            folder=str(settings.models),
            workers=settings.model_workers,
        ),
        journal=ReplyJournal(folder=str(settings.replies)),
        cache=cache,
    )


def build_source(settings: Settings) -> RegistrySource:
    """The source of registry facts that CRATES_SOURCE selects."""
    if settings.source == BUNDLED:
        return BundledRegistry(folder=str(settings.registry))
    return CratesIoDump(
        folder=str(settings.snapshots),
        dump=settings.dump,
        contact=settings.contact,
        advisory_db=settings.advisory_db,
        static_url=settings.static_url,
        history_days=settings.history_days,
        keep=settings.keep_snapshots,
    )


def build_defs(settings: Settings | None = None, overrides: Mapping[str, Any] | None = None) -> Definitions:
    """The whole project for one installation; `overrides` replace resources by name."""
    return Definitions(
        assets=[REGISTRY_SOURCE, ADVISORY_SOURCE, *load_assets_from_package_module(assets)],
        asset_checks=load_asset_checks_from_package_module(assets),
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=SENSORS,
        resources={**vars(build_resources(settings or Settings.from_env())), **(overrides or {})},
    )
