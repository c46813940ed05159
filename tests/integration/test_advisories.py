"""The advisory readers for git and OSV, the clone, and the affected versions by Cargo's and by OSV's rule.

The fuzz tests try CRATES_FUZZ_EXAMPLES repositories each (default 20), and several times as many files and zips.
A long run: `CRATES_FUZZ_EXAMPLES=2000 pytest -k fuzz tests/integration/test_advisories.py`.
"""

import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.advisories import history
from resources.advisories.advisory_file import MAX_BYTES, parse_file
from resources.advisories.clone import update_clone
from resources.advisories.git import GitFailed, git
from resources.advisories.git_reader import read_repository
from resources.advisories.schema import ADVISORIES, InvalidAdvisory, Rejected
from resources.common.errors import BadInput, CannotWrite, SourceUnreachable
from resources.common.processes import process_token
from resources.common.settings import ADVISORY_DATABASE
from testing import osv_archive as archive
from testing import semver_reference as semver
from testing.advisory_database import (
    HAND_MADE,
    Commit,
    Row,
    adds,
    advisory_md,
    advisory_toml,
    osv_events,
    osv_export,
    osv_zip,
    path_of,
    row,
    run_git,
    sample_rows,
    write_repository,
    zip_of,
)
from testing.fuzzing import EXAMPLES
from testing.osv_reader import OSV_ADVISORIES, read_osv
from tools.advisory_differences import LISTED, affected_by_osv, create_version_views, differences, session_of

T0 = datetime(2021, 3, 1, 12)
FOO = row("RUSTSEC-2021-0001", "foo", patched=[">= 1.2.3"], aliases=["CVE-2021-1"])
BAR = row("RUSTSEC-2021-0002", "bar-bar", informational="unsound", functions=["bar_bar::f"])


def at(hours: int) -> datetime:
    return T0 + timedelta(hours=hours)


def read(path: Path, until: datetime | None = None) -> list[Row]:
    """The revisions in a repository. Asserts that none is rejected."""
    rejected: list[Rejected] = []
    table = read_repository(path, rejected, until)
    assert rejected == []
    assert table.schema == ADVISORIES
    return table.to_pylist()


def revision(advisory: Row, known: int, revised: int) -> Row:
    return {**advisory, "known_at": at(known), "revised_at": at(revised)}


def without_times(rows: list[Row]) -> list[Row]:
    """Rows without times and events."""
    return [{k: v for k, v in r.items() if k not in ("known_at", "revised_at", "events")} for r in rows]


# --- one file


@pytest.mark.parametrize("advisory", HAND_MADE, ids=lambda a: a["package"])
@pytest.mark.parametrize("kind", ["md", "toml"])
def test_both_file_formats_are_parsed(advisory: Row, kind: str) -> None:
    content = advisory_md(advisory) if kind == "md" else advisory_toml(advisory)
    assert vars(parse_file(path_of(advisory, kind), content.encode(), date(2030, 1, 1))) == advisory


@pytest.mark.parametrize(
    ("text", "replacement", "expected"),
    [
        ('date = "2021-01-31"', "date = 2021-01-31", {}),
        ("aliases", "aliases = []\n#", {"aliases": []}),
        ('aliases = ["CVE-2021-1"]', 'license = "CC0-1.0"', {"aliases": [], "license": None}),
        ("keywords", "yanked = true\nkeywords", {"withdrawn": date(2030, 1, 1)}),
        ("keywords", "obsolete = true\nkeywords", {"withdrawn": date(2030, 1, 1)}),
        ("keywords", "yanked = false\nkeywords", {}),
        ("keywords", 'yanked = true\nwithdrawn = "2022-02-03"\nkeywords', {"withdrawn": date(2022, 2, 3)}),
        ("keywords", 'expect-deleted = true\nrelated = ["CVE-1"]\nkeywords', {}),
        ("[versions]\npatched", "patched_versions", {}),
        ("[versions]\n", '[versions]\nunaffected = ["< 1"]\n', {"unaffected": ["< 1"]}),
        ("[ver", '[affected]\nfunctions = { "foo::b" = [], "foo::a" = [] }\n[ver', {"functions": ["foo::a", "foo::b"]}),
        ("\n", "\r\n", {}),
    ],
)  # fmt: skip
def test_variants_of_the_format_are_parsed(text: str, replacement: str, expected: Row) -> None:
    content = advisory_md(FOO).replace(text, replacement).encode()
    assert vars(parse_file(path_of(FOO), content, date(2030, 1, 1))) == {**FOO, **expected}


def test_file_of_2017_has_its_id_in_the_file_name_only() -> None:
    content = """
        [vulnerability]
        package = "foo"
        patched_versions = [">= 1.2.3"]
        dwf = ["CVE-2021-1"]
        date = "2021-01-31"
        url = false
    """
    assert vars(parse_file(path_of(FOO, "toml"), content.encode(), T0.date())) == FOO
    with pytest.raises(InvalidAdvisory, match="id is missing"):
        parse_file(path_of(FOO), f"```toml\n{content}\n```".encode(), T0.date())


