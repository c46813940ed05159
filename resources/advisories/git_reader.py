"""The revisions of all advisories, with their times, from a local clone of the RustSec advisory database.

An advisory is known from the time at which its commit reached the main branch, so only first parents are followed: the
time of a merge counts, not those of the merged commits. A commit cannot reach the branch before its parent, so a time
before that of the parent is raised to it. Of several commits in one second, only the last counts.

A revision belongs to an id, wherever its file is under `crates/`: the file may move to another crate's folder, or from
`.toml` to `.md`. An id whose file is removed is withdrawn on that day, because the database no longer has it; this
includes ids that move to the `rust/` collection or get another number. A revision that cannot be parsed is rejected,
and the previous one remains valid. `known_at` is the time of the first file of the id, valid or not; `revised_at` is
the time of a revision. Drafts (`RUSTSEC-0000-0000`) have no id yet and are ignored.
"""

from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from resources.advisories.advisory_file import DRAFT, EXPECTED_PATH, MAX_BYTES, parse_file, parse_path
from resources.advisories.history import REGULAR, REMOVED, Commit, History, read_history
from resources.advisories.schema import ADVISORIES, Advisory, InvalidAdvisory, Rejected

Files = dict[str, tuple[str, str]]  # path: (mode, blob)


def read_repository(path: Path, rejected: list[Rejected], until: datetime | None = None) -> pa.Table:
    """All revisions of all advisories on the main branch (HEAD) up to and including `until` (UTC), as ADVISORIES.

    Appends the revisions that cannot be parsed to `rejected`. Raises BadInput if the clone is shallow or corrupt.
    """
    history = read_history(path, until)
    replay = _Replay(history, rejected)
    for commit in history.commits:
        replay.apply(commit)
    return replay.table()


@dataclass(frozen=True)
class _Revision:
    """The content of an advisory from a time on."""

    at: datetime
    advisory: Advisory


@dataclass(frozen=True)
class _Replay:
    """The state while commits are applied: the files of each id, and its revisions so far."""

    history: History
    rejected: list[Rejected]
    files: dict[str, Files] = field(default_factory=dict)
    known_at: dict[str, datetime] = field(default_factory=dict)
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
                self.known_at.setdefault(name.id, commit.at)
        for id_, files in touched.items():
            self._revise(commit, self.revisions.setdefault(id_, []), files)

    def _revise(self, commit: Commit, revisions: list[_Revision], files: Files) -> None:
        """Adds the current revision of an id, if it differs from the previous one."""
        before = revisions[-1].advisory if revisions else None
        withdrawn = (before and before.withdrawn) or commit.at.date()
        if files:
            try:
                advisory = self._parse(files, withdrawn)
            except InvalidAdvisory as error:
                self.rejected.append(Rejected(min(files), commit.sha, error.line, error.reason))
                return
        elif before:
            advisory = replace(before, withdrawn=withdrawn)
        else:
            return
        if revisions and revisions[-1].at == commit.at:
            revisions.pop()
        if not revisions or revisions[-1].advisory != advisory:
            revisions.append(_Revision(commit.at, advisory))

    def _parse(self, files: Files, undated: date) -> Advisory:
        if len(files) > 1:
            raise InvalidAdvisory(f"the id is in {len(files)} files: {', '.join(sorted(files)[:3])}")
        [(path, (mode, blob))] = files.items()
        if mode not in REGULAR:
            raise InvalidAdvisory("it is a link or a submodule")
        content = self.history.blobs[blob]
        if content is None:
            raise InvalidAdvisory(f"longer than {MAX_BYTES} bytes")
        return parse_file(path, content, undated)

    def _reject_misplaced(self, commit: Commit, path: str) -> None:
        if "RUSTSEC-" in path and DRAFT not in path:
            self.rejected.append(
                Rejected(path[:200], commit.sha, None, f"the path of an advisory must be {EXPECTED_PATH}")
            )

    def table(self) -> pa.Table:
        rows = [
            {**asdict(revision.advisory), "known_at": self.known_at[id_], "revised_at": revision.at}
            for id_, revisions in sorted(self.revisions.items())
            for revision in revisions
        ]
        return pa.Table.from_pylist(rows, schema=ADVISORIES)
