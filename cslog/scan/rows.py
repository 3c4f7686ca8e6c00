"""Equal rows of columns of numbers or strings, by one hash table each."""

from __future__ import annotations

import numpy as np
from numba import njit, types

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_I32 = types.Array(types.int32, 1, "C", readonly=True)
_I64 = types.Array(types.int64, 1, "C", readonly=True)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@njit
def _table(rows):  # type: ignore[no-untyped-def]
    """An empty table of row numbers with room to spare, its size a power of two."""
    size = 16
    while size < 2 * rows:
        size *= 2
    return np.full(size, -1, np.int32)


@njit
def _slot(value, size):  # type: ignore[no-untyped-def]
    value = (value ^ (value >> np.uint64(32))) * _SPREAD
    return np.int64((value ^ (value >> np.uint64(29))) & np.uint64(size - 1))


@njit([(_I64,)], cache=True, nogil=True)
def distinct(keys):  # type: ignore[no-untyped-def]
    """A number per row, 0, 1, 2… in order of appearance, equal for equal keys; and the first row of each number."""
    codes = np.empty(keys.size, np.int32)
    first = np.empty(keys.size, np.int32)
    table = _table(keys.size)
    count = 0
    for row in range(keys.size):
        if row > 0 and keys[row] == keys[row - 1]:
            codes[row] = codes[row - 1]
            continue
        slot = _slot(np.uint64(keys[row]), table.size)
        while table[slot] >= 0 and keys[first[table[slot]]] != keys[row]:
            slot = (slot + 1) & (table.size - 1)
        if table[slot] < 0:
            table[slot] = count
            first[count] = row
            count += 1
        codes[row] = table[slot]
    return codes, first[:count].copy()


@njit([(_I64, _I64, _I64)], cache=True, nogil=True)
def equal_before(one, two, three):  # type: ignore[no-untyped-def]
    """Per row, how many rows before it are equal in ``one`` and ``two``, and how many in all three (int32)."""
    ranks = np.zeros(one.size, np.int32)
    occurrences = np.zeros(one.size, np.int32)
    pairs, triples = _table(one.size), _table(one.size)  # the last row of each kind
    for row in range(one.size):
        mixed = np.uint64(one[row]) * _SPREAD + np.uint64(two[row])
        slot = _slot(mixed, pairs.size)
        while pairs[slot] >= 0 and (one[pairs[slot]] != one[row] or two[pairs[slot]] != two[row]):
            slot = (slot + 1) & (pairs.size - 1)
        if pairs[slot] >= 0:
            ranks[row] = ranks[pairs[slot]] + 1
        pairs[slot] = row
        slot = _slot(mixed * _SPREAD + np.uint64(three[row]), triples.size)
        while triples[slot] >= 0:
            other = triples[slot]
            if one[other] == one[row] and two[other] == two[row] and three[other] == three[row]:
                occurrences[row] = occurrences[other] + 1
                break
            slot = (slot + 1) & (triples.size - 1)
        triples[slot] = row
    return ranks, occurrences
