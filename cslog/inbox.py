"""The inbox of `cslog run`: which of its files are whole, into the store with them, then out of the way.

Never prints and never deletes. A file is moved after the store's commit that holds it; a crash in between is
harmless, since the next run finds the same bytes in the store and moves the file then.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from cslog import ingest as library
from cslog.config import Config
from cslog.errors import UsageError
from cslog.inputs import is_no_input
from cslog.store import Store
from cslog.whole import BY_ITS_NAME, UNFINISHED, Mark, leased, mark_of

_OLD_S = 86_400  # a file that has been waiting so long needs a human
_CHANGED = "changed while it was read; the next run reads it again"


class _ChangedError(Exception):
    """The file is not the one that was read any more."""


@dataclass(frozen=True)
class Folders:
    """Absolute paths. ``done`` and ``failed`` may lie inside the inbox; they are not looked into."""

    inbox: Path
    done: Path
    failed: Path

    def __post_init__(self) -> None:
        if not self.inbox.is_dir():
            raise UsageError(f"{self.inbox}: no such folder", "make it, or name another inbox (收件夹)")
        for name, folder in (("done", self.done), ("failed", self.failed)):
            if self.inbox.is_relative_to(folder):
                raise UsageError(f"the inbox {self.inbox} lies in the {name} folder", "name another one")


@dataclass(frozen=True)
class Left:
    """A file that stays in the inbox for the next run. ``old``: it has been there for more than a day."""

    path: str
    reason: str
    old: bool = False


@dataclass
class Taken:
    """A file that was read: what `cslog ingest` says about it, or about what is in the zip, and where it is now."""

    path: str  # within the inbox
    moved_to: str | None = None
    problem: str | None = None  # why it could not be moved
    reports: list[library.FileReport] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        """What could not be read of it, and why."""
        if not self.reports:
            return ["holds no file to read"]
        inside = len(self.reports) > 1
        return [
            f"{Path(report.path).name}: {report.error}" if inside else str(report.error)
            for report in self.reports
            if report.status == "failed"
        ]

    def as_dict(self) -> dict[str, Any]:
        """For the log: no text of any message."""
        parts = [asdict(report) for report in self.reports]
        return {
            "path": self.path,
            "moved_to": self.moved_to,
            "problem": self.problem,
            "errors": self.errors,
            "parts": parts,
        }


@dataclass(frozen=True)
class Outcome:
    """What became of the inbox."""

    store_version: int
    taken: list[Taken]
    left: list[Left]


@dataclass(frozen=True)
class _Ready:
    path: Path
    relative: Path
    mark: Mark


def take_in(
    folders: Folders,
    store: Store,
    config: Config,
    *,
    day: str,
    settle_s: int,
    keep_text: bool = True,
    on_file: Callable[[int, int, str], None] = lambda done, total, path: None,
) -> Outcome:
    """Ingest every whole file of the inbox in one commit, then move each to ``done`` or ``failed``.

    In there they lie in a folder ``day``, by the names they had. Raises StoreError, and then moves nothing.
    """
    ready, left = _look(folders, settle_s)
    if not ready:
        return Outcome(store.snapshot().store_version, [], left)
    taken: set[Path] = set()
    targets = {file.path: _free(folders.done / day / file.relative, taken) for file in ready}
    report = library.ingest(
        [str(file.path) for file in ready],
        store,
        config,
        keep_text=keep_text,
        moved_to={path: str(target) for path, target in targets.items()},
        on_file=on_file,
    )
    by_target = {str(targets[file.path]): Taken(str(file.relative)) for file in ready}
    for one in report.files:
        whole = next(name for name in _and_parents(one.path) if name in by_target)
        by_target[whole].reports.append(one)
    kept = []
    for file in ready:
        mine = by_target[str(targets[file.path])]
        if mark_of(file.path) != file.mark:
            left.append(Left(mine.path, _CHANGED))
        else:
            root, planned = folders.done, targets[file.path]
            wanted = planned
            if mine.errors:
                root = folders.failed
                wanted = root / planned.relative_to(folders.done)
            elif all(one.status == "duplicate" for one in mine.reports):
                wanted = _remembered(mine.reports[0], planned, folders, store) or planned
            try:
                root.mkdir(mode=0o700, parents=True, exist_ok=True)
                target = _move(file.path, wanted, file.mark)
            except _ChangedError:
                left.append(Left(mine.path, _CHANGED))
            except OSError as error:
                mine.problem = f"could not be moved: {error.strerror or type(error).__name__}"
            else:
                mine.moved_to = str(target)
                for one in mine.reports:
                    if one.status == "failed":  # what was read of a zip stays known by the planned name
                        one.path = str(target) + one.path.removeprefix(str(planned))
        kept.append(mine)
    return Outcome(report.store_version, kept, left)


def _remembered(one: library.FileReport, planned: Path, folders: Folders, store: Store) -> Path | None:
    """Where the store believes a file to be that a killed run has ingested and not moved any more."""
    inside = one.path.removeprefix(str(planned))  # of a zip's member
    ledger = store.snapshot().ledger()
    for path in ledger.filter(pl.col("sha256") == one.sha256, pl.col("action") == "ingest")["path"]:
        place = Path(path.removesuffix(inside))
        if path.endswith(inside) and place.is_relative_to(folders.done) and not os.path.lexists(place):
            return place
    return None


def _and_parents(path: str) -> Iterator[str]:
    """``a.zip/b/c.txt``, ``a.zip/b``, ``a.zip`` …: a member of a zip is named below it."""
    yield path
    while (cut := max(path.rfind("/"), path.rfind(os.sep))) > 0:
        path = path[:cut]
        yield path


def _look(folders: Folders, settle_s: int) -> tuple[list[_Ready], list[Left]]:
    """Files that are whole, and those that are not yet: all are looked at twice, ``settle_s`` apart."""
    left: list[Left] = []
    marks = {path: mark_of(path) for path in _files(folders, left)}
    if marks:
        time.sleep(settle_s)  # the clock of a network drive need not be ours, so that no time tells by itself
    now = time.time_ns()
    ready = []
    for path, mark in marks.items():
        relative = path.relative_to(folders.inbox)
        if mark is None:
            continue  # gone since
        reason = _not_yet(path, mark)
        if reason:
            left.append(Left(str(relative), reason, now - mark[1] > _OLD_S * 10**9))
        else:
            ready.append(_Ready(path, relative, mark))
    return ready, left


def _files(folders: Folders, left: list[Left]) -> Iterator[Path]:
    """Files of the inbox in a fixed order, without those that `cslog ingest` passes over too."""

    def unreadable(error: OSError) -> None:
        if error.filename == str(folders.inbox):
            raise UsageError(f"{folders.inbox}: {error.strerror}", "check the folder's rights") from error
        left.append(Left(os.path.relpath(error.filename, folders.inbox), f"{error.strerror}", old=True))

    for name, below, files in os.walk(folders.inbox, onerror=unreadable):
        here = Path(name)
        below[:] = sorted(
            one for one in below if here / one not in (folders.done, folders.failed) and not is_no_input(one)
        )
        for file in (here / one for one in sorted(files) if not is_no_input(one)):
            if file.is_file():
                yield file
            elif file.is_symlink() and not file.exists():
                left.append(
                    Left(os.path.relpath(file, folders.inbox), "is a link that leads nowhere", old=True)
                )


def _not_yet(path: Path, seen: Mark) -> str:
    """Why the file cannot be read now, or nothing; ``seen``: how it was a moment ago."""
    if path.name.lower().endswith(UNFINISHED):
        return BY_ITS_NAME
    if mark_of(path) != seen:
        return "still being written"
    try:
        with path.open("rb") as file:
            file.read(1)
            return "still open in another program" if leased(file.fileno()) else ""
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _free(wanted: Path, taken: set[Path]) -> Path:
    """The path, or ``name (2).txt`` and so on where there is such a file, or will be (``taken``)."""
    number, path = 1, wanted
    while path in taken or os.path.lexists(path):
        number += 1
        path = wanted.with_name(f"{wanted.stem} ({number}){wanted.suffix}")
    taken.add(path)
    return path


def _move(source: Path, target: Path, mark: Mark) -> Path:
    """Move a file to where nothing is yet; never overwrites, and leaves the source where it cannot.

    Raises _ChangedError when it was written or replaced until the last moment; then it is where it was.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = _free(target, set())
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        partial = target.with_name(f".{target.name}.partial")
        with contextlib.ExitStack() as stack:
            stack.callback(partial.unlink, missing_ok=True)
            shutil.copy2(source, partial)
            if mark_of(source) != mark:
                raise _ChangedError from error
            partial.rename(target)
        source.unlink()
        return target
    if mark_of(target) != mark:
        target.rename(_free(source, set()))
        raise _ChangedError
    return target
