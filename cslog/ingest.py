"""Files into the store: recognise, read, resolve identities, union, one commit. Never prints.

A file that cannot be read is reported and the others go on; what was read of it before is kept.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cslog import clock, coded, copies, identity, schema
from cslog.coded import Coded
from cslog.config import DEFAULT_ROBOTS, Config
from cslog.errors import CslogError, ReadError
from cslog.gate import Gate
from cslog.inputs import Input, files_below, inputs_of
from cslog.readers import decode, registry
from cslog.readers.base import Batch, Options, Reader
from cslog.readers.head import HEAD_BYTES, Head
from cslog.snapshot import LEDGER
from cslog.store import Appended, Store, Writer, ledger_row

_ROWS_PER_APPEND = 1_000_000  # bounds the memory of a large ingest
_THREADS = min(2, max(1, (os.cpu_count() or 1) // 2))
"""Readers at a time. Half of a file's time holds the interpreter's lock, so more of them wait for each other; another
core is needed by what was read, which is put in order and written meanwhile.
"""
_BYTES_AHEAD = 32 << 20  # of files that were read and wait for their turn


@dataclass
class FileReport:
    """What became of one file; the fields of `cslog ingest --json`."""

    path: str
    status: str = "failed"  # ingested | duplicate | failed
    reader: str | None = None
    encoding: str | None = None
    sha256: str | None = None
    messages_read: int = 0
    messages_new: int = 0
    messages_duplicate: int = 0
    orders_read: int = 0
    orders_new: int = 0
    orders_changed: int = 0
    rejects: int = 0
    replaced_characters: int = 0
    messages_forgotten: int = 0  # of buyers whom `cslog forget` has removed: not taken again
    orders_forgotten: int = 0
    messages_expired: int = 0  # older than the store keeps (retention)
    orders_expired: int = 0
    error: str | None = None
    warnings: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What became of one ingest."""

    store_version: int
    files: list[FileReport]

    def totals(self) -> dict[str, int]:
        """Sums over the files."""
        states = [file.status for file in self.files]
        return {
            "files": len(states),
            "ingested": states.count("ingested"),
            "duplicate": states.count("duplicate"),
            "failed": states.count("failed"),
            "messages_new": sum(file.messages_new for file in self.files),
            "orders_new": sum(file.orders_new for file in self.files),
            "rejects": sum(file.rejects for file in self.files),
            "messages_forgotten": sum(file.messages_forgotten for file in self.files),
            "orders_forgotten": sum(file.orders_forgotten for file in self.files),
            "messages_expired": sum(file.messages_expired for file in self.files),
            "orders_expired": sum(file.orders_expired for file in self.files),
        }

    def as_dict(self) -> dict[str, Any]:
        """The JSON of the command-line contract."""
        return {
            "store_version": self.store_version,
            "files": [asdict(file) for file in self.files],
            "totals": self.totals(),
        }


@dataclass
class _File:
    """One file as it was read, with its report; no frames of one that failed or is known."""

    report: FileReport
    fingerprint: str = ""
    known_as: str = ""  # its path as the store has it, where that is another one
    messages: list[Coded] = field(default_factory=list)
    orders: list[pl.DataFrame] = field(default_factory=list)
    rejects: list[pl.DataFrame] = field(default_factory=list)


@dataclass
class _Pending:
    """Rows read but not yet appended."""

    messages: list[Coded] = field(default_factory=list)
    orders: list[pl.DataFrame] = field(default_factory=list)
    rejects: list[pl.DataFrame] = field(default_factory=list)
    rows: int = field(default=0, init=False)
    """Messages and orders that were added; counted as they come, since there may be many files of a few rows."""

    def add(self, file: _File) -> None:
        self.messages += file.messages
        self.orders += file.orders
        self.rejects += file.rejects
        self.rows += sum(map(len, file.messages)) + sum(frame.height for frame in file.orders)

    def merge(self) -> None:
        """Put the messages in order, one row each, for the store to compare with what it has."""
        if self.messages:
            whole = coded.concat(self.messages)
            self.messages.clear()  # what was put together is not needed twice
            self.messages.append(copies.merged(whole))


