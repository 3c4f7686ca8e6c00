"""The store: five Delta tables in one folder, and the only file that imports deltalake.

``messages``, ``orders``, ``rejects`` and ``frozen`` (figures of closed months, cslog.freeze) only ever grow;
``ledger`` holds one row per ingested file and per freeze, and names the versions of the others. **The ledger's commit is the commit of the store**: readers open
the versions it names, so an ingest that dies half-way changes nothing that a report can see, and the
next ingest finds the orphaned rows by their keys and takes them over (figures of a freeze that died are never
seen: the ledger names the freezes that hold). Its version is the store version.

Appending is a set union (kpi-spec I2): rows whose key is known are dropped, unless their copy knows more
(a stated agent, a greater rank); such a refinement is appended as a further row of the same key, with
``refines`` true, and ``Snapshot.messages`` folds the rows of a key into one. One process writes at a time (a
file lock, freed by the system when the process dies); behind it each append carries an application
transaction, so that two writers on a disk without locks conflict instead of writing twice.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from filelock import FileLock, Timeout

from cslog import clock, copies, schema
from cslog.errors import StoreError, UsageError

SCHEMA_VERSION = 2  # 2: the table frozen, and its version in the ledger
_APPLICATION = "cslog"
_KEEP = "interval 36500 days"  # audit: old versions stay readable until the user says otherwise
_ATTEMPTS = 10
_LOCK_SECONDS = 600

LEDGER: schema.Schema = {
    "at": pl.String(),  # UTC instant of the commit
    "action": pl.String(),  # ingest | freeze
    "path": pl.String(),
    "sha256": pl.String(),
    "fingerprint": pl.String(),  # sha256 and the options the file was read with; of a freeze: its id
    "reader": pl.String(),
    "encoding": pl.String(),
    "messages_read": pl.Int64(),
    "messages_new": pl.Int64(),
    "orders_read": pl.Int64(),
    "orders_new": pl.Int64(),
    "orders_changed": pl.Int64(),
    "rejects": pl.Int64(),
    "replaced_characters": pl.Int64(),
    "messages_version": pl.Int64(),
    "orders_version": pl.Int64(),
    "rejects_version": pl.Int64(),
    "frozen_version": pl.Int64(),  # null in rows of schema 1
    "schema_version": pl.Int64(),
    "cslog_version": pl.String(),
}

FROZEN: schema.Schema = {
    # One row per freeze and grouping; what the parts mean is cslog.freeze's.
    "id": pl.String(),
    "at": pl.Int64(),  # instant of freezing, wall seconds
    "month": pl.String(),
    "profile": pl.String(),
    "attribution": pl.String(),
    "shops": pl.List(pl.String()),  # empty: all
    "asked_as_of": pl.Int64(),  # --as-of of the freeze
    "store_version": pl.Int64(),  # what the figures were computed from
    "config_hash": pl.String(),
    "cslog_version": pl.String(),
    "profile_content": pl.String(),  # JSON
    "settings": pl.String(),  # JSON of the configuration
    "by": pl.String(),  # grouping, as in --by
    "stamp": pl.String(),  # JSON head of the report
    "figures": pl.String(),  # JSON: key, zh, unit … of its metrics
    "rows": pl.Int64(),
    "content": pl.Binary(),  # the rows as Arrow IPC, every dtype and bit as computed
}

_TABLES: dict[str, tuple[schema.Schema, list[str]]] = {
    "messages": (schema.MESSAGES, ["month"]),
    "orders": (schema.ORDERS, ["month"]),
    "rejects": (schema.STORED_REJECTS, []),
    "frozen": (FROZEN, []),
    "ledger": (LEDGER, []),
}
_DATA = ("messages", "orders", "rejects", "frozen")

_WRITER = WriterProperties(compression="ZSTD", compression_level=1, max_row_group_size=262_144)


@dataclass(frozen=True)
class Snapshot:
    """The store as of one version. ``versions`` maps each table to its Delta version; one that the store did
    not have then is missing.
    """

    folder: Path
    store_version: int
    versions: dict[str, int]

    def messages(self, first_at: int, last_at: int, columns: list[str] | None = None) -> pl.LazyFrame:
        """Messages with ``first_at`` ≤ sent_at ≤ ``last_at``, one row each, as schema.MESSAGES, unsorted.

        Only the months touched are opened, and only ``columns`` are read where nothing was refined.
        """
        frame = self._scan("messages").filter(
            pl.col("month").is_in(clock.months_between(first_at, last_at)),
            pl.col("sent_at").is_between(first_at, last_at),
        )
        wanted = columns or list(schema.MESSAGES)
        key = list(schema.MESSAGE_ID)
        refinements = frame.filter("refines").select(key).unique().collect()
        if refinements.is_empty():
            return frame.select(wanted)
        refined = refinements.lazy()
        whole = frame.join(refined, on=key, how="anti").select(wanted)
        return pl.concat([whole, copies.fold(frame.join(refined, on=key, how="semi")).select(wanted)])

    def bounds(self) -> pl.DataFrame:
        """Per shop: first and last second, messages, days with messages, buyers; how many buyer messages there are
        (``asked``) and for how many of them no export states the agent (``inferred``).
        """
        return (
            self._scan("messages")
            .group_by("shop")
            .agg(
                first_at=pl.col("sent_at").min(),
                last_at=pl.col("sent_at").max(),
                days=(pl.col("sent_at") // clock.DAY_SECONDS).unique().sort(),
                messages=(~pl.col("refines")).sum(),
                buyers=pl.col("buyer_key").n_unique(),
                inferred=(
                    pl.col("agent").is_null() & (pl.col("message_class") == int(schema.MessageClass.BUYER))
                ).sum(),
                asked=(pl.col("message_class") == int(schema.MessageClass.BUYER)).sum(),
            )
            .sort("shop")
            .collect()
        )

    def buyers(self) -> pl.DataFrame:
        """Distinct shop and buyer_key of all messages."""
        return self._scan("messages").select("shop", "buyer_key").unique().collect()

    def keys_of_buyer(self, buyer: str) -> pl.DataFrame:
        """Shops and keys of everybody with the nick ``buyer``: columns shop, buyer_key."""
        found = [
            self._scan(table).filter(pl.col("buyer") == buyer).select("shop", "buyer_key").unique()
            for table in ("messages", "orders")
        ]
        return pl.concat(found).unique().sort("shop").collect()

    def data_ends(self) -> dict[str, int]:
        """The last message second of every shop (kpi-spec 2, Data end)."""
        ends = self._scan("messages").group_by("shop").agg(pl.col("sent_at").max()).collect()
        return dict(zip(ends["shop"], ends["sent_at"], strict=True))

    def order_ends(self) -> dict[str, int]:
        """The last second at which an order of each shop was created or paid."""
        last = pl.max_horizontal(pl.col("created_at").max(), pl.col("paid_at").max())
        ends = self.order_versions().group_by("shop").agg(last=last).collect()
        return dict(zip(ends["shop"], ends["last"], strict=True))

    def range_until(self, last_at: int) -> tuple[int, int]:
        """The first message second of all shops, and ``last_at`` or that first one when it is later."""
        first = self._scan("messages").select(pl.col("sent_at").min()).collect().item()
        return (last_at, last_at) if first is None else (first, max(first, last_at))

    def order_versions(self) -> pl.LazyFrame:
        """All distinct versions of all orders, as schema.ORDERS."""
        return self._scan("orders")

    def rejects(self) -> pl.DataFrame:
        """Lines that no reader could place, as schema.STORED_REJECTS."""
        return self._scan("rejects").sort("source_file", "line", "reason").collect()

    def ledger(self) -> pl.DataFrame:
        """One row per ingested file and per freeze, oldest first."""
        ledger = self._scan("ledger").sort("at", "path").collect()
        later = {name: dtype for name, dtype in LEDGER.items() if name not in ledger.columns}
        return ledger.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in later.items())

    def frozen(self, month: str | None = None) -> pl.DataFrame:
        """All freezes (of ``month``) as FROZEN, in the order in which they were made."""
        if not self.versions.get("frozen"):
            return pl.DataFrame(schema=FROZEN)
        committed = (
            self._scan("ledger").filter(pl.col("action") == "freeze").select(id="fingerprint").collect()
        )
        frozen = self._scan("frozen")
        if month is not None:
            frozen = frozen.filter(pl.col("month") == month)
        order = ["store_version", "at", "id", "by"]  # a clock may be set back, a version never
        return frozen.join(committed.lazy(), on="id", how="semi").sort(order).collect()

    def messages_since(self, older: Snapshot, first_at: int, last_at: int) -> pl.DataFrame:
        """Rows of messages with ``first_at`` ≤ sent_at ≤ ``last_at`` that ``older`` lacks, unfolded.

        Columns shop, buyer, sent_at, source_file; a copy of a known message that knows more is one as well.
        """
        known = [*schema.MESSAGE_ID, "rank", "message_class", "characters", "agent", "exporter"]
        months = clock.months_between(first_at, last_at)
        mine, theirs = (
            snapshot._scan("messages").filter(
                pl.col("month").is_in(months), pl.col("sent_at").is_between(first_at, last_at)
            )
            for snapshot in (self, older)
        )
        return (
            mine.join(theirs.select(known), on=known, how="anti", nulls_equal=True)
            .select("shop", "buyer", "sent_at", "source_file")
            .collect()
        )

    def orders_since(self, older: Snapshot) -> pl.DataFrame:
        """Versions of orders that ``older`` lacks, as schema.ORDERS."""
        key = ["platform", "shop", "order_id", "content_key"]
        theirs = older._scan("orders").select(key)
        return self._scan("orders").join(theirs, on=key, how="anti").collect()

    def files_since(self, older: Snapshot) -> dict[str, str]:
        """Paths of the files ingested after ``older``, with the UTC instant of the last ingest of each."""
        key = ["at", "path", "fingerprint"]
        later = self.ledger().join(older.ledger(), on=key, how="anti", nulls_equal=True)
        ingested = later.filter(pl.col("action") == "ingest").sort("at")
        return dict(zip(ingested["path"], ingested["at"], strict=True))

    def _scan(self, table: str) -> pl.LazyFrame:
        if self.store_version == 0:
            return pl.LazyFrame(schema=_TABLES[table][0])
        return pl.scan_delta(_open(self.folder / table, self.versions[table]))


@dataclass(frozen=True)
class Appended:
    """Rows of a batch that were new, per source file."""

    new: dict[str, int]
    changed: dict[str, int]


class Store:
    """A store folder. Opening one never creates anything; writing does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def exists(self) -> bool:
        """Whether anything was ever committed here."""
        return DeltaTable.is_deltatable(str(self.folder / "ledger"))

    def snapshot(self, version: int | None = None) -> Snapshot:
        """The store at ``version`` (default: the newest). UsageError when there is no such version."""
        if not self.exists:
            if version:
                raise UsageError(f"no version {version}: the store at {self.folder} is empty")
            return Snapshot(self.folder, 0, dict.fromkeys(_TABLES, 0))
        newest = _open(self.folder / "ledger").version()
        wanted = newest if version is None else version
        if not 0 <= wanted <= newest:
            raise UsageError(
                f"no version {wanted}: the store has versions 0 to {newest}", "see `cslog status`"
            )
        if wanted == 0:
            return Snapshot(self.folder, 0, dict.fromkeys(_TABLES, 0))
        ledger = pl.scan_delta(_open(self.folder / "ledger", wanted))
        # A ledger of an older schema names fewer tables.
        there = set(ledger.collect_schema())
        columns = ["schema_version", *(f"{table}_version" for table in _DATA if f"{table}_version" in there)]
        last = ledger.select(pl.col(columns).max()).collect().row(0, named=True)
        if last["schema_version"] > SCHEMA_VERSION:
            raise StoreError(
                f"the store at {self.folder} was written by a newer cslog (schema {last['schema_version']})",
                "update cslog",
            )
        named = {table: last.get(f"{table}_version") for table in _DATA}
        versions = {table: int(v) for table, v in named.items() if v is not None} | {"ledger": wanted}
        return Snapshot(self.folder, wanted, versions)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Turn what a missing or damaged file raises, wherever it is opened, into a StoreError."""
        try:
            yield
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise StoreError(
                f"the store at {self.folder} is damaged or cannot be read ({type(error).__name__})",
                "restore the folder from a backup, or ingest the files into a new one",
            ) from error

    @contextlib.contextmanager
    def writer(self, *, dry_run: bool = False) -> Iterator[Writer]:
        """Hold the store's lock; what was appended becomes visible by ``Writer.commit`` alone.

        A dry run compares with the store, without lock, and writes nothing.
        """
        if dry_run:
            self.snapshot()  # refuses a newer schema
            yield Writer(self.folder, dry_run=True)
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(self.folder / ".lock", timeout=_LOCK_SECONDS)
            with lock:
                self.snapshot()  # refuses a newer schema before anything is written into it
                yield Writer(self.folder, dry_run=False)
        except Timeout as error:
            raise StoreError(
                f"the store at {self.folder} is being written by another cslog for {_LOCK_SECONDS} s",
                "try again later",
            ) from error
        except (OSError, DeltaError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise StoreError(
                f"cannot write the store at {self.folder}: {reason}",
                "check the folder's rights and free space",
            ) from error


class Writer:
    """Appends to the tables of one store while its lock is held."""

    def __init__(self, folder: Path, *, dry_run: bool) -> None:
        self._folder = folder
        self._dry_run = dry_run
        if not dry_run:
            self._create_missing()

    def _create_missing(self) -> None:
        for table, (columns, partition) in _TABLES.items():
            path = self._folder / table
            if not DeltaTable.is_deltatable(str(path)):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
                DeltaTable.create(
                    str(path),
                    schema=pl.DataFrame(schema=columns).to_arrow().schema,
                    mode="ignore",
                    partition_by=partition,
                    configuration={
                        "delta.logRetentionDuration": _KEEP,
                        "delta.deletedFileRetentionDuration": _KEEP,
                    },
                )

    def known_fingerprints(self) -> set[str]:
        """Fingerprints of all files that were ever ingested."""
        files = self._scan("ledger").filter(pl.col("action") == "ingest")
        return set(files.select("fingerprint").collect().to_series())

    def append_messages(self, batch: pl.DataFrame) -> Appended:
        """Union ``batch`` (schema.MESSAGES, any order, repeats allowed) into the messages."""
        repeated = batch.select(pl.struct(schema.MESSAGE_ID).is_duplicated()).to_series()
        if repeated.any():
            folded = copies.fold(batch.filter(repeated).lazy()).select(list(schema.MESSAGES)).collect()
            batch = pl.concat([batch.filter(~repeated), folded])
        fresh = pl.DataFrame()

        def missing(known: pl.LazyFrame) -> pl.DataFrame:
            nonlocal fresh
            fresh, refined = copies.unknown(batch, known)
            return pl.concat([fresh, refined.with_columns(refines=pl.lit(True))]).sort(schema.MESSAGE_ORDER)

        self._append("messages", missing)
        return Appended(_per_file(fresh), {})

    def append_orders(self, batch: pl.DataFrame) -> Appended:
        """Union ``batch`` (schema.ORDERS) into the order versions."""
        order, version = ["platform", "shop", "order_id"], ["platform", "shop", "order_id", "content_key"]
        batch = batch.unique(version, keep="first", maintain_order=True)
        first, later = pl.DataFrame(), pl.DataFrame()

        def missing(known: pl.LazyFrame) -> pl.DataFrame:
            nonlocal first, later
            there = known.select(version).collect()
            unknown = batch.join(there, on=version, how="anti", maintain_order="left")
            is_first = unknown.select(pl.struct(order).is_first_distinct()).to_series()
            first = unknown.filter(is_first).join(there, on=order, how="anti")
            later = unknown.join(first.select(version), on=version, how="anti")
            return unknown.sort("buyer_key", "created_at", "order_id", "content_key")

        self._append("orders", missing)
        return Appended(_per_file(first), _per_file(later))

    def append_rejects(self, batch: pl.DataFrame) -> None:
        """Union ``batch`` (schema.STORED_REJECTS) into the rejects."""
        key = ["sha256", "line", "reason"]
        self._append(
            "rejects",
            lambda known: batch.unique(key, maintain_order=True).join(
                known.select(key).collect(), on=key, how="anti", maintain_order="left"
            ),
        )

    def append_frozen(self, parts: pl.DataFrame) -> None:
        """Add the parts of one freeze (FROZEN); they hold when a ledger row of action freeze names their id."""
        self._append("frozen", lambda known: parts.select(list(FROZEN)))

    def commit(self, files: pl.DataFrame) -> int:
        """Make everything appended visible; ``files`` are the ledger rows. Returns the store version."""
        versions = {f"{t}_version": pl.lit(_open(self._folder / t).version()) for t in _DATA}
        rows = files.with_columns(**versions, schema_version=pl.lit(SCHEMA_VERSION)).select(
            pl.col(name).cast(dtype) for name, dtype in LEDGER.items()
        )
        self._append("ledger", lambda known: rows)
        return int(_open(self._folder / "ledger").version())

    def _scan(self, table: str) -> pl.LazyFrame:
        path = self._folder / table
        if self._dry_run and not DeltaTable.is_deltatable(str(path)):
            return pl.LazyFrame(schema=_TABLES[table][0])
        return pl.scan_delta(_open(path))

    def _append(self, table: str, missing: Callable[[pl.LazyFrame], pl.DataFrame]) -> None:
        if self._dry_run:
            missing(self._scan(table))
            return
        path = self._folder / table
        for attempt in range(_ATTEMPTS):
            opened = _open(path)
            rows = missing(pl.scan_delta(opened))
            if rows.is_empty():
                return
            turn = (opened.transaction_version(_APPLICATION) or 0) + 1
            try:
                write_deltalake(
                    opened,
                    rows.to_arrow(),
                    mode="append",
                    schema_mode="merge" if set(rows.columns) - _columns(opened) else None,
                    writer_properties=_WRITER,
                    commit_properties=CommitProperties(
                        app_transactions=[Transaction(_APPLICATION, turn)], max_commit_retries=0
                    ),
                )
                return
            except CommitFailedError:
                time.sleep(0.05 * (attempt + 1))
        raise StoreError(f"the store at {self._folder} is being written by others", "try again later")


def _open(path: Path, version: int | None = None) -> DeltaTable:
    try:
        return DeltaTable(str(path), version=version)
    except (TableNotFoundError, DeltaError) as error:
        raise StoreError(
            f"the table {path.name} of the store at {path.parent} cannot be opened",
            "restore the folder from a backup",
        ) from error


def _columns(table: DeltaTable) -> set[str]:
    return {field.name for field in table.schema().fields}


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
