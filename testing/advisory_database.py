"""Generates a RustSec advisory database: a git repository in its format, and its export to OSV.

A row is a dict with the fields of `resources.advisories.schema.Advisory`. The export follows RustSec's rules, which are
implemented here with testing/semver_reference.py, independently of the tested code.
"""

import io
import json
import subprocess
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq

from resources.common.settings import PROJECT
from testing import semver_reference as semver

Row = dict
SAMPLE = PROJECT / "sample" / "registry" / "advisories.parquet"


def row(id_: str, package: str, **facts: object) -> Row:
    """A complete row; by default the optional fields are empty and no version has a fix."""
    optional = {"informational": None, "cvss": None, "withdrawn": None, "functions": None, "license": None}
    lists = {"categories": [], "aliases": [], "patched": [], "unaffected": []}
    return {"id": id_, "package": package, "date": date(2021, 1, 31), **optional, **lists, **facts}


def sample_rows() -> list[Row]:
    """The advisories of the bundled registry, as of 2021-11-30."""
    rows = pq.read_table(SAMPLE).to_pylist()
    return [row(r.pop("id"), r.pop("package"), **{k: v for k, v in r.items() if k != "known_at"}) for r in rows]


HAND_MADE = [
    row("RUSTSEC-2022-9001", "scored-three", cvss="CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", patched=[">= 1.2.3"]),
    row("RUSTSEC-2022-9002", "scored-three-one", cvss="CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"),
    row(
        "RUSTSEC-2024-9003",
        "scored_four",
        cvss="CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N",
        license="CC-BY-4.0",
        aliases=["CVE-2024-90003", "GHSA-aaaa-bbbb-cccc"],
        patched=[">= 1.2.3, < 1.3.0", ">= 1.3.4"],
        unaffected=["<= 0.1.2"],
    ),
    row("RUSTSEC-2022-9004", "unscored", categories=["memory-corruption", "thread-safety"], patched=["^0.5.4", ">= 1"]),
    row("RUSTSEC-2022-9005", "withdrawn", withdrawn=date(2022, 3, 4), patched=[">= 0.0.0-0"]),
    row("RUSTSEC-2022-9006", "abandoned", informational="unmaintained"),
    row("RUSTSEC-2022-9007", "shaky", informational="unsound", patched=["~1.4", ">= 2.0.0-rc.1"]),
    row("RUSTSEC-2022-9008", "remarkable", informational="notice", unaffected=["< 0.0.3"], patched=["^0.0.4"]),
    row("RUSTSEC-2022-9009", "evil", categories=["malicious"]),
    row(
        "RUSTSEC-2022-9010",
        "callable",
        functions=["callable::Queue<T>::pop", "callable::read"],
        patched=[">= 0.2.0-alpha.1"],
        unaffected=["=0.1.1", "<= 0.1.0-beta.2"],
    ),
]


def advisory_md(advisory: Row, title: str = "Title") -> str:
    """The file of an advisory in the format since 2020."""
    lines = [
        "```toml",
        "[advisory]",
        *(f"{name} = {_toml(advisory[name])}" for name in ("id", "package", "date")),
        *(_line(advisory, name) for name in ("informational", "cvss", "withdrawn", "license", "categories", "aliases")),
        'keywords = ["words", "ignored"]',
        "",
        *_functions_table(advisory),
        "[versions]",
        f"patched = {_toml(advisory['patched'])}",
        _line(advisory, "unaffected"),
        "```",
        "",
        f"# {title}",
        "",
        "What is wrong, with ```code``` in it.",
    ]
    return "\n".join(lines) + "\n"


def advisory_toml(advisory: Row, title: str = "Title") -> str:
    """The file of an advisory in the format until 2020: requirements and functions are in the main table."""
    names = {"patched": "patched_versions", "unaffected": "unaffected_versions", "functions": "affected_functions"}
    facts = {names.get(name, name): value for name, value in advisory.items()}
    lines = [f"{name} = {_toml(value)}" for name, value in facts.items() if value is not None]
    return "\n".join(["[advisory]", *lines, f'title = "{title}"', 'description = """\nWhat is wrong.\n"""']) + "\n"


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, date) else json.dumps(value)