@pytest.mark.parametrize(
    ("text", "replacement", "reason", "line"),
    [
        ('id = "RUSTSEC', "id = RUSTSEC", "invalid TOML", 3),
        ('id = "RUSTSEC-2021-0001"\n', "", "id is missing", None),
        ("2021-0001", "2021-0002", "its path is that of RUSTSEC-2021-0001 of foo", None),
        ('"foo"', '"food"', "it is RUSTSEC-2021-0001 of food", None),
        ('"foo"', "3", "package must be a text, found 3", None),
        ("2021-01-31", "2021-02-31", "date must be a date", None),
        ("2021-01-31", "31.1.2021", "date must be a date", None),
        ('"2021-01-31"', "2021-01-31T00:00:00Z", "date must be a date", None),
        ('"2021-01-31"', "2021-02-31", "invalid TOML", 5),
        ("keywords", 'informational = "malicious"\nkeywords', "one of notice, unmaintained, unsound", None),
        ("keywords", "cvss = 9.8\nkeywords", "cvss must be a text", None),
        ("keywords", 'categories = "dos"\nkeywords', "categories must be a list", None),
        ("keywords", 'categories = ["a\\u0000"]\nkeywords', "printable", None),
        ('patched = [">= 1.2.3"]', "", "versions.patched is missing", None),
        ('[">= 1.2.3"]', "[1]", "patched must be a list of texts", None),
        ("[versions]\n", "[versions]\nunaffected = 1\n", "unaffected must be a list", None),
        ("[versions]\n", "[affected]\nfunctions = []\n[versions]\n", "functions must be a table", None),
        ("```toml", "```", "does not begin with a ```toml block", 1),
        ("```toml", "\n```toml", "does not begin with a ```toml block", 1),
        ("\n```\n", "\n", "does not begin with a ```toml block", 1),
        ("keywords", "x = " + "[" * 100_000 + "\nkeywords", "nested too deeply", None),
        ("keywords", "x = " + "1" * 10_000 + "\nkeywords", "invalid TOML", None),
        ("keywords", "x" + ".x" * 400_000 + " = 1\nkeywords", "a key has 20 parts or more", 12),
        ("keywords", '"x"' + ' . "x"' * 30 + " = 1\nkeywords", "a key has 20 parts or more", 12),
        ("What is wrong", "x" * MAX_BYTES, "longer than 1000000 bytes", None),
        ("What is wrong", "\udcff", "not UTF-8", None),
    ],
)
def test_invalid_file_is_rejected(text: str, replacement: str, reason: str, line: int | None) -> None:
    content = advisory_md(FOO)
    assert text in content
    started = time.monotonic()
    with pytest.raises(InvalidAdvisory, match=reason) as raised:
        parse_file(path_of(FOO), content.replace(text, replacement, 1).encode(errors="surrogateescape"), T0.date())
    assert raised.value.line == line
    assert time.monotonic() - started < 2


# --- a history


def test_every_revision_has_its_times(tmp_path: Path) -> None:
    scored = {**FOO, "cvss": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}
    withdrawn = {**scored, "withdrawn": date(2022, 3, 4)}
    path = write_repository(
        tmp_path / "db",
        [
            Commit(at(0), {"README.md": "x", path_of(FOO, "toml"): advisory_toml(FOO)}),
            adds([BAR], at(1)),
            Commit(at(2), {path_of(FOO, "toml"): advisory_toml(FOO, title="Only the title is new")}),
            Commit(at(3), {path_of(FOO, "toml"): None, path_of(FOO): advisory_md(FOO)}),
            adds([scored], at(4)),
            Commit(at(5), {path_of(FOO): advisory_md(withdrawn)}),
        ],
    )
    assert read(path) == [
        revision(FOO, 0, 0),
        revision(scored, 0, 4),
        revision(withdrawn, 0, 5),
        revision(BAR, 1, 1),
    ]
    assert read(path, until=at(4)) == [revision(FOO, 0, 0), revision(scored, 0, 4), revision(BAR, 1, 1)]
    assert read(path, until=at(0)) == [revision(FOO, 0, 0)]
    assert read(path, until=at(-1)) == []


def test_working_tree_gives_the_same_rows_as_a_bare_clone(tmp_path: Path) -> None:
    bare = write_repository(tmp_path / "db", [adds([FOO], at(0)), adds([BAR], at(1))])
    run_git(tmp_path, "clone", "--quiet", str(bare), "copy")
    assert read(tmp_path / "copy") == read(bare)


def test_moved_file_keeps_its_id_and_a_removed_one_is_withdrawn(tmp_path: Path) -> None:
    moved = {**FOO, "package": "foo-renamed"}
    gone = {**BAR, "withdrawn": at(30).date()}
    path = write_repository(
        tmp_path / "db",
        [
            adds([FOO, BAR], at(0)),
            Commit(at(2), {path_of(FOO): None, path_of(moved): advisory_md(moved)}),
            Commit(at(30), {path_of(BAR): None, "rust/std/RUSTSEC-2021-0002.md": advisory_md(BAR)}),
            adds([BAR], at(60)),
        ],
    )
    assert read(path) == [
        revision(FOO, 0, 0),
        revision(moved, 0, 2),
        revision(BAR, 0, 0),
        revision(gone, 0, 30),
        revision(BAR, 0, 60),
    ]