@dataclass(frozen=True)
class _Reading:
    """How files are read: by which readers, and what is known of the shops. Used by several threads at once."""

    readers: list[Reader]
    options: Options
    accounts: identity.Accounts
    fingerprint: str
    known: set[str]  # fingerprints of files in the store; a set may be asked while it grows
    keep_text: bool
    gate: Gate

    def read(self, found: Input) -> _File:
        """Read one file; whatever is wrong with it stands in its report."""
        report = FileReport(found.path, error=found.error)
        if found.head is None:
            return _File(report)
        head = _whole_lines(found.head) if found.open_elsewhere else found.head
        report.sha256 = hashlib.sha256(head.data).hexdigest()
        file = _File(report, _fingerprint(report, self.fingerprint))
        if file.fingerprint in self.known:
            report.status = "duplicate"
            return file
        try:
            written = ReadError(
                f"{found.path}: another program still writes it", "ingest it again when it is done"
            )
            if found.open_elsewhere and not head.data:
                raise written
            reader = registry.identify(head, self.readers)
            report.reader = reader.id
            if found.open_elsewhere and not registry.is_live(reader):
                raise written
            batch = reader.read(head, self.options).validated(f"{reader.id}: {found.path}")
            self._resolve(file, batch)
        except CslogError as error:
            report.error = re.sub(r"^[:,] ", "", str(error).removeprefix(found.path))
            return file
        except BaseException as error:
            # A defect of ours must not cost the other files; what a buyer wrote must not reach the message.
            # Panics of Polars are no Exception.
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            report.error = (
                f"cslog failed on it ({type(error).__name__}); please report this, the file was left out"
            )
            return file
        report.status = "ingested"
        report.encoding = batch.encoding
        report.replaced_characters = batch.replaced_characters
        report.warnings = batch.warnings
        if count := batch.replaced_characters:
            what = "1 character" if count == 1 else f"{count} characters"
            report.warnings.append(f"{what} could not be read and stand as \N{REPLACEMENT CHARACTER}")
        if found.open_elsewhere:
            report.warnings.append("another program still writes it; ingest it again for what comes later")
        self.gate.filter(file)
        return file

    def _resolve(self, file: _File, batch: Batch) -> None:
        report = file.report
        if batch.messages is None and batch.orders is None:
            raise ReadError(f"{report.path}: holds neither messages nor orders")
        # A file is taken as a whole or not at all: nothing is noted of it before all of it is resolved.
        messages, orders, rejects = None, None, [] if batch.rejects is None else [batch.rejects]
        if batch.messages is not None:
            messages, misplaced = identity.coded_messages(batch, self.accounts, report.path)
            rejects.append(misplaced)
        if batch.orders is not None:
            orders = identity.canonical_orders(batch, self.accounts, report.path)
        if messages is not None:
            report.messages_read = len(messages)
            file.messages.append(messages if self.keep_text else messages.without_text())
            _warn_of_future(batch, messages["sent_at"], "message")
        if orders is not None:
            report.orders_read = orders.height
            file.orders.append(orders)
            _warn_of_future(batch, orders["created_at"].to_numpy(), "order")
        for frame in rejects:
            if frame.is_empty():
                continue
            report.rejects += frame.height
            file.rejects.append(
                (frame if self.keep_text else _without_text(frame)).select(
                    pl.lit(report.path).alias("source_file"),
                    pl.lit(report.sha256, pl.String).alias("sha256"),
                    *schema.REJECTS,
                )
            )


def ingest(
    paths: list[str],
    store: Store,
    config: Config,
    *,
    shop: str | None = None,
    reader: Reader | None = None,
    options_fingerprint: str = "",
    keep_text: bool = True,
    moved_to: Mapping[Path, str] | None = None,
    dry_run: bool = False,
    on_file: Callable[[int, int, str], None] = lambda done, total, path: None,
) -> Report:
    """Read ``paths`` into ``store`` in one commit; ``reader`` skips the recognition of formats.

    ``options_fingerprint`` stands for what the user said about reading (a mapping's content): the same
    bytes read in another way are another file. Without ``keep_text`` the store learns who wrote when and how much,
    not what. ``moved_to``: the name by which the store is to remember a file that will be moved (`cslog run`).
    ``on_file(done, total, path)`` is called before each file.
    """
    files = files_below(paths)
    readers = [reader] if reader else registry.all_readers()
    accounts = identity.Accounts(
        shop=config.canonical_shop(shop) if shop else None,
        aliases={alias: main for main, known in config.shops.items() for alias in known.aliases},
        robots=config.robots(),
        assistants=config.assistants(),
        staff=config.staff(),
        internal={name: frozenset(known.internal) for name, known in config.shops.items()},
    )
    # A reader meets names before it knows the shop; whose they are is decided by cslog.identity.
    options = Options(
        shop=shop,
        staff=frozenset().union(*accounts.staff.values()),
        robots=DEFAULT_ROBOTS.union(*accounts.robots.values()),
    )
    told = f"{reader.id if reader else ''}\x1f{options_fingerprint}\x1f{shop or ''}"

    reports: list[FileReport] = []
    with store.writer(dry_run=dry_run) as writer, ThreadPoolExecutor(1) as appender:
        appending: Future[None] = appender.submit(lambda: None)
        known = writer.known_fingerprints()
        pending, known_as = _Pending(), dict[str, str]()
        how = _Reading(readers, options, accounts, told, known, keep_text and not dry_run, writer.gate())
        for file in _in_order(files, moved_to or {}, how, on_file):
            reports.append(file.report)
            if file.report.status != "ingested":
                continue
            if file.fingerprint in known:  # the same bytes were being read beside it
                reports[-1] = FileReport(file.report.path, "duplicate", sha256=file.report.sha256)
                continue
            known.add(file.fingerprint)
            known_as[file.report.path] = file.known_as or file.report.path
            pending.add(file)
            if pending.rows >= _ROWS_PER_APPEND:
                batch, pending = pending, _Pending()
                if dry_run:  # a writer that keeps nothing must see all orders at once to count them
                    batch, pending = _Pending(batch.messages), _Pending([], batch.orders, batch.rejects)
                batch.merge()
                appending.result()  # at most one batch is being appended, while the next is read and put in order
                appending = appender.submit(_append, writer, batch, list(reports), dict(known_as))
        on_file(len(files), len(files), "")
        pending.merge()
        appending.result()
        _append(writer, pending, reports, known_as)
        for report in reports:
            refused = report.messages_forgotten + report.messages_expired
            report.messages_duplicate = report.messages_read - report.messages_new - refused
        rows = [
            _ledger_row(report, told) | {"path": known_as[report.path]}
            for report in reports
            if report.status == "ingested"
        ]
        if rows and not dry_run:
            writer.commit(pl.DataFrame(rows, schema=LEDGER))
    return Report(store.snapshot().store_version, reports)