def _line(advisory: Row, name: str) -> str:
    return f"{name} = {_toml(advisory[name])}" if advisory[name] else ""


def _functions_table(advisory: Row) -> list[str]:
    if not advisory["functions"]:
        return []
    return ["[affected.functions]", *(f'"{path}" = ["< 1.0.0"]' for path in advisory["functions"])]


def path_of(advisory: Row, kind: str = "md") -> str:
    return f"crates/{advisory['package']}/{advisory['id']}.{kind}"


@dataclass(frozen=True)
class Commit:
    """One commit: its time, the files that it writes (None removes one), its branch, and the branch that it merges."""

    at: datetime
    files: dict[str, str | bytes | None] = field(default_factory=dict)
    branch: str = "main"
    merges: str | None = None
    mode: str = "100644"


def adds(advisories: Iterable[Row], at: datetime) -> Commit:
    """The commit that adds advisories in the current format."""
    return Commit(at, {path_of(advisory): advisory_md(advisory) for advisory in advisories})


def write_repository(folder: Path, commits: Iterable[Commit]) -> Path:
    """Creates a bare repository with these commits, or adds them to an existing one.

    Author times are a year earlier, because nothing may depend on them.
    """
    if not folder.exists():
        run_git(folder.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(folder))
    existing = set(run_git(folder, "for-each-ref", "--format=%(refname:short)").decode().split())
    begun: set[str] = set()
    stream = io.BytesIO()
    for commit in commits:
        seconds = int(commit.at.replace(tzinfo=UTC).timestamp())
        stream.write(f"commit refs/heads/{commit.branch}\n".encode())
        stream.write(f"author A <a@example.org> {seconds - 31_536_000} +0000\n".encode())
        stream.write(f"committer C <c@example.org> {seconds} +0000\ndata 1\nx\n".encode())
        if commit.branch not in begun:  # an existing branch continues, a new one starts from main
            origin = commit.branch if commit.branch in existing else "main"
            if origin in begun:
                stream.write(f"from refs/heads/{origin}\n".encode())
            elif origin in existing:
                stream.write(f"from refs/heads/{origin}^0\n".encode())
            begun.add(commit.branch)
        if commit.merges:
            stream.write(f"merge refs/heads/{commit.merges}\n".encode())
        for path, content in commit.files.items():
            stream.write(_change(path, content, commit.mode))
    run_git(folder, "fast-import", "--quiet", "--force", stdin=stream.getvalue())
    return folder


def _change(path: str, content: str | bytes | None, mode: str) -> bytes:
    if content is None:
        return f"D {_quoted(path)}\n".encode()
    data = content.encode() if isinstance(content, str) else content
    return f"M {mode} inline {_quoted(path)}\ndata {len(data)}\n".encode() + data + b"\n"


def _quoted(path: str) -> str:
    return '"' + "".join(f"\\{byte:03o}" for byte in path.encode(errors="surrogateescape")) + '"'


def run_git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["git", "-C", str(folder), *arguments], input=stdin, capture_output=True, check=True).stdout


def osv_export(advisory: Row, modified: datetime = datetime(2023, 6, 13, 13, 10, 24)) -> dict:
    """The OSV document of an advisory in RustSec's format. Raises ValueError where RustSec's exporter fails."""
    cvss = advisory["cvss"]
    withdrawn = {"withdrawn": f"{advisory['withdrawn']}T12:00:00Z"} if advisory["withdrawn"] else {}
    return {
        "schema_version": None,
        "id": advisory["id"],
        "modified": f"{modified.isoformat()}Z",
        "published": f"{advisory['date']}T12:00:00Z",
        **withdrawn,
        "aliases": advisory["aliases"],
        "related": [],
        "summary": "Title",
        "details": "What is wrong, with ```code``` in it.",
        "severity": [{"type": "CVSS_V4" if cvss.startswith("CVSS:4") else "CVSS_V3", "score": cvss}] if cvss else [],
        "affected": [
            {
                "package": {
                    "ecosystem": "crates.io",
                    "name": advisory["package"],
                    "purl": f"pkg:cargo/{advisory['package']}",
                },
                "ecosystem_specific": {
                    "affects": {"arch": [], "os": [], "functions": advisory["functions"] or []},
                    "affected_functions": None,
                },
                "database_specific": {
                    "categories": advisory["categories"],
                    "cvss": cvss,
                    "informational": advisory["informational"],
                },
                "ranges": [{"type": "SEMVER", "events": osv_events(advisory["patched"] + advisory["unaffected"])}],
                "versions": [],
            }
        ],
        "references": [{"type": "PACKAGE", "url": f"https://crates.io/crates/{advisory['package']}"}],
        "database_specific": {"license": advisory["license"] or "CC0-1.0"},
    }