def test_removing_a_withdrawn_advisory_adds_no_revision(tmp_path: Path) -> None:
    withdrawn = {**FOO, "withdrawn": date(2021, 2, 1)}
    path = write_repository(tmp_path / "db", [adds([withdrawn], at(0)), Commit(at(9), {path_of(FOO): None})])
    assert read(path) == [revision(withdrawn, 0, 0)]


def test_undated_withdrawal_has_the_date_of_its_commit(tmp_path: Path) -> None:
    yanked = advisory_md(FOO).replace("keywords", "yanked = true\nkeywords")
    path = write_repository(
        tmp_path / "db",
        [
            adds([FOO], at(0)),
            Commit(at(30), {path_of(FOO): yanked}),
            Commit(at(60), {path_of(FOO): yanked.replace("CVE-2021-1", "CVE-2021-2")}),
        ],
    )
    withdrawn = {**FOO, "withdrawn": at(30).date()}
    assert read(path) == [
        revision(FOO, 0, 0),
        revision(withdrawn, 0, 30),
        revision({**withdrawn, "aliases": ["CVE-2021-2"]}, 0, 60),
    ]


def test_advisory_is_known_from_its_merge_commit(tmp_path: Path) -> None:
    path = write_repository(
        tmp_path / "db",
        [
            adds([BAR], at(0)),
            replace(adds([FOO], at(1)), branch="side"),
            Commit(at(5), {"README.md": "x"}),
            Commit(at(9), {path_of(FOO): advisory_md(FOO)}, merges="side"),
        ],
    )
    assert read(path) == [revision(FOO, 9, 9), revision(BAR, 0, 0)]


def test_commit_time_is_never_before_that_of_its_parent(tmp_path: Path) -> None:
    changed = {**FOO, "aliases": []}
    path = write_repository(tmp_path / "db", [adds([FOO], at(10)), adds([BAR], at(3)), adds([changed], at(11))])
    assert read(path) == [revision(FOO, 10, 10), revision(changed, 10, 11), revision(BAR, 10, 10)]
    assert read(path, until=at(9)) == []


def test_only_the_last_commit_of_a_second_counts(tmp_path: Path) -> None:
    changed, again = {**FOO, "aliases": []}, {**BAR, "aliases": ["CVE-1"]}
    path = write_repository(
        tmp_path / "db",
        [adds([FOO, BAR], at(0)), adds([changed], at(0)), adds([again], at(1)), adds([BAR], at(1))],
    )
    assert read(path) == [revision(changed, 0, 0), revision(BAR, 0, 0)]


def test_drafts_and_other_files_are_ignored(tmp_path: Path) -> None:
    draft = {**FOO, "id": "RUSTSEC-0000-0000"}
    path = write_repository(
        tmp_path / "db",
        [
            Commit(
                at(0),
                {
                    path_of(draft): advisory_md(draft),
                    path_of(draft, "toml"): "not [TOML",
                    "rust/std/RUSTSEC-2021-0009.md": "not an advisory",
                    "crates/README.md": "x",
                    "crates/foo/notes.md": "x",
                },
            ),
            Commit(at(1), {path_of(draft): None, path_of(FOO): advisory_md(FOO)}),
        ],
    )
    assert read(path) == [revision(FOO, 1, 1)]


def test_invalid_revisions_are_rejected_and_the_others_are_kept(tmp_path: Path) -> None:
    changed, late = {**FOO, "aliases": ["CVE-2021-9"]}, row("RUSTSEC-2021-0003", "late")
    twice = {**FOO, "package": "foo2"}
    path = write_repository(
        tmp_path / "db",
        [
            adds([FOO, BAR], at(0)),
            Commit(at(1), {path_of(FOO): advisory_md(FOO).replace('"foo"', "foo"), path_of(late): "nothing"}),
            adds([changed, late], at(2)),
            Commit(at(3), {path_of(BAR): advisory_md(BAR).replace("unsound", "odd")}),
            Commit(at(4), {path_of(twice): advisory_md(twice)}),
            Commit(at(5), {path_of(BAR): "x" * (MAX_BYTES + 1)}),
            Commit(at(6), {path_of(late): "../../../../etc/passwd"}, mode="120000"),
            Commit(at(7), {"crates/deep/er/RUSTSEC-2021-0004.md": "x", "crates/foo/RUSTSEC-21-4.md": "x"}),
            Commit(at(8), {path_of(twice): None}),
        ],
    )
    rejected: list[Rejected] = []
    rows = read_repository(path, rejected).to_pylist()
    assert rows == [revision(FOO, 0, 0), revision(changed, 0, 2), revision(BAR, 0, 0), revision(late, 1, 2)]
    shas = run_git(path, "log", "--reverse", "--format=%H").decode().split()
    found = [(r.file, r.commit and shas.index(r.commit), r.line, r.reason) for r in rejected]
    fenced, misplaced = "it does not begin with a ```toml block", "the path of an advisory must be crates/<crate>/"
    expected = [
        (path_of(FOO), 1, 4, "invalid TOML: Invalid value"),
        (path_of(late), 1, 1, fenced),
        (path_of(BAR), 3, None, "informational must be one of notice, unmaintained, unsound, found 'odd'"),
        (path_of(FOO), 4, None, "the id is in 2 files: crates/foo/RUSTSEC-2021-0001.md, crates/foo2/"),
        (path_of(BAR), 5, None, f"longer than {MAX_BYTES} bytes"),
        (path_of(late), 6, None, "it is a link or a submodule"),
        ("crates/deep/er/RUSTSEC-2021-0004.md", 7, None, misplaced),
        ("crates/foo/RUSTSEC-21-4.md", 7, None, misplaced),
    ]
    assert [f[:3] for f in found] == [e[:3] for e in expected]
    assert all(f[3].startswith(e[3]) for f, e in zip(found, expected, strict=True))


