"""Strings that stand in a buffer of bytes, as a table column, without a copy."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

_STEP = 1 << 30  # what cslog.readers.scan.chat_blocks._view divides places by


def strings(views: np.ndarray, text: bytearray) -> pl.Series:
    """The Arrow string views (rows, 4) into ``text`` as strings; ``text`` must not change any more."""
    whole = memoryview(text)
    buffers = [pa.py_buffer(whole[begin : begin + 2 * _STEP - 1]) for begin in range(0, len(text), _STEP)]
    array = pa.Array.from_buffers(pa.string_view(), len(views), [None, pa.py_buffer(views), *buffers])
    return pl.Series(array, dtype=pl.String)
