"""Rows into a file as they come: CSV, JSON lines, Parquet. The same cells as those of a sheet (report.files)."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from cslog.errors import UsageError
from cslog.report import files
from cslog.report.sheet import Column, Language, plain_value

if TYPE_CHECKING:
    from typing import IO

ENDINGS = (".parquet", ".csv", ".jsonl")


def write(
    file: Path, batches: Iterable[pl.DataFrame], columns: Sequence[Column], language: Language = "en"
) -> int:
    """Write ``batches`` to ``file``, whose ending names the format, and return how many rows there were.

    Nobody else may read it. An older file is replaced only when all of the new one is written.
    """
    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"{file}: the ending names no format", f"end it in {' '.join(ENDINGS)}")
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        descriptor = os.open(
            partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
        )
        with os.fdopen(descriptor, "wb") as opened:
            count = {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}[ending](
                opened, batches, columns, language
            )
        partial.replace(file)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", "give another --output") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def _csv(
    file: IO[bytes], batches: Iterable[pl.DataFrame], columns: Sequence[Column], language: Language
) -> int:
    count = 0
    with io.TextIOWrapper(file, encoding="utf-8-sig", newline="", errors="replace") as text:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow([column.heading(language) for column in columns])
        for batch in batches:
            count += batch.height
            for row in batch.select(column.key for column in columns).iter_rows():
                writer.writerow(
                    [files.csv_cell(value, column) for value, column in zip(row, columns, strict=True)]
                )
    return count


def _json_lines(
    file: IO[bytes], batches: Iterable[pl.DataFrame], columns: Sequence[Column], _: Language
) -> int:
    count, encoder = 0, msgspec.json.Encoder(decimal_format="number")
    for batch in batches:
        count += batch.height
        for row in batch.select(column.key for column in columns).iter_rows():
            cells = {
                column.key: plain_value(value, column.unit)
                for value, column in zip(row, columns, strict=True)
            }
            file.write(encoder.encode(cells) + b"\n")
    return count


def _parquet(file: IO[bytes], batches: Iterable[pl.DataFrame], columns: Sequence[Column], _: Language) -> int:
    import pyarrow.parquet as pq

    count, writer = 0, None
    try:
        for batch in batches:
            count += batch.height
            table = files.typed(batch, columns).to_arrow()
            writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd", store_schema=False)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
    return count