def osv_zip(documents: Iterable[dict]) -> bytes:
    """`all.zip`, with one member per document, named by its id."""
    members = {f"{document['id']}.json": json.dumps(document).encode() for document in documents}
    return zip_of(members.items())


def zip_of(members: Iterable[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


Point = semver.Version  # the inclusive start or the exclusive end of a range
FIRST = semver.parse_version("0.0.0-0")


def osv_events(safe: list[str]) -> list[dict[str, str]]:
    """The events of the ranges between safe ranges, sorted. Raises ValueError if two safe ranges overlap."""
    ranges = sorted((safe_range(text) for text in safe), key=lambda r: (r[0] is not None, r[0] and r[0].rank))
    for (_, end), (start, _) in pairwise(ranges):
        if end is None or start is None or end.rank > start.rank:
            raise ValueError(f"ranges overlap: {safe}")
    # an affected range starts at the end of a safe range and ends at the start of the next
    begins: list[Point | None] = [FIRST, *(end for _, end in ranges)]
    ends: list[Point | None] = [*(start for start, _ in ranges), None]
    if ranges and ranges[0][0] is None:
        begins, ends = begins[1:], ends[1:]
    events = []
    for begin, end in zip(begins, ends):
        if begin is not None:
            events.append({"introduced": text_of(begin)})
            events += [{"fixed": text_of(end)}] if end else []
    return events


def safe_range(text: str) -> tuple[Point | None, Point | None]:
    """Start and end of a requirement by RustSec's rules: a range of versions, including pre-releases.

    Missing parts of a version are 0. RustSec allows at most one lower and one upper comparator.
    """
    comparators = semver.parse_requirement(text)
    start = end = None
    for comparator in comparators:
        version = padded(comparator)
        if comparator.op in ("^", "~", "="):
            if len(comparators) > 1:
                raise ValueError(f"{comparator.op} must be the only comparator: {text}")
            return version, after(version) if comparator.op == "=" else lowest(next_breaking(comparator))
        if comparator.op in (">", ">="):
            if start:
                raise ValueError(f"two lower bounds: {text}")
            start = version if comparator.op == ">=" else after(version)
        else:
            if end:
                raise ValueError(f"two upper bounds: {text}")
            end = version if comparator.op == "<" else after(version)
    return start, end


def padded(comparator: semver.Comparator) -> Point:
    major, minor, patch = (*comparator.numbers, 0, 0)[:3]
    return semver.Version((major, minor, patch), comparator.pre, ())


def next_breaking(comparator: semver.Comparator) -> tuple[int, int, int]:
    """The first three numbers that `^` or `~` excludes."""
    major, minor, patch = padded(comparator).numbers
    given = len(comparator.numbers)
    if comparator.op == "~":
        return (major + 1, 0, 0) if given == 1 else (major, minor + 1, 0)
    if major > 0 or given == 1:
        return major + 1, 0, 0
    return (0, minor + 1, 0) if minor > 0 or given == 2 else (0, 0, patch + 1)


def lowest(numbers: tuple[int, int, int]) -> Point:
    """The first pre-release of three numbers."""
    return semver.Version(numbers, ("0",), ())


def after(version: Point) -> Point:
    """The next version after another."""
    major, minor, patch = version.numbers
    return (
        semver.Version(version.numbers, (*version.pre, "0"), ()) if version.pre else lowest((major, minor, patch + 1))
    )


def text_of(version: Point) -> str:
    return ".".join(map(str, version.numbers)) + (f"-{'.'.join(version.pre)}" if version.pre else "")
