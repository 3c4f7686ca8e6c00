"""Delta tables, used narrowly: open a version, list its files, add files, replace files by others.

The only file that imports deltalake. Files are written here and not by Delta, because how a column is packed
decides what a report costs: see ``Layout``.
"""

from __future__ import annotations

import itertools
import json
import os
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from cslog.errors import StoreError
from cslog.schema import ROWS_PER_GROUP, Schema

if TYPE_CHECKING:
    import pyarrow as pa

    Rows: TypeAlias = pl.DataFrame | Callable[[], pa.Table]

__all__ = [
    "CommitFailedError",
    "DeltaError",
    "Layout",
    "Part",
    "Table",
    "as_written",
    "checkpoint",
    "create",
    "exists",
    "made_at",
    "statistics",
    "write_parquet",
]

_APPLICATION = "cslog"
_KEEP = "interval 36500 days"  # audit: old versions stay readable until the user says otherwise
# Nothing is ever deleted by its age: a clock that is wrong by a century (or was, when a file was written) makes
# everything old enough, and the history of a store would be gone.
_KEEP_HISTORY = PostCommitHookProperties(cleanup_expired_logs=False)
_WRITERS = os.cpu_count() or 1


@dataclass(frozen=True)
class Layout:
    """How the files of a table are made. ``columns``: its schema; ``partition``: the column that names the folder.

    ``loose`` columns are not compressed, because every report reads them: unpacking costs more than reading.
    ``plain`` columns are not worth a dictionary. ``bounds``: integer columns whose least and greatest value are
    noted per file, so that files can be left unopened. ``stepping`` columns of integers differ little from row to
    row and are kept as the differences. ``notes``: texts in a file about its rows, by name.
    """

    columns: Schema
    partition: str | None = None
    loose: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    stepping: tuple[str, ...] = ()
    bounds: tuple[str, ...] = ()
    notes: Mapping[str, Callable[[pa.Table], str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One Parquet file of a table. ``bounds``: least and greatest value of columns of ``Layout.bounds``."""

    path: Path
    name: str  # relative to the table's folder, as Delta knows it
    rows: int
    partition: str | None
    bounds: dict[str, tuple[int, int]] = field(hash=False)

    def note(self, name: str) -> str | None:
        """One of ``Layout.notes``; files of an older cslog have none."""
        return pl.read_parquet_metadata(self.path).get(name)

    def meets(self, column: str, low: int, high: int) -> bool:
        """Whether a value between ``low`` and ``high`` may occur."""
        least, greatest = self.bounds.get(column, (low, high))
        return least <= high and low <= greatest

    def within(self, column: str, low: int, high: int) -> bool:
        """Whether all values are known to lie between ``low`` and ``high``."""
        least, greatest = self.bounds.get(column, (low - 1, high))
        return low <= least and greatest <= high


def exists(path: Path) -> bool:
    """Whether there is a table."""
    return DeltaTable.is_deltatable(str(path))


def made_at(path: Path, version: int) -> tuple[int, int]:
    """What tells the commit of a version from that of another table in the same place: when it was written, and the
    file's number, which the system gives again soon after a table was removed.
    """
    commit = path / "_delta_log" / f"{version:020d}.json"
    # Other programs may have removed it behind a checkpoint.
    found = (commit if commit.exists() else path).stat()
    return found.st_mtime_ns, found.st_ino


def create(path: Path, layout: Layout) -> None:
    """Make an empty table unless there is one."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    DeltaTable.create(
        str(path),
        schema=_arrow_schema(layout.columns),
        mode="ignore",
        partition_by=[layout.partition] if layout.partition else [],
        configuration={
            "delta.logRetentionDuration": _KEEP,
            "delta.deletedFileRetentionDuration": _KEEP,
            "delta.enableExpiredLogCleanup": "false",  # for other programs
        },
    )


def checkpoint(path: Path) -> None:
    """Sum up the commits of a table in one file, so that it opens faster; Delta does so by itself now and then."""
    DeltaTable(str(path)).create_checkpoint()


class Table:
    """One version of a table. Raises StoreError when it cannot be opened."""

    def __init__(self, path: Path, layout: Layout, version: int | None = None) -> None:
        self.path = path
        self.layout = layout
        try:
            self._delta = DeltaTable(str(path), version=version)
        except (TableNotFoundError, DeltaError) as error:
            raise StoreError(
                f"the table {path.name} of the store at {path.parent} cannot be opened",
                "restore the folder from a backup",
            ) from error

    @property
    def version(self) -> int:
        """Number of the version."""
        return self._delta.version()

    @cached_property
    def columns(self) -> frozenset[str]:
        """Names of its columns; older tables may lack some."""
        return frozenset(column.name for column in self._delta.schema().fields)

    @cached_property
    def parts(self) -> list[Part]:
        """All files, those with smaller least values first."""
        noted = pl.DataFrame(self._delta.get_add_actions(flatten=True))
        parts = []
        for row in noted.iter_rows(named=True):
            bounds = {
                name: (row[f"min.{name}"], row[f"max.{name}"])
                for name in self.layout.bounds
                if row.get(f"min.{name}") is not None and row.get(f"max.{name}") is not None
            }
            partition = row.get(f"partition.{self.layout.partition}") if self.layout.partition else None
            parts.append(Part(self.path / row["path"], row["path"], row["num_records"], partition, bounds))
        return sorted(
            parts, key=lambda part: [part.partition or "", *(b[0] for b in part.bounds.values()), part.name]
        )

    def scan(self, parts: Sequence[Part] | None = None) -> pl.LazyFrame:
        """Rows of ``parts`` (default: all) with the columns that the table has."""
        return self.scan_files([part.path for part in (self.parts if parts is None else parts)])

    def scan_files(self, paths: Sequence[Path]) -> pl.LazyFrame:
        """Rows of files of the table, whether this version names them or not, with the columns that it has."""
        here = {name: dtype for name, dtype in self.layout.columns.items() if name in self.columns}
        if not paths:
            return pl.LazyFrame(schema=here)
        partition = self.layout.partition
        frame = pl.scan_parquet(
            list(paths),
            hive_partitioning=partition is not None,
            hive_schema={partition: pl.String()} if partition else None,
            missing_columns="insert",
            extra_columns="ignore",
            schema={name: dtype for name, dtype in here.items() if name != partition},
        )
        return frame.select(list(here))

    def add(self, frames: Mapping[str, Iterable[Rows]]) -> list[str]:
        """Append rows in one commit: each frame a file (or one per partition), by the prefix of its name; without
        rows there is no commit. What makes an Arrow table, of one partition, is called by the thread that writes it.
        Returns the names of the files.

        Raises CommitFailedError when another writer was faster; nothing is left behind then.
        """
        return self._commit(((prefix, frame) for prefix, found in frames.items() for frame in found), [])

    def replace(self, parts: Sequence[Part], frames: Iterable[pl.DataFrame]) -> None:
        """Put the rows of ``frames`` in the place of ``parts``, in one commit; the old files stay readable by version."""
        now = time.time_ns() // 1_000_000
        removed = [RemoveAction(path=part.name, data_change=False, deletion_timestamp=now) for part in parts]
        self._commit((("part", frame) for frame in frames), removed)

    def add_missing_columns(self) -> None:
        """Widen the schema of an older table to that of its layout."""
        import pyarrow as pa
        from deltalake import Schema as DeltaSchema

        missing = [c for c in self.layout.columns if c not in self.columns]
        if missing:
            wanted = _arrow_schema(self.layout.columns)
            fields = DeltaSchema.from_arrow(pa.schema([wanted.field(name) for name in missing])).fields
            self._delta.alter.add_columns(fields, post_commithook_properties=_KEEP_HISTORY)

    def _commit(self, frames: Iterable[tuple[str, Rows]], removed: list[RemoveAction]) -> list[str]:
        added: list[AddAction] = []
        writing: deque[Future[list[AddAction]]] = deque()
        # The transaction number is an optimistic lock: of two writers that saw the same one, one fails.
        turn = (self._delta.transaction_version(_APPLICATION) or 0) + 1
        try:
            with ThreadPoolExecutor(max_workers=_WRITERS) as pool:
                for prefix, frame in frames:
                    writing.append(pool.submit(self._written, frame, prefix, data_change=not removed))
                    if len(writing) > _WRITERS:  # no more frames in memory than are being written
                        added += writing.popleft().result()
                while writing:
                    added += writing.popleft().result()
        except BaseException:
            written = [future.result() for future in writing if future.exception() is None]
            self._forget(list(itertools.chain(added, *written)))
            raise
        if not added and not removed:
            return []
        try:
            self._delta.create_write_transaction(
                [*removed, *added],
                mode="append",
                schema=_arrow_schema(self.layout.columns),
                partition_by=[self.layout.partition] if self.layout.partition else [],
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(_APPLICATION, turn)], max_commit_retries=0
                ),
                post_commithook_properties=_KEEP_HISTORY,
            )
        except CommitFailedError:
            # After any other failure the commit may stand, and its files must too.
            self._forget(added)
            raise
        return [action.path for action in added]

    def _forget(self, added: list[AddAction]) -> None:
        for action in added:
            (self.path / action.path).unlink(missing_ok=True)

    def _written(self, frame: Rows, prefix: str, *, data_change: bool) -> list[AddAction]:
        """Write one file per partition value; rows keep their order."""
        partition, actions = self.layout.partition, []
        for value, piece in self._partitions(frame):
            folder = f"{partition}={value}/" if partition else ""
            name = f"{folder}{prefix}-{uuid.uuid4().hex}.parquet"
            (self.path / folder).mkdir(mode=0o700, exist_ok=True)
            size = write_parquet(self.path / name, piece, self.layout)
            actions.append(
                AddAction(
                    path=name,
                    size=size,
                    partition_values={partition: value} if partition else {},
                    modification_time=time.time_ns() // 1_000_000,
                    data_change=data_change,
                    stats=json.dumps(statistics(piece, self.layout)),
                )
            )
        return actions

    def _partitions(self, frame: Rows) -> Iterator[tuple[str | None, pa.Table]]:
        """The rows of each value of the partition, without that column; none of an empty one."""
        partition = self.layout.partition
        names = [name for name in self.layout.columns if name != partition]
        if isinstance(frame, pl.DataFrame):
            by_value = frame.partition_by(partition, as_dict=True) if partition else {(None,): frame}
            found = [
                (value, as_written(piece, self.layout))
                for (value,), piece in sorted(by_value.items(), key=itemgetter(0))
            ]
        else:
            table = frame()
            value = table[partition][0].as_py() if partition and table.num_rows else None
            found = [(value, table.select(names))]
        yield from ((value, table) for value, table in found if table.num_rows)


