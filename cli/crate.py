"""`make crate NAME=serde`: what the tables say of one crate, in words."""

import logging
import sys
import time
from typing import Any

from rich.console import Console
from rich.markup import escape

from ml.targets import TARGETS
from pipeline_defs.build import build_cache
from resources.common.errors import BadInput, CannotWrite
from resources.common.settings import Settings
from resources.warehouse.table_store import TableStore
from serving.crate_lookup import look_up


def main() -> int:
    console, settings = Console(highlight=False, soft_wrap=True), Settings.from_env()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if len(sys.argv) != 2:
        console.print("[red]error:[/red] name one crate: make crate NAME=serde")
        return 1
    try:
        cache = build_cache(settings).open()
        started = time.perf_counter()
        found = look_up(TableStore(root=str(settings.warehouse)), cache, sys.argv[1])
        seconds = time.perf_counter() - started
    except (BadInput, CannotWrite) as error:
        console.print(f"[red]error:[/red] {escape(str(error))}")
        return 1
    if found is None:
        shown = sys.argv[1][:80].encode(errors="replace").decode()
        console.print(f"[red]error:[/red] {escape(shown)} has no scores: check the name")
        return 1
    _print(console, found)
    console.print(f"\n(looked up in {seconds * 1000:.1f} ms)")
    return 0


def _print(console: Console, found: dict[str, Any]) -> None:
    scores = found["scores"]
    described = scores["description"] or "no description known"
    console.print(
        f"[bold]{escape(scores['name'])} {escape(scores['default_version'] or '')}[/bold]: {escape(described)}"
    )
    console.print(f"As of {scores['refreshed_at'] or scores['as_of']}; {scores['dependents']:,} crates build on it.")
    for target in TARGETS:
        worst, best = scores[target.name], scores[f"{target.name}_best"]
        chance = "unknown" if worst is None else f"{worst:.1%}" + (f" to {best:.1%}" if best - worst > 0.0005 else "")
        console.print(f"  {target.name.replace('_', ' '):<18} {chance}")
    for heading, lines in (
        ("Found", scores["findings"]),
        ("Why", scores["evidence"]),
        ("Would change it", scores["changes"]),
    ):
        for line in lines or ():
            console.print(f"  {heading}: {escape(line)}")
    for culprit in found["culprits"]:
        where = " → ".join(culprit["path"])
        console.print(
            f"  In its build: {escape(where)} {escape(culprit['culprit_version'])} is {culprit['trouble']}: "
            f"{escape(culprit['remedy'])}"
        )


if __name__ == "__main__":
    sys.exit(main())