@pytest.mark.parametrize("odd", ["\n", "\t", '"', "\\", "\u2028", "\udcff", " ", "é", ":100644", "\x01"])
def test_unusual_path_is_rejected(tmp_path: Path, odd: str) -> None:
    path = f"crates/{odd}/RUSTSEC-2021-0001.md"
    db = write_repository(tmp_path / "db", [adds([BAR], at(0)), Commit(at(1), {path: advisory_md(FOO)})])
    rejected: list[Rejected] = []
    assert read_repository(db, rejected).to_pylist() == [revision(BAR, 0, 0)]
    assert [r.reason for r in rejected] == ["the path of an advisory must be crates/<crate>/RUSTSEC-YYYY-NNNN.md"]


# --- a broken repository


def bad_repository(path: Path) -> str:
    with pytest.raises(BadInput) as raised:
        read_repository(path, [])
    return str(raised.value)


def test_folder_without_a_repository_is_rejected(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "--quiet")  # the parent folder must not be used
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for name in ("empty", "file", "absent"):
        assert str(tmp_path / name) in bad_repository(tmp_path / name)
    assert "cloned again" in bad_repository(tmp_path)  # it has no commit


def test_shallow_clone_is_rejected(tmp_path: Path) -> None:
    bare = write_repository(tmp_path / "db", [adds([FOO], at(0)), adds([BAR], at(1))])
    run_git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{bare}", "shallow")
    assert "git fetch --unshallow" in bad_repository(tmp_path / "shallow")


def test_commit_in_the_future_is_rejected(tmp_path: Path) -> None:
    path = write_repository(tmp_path / "db", [adds([FOO], datetime(2100, 1, 1))])
    assert "check the clock of this machine" in bad_repository(path)


def test_missing_object_is_reported(tmp_path: Path) -> None:
    path = write_repository(tmp_path / "db", [adds([FOO], at(0))])
    blob = run_git(path, "rev-parse", f"HEAD:{path_of(FOO)}").decode().strip()
    (path / "objects" / blob[:2] / blob[2:]).unlink()
    assert blob in bad_repository(path)


def test_oversized_output_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_repository(tmp_path / "db", [adds([FOO, BAR], at(0))])
    monkeypatch.setattr(history, "MAX_OUTPUT_BYTES", 100)
    assert "expected at most 100" in bad_repository(path)


def test_settings_and_hooks_of_a_repository_are_ignored(tmp_path: Path) -> None:
    path = write_repository(tmp_path / "db", [adds([FOO], at(0))])
    script, marker = tmp_path / "script", tmp_path / "marker"
    script.write_text(f"#!/bin/sh\ntouch {marker}\n")
    script.chmod(0o755)
    names = ("gpg.program", "core.pager", "diff.external", "core.fsmonitor", "core.sshCommand", "core.gitProxy")
    for name in names:
        run_git(path, "config", name, str(script))
    run_git(path, "config", "log.showSignature", "true")
    run_git(path, "config", "remote.origin.url", f"ext::{script}")
    for hook in ("post-checkout", "reference-transaction", "post-rewrite", "pre-auto-gc"):
        shutil.copy(script, path / "hooks" / hook)
    assert read(path) == [revision(FOO, 0, 0)]
    source = write_repository(tmp_path / "source", [adds([FOO], at(0))])
    update_clone(str(source), tmp_path / "clone")
    shutil.copytree(path / "hooks", tmp_path / "clone" / "hooks")
    write_repository(source, [adds([BAR], at(1))])
    update_clone(str(source), tmp_path / "clone")
    assert len(read(tmp_path / "clone")) == 2
    assert not marker.exists()


@pytest.mark.parametrize(("script", "reason"), [("sleep 60", "at most 1 seconds"), ("yes", "more than 1000 bytes")])
def test_git_and_its_children_are_killed_beyond_the_limits(tmp_path: Path, script: str, reason: str) -> None:
    started = time.monotonic()
    with pytest.raises(GitFailed, match=reason):
        git(tmp_path, "-c", f"alias.endless=!{script}", "endless", timeout_s=1, max_bytes=1000)
    assert time.monotonic() - started < 20


# --- a clone


