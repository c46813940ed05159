"""`crates` as a user runs it: a process of its own, on a small warehouse, in all kinds of terminals."""

import csv
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assets.schemas import TABLES
from cli.main import BENCHMARKS, crates
from resources.common.settings import PROJECT, Settings
from testing.small_warehouse import AS_OF, CRATES, write_warehouse

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed
COMMANDS = [[name] for name in crates.commands] + [["model", "fetch"]]
# what `crates --help` and `crates show` do without: each takes a second or more
HEAVY = ("dagster", "mlflow", "pandas", "sklearn", "matplotlib", "scipy", "rich", "pyarrow", "numpy")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a few hand-written crates."""
    folder = tmp_path_factory.mktemp("commands") / "data"
    write_warehouse(replace(Settings.from_env(), data=folder))
    return folder


def run(data: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`crates ARGUMENTS` with its output in pipes."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=PROJECT,
        env={**_clean(), "CRATES_DATA": str(data), **environment},
        capture_output=True,
        encoding=environment.get("PYTHONIOENCODING", "utf-8"),
        timeout=120,
        check=False,
    )


def _clean() -> dict[str, str]:
    """The environment without what changes output."""
    names = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONIOENCODING", "PYTHONUTF8", "LC_ALL", "LANG", "TERM")
    return {name: value for name, value in os.environ.items() if name not in names}


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


# the answer


def test_show_says_what_is_wrong_and_who_must_act(data: Path) -> None:
    done = run(data, "show", "tokio")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "tokio 1.2.3: What tokio is for\n9,000 crates build on it, from 4,500 other projects."
    )
    assert "As of 2026-11-20. Last release 3 days earlier." in done.stdout
    for label in ("Maintenance", "Popularity", "Security risk", "Dependency risk", "Quality"):
        assert len(re.findall(rf"^{label}  ", done.stdout, re.MULTILINE)) == 1, label
    words = " ".join(done.stdout.split())
    assert "80 to 100 of 1,000 crates like it get an advisory within 16 months (all crates: 1; higher than" in words
    assert "rusty-old 1.2.3 in its build is unmaintained (RUSTSEC-2025-0001), through mio." in words
    assert "tokio must upgrade mio to 9.0.0 or later" in words
    assert "2 dependencies are outdated" in words
    assert "What its owner can do" not in words
    assert len(done.stdout.splitlines()) < 25


def test_why_shows_evidence_and_only_sound_advice(data: Path) -> None:
    words = " ".join(run(data, "show", "tokio", "--why").stdout.split())
    assert words.count("Releases in the last 30 days: 3") == 5
    assert "between 80 and 100 of 1,000" in words
    assert "update the outdated dependencies and publish a release" in words
    assert "publish a patch release" not in words


def test_unknown_score_is_worded_as_unknown(data: Path) -> None:
    words = " ".join(run(data, "show", "tokei").stdout.split())
    assert "Quality unknown: only 30% of the facts that it is predicted from are known, 50% are needed" in words


def test_vulnerable_crate_names_the_advisory_and_the_fixed_versions(data: Path) -> None:
    words = " ".join(run(data, "show", "tokei").stdout.split())
    assert "A known vulnerability affects 1.2.3, the version that Cargo chooses: its owner must publish a fix." in words
    assert "Advisories on tokei: RUSTSEC-2025-0002, fixed in >= 2.0.0" in words


def test_crate_without_problems_says_so(data: Path) -> None:
    assert "- none in it, and none in its build" in run(data, "show", "serde").stdout


@pytest.mark.parametrize("spelling", ["rusty-old", "rusty_old", "Rusty-OLD"])
def test_name_is_found_in_any_spelling(data: Path, spelling: str) -> None:
    done = run(data, "show", spelling)
    assert done.returncode == 0 and "It is unmaintained (RUSTSEC-2025-0001)" in done.stdout


def test_json_has_stable_keys(data: Path) -> None:
    done = run(data, "show", "tokio", "--json")
    crate = json.loads(done.stdout)
    assert list(crate) == [
        *("name", "version", "description", "as_of", "refreshed_at"),
        *("dependents", "dependents_independent", "transitive_dependents", "days_since_release"),
        *("is_vulnerable", "is_unmaintained", "all_yanked"),
        *("dependencies_unresolved", "dependencies_outdated", "requirements_wildcard"),
        *("advisories", "culprits", "scores"),
    ]
    assert list(crate["scores"]) == ["maintenance", "popularity", "security", "dependency_health", "quality"]
    assert list(crate["scores"]["security"]) == [
        *("target", "is_known", "is_good", "horizon_days", "probability", "worst", "best", "base_rate", "percentile"),
        *("share_lower", "share_higher", "coverage", "evidence", "changes"),
    ]
    assert crate["scores"]["security"]["worst"] == CRATES["tokio"][1][2]
    assert crate["culprits"][0]["remedy"] == "upgrade mio to 9.0.0 or later"


def test_misspelt_name_gets_suggestions(data: Path) -> None:
    done = run(data, "show", "tokoi")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: there is no crate 'tokoi' in these tables; did you mean tokio, tokei?\n"


def test_tables_of_an_earlier_version_are_an_error_with_the_fix(tmp_path: Path) -> None:
    store = write_warehouse(replace(Settings.from_env(), data=tmp_path / "data"))
    culprits = TABLES["culprits"]
    old = replace(culprits, columns=tuple(column for column in culprits.columns if column.name != "issue"))
    store.publish(old, AS_OF, old.arrow.empty_table())
    done = run(tmp_path / "data", "show", "tokio")
    assert (done.returncode, done.stdout) == (1, "")
    assert "were built by an earlier version of this project: run the command that built them again" in done.stderr


@pytest.mark.parametrize("name", ["x\x1b[2Jy", "'; drop view scores; --", "a" * 500, "", "ser de", "--why"])
def test_hostile_name_is_an_error_on_one_line(data: Path, name: str) -> None:
    done = run(data, "show", "--", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: there is no crate '") and done.stderr.count("\n") == 1
    assert not CONTROL.search(done.stderr) and len(done.stderr) < 200


def test_a_second_look_is_served_by_the_cache_and_is_the_same(data: Path) -> None:
    assert run(data, "show", "serde").stdout == run(data, "show", "serde").stdout


# the terminal


@pytest.mark.parametrize("crate", CRATES)
@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_output_survives_any_encoding(data: Path, crate: str, encoding: str) -> None:
    done = run(data, "show", crate, "--why", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "The scores come from what happened to other crates" in done.stdout
    if crate == "rusty-old":
        shown = {"latin-1": "-> ünïcode", "ascii": "-> ?n?code", "utf-8": "→ ünïcode"}
        assert shown[encoding] in done.stdout


def test_text_of_an_author_cannot_steer_the_terminal(data: Path) -> None:
    done = run(data, "show", "rusty-old")
    assert "\\x1b[31mred\\x1b[0m\\x07 [bold]markup[/bold]" in done.stdout
    assert not CONTROL.search(done.stdout)


@pytest.mark.parametrize("columns", [60, 80])
def test_lines_fit_the_terminal(data: Path, columns: int) -> None:
    for arguments in (["show", "tokio", "--why"], ["--help"], ["show", "--help"]):
        lines = run(data, *arguments, COLUMNS=str(columns)).stdout.splitlines()
        assert max(map(len, lines)) <= columns, arguments
    assert max(map(len, lines)) > columns // 2


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_pipe_gets_no_control_codes(data: Path, environment: dict[str, str]) -> None:
    assert not CONTROL.search(run(data, "show", "tokio", **environment).stdout)


@pytest.mark.parametrize(
    ("environment", "is_styled"), [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False)]
)
def test_terminal_gets_bold_labels_unless_told_otherwise(
    data: Path, environment: dict[str, str], is_styled: bool
) -> None:
    parent, child = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "show", "tokio"],
        cwd=PROJECT,
        env={**_clean(), "CRATES_DATA": str(data), **environment},
        stdout=child,
        stderr=child,
    )
    os.close(child)
    shown = b"".join(_read_all(parent))
    assert process.wait(60) == 0
    assert (b"\x1b[1mtokio" in shown) is is_styled and b"tokio" in shown
    assert (b"\x1b" in shown) is is_styled


def _read_all(terminal: int) -> Iterator[bytes]:
    """What a program writes to a terminal, to its end."""
    try:
        while part := os.read(terminal, 4096):
            yield part
    except OSError:  # the program has closed it
        pass
    finally:
        os.close(terminal)


def test_reader_that_closes_the_pipe_ends_the_command_silently(data: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "sql", "--csv", "from range(1000000)"]
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, "CRATES_DATA": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stderr
    assert process.stdout.readline() == "range\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 0


# SQL


def test_query_prints_a_table(data: Path) -> None:
    done = run(data, "sql", "select name, maintenance from scores where name = 'serde'")
    assert done.returncode == 0 and re.search(r"serde\s*│\s*0\.7", done.stdout)


def test_query_prints_json_and_csv(data: Path) -> None:
    query = "select name, as_of, unknown_scores from scores where name = 'tokei'"
    as_json, as_csv = run(data, "sql", query, "--json"), run(data, "sql", query, "--csv")
    assert json.loads(as_json.stdout) == [{"name": "tokei", "as_of": "2026-11-20", "unknown_scores": ["quality"]}]
    assert list(csv.reader(as_csv.stdout.splitlines()))[1][:2] == ["tokei", "2026-11-20"]
    assert json.loads(run(data, "sql", "from scores where false", "--json").stdout) == []


@pytest.mark.parametrize("query", ["from nope", "selec 1", "drop view scores", "create table t (x int)", ""])
def test_query_that_fails_is_an_error_on_one_line(data: Path, query: str) -> None:
    done = run(data, "sql", "--json", "--", query)
    assert (done.returncode, done.stdout) == (1, ""), query
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_shell_reads_queries_from_stdin(data: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "sql"],
        cwd=PROJECT,
        env={**os.environ, "CRATES_DATA": str(data)},
        input="select count(*) as crates from scores;",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0 and re.search(rf"\b{len(CRATES)}\b", done.stdout), done.stderr


# no data, usage, help


@pytest.mark.parametrize(
    "arguments",
    [["show", "serde"], ["show", "serde", "--json"], ["sql"], ["sql", "from scores"], ["ui"], ["mlflow"]],
)
def test_without_data_a_command_says_how_to_get_some_and_creates_nothing(tmp_path: Path, arguments: list[str]) -> None:
    done = run(tmp_path / "data", *arguments, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: no ") and done.stderr.count("\n") == 1
    assert "run `crates demo`" in done.stderr
    assert files(tmp_path) == {}


@pytest.mark.parametrize("arguments", [[], *COMMANDS], ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_runs_nothing(tmp_path: Path, arguments: list[str], option: str) -> None:
    done = run(tmp_path / "data", *arguments, option)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {' '.join(['crates', *arguments])} ")
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ["shwo"],
        ["show"],
        ["show", "a", "b"],
        ["show", "serde", "--yaml"],
        ["sql", "--json"],
        ["sql", "from scores", "--json", "--csv"],
        ["ui", "--port", "0"],
        ["ui", "--port", "1; id"],
        ["bench", "nothing"],
        ["demo", "now"],
    ],
)
def test_wrong_usage_ends_with_2(tmp_path: Path, arguments: list[str]) -> None:
    done = run(tmp_path / "data", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr and "--help" in done.stderr
    assert files(tmp_path) == {}


def test_misspelt_command_gets_a_suggestion(tmp_path: Path) -> None:
    assert "Did you mean 'show'" in run(tmp_path, "shwo").stderr


def test_version_is_that_of_the_package(tmp_path: Path) -> None:
    assert run(tmp_path, "--version").stdout == "crates 0.1.0\n"


def test_setting_that_is_wrong_is_an_error_on_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, "show", "serde", CRATES_THREADS="many")
    assert done.returncode == 1 and done.stderr.startswith("error: CRATES_THREADS='many', expected")
    assert done.stderr.count("\n") == 1


def test_unexpected_error_is_one_line_and_a_traceback_on_demand(tmp_path: Path, data: Path) -> None:
    broken = tmp_path / "data"
    pointer = broken / "warehouse" / "scores" / "version=latest" / "current.json"
    pointer.parent.mkdir(parents=True)
    pointer.write_text("{")
    done, debugged = run(broken, "show", "serde"), run(broken, "--debug", "show", "serde")
    assert done.returncode == debugged.returncode == 1
    assert done.stderr.startswith("error: unexpected JSONDecodeError: ") and done.stderr.count("\n") == 1
    assert "Traceback" in debugged.stderr


@pytest.mark.parametrize("command", ["ui", "mlflow"])
def test_busy_port_is_an_error_on_one_line(data: Path, command: str) -> None:
    (data / "mlflow").mkdir(exist_ok=True)
    (data / "mlflow" / "mlflow.db").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(data, command, "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: cannot listen on port {port} of 127.0.0.1: Address already in use.")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--help"], ["show", "tokio"], ["--version"], ["sql", "select 1"]], ids=" ".join)
def test_quick_command_imports_nothing_heavy(data: Path, arguments: list[str]) -> None:
    program = (
        f"import sys; from cli.main import main; main({arguments!r}); print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env={**os.environ, "CRATES_DATA": str(data)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_benchmark_of_the_command_exists() -> None:
    assert [name for name in BENCHMARKS.values() if not (PROJECT / "benchmarks" / f"{name}.py").is_file()] == []


def test_completion_lists_commands(tmp_path: Path) -> None:
    done = run(tmp_path, _CRATES_COMPLETE="bash_complete", COMP_WORDS="crates sh", COMP_CWORD="1")
    assert done.stdout == "plain,show\n"


def test_every_command_is_documented() -> None:
    page = (PROJECT / "docs" / "commands.md").read_text()
    assert [name for name in COMMANDS if f"| `crates {' '.join(name)}" not in page] == []
    assert [name for name in BENCHMARKS if f"`{name}`" not in page] == []