def as_written(frame: pl.DataFrame, layout: Layout) -> pa.Table:
    """The rows of one partition as ``write_parquet`` takes them; a file of an older schema lacks columns."""
    names = [name for name in layout.columns if name != layout.partition and name in frame.columns]
    # Strings where they are, uncopied; Arrow writes no more than 1,024 rows of them inside lists and structures.
    nested = any(frame.schema[name].is_nested() for name in names)
    level = pl.CompatLevel.oldest() if nested else pl.CompatLevel.newest()
    return frame.select(names).to_arrow(compat_level=level)


def statistics(table: pa.Table, layout: Layout) -> dict[str, Any]:
    """What Delta notes of a file with these rows."""
    frame = pl.DataFrame(table.select(layout.bounds))
    least = {name: frame[name].min() for name in layout.bounds}
    greatest = {name: frame[name].max() for name in layout.bounds}
    return {
        "numRecords": frame.height,
        "minValues": {name: value for name, value in least.items() if value is not None},
        "maxValues": {name: value for name, value in greatest.items() if value is not None},
        "nullCount": {name: frame[name].null_count() for name in layout.bounds},
    }


def write_parquet(path: Path, table: pa.Table, layout: Layout) -> int:
    """Write ``table`` and return the size in bytes; on the disk before it is named in a commit.

    What is noted of a file needs all columns of the layout; one of an older schema has no notes. A column is required
    in files where it has no nulls, and optional in others.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = table.column_names
    loose = set(layout.loose)
    whole = set(layout.columns) - {layout.partition} <= set(names)
    notes = {name: note(table) for name, note in layout.notes.items()} if whole else {}
    # Of a column without nulls it need not be written, row by row, that there is none.
    fields = [
        field.with_nullable(column.null_count > 0)
        for field, column in zip(table.schema, table.columns, strict=True)
    ]
    table = pa.table(table.columns, schema=pa.schema(fields))
    with path.open("wb") as file:
        with pq.ParquetWriter(
            file,
            table.schema,
            compression={name: "none" if name in loose else "zstd" for name in names},
            compression_level={name: 1 for name in names if name not in loose},
            use_dictionary=[name for name in names if name not in (*layout.plain, *layout.stepping)],
            column_encoding=dict.fromkeys(layout.stepping, "DELTA_BINARY_PACKED") or None,
            write_statistics=list(layout.bounds) or False,
            store_schema=False,
        ) as writer:
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)
            writer.add_key_value_metadata(notes)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _arrow_schema(columns: Schema) -> Any:
    return pl.DataFrame(schema=columns).to_arrow().schema
