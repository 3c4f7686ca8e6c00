"""Texts as addresses in memory: what the loops of this package go through."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np


class Rows(NamedTuple):
    """Where the UTF-8 of each row begins (int64 addresses) and how many bytes it has (int32); nulls have none.

    The addresses hold as long as ``owner`` is kept.
    """

    addresses: np.ndarray
    lengths: np.ndarray
    owner: Any

    def only(self, rows: np.ndarray) -> Rows:
        """The rows with these numbers."""
        return Rows(self.addresses.take(rows), self.lengths.take(rows), self.owner)


def copied(texts: Iterable[str]) -> Rows:
    """A few texts. Columns are taken where they are by ``cslog.scan.columns``, which needs pyarrow: its import takes
    longer than a small report.
    """
    written = [text.encode() for text in texts]
    lengths = np.array([len(text) for text in written], np.int32)
    data = np.frombuffer(b"".join(written), np.uint8)
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    return Rows(data.ctypes.data + starts, lengths, data)
