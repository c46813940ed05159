"""Generates the bundled registry from a folder of facts (Parquet files; format: `sample/README.md`).

usage: python tools/bundled_registry.py FOLDER

Writes `sample/registry/*.parquet` and `manifest.json` (hashes and the snapshot's time). The same input gives the same
bytes.
"""

import hashlib
import json
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

OUT = Path(__file__).parents[1] / "sample" / "registry"
SNAPSHOT_AT = "2020-07-20T04:14:39"
ADVISORIES_AT = "2021-11-30T23:59:59"

TABLES = {
    "versions": """
        select name, num, position, published_at, published_after, published_at_exact, features as feature_names, links
        from versions order by name, position, num
    """,
    # there are events since 2020-03-25 20:11 UTC; before that, only the fact that a version was yanked by then
    "yanks": """
        with logged as (
            select name, num, kind, occurred_at,
                lead(occurred_at) over (partition by name, num order by occurred_at) as next_at
            from events where kind in ('yank', 'unyank')
        )
        select name, num, occurred_at as yanked_at, true as yanked_at_exact, next_at as unyanked_at
        from logged semi join versions using (name, num) where kind = 'yank'
        union all by name
        select name, num, yanked_at, false as yanked_at_exact, null as unyanked_at
        from versions where yanked and not yanked_at_exact
        order by name, num, yanked_at
    """,
    "dependencies": """
        select name, num, dependency, req, kind, optional, default_features, target, explicit_name
        from dependencies order by all
    """,
    "advisories": """
        select id, package, date, known_at, informational, cvss, categories, aliases, patched, unaffected, withdrawn
        from advisories order by id
    """,
}


def main(facts: Path) -> None:
    con = duckdb.connect()
    for path in sorted(facts.glob("*.parquet")):
        con.execute(f"create view {path.stem} as from read_parquet('{path}')")
    OUT.mkdir(exist_ok=True)
    files = {}
    for name, query in TABLES.items():
        table = con.sql(query).to_arrow_table()
        path = OUT / f"{name}.parquet"
        pq.write_table(table, path, compression="zstd", compression_level=19, row_group_size=200_000)
        files[path.name] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        print(f"{path.name}: {table.num_rows:,} rows, {path.stat().st_size:,} bytes")
    texts = OUT.parent / "descriptions.csv"
    files[texts.name] = {"sha256": hashlib.sha256(texts.read_bytes()).hexdigest()}
    manifest = {
        "source": "bundled-registry",
        "snapshot_at": SNAPSHOT_AT,
        "advisories_at": ADVISORIES_AT,
        "files": files,
    }
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