def test_clone_is_created_once_and_then_updated(tmp_path: Path) -> None:
    source = write_repository(tmp_path / "source", [adds([FOO], at(0)), replace(adds([BAR], at(1)), branch="pull")])
    path = tmp_path / "data" / "advisory-db.git"
    assert update_clone(f"file://{source}", path) == run_git(source, "rev-parse", "main").decode().strip()
    assert run_git(path, "for-each-ref", "--format=%(refname)").decode().split() == ["refs/heads/main"]
    assert read(path) == [revision(FOO, 0, 0)]
    write_repository(source, [adds([BAR], at(2))])
    assert update_clone(str(source), path) == run_git(source, "rev-parse", "main").decode().strip()
    assert read(path) == [revision(FOO, 0, 0), revision(BAR, 2, 2)]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_renamed_default_branch_is_followed(tmp_path: Path) -> None:
    source = write_repository(tmp_path / "source", [adds([FOO], at(0))])
    update_clone(str(source), tmp_path / "clone")
    run_git(source, "branch", "-m", "main", "trunk")
    run_git(source, "symbolic-ref", "HEAD", "refs/heads/trunk")
    write_repository(source, [replace(adds([BAR], at(2)), branch="trunk")])
    update_clone(str(source), tmp_path / "clone")
    assert len(read(tmp_path / "clone")) == 2


def test_failed_fetch_leaves_no_files(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachable, match="try again"):
        update_clone(f"file://{tmp_path}/absent", tmp_path / "data" / "clone")
    assert list((tmp_path / "data").iterdir()) == []
    source = write_repository(tmp_path / "source", [adds([FOO], at(0))])
    update_clone(str(source), tmp_path / "clone")
    shutil.rmtree(source)
    with pytest.raises(SourceUnreachable):
        update_clone(str(source), tmp_path / "clone")
    assert read(tmp_path / "clone") == [revision(FOO, 0, 0)]


def test_temporary_clone_of_an_ended_process_is_removed(tmp_path: Path) -> None:
    source = write_repository(tmp_path / "source", [adds([FOO], at(0))])
    running = f".clone.{process_token(os.getppid())}"
    for name in (f".clone.999999999-1@{socket.gethostname()}", running, ".clone.notes"):
        (tmp_path / name).mkdir()
    update_clone(str(source), tmp_path / "clone")
    assert {p.name for p in tmp_path.iterdir()} == {"source", "clone", running, ".clone.notes"}


@pytest.mark.parametrize("url", ["ext::sh -c true", "http://example.org/db", "ssh://example.org/db", "-u", "db", ""])
def test_url_with_another_scheme_is_rejected(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadInput, match=ADVISORY_DATABASE):
        update_clone(url, tmp_path / "clone")


def test_url_with_a_password_is_rejected_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as raised:
        update_clone("https://me:secret@example.org/db", tmp_path / "clone")
    assert "secret" not in str(raised.value)


def test_rewritten_history_is_rejected(tmp_path: Path) -> None:
    source = write_repository(tmp_path / "source", [adds([FOO], at(0))])
    update_clone(str(source), tmp_path / "clone")
    shutil.rmtree(source)
    write_repository(source, [adds([BAR], at(1))])
    with pytest.raises(BadInput, match="was rewritten"):
        update_clone(str(source), tmp_path / "clone")
    assert read(tmp_path / "clone") == [revision(FOO, 0, 0)]


def test_corrupt_clone_is_rejected_and_not_deleted(tmp_path: Path) -> None:
    source = write_repository(tmp_path / "source", [adds([FOO], at(0))])
    path = tmp_path / "clone"
    update_clone(str(source), path)
    for file in (path / "objects").rglob("*"):
        if file.is_file():
            file.chmod(0o644)
            file.write_bytes(b"corrupt")
    write_repository(source, [adds([BAR], at(1))])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    run_git(tmp_path, "clone", "--quiet", str(source), "working")
    for found in (path, tmp_path / "other", tmp_path / "working"):
        with pytest.raises(BadInput, match="is cloned again"):
            update_clone(str(source), found)
    assert (tmp_path / "other" / "mine.txt").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_is_not_writable_is_reported(tmp_path: Path) -> None:
    source = write_repository(tmp_path / "source", [adds([FOO], at(0))])
    (tmp_path / "data").mkdir(mode=0o500)
    with pytest.raises(CannotWrite):
        update_clone(str(source), tmp_path / "data" / "clone")


def test_file_instead_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    with pytest.raises(CannotWrite):
        update_clone(f"file://{tmp_path}", tmp_path / "data" / "clone")


# --- OSV


def test_osv_and_git_give_the_same_advisories(tmp_path: Path) -> None:
    advisories = sample_rows() + HAND_MADE
    git = read(write_repository(tmp_path / "db", [adds(advisories, at(0))]))
    rejected: list[Rejected] = []
    documents = [osv_export(advisory) for advisory in advisories]
    found = read_osv(osv_zip([*documents, {"id": "GHSA-aaaa-bbbb-cccc"}, {"id": "MAL-2024-1"}]), rejected)
    assert (rejected, found.skipped, found.table.schema) == ([], 2, OSV_ADVISORIES)
    osv = found.table.to_pylist()
    ranges = {"patched": None, "unaffected": None}
    assert without_times(osv) == [{**r, **ranges} for r in without_times(git)]
    assert without_times(git) == sorted(advisories, key=lambda a: a["id"])
    assert {r["revised_at"] for r in osv} == {datetime(2023, 6, 13, 13, 10, 24)}
    assert all(r["known_at"] == datetime.combine(r["date"], datetime.min.time()) + timedelta(hours=12) for r in osv)


