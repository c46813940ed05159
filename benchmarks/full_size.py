"""`crates bench full`: refreshes from a dump of the registry's size, compared with limits and with other loaders.

usage: python -m benchmarks.full_size [--scales 0.1,0.25,0.5,1.0]

Each scale runs `crates refresh` with an empty data folder in its own process, on a simulated dump (for load tests only:
see benchmarks/simulated_dump.py) that is generated once in $CRATES_DATA/benchmarks. The same run times
`gzip -dc | wc -l` on the same tables, which is a lower bound for any loader, and pandas. Seconds depend on the machine;
compare the ratios.
"""

import argparse
import math
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load_peers import gzip_lines, pandas_load
from benchmarks.simulated_dump import write_dump
from resources.common.settings import PROJECT, Settings
from resources.crates_io.dump.layout import CSV_TABLES
from testing.advisory_database import adds, sample_rows, write_repository

LIMITS = {"load": 600, "features": 180, "refresh": 900}  # seconds at scale 1
MEMORY_GB = 6
JOB = re.compile(r"^(\w+) (\S*): ([0-9.]+) s$", re.MULTILINE)


@dataclass
class Cost:
    """Seconds and peak memory (GB) of each part of one run."""

    scale: float
    seconds: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scales", default="0.05", help="shares of the registry's size, separated by commas")
    scales = [float(scale) for scale in parser.parse_args().scales.split(",")]
    folder = Settings.from_env().data / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    costs = [measure(scale, folder) for scale in scales]
    for before, after in pairwise(costs):
        report_growth(before, after)


def measure(scale: float, folder: Path) -> Cost:
    """Measures one scale: our refresh, then the other loaders, one after the other."""
    dump = folder / f"dump-{scale:.2f}.zip"
    if not dump.exists():
        temporary = folder / f"dump-{scale:.2f}.new"
        write_dump(scale, temporary)
        temporary.replace(dump)
    cost = Cost(scale)
    with TemporaryDirectory(dir=folder) as data:
        advisories = write_repository(Path(data) / "advisory-db", [adds(sample_rows(), datetime(2021, 11, 30))])
        refresh(cost, dump, advisories, Path(data))
    tables = list(CSV_TABLES)
    cost.seconds["gzip -dc | wc -l"] = gzip_lines(dump, tables)
    cost.seconds["pandas"], cost.memory["pandas"] = pandas_load(dump, tables)
    report(cost)
    return cost


def refresh(cost: Cost, dump: Path, advisories: Path, data: Path) -> None:
    """Runs `crates refresh` with an empty data folder and records its printed seconds and its peak memory."""
    environment = {
        **os.environ,
        "CRATES_SOURCE": "crates.io",
        "CRATES_DATA": str(data),
        "CRATES_DUMP": str(dump),
        "CRATES_ADVISORY_DB": str(advisories),
    }
    command = [sys.executable, "-m", "cli.main", "refresh"]
    started = time.monotonic()
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        peak, printed = follow(process)
    if process.returncode:
        sys.exit(f"the refresh failed:\n{printed}")
    jobs = [(job, float(seconds)) for job, _, seconds in JOB.findall(printed)]
    by_job = {name: [seconds for job, seconds in jobs if job == name] for name in dict(jobs)}
    cost.memory["refresh"] = peak
    cost.seconds |= {
        "load": by_job["fetch"][0] + by_job["load_snapshot"][0],
        "features": max(by_job["compute_features"]),
        "train": by_job["train_predictor"][0] + sum(by_job["compute_features"][:-1]),
        "scores": by_job["score_crates"][0],
        "from nothing": time.monotonic() - started,
    }
    cost.seconds["refresh"] = cost.seconds["from nothing"] - cost.seconds["train"]


def follow(process: subprocess.Popen) -> tuple[float, str]:
    """The peak memory (GB) of a process at its last line of output, and its output."""
    assert process.stdout
    lines, peak = [], 0.0
    for line in process.stdout:
        lines.append(line)
        print(f"  {line}", end="", flush=True)
        # the kernel's high-water mark, which is gone with the process
        peak = max(peak, _high_water(process.pid))
    return peak, "".join(lines)


def _high_water(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 2**20 if found else 0.0


def report(cost: Cost) -> None:
    print(f"\nscale {cost.scale:.2f}")
    for name, seconds in cost.seconds.items():
        limit = LIMITS.get(name)
        share = f"{seconds / limit:5.2f} of {limit} s at scale 1" if limit else ""
        print(f"  {name:<18}{seconds:8.1f} s  {share}")
    ours, pandas = cost.memory["refresh"], cost.memory["pandas"]
    print(f"  memory {ours:.2f} GB, {ours / MEMORY_GB:.2f} of {MEMORY_GB} GB; pandas {pandas:.2f} GB")
    print(f"  load / gzip {cost.seconds['load'] / cost.seconds['gzip -dc | wc -l']:.1f}")
    print(f"  load / pandas {cost.seconds['load'] / cost.seconds['pandas']:.2f}", flush=True)


def report_growth(before: Cost, after: Cost) -> None:
    """Prints the exponents of growth: 1 is linear in the registry's size."""
    size = math.log(after.scale / before.scale)
    found = {n: math.log(after.seconds[n] / before.seconds[n]) / size for n in ("load", "features", "refresh")}
    exponents = ", ".join(f"{name} {exponent:.2f}" for name, exponent in found.items())
    print(f"growth from {before.scale:.2f} to {after.scale:.2f} (1 is linear): {exponents}")


if __name__ == "__main__":
    main()
