"""Columns of strings as bytes for the loops of this package, and back."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

_STEP = 1 << 30  # what cslog.scan.chat_blocks._view divides places by


def viewed(views: np.ndarray, text: bytearray) -> pl.Series:
    """The Arrow string views of cslog.scan.chat_blocks into ``text`` as strings, without a copy; ``text`` must not change any more."""
    whole = memoryview(text)
    buffers = [pa.py_buffer(whole[begin : begin + 2 * _STEP - 1]) for begin in range(0, len(text), _STEP)]
    array = pa.Array.from_buffers(pa.string_view(), len(views) // 2, [None, pa.py_buffer(views), *buffers])
    return pl.Series(array, dtype=pl.String)


def bytes_of(strings: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """UTF-8 of all rows behind one another, and the rows + 1 places where each begins and ends. Nulls are empty."""
    array = strings.to_arrow()
    _, offsets, data = array.buffers()
    places = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8), places


def strings(data: np.ndarray, places: np.ndarray) -> pl.Series:
    """The inverse of ``bytes_of``."""
    buffers = [None, pa.py_buffer(places), pa.py_buffer(data)]
    return pl.Series(pa.Array.from_buffers(pa.large_string(), len(places) - 1, buffers), dtype=pl.String)