def test_osv_is_read_from_a_folder_and_from_a_zip(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for advisory in HAND_MADE:
        (tmp_path / "folder" / f"{advisory['id']}.json").write_text(json.dumps(osv_export(advisory)))
    content = osv_zip(osv_export(advisory) for advisory in HAND_MADE)
    (tmp_path / "all.zip").write_bytes(content)
    rejected: list[Rejected] = []
    expected = read_osv(content, rejected)
    assert expected.table.num_rows == len(HAND_MADE)
    assert read_osv(tmp_path / "folder", rejected) == expected
    assert read_osv(tmp_path / "all.zip", rejected) == expected
    (tmp_path / "folder" / "RUSTSEC-2022-0001.json").symlink_to(tmp_path / "all.zip")
    assert read_osv(tmp_path / "folder", rejected) == expected
    assert [(r.file, r.reason) for r in rejected] == [("RUSTSEC-2022-0001.json", "it is a link or not a file")]


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (["id"], "RUSTSEC-2021-0007", "its file name is that of RUSTSEC-2021-0001"),
        (["id"], None, "id is missing"),
        (["published"], "2021-01-31T12:00:00", "published must be a time"),
        (["published"], "0001-01-01T00:00:00+10:00", "published must be a time"),
        (["modified"], None, "modified is missing"),
        (["withdrawn"], 3, "withdrawn must be a text"),
        (["aliases"], "CVE", "aliases must be a list"),
        (["affected"], [], "affected must be a list of one table"),
        (["affected"], [{}, {}], "affected must be a list of one table"),
        (["affected", 0, "package", "ecosystem"], "npm", "ecosystem must be crates.io"),
        (["affected", 0, "package", "purl"], "pkg:cargo/other", "purl must be pkg:cargo/foo"),
        (["affected", 0, "package", "name"], "../foo", "name must be a text like"),
        (["affected", 0, "ranges", 0, "type"], "GIT", "type SEMVER"),
        (["affected", 0, "ranges", 0, "events"], [], "no event introduces"),
        (["affected", 0, "ranges", 0, "events"], [{"last_affected": "1.0.0"}], "either introduced or fixed"),
        (["affected", 0, "ranges", 0, "events"], [{"introduced": "0", "fixed": "1.0.0"}], "either introduced or fixed"),
        (["affected", 0, "ranges", 0, "events", 0, "introduced"], "1.0", "must have a version"),
        (["affected", 0, "ranges", 0, "events", 0, "introduced"], None, "must have a version"),
        (["affected", 0, "database_specific", "informational"], "odd", "one of notice"),
        (["affected", 0, "ecosystem_specific"], [], "ecosystem_specific must be a table"),
    ],
)
def test_invalid_osv_document_is_rejected(path: list, value: object, reason: str) -> None:
    document = json.loads(json.dumps(osv_export(FOO)))
    target = document
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    content = zip_of([(f"{FOO['id']}.json", json.dumps(document).encode()), good_member(BAR)])
    rejected: list[Rejected] = []
    assert read_osv(content, rejected).table["id"].to_pylist() == [BAR["id"]]
    assert [(r.file, r.commit) for r in rejected] == [(f"{FOO['id']}.json", None)]
    assert reason in rejected[0].reason


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"\xff", b"", b"[" * 100_000, b'{"id":' + b"1" * 10_000 + b"}", b" " * 1_000_001],
    ids=["truncated", "list", "bytes", "empty", "deep", "number", "long"],
)
def test_osv_document_with_invalid_json_is_rejected(content: bytes) -> None:
    rejected: list[Rejected] = []
    noise = os.urandom(20_000)  # keeps the compression ratio low
    archive = zip_of([(f"{FOO['id']}.json", content), good_member(BAR), ("noise", noise)])
    assert read_osv(archive, rejected).table["id"].to_pylist() == [BAR["id"]]
    assert [r.file for r in rejected] == [f"{FOO['id']}.json"]


def good_member(advisory: Row) -> tuple[str, bytes]:
    return f"{advisory['id']}.json", json.dumps(osv_export(advisory)).encode()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([("../RUSTSEC-2021-0001.json", b"{}")], "leads out of the archive"),
        ([("/etc/RUSTSEC-2021-0001.json", b"{}")], "leads out of the archive"),
        ([("..\\RUSTSEC-2021-0001.json", b"{}")], "leads out of the archive"),
        ([good_member(FOO), good_member(FOO)], "is duplicated"),
        ([good_member(FOO), ("crates/" + good_member(FOO)[0], b"{}")], "is duplicated"),
        ([("RUSTSEC-2021-0001.json", b" " * 900_000)], "uncompressed bytes"),
    ],
)
def test_malicious_zip_is_rejected(members: list[tuple[str, bytes]], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        read_osv(zip_of(members), [])


@pytest.mark.parametrize(
    "content", [b"", b"PK\x05\x06", zip_of([good_member(FOO)])[:-30]], ids=["empty", "marker", "truncated"]
)
def test_invalid_zip_is_rejected(content: bytes) -> None:
    with pytest.raises(BadInput, match="is not a valid zip"):
        read_osv(content, [])


def test_oversized_zip_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = osv_zip([osv_export(FOO), osv_export(BAR)])
    (tmp_path / "RUSTSEC-2021-0001.json").write_text("{}")
    monkeypatch.setattr(archive, "MAX_MEMBERS", 0)
    for source in (content, tmp_path):
        with pytest.raises(BadInput, match="expected at most 0"):
            read_osv(source, [])
    monkeypatch.setattr(archive, "MAX_ARCHIVE_BYTES", 10)
    with pytest.raises(BadInput, match="expected at most 10"):
        read_osv(content, [])


def test_missing_zip_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="use a folder"):
        read_osv(tmp_path / "all.zip", [])


