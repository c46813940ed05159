"""Time of scoring, with limits: the whole registry, one crate, and registries up to the size of today's crates.io.

`python -m benchmarks.scoring`, after `crates demo`: scores the newest as-of date of $CRATES_DATA with its champions and
writes nothing. A larger registry repeats the same crates and their builds under other names, so that its trees are as
deep as real ones.
"""

import logging
import resource
import time

import duckdb
import numpy as np

from assets.partitions import LATEST
from assets.predictions.predictions import predict_by_champions
from assets.predictions.predictor import CHAMPION
from assets.predictions.training_data import WITHOUT_LISTS
from assets.table_build import SQL, BuildContext
from ml.features import values_of
from ml.models.additive import Additive
from ml.models.tree_hazard import TreeHazard
from ml.prediction import predict
from ml.targets import TARGETS
from pipeline_defs.build import Resources, build_resources
from resources.common.settings import Settings
from resources.warehouse.session import run_script, set_variables, view

REGISTRY_SECONDS, CRATE_MILLISECONDS = 20, 5
SIZES = (0.25, 0.5, 1, 2, 275_000 / 43_443)  # multiples of the bundled registry; the last is today's crates.io
LOG = logging.getLogger("benchmark")


def scoring(settings: Settings) -> None:
    """Scores the newest as-of date of an installation at every size, and one crate."""
    resources = build_resources(settings)
    as_of = resources.store.partitions("predictions")[-1]
    seconds = []
    for size in SIZES:
        with resources.sessions.open() as con:
            crates = replicate(con, resources, as_of, size)
            started = time.monotonic()
            rows = score(con, resources, as_of)
            seconds.append(time.monotonic() - started)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{crates:>9,} crates, {rows:>9,} predictions: {seconds[-1]:6.2f} s, peak {peak:.1f} GB", flush=True)
    growth = np.log(seconds[-1] / seconds[2]) / np.log(SIZES[-1] / SIZES[2])
    print(f"growth from the bundled size to today's: exponent {growth:.2f} (1 is linear)")
    report("bundled registry", seconds[2], REGISTRY_SECONDS, "s")
    with resources.sessions.open() as con:
        replicate(con, resources, as_of, 1)
        report("one crate, all targets", one_crate(con, resources), CRATE_MILLISECONDS, "ms")


def replicate(con: duckdb.DuckDBPyConnection, resources: Resources, as_of: str, size: float) -> int:
    """Creates `features` with `size` times as many crates; returns their number."""
    view(con, resources.store, "features", as_of)
    con.execute(
        """
        create or replace temp table larger as
        select f.* replace (
            f.crate || '~' || r.copy as crate,
            list_transform(
                f.build, lambda spec: split_part(spec, '@', 1) || '~' || r.copy || '@' || split_part(spec, '@', 2)
            ) as build
        )
        from features as f
        cross join (select unnest(range(ceil($1)::integer)) as copy) as r
        where hash(f.crate, r.copy) < $1 / ceil($1) * 18446744073709551615.0
        """,
        [size],
    )
    con.execute("drop view features")
    con.execute("alter table larger rename to features")
    counted = con.execute("select count(*) from features").fetchall()
    return counted[0][0]


def score(con: duckdb.DuckDBPyConnection, resources: Resources, as_of: str) -> int:
    """Computes the rows of the asset `predictions`; returns their number."""
    set_variables(con, as_of=as_of)
    frame = con.sql(f"select {WITHOUT_LISTS} from features order by crate").df()
    predict_by_champions(
        BuildContext(LATEST, con, resources.store, LOG),
        resources.tracking,
        as_of,
        frame,
        frame,
        "select crate, build from features",
    )
    con.execute("create or replace temp view peers as select target, is_good, worst from predicted")
    return run_script(con, SQL / "predictions.sql").num_rows


def one_crate(con: duckdb.DuckDBPyConnection, resources: Resources, rounds: int = 200) -> float:
    """Milliseconds for the probability and range of every target of one crate, with its features and the hazards of its
    build in memory, as in a server."""
    frame = con.sql(f"select {WITHOUT_LISTS} from features where len(build) > 20 order by crate limit 1").df()
    champions = {t: found.model for t in TARGETS if (found := resources.tracking.load(t.name, CHAMPION))}
    members = np.random.default_rng(0).gamma(0.1, 0.01, (40, 3))
    started = time.perf_counter()
    for _ in range(rounds):
        values = values_of(frame)
        for target, model in champions.items():
            if isinstance(model, Additive):
                predict(model, target, values, model.effects(values))
            elif isinstance(model, TreeHazard):
                model.probability(members.sum(axis=0))
    return (time.perf_counter() - started) / rounds * 1000


def report(name: str, value: float, limit: float, unit: str) -> None:
    print(f"{name:<26} {value:6.2f}, {value / limit:.2f} of {limit:.2f} {unit}")


if __name__ == "__main__":
    scoring(Settings.from_env())
