"""The store: five Delta tables in one folder (cslog.tables).

``messages``, ``orders``, ``rejects`` and ``frozen`` (figures of closed months, cslog.freeze) only ever grow;
``ledger`` holds one row per ingested file and per freeze, and names the versions of the others. **The ledger's commit is the commit of the store**: readers open
the versions it names, so an ingest that dies half-way changes nothing that a report can see, and the
next ingest finds the orphaned rows by their keys and takes them over (figures of a freeze that died are never
seen: the ledger names the freezes that hold). Its version is the store version.

Appending is a set union (kpi-spec I2): rows whose key is known are dropped, unless their copy knows more
(a stated agent, a greater rank); such a refinement is appended as a further row of the same key, with
``refines`` true in a file of its own, and ``Snapshot.messages`` folds the rows of a key into one; ``compact``
makes one sorted row of them. One process writes at a time (a
file lock, freed by the system when the process dies); behind it each append carries an application
transaction, so that two writers on a disk without locks conflict instead of writing twice.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from filelock import FileLock, Timeout

from cslog import clock, copies, generations, keys, refused, schema, tables
from cslog.coded import Coded
from cslog.errors import StoreError, StoreMovedError, UsageError
from cslog.gate import Gate
from cslog.snapshot import (
    DATA,
    FROZEN,
    LAYOUTS,
    LEDGER,
    REFINEMENTS,
    Snapshot,
    contents_of,
    contents_of_batch,
    contents_together,
    is_one_run,
)
from cslog.tables import Part, Table

SCHEMA_VERSION = 3
"""2: the table frozen, and its version in the ledger. 3: account keys in messages, contents in the ledger;
``Store.compact`` brings an older store up to it."""

_ATTEMPTS = 10
_LOCK_SECONDS = 600
_NO_DAMAGE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}
"""What the system says of a store in which nothing is wrong: rights and room are missing."""
_ROWS_PER_FILE = 1_000_000  # of messages: what one task of a report opens
_ROWS_PER_PIECE = 4 * schema.ROWS_PER_GROUP  # of an append


@dataclass(frozen=True)
class Appended:
    """Rows of a batch that were new, per source file."""

    new: dict[str, int]
    changed: dict[str, int]


def opened(root: Path, version: int) -> Snapshot:
    """The version that the tables in ``root`` have, opened once for all that ask for it: a report's plan, its tasks.

    A snapshot never changes, and tables made anew in the same place are others.
    """
    return _opened(root, version, tables.made_at(root / "ledger", version)) if version else _empty(root)


@functools.lru_cache(maxsize=2)
def _opened(root: Path, version: int, made_at: tuple[int, int]) -> Snapshot:
    ledger = Table(root / "ledger", LAYOUTS["ledger"], version)
    # A ledger of an older schema names fewer tables.
    columns = [f"{table}_version" for table in DATA if f"{table}_version" in ledger.columns]
    last = ledger.scan().select(pl.col("schema_version", *columns).max()).collect().row(0, named=True)
    versions = {
        table: int(last[f"{table}_version"]) for table in DATA if last.get(f"{table}_version") is not None
    }
    return Snapshot(root, version, versions | {"ledger": version}, last["schema_version"], {"ledger": ledger})


def _empty(root: Path) -> Snapshot:
    return Snapshot(root, 0, dict.fromkeys(LAYOUTS, 0))


class Store:
    """A store folder. Opening one never creates anything; writing does. ``root``: read these tables of it, whichever
    are the store's by now.
    """

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        self.folder = folder
        self._root = root
        self._given: set[Path] = set()  # roots of the snapshots that were asked for

    @property
    def root(self) -> Path:
        """Where the tables lie now (cslog.generations)."""
        return self._root or generations.root_of(self.folder)

    @property
    def exists(self) -> bool:
        """Whether anything was ever committed here."""
        return tables.exists(self.root / "ledger")

    def snapshot(self, version: int | None = None) -> Snapshot:
        """The store at ``version`` (default: the newest). UsageError when there is no such version, StoreError
        when a newer cslog has written it; what an older one has written can be read.
        """
        root = self.root
        self._given.add(root)
        if not tables.exists(root / "ledger"):
            if version:
                raise UsageError(f"no version {version}: the store at {self.folder} is empty")
            return _empty(root)
        newest = Table(root / "ledger", LAYOUTS["ledger"]).version
        wanted = newest if version is None else version
        if not 0 <= wanted <= newest:
            raise UsageError(
                f"no version {wanted}: the store has versions 0 to {newest}", "see `cslog status`"
            )
        found = opened(root, wanted)
        if found.schema_version > SCHEMA_VERSION:
            raise StoreError(
                f"the store at {self.folder} was written by a newer cslog (schema {found.schema_version})",
                "update cslog",
            )
        return found

    def compact(
        self, on_done: Callable[[int, int], None] = lambda done, total: None, *, spare: int = 0
    ) -> list[str]:
        """Make one sorted run of each month's messages, without repeats; returns the months that were not one yet.

        Every version of before stays readable. With ``spare`` months are left alone that have no more than so many
        files beyond those that they need, or less than a quarter of their rows in those; without it a store of an older
        cslog is brought up to date as well.
        """
        if not self.exists:
            return []
        with self.writer(older=not spare) as writer:
            return writer.compact(on_done, spare)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Turn what a missing or damaged file raises, wherever it is opened, into a StoreError.

        StoreMovedError when the tables were replaced by others meanwhile; whoever asks again is answered from those.
        """
        self._given.add(self.root)
        try:
            yield
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException, StoreError) as error:
            if self._given != {self.root}:
                self._given.clear()
                raise StoreMovedError(
                    f"the store at {self.folder} was written anew while it was read (cslog forget)",
                    "type the same again",
                ) from error
            if isinstance(error, StoreError):
                raise
            if isinstance(error, OSError) and error.errno in _NO_DAMAGE:
                raise StoreError(
                    f"the store at {self.folder} cannot be used: {error.strerror}",
                    "check the folder's rights and free space",
                ) from error
            raise StoreError(
                f"the store at {self.folder} is damaged or cannot be read ({type(error).__name__})",
                "restore the folder from a backup, or ingest the files into a new one",
            ) from error

    @contextlib.contextmanager
    def writer(self, *, dry_run: bool = False, older: bool = False) -> Iterator[Writer]:
        """Hold the store's lock; what was appended becomes visible by ``Writer.commit`` alone.

        A dry run compares with the store, without lock, and writes nothing.
        """
        if dry_run:
            self.snapshot()  # refuses another schema
            yield Writer(self.root, dry_run=True)
            return
        with self.alone(older=older) as named:
            yield Writer(named.folder, dry_run=False, named=named)
            if self.root != named.folder:
                # Only on a disk without locks: what was written lies where nobody reads.
                raise StoreMovedError(
                    f"the store at {self.folder} was written anew meanwhile (cslog forget)",
                    "type the same again",
                )

    @contextlib.contextmanager
    def alone(self, *, older: bool = False) -> Iterator[Snapshot]:
        """The newest version, while nobody else writes. What an earlier `cslog forget` left behind is removed."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(self.folder / ".lock", timeout=_LOCK_SECONDS)
            with lock:
                generations.sweep(self.folder, LAYOUTS)
                named = self.snapshot()  # refuses a newer schema before anything is written into it
                if named.store_version and not older and named.schema_version != SCHEMA_VERSION:
                    raise StoreError(
                        f"the store at {self.folder} was written by an older cslog",
                        "run `cslog compact` once, which brings it up to date and loses nothing",
                    )
                yield named
        except Timeout as error:
            raise StoreError(
                f"the store at {self.folder} is being written by another cslog for {_LOCK_SECONDS} s",
                "try again later",
            ) from error
        except (OSError, tables.DeltaError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise StoreError(
                f"cannot write the store at {self.folder}: {reason}",
                "check the folder's rights and free space",
            ) from error


@dataclass(frozen=True)
class _Known:
    """What a table holds before an append; nothing without ``table``."""

    table: Table | None
    columns: schema.Schema

    def rows(self) -> pl.LazyFrame:
        """All rows."""
        return pl.LazyFrame(schema=self.columns) if self.table is None else self.table.scan()

    def files_with(self, batch: Coded) -> Iterator[pl.LazyFrame]:
        """The files that may hold a message of ``batch``."""
        if self.table is None:
            return
        months = set(batch.names[np.flatnonzero(np.bincount(batch["month"]))])
        spans = {name: (int(batch[name].min()), int(batch[name].max())) for name in ("sent_at", "buyer_key")}
        for part in self.table.parts:
            if part.partition in months and all(part.meets(name, *span) for name, span in spans.items()):
                yield self.table.scan([part])


class Writer:
    """Appends to the tables of one store while its lock is held."""

    def __init__(self, folder: Path, *, dry_run: bool, named: Snapshot | None = None) -> None:
        self._folder = folder
        self._dry_run = dry_run
        self._named = named or Store(folder, folder).snapshot()
        self._brought: list[dict[str, Any]] = []  # contents of the messages appended here
        self._files: set[str] = set()  # and the files they are in
        self._tried: list[pl.LazyFrame] = []  # keys of the messages that a dry run has not written
        if not dry_run:
            for table, layout in LAYOUTS.items():
                if not tables.exists(folder / table):
                    tables.create(folder / table, layout)

    def known_fingerprints(self) -> set[str]:
        """Fingerprints of all files that were ever ingested."""
        files = self._scan("ledger").filter(pl.col("action") == "ingest")
        return set(files.select("fingerprint").collect().to_series())

    def gate(self) -> Gate:
        """What must not come into the store."""
        return Gate(refused.load(self._folder))

    def append_messages(self, batch: Coded) -> Appended:
        """Union ``batch``, as ``copies.merged`` makes it, into the messages."""
        if not len(batch):
            return Appended({}, {})
        fresh = refined = batch

        def missing(known: _Known) -> dict[str, Iterable[tables.Rows]]:
            nonlocal fresh, refined
            fresh, refined = copies.unknown(batch, itertools.chain(known.files_with(batch), self._tried))
            refining = refined.columns | {"refines": np.ones(len(refined.text), np.bool_)}
            return {"part": _files_of(fresh), REFINEMENTS: _files_of(replace(refined, columns=refining))}

        self._files.update(self._append("messages", missing))
        self._brought += [contents_of_batch(rows) for rows in (fresh, refined) if len(rows)]
        if self._dry_run and len(fresh):
            self._tried.append(copies.keys_of(fresh))
        counts = np.bincount(fresh["source_file"], minlength=1)
        return Appended({batch.names[int(file)]: int(counts[file]) for file in np.flatnonzero(counts)}, {})

    def append_orders(self, batch: pl.DataFrame) -> Appended:
        """Union ``batch`` (schema.ORDERS) into the order versions."""
        order, version = schema.ORDER_ID, [*schema.ORDER_ID, "content_key"]
        batch = batch.unique(version, keep="first", maintain_order=True)
        first, later = pl.DataFrame(), pl.DataFrame()

        def missing(known: _Known) -> dict[str, Iterable[tables.Rows]]:
            nonlocal first, later
            there = known.rows().select(version).collect()
            unknown = batch.join(there, on=version, how="anti", maintain_order="left")
            is_first = unknown.select(pl.struct(order).is_first_distinct()).to_series()
            first = unknown.filter(is_first).join(there, on=order, how="anti")
            later = unknown.join(first.select(version), on=version, how="anti")
            return {"part": [unknown.sort("buyer_key", "created_at", "order_id", "content_key")]}

        self._append("orders", missing)
        return Appended(_per_file(first), _per_file(later))

    def append_rejects(self, batch: pl.DataFrame) -> None:
        """Union ``batch`` (schema.STORED_REJECTS) into the rejects."""
        key = ["sha256", "line", "reason"]
        batch = batch.unique(key, maintain_order=True)

        def missing(known: _Known) -> dict[str, Iterable[tables.Rows]]:
            there = known.rows().select(key).collect()
            return {"part": [batch.join(there, on=key, how="anti", maintain_order="left")]}

        self._append("rejects", missing)

    def append_frozen(self, parts: pl.DataFrame) -> None:
        """Add the parts of one freeze (FROZEN); they hold when a ledger row of action freeze names their id."""
        self._append("frozen", lambda known: {"part": [parts.select(list(FROZEN))]})

    def commit(self, files: pl.DataFrame) -> int:
        """Make everything appended visible; ``files`` are the ledger rows. Returns the store version."""
        return self._commit(files, self._contents(self._unnamed()))

    def _commit(self, rows: pl.DataFrame, contents: list[dict[str, Any]]) -> int:
        rows = rows.select(pl.col(name).cast(dtype) for name, dtype in LEDGER.items())
        rows = pl.concat([rows, pl.DataFrame(contents, schema=LEDGER)])
        versions = {f"{t}_version": pl.lit(self._table(t).version) for t in DATA}
        rows = rows.with_columns(**versions, schema_version=pl.lit(SCHEMA_VERSION)).select(
            pl.col(name).cast(dtype) for name, dtype in LEDGER.items()
        )
        self._append("ledger", lambda known: {"part": [rows]})
        return self._table("ledger").version

    def compact(self, on_done: Callable[[int, int], None], spare: int) -> list[str]:
        """See Store.compact."""
        contents = self._contents(self._unnamed())  # what a killed ingest left is taken over
        for name in LAYOUTS:
            self._table(name).add_missing_columns()
        months: dict[str, list[Part]] = {}
        for part in self._table("messages").parts:
            months.setdefault(part.partition or "", []).append(part)
        outdated = self._named.store_version > 0 and self._named.schema_version != SCHEMA_VERSION
        scattered = {
            month: parts for month, parts in months.items() if outdated or _is_scattered(parts, spare)
        }
        for done, (month, parts) in enumerate(sorted(scattered.items())):
            on_done(done, len(scattered))
            table = self._table("messages")
            newest = Snapshot(self._folder, -1, {"messages": table.version})
            table.replace(parts, _sorted_run(newest, month, _needed(parts)))
        on_done(len(scattered), len(scattered))
        if scattered or outdated or contents:
            self._commit(pl.DataFrame([ledger_row(action="compact")], schema=LEDGER), contents)
        return sorted(scattered)

    def _unnamed(self) -> list[Part]:
        """Files of messages that no commit of the store has named yet."""
        if self._named.store_version and self._named.schema_version != SCHEMA_VERSION:
            return self._table("messages").parts  # an older cslog did not note what is in them
        named = {part.name for part in self._named.parts("messages")}
        return [part for part in self._table("messages").parts if part.name not in named]

    def _contents(self, parts: list[Part]) -> list[dict[str, Any]]:
        """A ledger row that says what ``parts`` hold; none when there are none. Only what others have written is
        looked through.
        """
        if not parts:
            return []
        found = list(self._brought)
        if others := [part for part in parts if part.name not in self._files]:
            found.append(contents_of(self._table("messages").scan(others)))
        return [ledger_row(action="contents", **contents_together(found))]

    def _table(self, name: str) -> Table:
        return Table(self._folder / name, LAYOUTS[name])

    def _scan(self, table: str) -> pl.LazyFrame:
        if self._dry_run and not tables.exists(self._folder / table):
            return pl.LazyFrame(schema=LAYOUTS[table].columns)
        return self._table(table).scan()

    def _append(self, table: str, missing: Callable[[_Known], dict[str, Iterable[tables.Rows]]]) -> list[str]:
        """Add what is ``missing`` (frames by prefix of their files), and compare again when another was faster.
        Returns the names of the new files.
        """
        if self._dry_run:
            there = tables.exists(self._folder / table)
            missing(_Known(self._table(table) if there else None, LAYOUTS[table].columns))
            return []
        for attempt in range(_ATTEMPTS):
            opened = self._table(table)
            try:
                return opened.add(missing(_Known(opened, LAYOUTS[table].columns)))
            except tables.CommitFailedError:
                time.sleep(0.05 * (attempt + 1))
        raise StoreError(f"the store at {self._folder} is being written by others", "try again later")


def _files_of(messages: Coded) -> Iterator[tables.Rows]:
    """``messages``, which are in the order of the store, as it keeps them, cut so that several can be made and
    written at once.
    """
    month = messages["month"]
    for number in np.flatnonzero(np.bincount(month)):
        rows = np.flatnonzero(month == number)
        for piece in np.array_split(rows, -(-len(rows) // _ROWS_PER_PIECE)):
            yield partial(messages.only(piece).stored, schema.ROWS_PER_GROUP)


def _is_scattered(parts: list[Part], spare: int) -> bool:
    """See Store.compact. A quarter: what is sorted again and again then grows with the month, not with its ingests."""
    if is_one_run(parts):
        return False
    needed, rows = _needed(parts), sorted(part.rows for part in parts)
    return not spare or (len(parts) > needed + spare and 4 * sum(rows[:-needed]) >= sum(rows))


def _needed(parts: list[Part]) -> int:
    """How many files the rows of a month need."""
    return -(-sum(part.rows for part in parts) // _ROWS_PER_FILE)


def _sorted_run(snapshot: Snapshot, month: str, count: int) -> Iterable[pl.DataFrame]:
    """The messages of a month in the order of the store, cut between buyers into ``count`` files."""
    first_at, last_at = clock.month_seconds(month)
    bounds = [-(2**63) + (2**64 * i) // count for i in range(count + 1)]  # keys are uniform
    for low, high in itertools.pairwise(bounds):
        messages = snapshot.messages(first_at, last_at, None, (low, high - 1)).collect()
        yield keys.with_account_keys(messages.with_columns(refines=pl.lit(False)).sort(schema.MESSAGE_ORDER))


def _per_file(rows: pl.DataFrame) -> dict[str, int]:
    if rows.is_empty():
        return {}
    counts = rows.group_by("source_file").len()
    return dict(zip(counts["source_file"], counts["len"], strict=True))


def ledger_row(**values: Any) -> dict[str, Any]:
    """A ledger row with the instant and the program's version filled in."""
    from cslog import __version__

    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return dict.fromkeys(LEDGER) | {"at": at, "action": "ingest", "cslog_version": __version__} | values


def folder_size(folder: Path) -> int:
    """Bytes of all files below ``folder``."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