# --- what is affected


@pytest.mark.parametrize(
    ("safe", "events"),
    [
        # from RustSec's own export: RUSTSEC-2016-0005, 2017-0005, 2019-0031, 2020-0013, 2020-0055, 2020-0069,
        # 2020-0091, 2021-0020, 2021-0081
        (["> 0.2.36"], "+0.0.0-0 -0.2.37-0"),
        (["< 0.6.0", "^0.6.2", ">= 0.7.6"], "+0.6.0 -0.6.2 +0.7.0-0 -0.7.6"),
        ([">= 0"], "+0.0.0-0 -0.0.0"),
        ([], "+0.0.0-0"),
        (["> 0"], "+0.0.0-0 -0.0.1-0"),
        (
            [">= 0.10.0-alpha.4", "< 0.10.0-alpha.1, >= 0.9.5", "< 0.9.0, >= 0.8.4", "< 0.8.0, >= 0.7.1", "< 0.7.0"],
            "+0.7.0 -0.7.1 +0.8.0 -0.8.4 +0.9.0 -0.9.5 +0.10.0-alpha.1 -0.10.0-alpha.4",
        ),
        ([">= 0.4.8, < 1.0.0-0", ">= 1.1.0", "< 0.4.2"], "+0.4.2 -0.4.8 +1.0.0-0 -1.1.0"),
        ([">= 0.14.3", "0.13.10", "0.12.36", "< 0.12.0"], "+0.12.0 -0.12.36 +0.13.0-0 -0.13.10 +0.14.0-0 -0.14.3"),
        (["^ 2.2.1", ">= 3.0.0-beta.9"], "+0.0.0-0 -2.2.1 +3.0.0-0 -3.0.0-beta.9"),
    ],
)
def test_test_export_gives_the_events_of_rustsec(safe: list[str], events: str) -> None:
    found = [
        {"+": f"+{e.get('introduced')}"}.get("+") if "introduced" in e else f"-{e['fixed']}" for e in osv_events(safe)
    ]
    assert " ".join(str(e) for e in found) == events


def test_golden_cargo_and_osv_differ_only_in_the_listed_pairs(tmp_path: Path) -> None:
    assert differences(tmp_path) == json.loads(LISTED.read_text())


def test_osv_macro_matches_the_reference(tmp_path: Path) -> None:
    """Compares each version with each event by the reference's order."""
    advisories = [*sample_rows(), *HAND_MADE]
    con = session_of(tmp_path, advisories)
    create_version_views(con, advisories)
    con.execute("create view checked as from real union from adversarial")
    nums: dict[str, list[str]] = {}
    for name, num in con.execute("select name, num from checked").fetchall():
        nums.setdefault(name, []).append(num)
    expected = {(a["id"], num) for a in advisories for num in nums.get(a["package"], []) if is_affected(a, num)}
    assert affected_by_osv(con, "checked") == expected
    assert len(expected) > 5000


def is_affected(advisory: Row, num: str) -> bool:
    """OSV's rule: the last event that is not after the version decides."""
    version = replace(semver.parse_version(num), build=())
    affected = False
    for event in osv_events(advisory["patched"] + advisory["unaffected"]):
        [(kind, text)] = event.items()
        if semver.parse_version(text).rank <= version.rank:
            affected = kind == "introduced"
    return affected


def test_osv_macro_accepts_events_in_any_order_and_canonical_names(tmp_path: Path) -> None:
    con = session_of(tmp_path, [FOO])
    con.execute("""
        create or replace table many as from (values
            ('A', 'Foo-Bar', [{'introduced': null, 'fixed': '2.0.0'}, {'introduced': '0', 'fixed': null}]),
            ('B', 'foo_bar', [{'introduced': '1.0.0', 'fixed': null}, {'introduced': null, 'fixed': '1.0.0'}]),
            ('C', 'other', [{'introduced': '0', 'fixed': null}]),
            ('D', 'foo_bar', [{'introduced': '1.0.0+x', 'fixed': null}])
        ) as t(id, package, events);
        create or replace table nums as
        select 'foo-bar' as name, unnest(['0.0.0-0', '1.0.0', '1.0.0+build', '2.0.0-rc.1', '2.0.0', 'odd']) as num
    """)
    found = con.execute(
        "select id, list(num order by num) from osv_affected_versions('many', 'nums') group by id order by id"
    ).fetchall()
    assert found == [
        ("A", ["0.0.0-0", "1.0.0", "1.0.0+build", "2.0.0-rc.1"]),
        ("D", ["1.0.0", "1.0.0+build", "2.0.0", "2.0.0-rc.1"]),
    ]


# --- fuzz

TOKENS = [
    b"```",
    b"```toml\n",
    b"[",
    b"]]",
    b'"""',
    b"\x00",
    b"\xff",
    b"\r\n",
    b"{a=",
    b"a.",
    b"yanked = true\n",
    b"\xe2\x80\xa8",
]
BASES = [advisory_md(a).encode() for a in HAND_MADE] + [advisory_toml(a).encode() for a in HAND_MADE]
fuzzed = settings(max_examples=EXAMPLES, deadline=None)


