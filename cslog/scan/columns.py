"""Columns of strings as places in memory for the loops of this package, and back, without copies."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit, types

from cslog.scan.addresses import Rows

_STEP = 1 << 30  # what cslog.scan.chat_blocks._view divides places by
_I64 = types.Array(types.int64, 1, "C", readonly=True)
_U64 = types.Array(types.uint64, 1, "C", readonly=True)


def viewed(views: np.ndarray, text: bytearray) -> pl.Series:
    """The Arrow string views of cslog.scan.chat_blocks into ``text`` as strings; it must not change any more."""
    whole = memoryview(text)
    buffers = [pa.py_buffer(whole[begin : begin + 2 * _STEP - 1]) for begin in range(0, len(text), _STEP)]
    array = pa.Array.from_buffers(pa.string_view(), len(views) // 2, [None, pa.py_buffer(views), *buffers])
    return pl.Series(array, dtype=pl.String)


def strings(data: np.ndarray, places: np.ndarray) -> pl.Series:
    """Strings out of their bytes behind one another and the rows + 1 places where each begins and ends."""
    buffers = [None, pa.py_buffer(places), pa.py_buffer(data)]
    return pl.Series(pa.Array.from_buffers(pa.large_string(), len(places) - 1, buffers), dtype=pl.String)


def rows_of(strings: pl.Series) -> Rows:
    """Where the strings are in memory."""
    array = strings.to_arrow(compat_level=pl.CompatLevel.newest())
    present, views, *buffers = array.buffers()
    words = np.frombuffer(views, np.uint64)[2 * array.offset : 2 * (array.offset + len(array))]
    bases = np.array([buffer.address if buffer else 0 for buffer in buffers], np.int64)
    addresses, lengths = _rows(words, bases)
    if array.null_count:
        bits = np.unpackbits(np.frombuffer(present, np.uint8), bitorder="little")
        lengths *= bits[array.offset : array.offset + len(array)]
    return Rows(addresses, lengths, array)


@njit([(_U64, _I64)], cache=True, nogil=True)
def _rows(views, bases):  # type: ignore[no-untyped-def]
    rows = views.size // 2
    addresses = np.empty(rows, np.int64)
    lengths = np.empty(rows, np.int32)
    for row in range(rows):
        length = np.int64(views[2 * row] & np.uint64(0xFFFFFFFF))
        lengths[row] = length
        if length <= 12:
            addresses[row] = views.ctypes.data + 16 * row + 4
        else:
            rest = views[2 * row + 1]
            addresses[row] = bases[np.int64(rest & np.uint64(0xFFFFFFFF))] + np.int64(rest >> np.uint64(32))
    return addresses, lengths