def _in_order(
    files: list[Path],
    moved_to: Mapping[Path, str],
    reading: _Reading,
    on_file: Callable[[int, int, str], None],
) -> Iterator[_File]:
    """Read the files side by side and yield them one after the other, in the order in which they were named.

    Decoding and scanning run without the interpreter's lock. One file a thread is in memory, and further ones only
    while all of them are small.
    """
    waiting: deque[tuple[int, Future[_File]]] = deque()
    ahead = 0  # bytes of those that wait

    def taken() -> _File:
        nonlocal ahead
        size, read = waiting.popleft()
        ahead -= size
        return read.result()

    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for done, file in enumerate(files):
                on_file(done, len(files), str(file))
                for found in inputs_of(file, moved_to.get(file)):
                    size = len(found.head.data) if found.head else 0
                    waiting.append((size, pool.submit(reading.read, found)))
                    ahead += size
                    while len(waiting) > _THREADS and ahead > _BYTES_AHEAD:
                        yield taken()
            while waiting:
                yield taken()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _whole_lines(head: Head) -> Head:
    """A text to which a program still adds, as far as its lines have an end: half a line would stay in the store beside
    the whole one that comes later.
    """
    if head.container != "text" or decode.looks_utf16(head.data[:HEAD_BYTES]):
        return head
    return Head(head.path, head.data[: head.data.rfind(b"\n") + 1])


def _without_text(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(text=pl.lit(None, pl.String))


def _warn_of_future(batch: Batch, seconds: np.ndarray, what: str) -> None:
    """Say when rows are dated after tomorrow: they are kept, and make all figures before them look final."""
    late = int((seconds > clock.now() + clock.DAY_SECONDS).sum())
    if late:
        rows = f"1 {what} is" if late == 1 else f"{late} {what}s are"
        batch.warnings.append(f"{rows} dated in the future; was the clock of a computer wrong?")


def _append(
    writer: Writer, pending: _Pending, reports: list[FileReport], known_as: Mapping[str, str]
) -> None:
    by_path = {known_as.get(report.path, report.path): report for report in reports}
    while pending.messages:  # the memory of what was appended is for what is read next
        appended = writer.append_messages(pending.messages.pop(0))
        for path, count in appended.new.items():
            by_path[path].messages_new += count
    if pending.orders:
        orders: Appended = writer.append_orders(pl.concat(pending.orders))
        for path, count in orders.new.items():
            by_path[path].orders_new += count
        for path, count in orders.changed.items():
            by_path[path].orders_changed += count
    if pending.rejects:
        writer.append_rejects(pl.concat(pending.rejects))


def _fingerprint(report: FileReport, told: str) -> str:
    return hashlib.sha256(f"{report.sha256}\x1f{told}".encode()).hexdigest()


_LEDGER_COUNTS = (
    "messages_read",
    "messages_new",
    "orders_read",
    "orders_new",
    "orders_changed",
    "rejects",
    "replaced_characters",
)


def _ledger_row(report: FileReport, told: str) -> dict[str, Any]:
    counts = {name: getattr(report, name) for name in _LEDGER_COUNTS}
    return ledger_row(
        path=report.path,
        sha256=report.sha256,
        fingerprint=_fingerprint(report, told),
        reader=report.reader,
        encoding=report.encoding,
        **counts,
    )