@st.composite
def mutated(draw: st.DrawFn, bases: list[bytes], tokens: list[bytes]) -> bytes:
    """One of the bases after a few deletions, repetitions and insertions."""
    content = draw(st.sampled_from(bases))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        inserted = draw(st.one_of(st.sampled_from(tokens), st.binary(max_size=4), st.just(content[start:end] * 2)))
        content = content[:start] + inserted + content[end:]
    return content


@settings(max_examples=EXAMPLES * 20, deadline=None)
@given(content=mutated(BASES, TOKENS), kind=st.sampled_from(["md", "toml"]), advisory=st.sampled_from(HAND_MADE))
def test_fuzz_file_is_parsed_or_rejected(content: bytes, kind: str, advisory: Row) -> None:
    try:
        advisory_read = parse_file(path_of(advisory, kind), content, T0.date())
    except InvalidAdvisory:
        return
    assert (advisory_read.id, advisory_read.package) == (advisory["id"], advisory["package"])
    assert pa.Table.from_pylist([vars(advisory_read)], schema=ADVISORIES).num_rows == 1


@fuzzed
@given(st.lists(mutated(BASES, TOKENS), min_size=1, max_size=30), st.sampled_from(["100644", "120000", "100755"]))
def test_fuzz_invalid_files_do_not_affect_other_advisories(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], mode: str
) -> None:
    invalid: dict[str, str | bytes | None] = {path_of(a): c for a, c in zip(sample_rows(), contents)}
    folder = tmp_path_factory.mktemp("fuzz")
    path = write_repository(folder / "db", [adds([FOO], at(0)), Commit(at(1), invalid, mode=mode), adds([BAR], at(2))])
    rejected: list[Rejected] = []
    rows = {r["id"]: r for r in read_repository(path, rejected).to_pylist()}
    assert rows[FOO["id"]] == revision(FOO, 0, 0)
    assert rows[BAR["id"]] == revision(BAR, 2, 2)
    assert len(rows) - 2 + len(rejected) == len(invalid)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def small_repository(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a packed repository of a few advisories."""
    path = write_repository(
        tmp_path_factory.mktemp("small") / "db", [adds([a], at(i)) for i, a in enumerate(HAND_MADE)]
    )
    shutil.rmtree(path / "hooks")
    run_git(path, "repack", "-adq")
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


@fuzzed
@given(data=st.data())
def test_fuzz_corrupt_repository_is_read_or_bad_input(
    tmp_path_factory: pytest.TempPathFactory, small_repository: dict[str, bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "db"
    changed = data.draw(st.sets(st.sampled_from(sorted(small_repository)), min_size=1, max_size=2))
    for name, content in small_repository.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        tokens = [b"\x00", b"\n", b"../", b"ref: "]
        (path / name).write_bytes(data.draw(mutated([content], tokens)) if name in changed else content)
    try:
        read_repository(path, [])
    except BadInput as error:
        assert str(path) in str(error) or "clock" in str(error)
    shutil.rmtree(path.parent)


ZIP = osv_zip(osv_export(advisory) for advisory in HAND_MADE)


@settings(max_examples=EXAMPLES * 10, deadline=None)
@given(mutated([ZIP], [b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"\xff\xff\xff\xff", b"\x00\x00"]))
def test_fuzz_corrupt_zip_is_read_or_bad_input(content: bytes) -> None:
    rejected: list[Rejected] = []
    try:
        found = read_osv(content, rejected)
    except BadInput:
        return
    assert found.table.num_rows + len(rejected) + found.skipped <= len(HAND_MADE)


def replaced(document: object, steps: Iterator[int], value: object) -> object:
    """A document in which the part at the steps is replaced."""
    step = next(steps, None)
    if step is None or not isinstance(document, dict | list) or not document:
        return value
    if isinstance(document, list):
        place = step % len(document)
        return [replaced(part, steps, value) if i == place else part for i, part in enumerate(document)]
    chosen = sorted(document)[step % len(document)]
    return {key: replaced(part, steps, value) if key == chosen else part for key, part in document.items()}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["0", "1.0.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
DOCUMENTS = [json.dumps(osv_export(a)).encode() for a in HAND_MADE]


@settings(max_examples=EXAMPLES * 5, deadline=None)
@given(
    st.one_of(
        mutated(DOCUMENTS, [b"{", b'"', b"[" * 2000, b"null", b"1e999", b"\\ud800", b"\xff"]),
        st.builds(
            lambda a, steps, value: json.dumps(replaced(osv_export(a), iter(steps), value)).encode(),
            st.sampled_from(HAND_MADE),
            st.lists(st.integers(0, 20), max_size=8),
            JSON,
        ),
    )
)
def test_fuzz_invalid_document_does_not_affect_other_advisories(content: bytes) -> None:
    rejected: list[Rejected] = []
    archive = zip_of([(f"{HAND_MADE[0]['id']}.json", content), good_member(FOO), good_member(BAR)])
    ids = set(read_osv(archive, rejected).table["id"].to_pylist())
    assert ids >= {FOO["id"], BAR["id"]}
    assert len(ids) + len(rejected) == 3
