"""Other loaders of tables of a crates.io dump: pandas, and `gzip | wc` as a lower bound.

usage: python -m benchmarks.load_peers DUMP.zip TABLE...
"""

import multiprocessing
import resource
import struct
import subprocess
import sys
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
LOCAL_HEADER = struct.Struct("<26xHH")  # of a member in a zip: the lengths of its name and its extra field
BLOCK_BYTES = 2**20
ROWS_PER_CHUNK = 500_000
TIMES = {"created_at", "updated_at", "deleted_at", "available_at", "date"}
INTEGERS = {"id", "crate_id", "version_id", "downloads", "kind", "owner_id", "owner_kind", "crate_size"}


def gzip_lines(dump: Path, tables: list[str]) -> float:
    """Seconds to inflate the tables with gzip and to count their lines, one after the other."""
    started = time.monotonic()
    for table in tables:
        with (
            subprocess.Popen(["gzip", "-dc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as gzip,
            subprocess.Popen(["wc", "-l"], stdin=gzip.stdout, stdout=subprocess.DEVNULL) as wc,
        ):
            assert gzip.stdin and gzip.stdout
            gzip.stdout.close()
            for block in as_gzip(dump, f"data/{table}.csv"):
                gzip.stdin.write(block)
            gzip.stdin.close()
        if gzip.returncode or wc.returncode:
            raise RuntimeError(f"gzip or wc failed on {table}: {gzip.returncode}, {wc.returncode}")
    return time.monotonic() - started


def as_gzip(dump: Path, name: str) -> Iterator[bytes]:
    """The member's deflate stream with a gzip header and trailer."""
    with zipfile.ZipFile(dump) as archive:
        member = archive.getinfo(name)
    with dump.open("rb") as file:
        file.seek(member.header_offset)
        file.seek(sum(LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))), 1)
        yield GZIP_HEADER
        remaining = member.compress_size
        while remaining:
            block = file.read(min(BLOCK_BYTES, remaining))
            if not block:
                raise EOFError(f"{dump} ends within {name}")
            remaining -= len(block)
            yield block
    yield struct.pack("<II", member.CRC, member.file_size % 2**32)


def pandas_load(dump: Path, tables: list[str]) -> tuple[float, float]:
    """Seconds and peak memory (GB) to convert the tables to Parquet with pandas, including its import."""
    context = multiprocessing.get_context("spawn")
    started = time.monotonic()
    with ProcessPoolExecutor(1, context) as process:
        peak = process.submit(load_with_pandas, dump, tables).result()
    return time.monotonic() - started, peak


def load_with_pandas(dump: Path, tables: list[str]) -> float:
    """Converts the tables to Parquet in chunks, in a temporary folder; returns the peak memory (GB) of this process."""
    with TemporaryDirectory(dir=dump.parent) as folder, zipfile.ZipFile(dump) as archive:
        for table in tables:
            with archive.open(f"data/{table}.csv") as file:
                to_parquet(file, Path(folder) / f"{table}.parquet")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def to_parquet(file: IO[bytes], path: Path) -> None:
    """Converts a CSV file to Parquet: text, nullable integers and times. Pandas cannot distinguish '' from NULL."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    types = defaultdict(lambda: "str", dict.fromkeys(INTEGERS, "Int64"))
    reader = pd.read_csv(file, dtype=types, chunksize=ROWS_PER_CHUNK, keep_default_na=False, na_values=[""])
    for chunk in reader:
        for column in TIMES & set(chunk):
            chunk[column] = pd.to_datetime(chunk[column], utc=column != "date", format="ISO8601")
        table = pa.Table.from_pandas(chunk, schema=writer.schema if writer else None, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer:
        writer.close()


def main(dump: Path, tables: list[str]) -> None:
    print(f"gzip -dc | wc -l {gzip_lines(dump, tables):8.1f} s")
    seconds, peak = pandas_load(dump, tables)
    print(f"pandas           {seconds:8.1f} s, {peak:.1f} GB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
