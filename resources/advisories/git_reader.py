"""The RustSec advisory database from a local clone: what each advisory said, and since when.

An advisory is known from the time its commit reached the main branch, so only first parents are followed: a merge
counts when it was made, not what it merges. A commit cannot have reached the branch before the one below it, so times
that run backwards are raised to the time before them. Of commits in the same second only the last counts.

Revisions are of an id, wherever its file stands under `crates/`: it may move to another crate's folder, or from
`.toml` to `.md`. An id whose file is removed is withdrawn on the day of the removal, since nobody who reads the
database finds it from then on; ids that move to the `rust/` collection, or get another number, are the same case. A
revision that cannot be read is rejected, and the one before it stays. `known_at` is when the id's file first stood,
readable or not; what it said is known from `revised_at` on.
Drafts (`RUSTSEC-0000-0000`) have no id yet and are not read.
"""

from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from resources.advisories.advisory_file import DRAFT, EXPECTED, MOST_BYTES, parse_file, parse_path
from resources.advisories.history import REGULAR, REMOVED, Commit, History, read_history
from resources.advisories.schema import ADVISORIES, Facts, Rejected, Unreadable

Files = dict[str, tuple[str, str]]  # path: (mode, blob)


def read_repository(path: Path, rejected: list[Rejected], until: datetime | None = None) -> pa.Table:
    """Every revision of every advisory on the main branch (HEAD) up to and with `until` (UTC): ADVISORIES, in order.

    Appends to `rejected` what could not be read. Raises BadInput if `path` is no clone, not whole, or corrupt.
    """
    history = read_history(path, until)
    replay = _Replay(history, rejected)
    for commit in history.commits:
        replay.apply(commit)
    return replay.table()


@dataclass(frozen=True)
class _Revision:
    """What an advisory says from a time on."""

    at: datetime
    facts: Facts


@dataclass(frozen=True)
class _Replay:
    """The branch while its commits are applied: the files of each id, and its revisions so far."""

    history: History
    rejected: list[Rejected]
    files: dict[str, Files] = field(default_factory=dict)
    stood_at: dict[str, datetime] = field(default_factory=dict)
    revisions: dict[str, list[_Revision]] = field(default_factory=dict)

    def apply(self, commit: Commit) -> None:
        touched = {}
        for path, (mode, blob) in commit.changes.items():
            name = parse_path(path)
            if name is None:
                self._reject_misplaced(commit, path)
                continue
            files = touched[name.id] = self.files.setdefault(name.id, {})
            if mode == REMOVED:
                files.pop(path, None)
            else:
                files[path] = (mode, blob)
                self.stood_at.setdefault(name.id, commit.at)
        for id_, files in touched.items():
            self._revise(commit, self.revisions.setdefault(id_, []), files)

    def _revise(self, commit: Commit, revisions: list[_Revision], files: Files) -> None:
        """Adds what an id says now, if that is anything new."""
        before = revisions[-1].facts if revisions else None
        withdrawn = (before and before.withdrawn) or commit.at.date()
        if files:
            try:
                facts = self._facts(files, withdrawn)
            except Unreadable as error:
                self.rejected.append(Rejected(min(files), commit.sha, error.line, error.reason))
                return
        elif before:
            facts = replace(before, withdrawn=withdrawn)
        else:
            return
        if revisions and revisions[-1].at == commit.at:
            revisions.pop()
        if not revisions or revisions[-1].facts != facts:
            revisions.append(_Revision(commit.at, facts))

    def _facts(self, files: Files, undated: date) -> Facts:
        if len(files) > 1:
            raise Unreadable(f"the id stands in {len(files)} files: {', '.join(sorted(files)[:3])}")
        [(path, (mode, blob))] = files.items()
        if mode not in REGULAR:
            raise Unreadable("it is a link or a submodule, which is not followed")
        content = self.history.blobs[blob]
        if content is None:
            raise Unreadable(f"longer than {MOST_BYTES} bytes")
        return parse_file(path, content, undated)

    def _reject_misplaced(self, commit: Commit, path: str) -> None:
        if "RUSTSEC-" in path and DRAFT not in path:
            self.rejected.append(Rejected(path[:200], commit.sha, None, f"an advisory's file is {EXPECTED}"))

    def table(self) -> pa.Table:
        rows = [
            {**asdict(revision.facts), "known_at": self.stood_at[id_], "revised_at": revision.at}
            for id_, revisions in sorted(self.revisions.items())
            for revision in revisions
        ]
        return pa.Table.from_pylist(rows, schema=ADVISORIES)
