"""Rows out of the store and out of all its versions: the steps that `cslog forget` is made of.

All tables are written anew beside the old ones (cslog.table_history) and take their place in one step
(cslog.generations); then the old ones are deleted. Killed before that step, nothing has happened; killed after it,
only files are left that nobody reads, and the next one who writes deletes them.
"""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from cslog import generations, refused, table_history
from cslog.errors import StoreError
from cslog.refused import Refused
from cslog.snapshot import LAYOUTS, LEDGER, Snapshot, contents_of
from cslog.store import Store, Writer, ledger_row
from cslog.table_history import Logged
from cslog.tables import Table

_ATTEMPTS = 3
_NOTES_CONTENTS = 3
"""The first schema whose commits note what is in their messages."""

Erase = Callable[[str, Logged], pl.DataFrame | None]
"""What a file of a table is to hold from now on; None when it stays as it is."""


@dataclass(frozen=True)
class Erased:
    """``left``: how many old folders could not be deleted, because somebody has files of them open."""

    store_version: int
    left: int


def files_of(root: Path, table: str) -> list[Logged]:
    """Every file of a table that any version names."""
    return table_history.logged(root / table)


def scan(snapshot: Snapshot, table: str) -> pl.LazyFrame:
    """All rows of all versions, those of compacted months several times."""
    return snapshot.files(table, [file.path for file in files_of(snapshot.folder, table)])


@contextlib.contextmanager
def alone(store: Store) -> Iterator[tuple[Snapshot, bool]]:
    """The newest version, while nobody else writes; and whether files that an earlier run left behind are gone now."""
    interrupted = bool(generations.leftovers(store.folder, LAYOUTS))
    with store.alone() as named, store.reading():
        yield named, interrupted and not generations.leftovers(store.folder, LAYOUTS)


def frame_of(file: Logged) -> pl.DataFrame:
    """The rows of a file, with the columns that it has."""
    return pl.read_parquet(file.path, hive_partitioning=False)


def erase(
    store: Store,
    named: Snapshot,
    change: Erase,
    refusing: Refused,
    removed: Sequence[Mapping[str, Any]],
    *,
    noted_anew: bool = True,
) -> Erased:
    """Put ``change`` into effect in all versions, while ``store`` is locked and ``named`` its newest version.

    ``removed`` is what the history is to say (LEDGER), a row each. ``noted_anew``: what commits noted of their
    messages, such as the last second of a shop, is to be that of the rows that are left. What was appended and never committed becomes part of the store.
    """
    old = named.folder
    for _ in range(_ATTEMPTS):
        before = _versions(old)
        new = generations.begin(store.folder)
        try:
            version = _build(old, new, change, refusing, removed, noted_anew)
            # A writer on a disk without locks either sees the new tables after his commit, or is seen here.
            if _versions(old) == before:
                generations.switch(store.folder, new)
                if _versions(old) == before:
                    _, left = generations.sweep(store.folder, LAYOUTS)
                    return Erased(version, left)
                generations.switch(store.folder, old)
        except BaseException:
            if store.root != new:
                shutil.rmtree(new, ignore_errors=True)
            raise
        shutil.rmtree(new, ignore_errors=True)
    raise StoreError(f"the store at {store.folder} is being written by others", "try again later")


def _build(
    old: Path,
    new: Path,
    change: Erase,
    refusing: Refused,
    removed: Sequence[Mapping[str, Any]],
    noted_anew: bool,
) -> int:
    """All tables anew, and a commit that says what is missing. Returns its version."""
    changed: dict[str, str | None] = {}
    for name, layout in LAYOUTS.items():
        if name != "ledger":
            renamed = table_history.write_anew(old / name, new / name, layout, partial(change, name))
            if name == "messages" and noted_anew:
                changed = renamed
    contents = _Contents(old, new, changed)
    layout = LAYOUTS["ledger"]
    table_history.write_anew(old / "ledger", new / "ledger", layout, partial(contents.of, change))
    refused.save(new, refusing)
    Table(new / "ledger", layout).add_missing_columns()
    rows = [
        ledger_row(action="forget", fingerprint=uuid.uuid4().hex, removed=dict(removal))
        for removal in removed
    ]
    return Writer(new, dry_run=False).commit(pl.DataFrame(rows, schema=LEDGER))


def _versions(root: Path) -> dict[str, int]:
    return {name: table_history.newest(root / name) for name in LAYOUTS}


class _Contents:
    """What commits noted of their messages (snapshot.contents_of), noted again where these have changed.

    ``changed``: old and new names of files of messages.
    """

    def __init__(self, old: Path, new: Path, changed: Mapping[str, str | None]) -> None:
        self._new = new / "messages"
        self._changed = changed
        self._files = [file for file in files_of(old, "messages") if file.data_change]
        self._begins = _begins(old / "ledger")

    def of(self, change: Erase, file: Logged) -> pl.DataFrame | None:
        """A file of the ledger after ``change``."""
        frame = change("ledger", file)
        found = frame_of(file) if frame is None else frame
        noted = [row for row in found.to_dicts() if row["action"] == "contents"]
        if not noted:
            return frame
        end, begin = noted[0]["messages_version"], self._begins.get(file.version, 0)
        files = [one.name for one in self._files if begin < one.version <= end]
        if not any(name in self._changed for name in files):
            return frame
        names = [self._changed.get(name, name) for name in files]
        paths = [self._new / name for name in names if name is not None]
        table = Table(self._new, LAYOUTS["messages"])
        there = table.scan_files(paths)
        contents = contents_of(there)
        rows = [row | contents if row["action"] == "contents" else row for row in found.to_dicts()]
        return pl.DataFrame(rows, schema=found.schema)


def _begins(ledger: Path) -> dict[int, int]:
    """By version of the ledger: the version of messages that the commit before it named; 0 where that one did not
    note what is in them, since the next one then did so for all.
    """
    begins, last = {}, 0
    for file in table_history.logged(ledger):
        begins[file.version] = last
        rows = frame_of(file)
        schema_version, messages_version = rows.select(
            pl.col("schema_version", "messages_version").max().fill_null(0)
        ).row(0)
        last = messages_version if schema_version >= _NOTES_CONTENTS else 0
    return begins
