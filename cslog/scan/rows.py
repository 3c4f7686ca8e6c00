"""Equal rows of columns of numbers or strings, by one hash table each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from cslog.scan.words import pointer

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_I32 = types.Array(types.int32, 1, "C", readonly=True)
_I64 = types.Array(types.int64, 1, "C", readonly=True)
_FOUR: Any = types.Tuple((_I64, _I64, _I64, _I64))  # type: ignore[no-untyped-call]
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


@njit([(_I32, _I64, types.Array(types.int32, 1, "C"))], cache=True, nogil=True)
def renumbered(codes, rows, places):  # type: ignore[no-untyped-def]
    """The codes of ``rows`` as 0, 1, 2… in order of appearance, -1 for the code 0, and the codes numbered (int32).

    ``places`` has room for every code; it is all -1, and so it is left.
    """
    numbers = np.empty(rows.size, np.int32)
    found = np.empty(min(rows.size, places.size), np.int32)
    count = 0
    for at in range(rows.size):
        code = codes[rows[at]]
        if code == 0:
            numbers[at] = -1
            continue
        if places[code] < 0:
            places[code] = count
            found[count] = code
            count += 1
        numbers[at] = places[code]
    for at in range(count):
        places[found[at]] = -1
    return numbers, found[:count].copy()


@njit([(_I32, _I32, types.Array(types.int32, 1, "C"))], cache=True, nogil=True)
def translate(codes, others, out):  # type: ignore[no-untyped-def]
    """Write to ``out`` what stands for each code in ``others``; what numpy does by an index twice as wide."""
    for row in range(codes.size):
        out[row] = others[codes[row]]


NONE, SEVERAL = -1, -2


@njit([(_I32, _I32)], cache=True, nogil=True)
def only_one(groups, values):  # type: ignore[no-untyped-def]
    """Per group the only value from 0 on that its rows have, NONE or SEVERAL (int32)."""
    count = 0
    for group in groups:
        count = max(count, group + 1)
    found = np.full(count, NONE, np.int32)
    for row in range(groups.size):
        value, other = values[row], found[groups[row]]
        if value >= 0 and value != other:
            found[groups[row]] = value if other == NONE else SEVERAL
    return found


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


def ordered(keys: np.ndarray) -> np.ndarray:
    """The rows in the order of ``keys`` (int64), those of a key in the order in which they stand; for keys that many
    rows have.
    """
    codes, first = distinct(keys)
    ranks = np.empty(len(first), np.int32)
    ranks[np.argsort(keys[first])] = np.arange(len(first), dtype=np.int32)
    return _by_rank(codes, ranks)


@njit([(_I32, _I32)], cache=True, nogil=True)
def _by_rank(codes, ranks):  # type: ignore[no-untyped-def]
    begins = np.zeros(ranks.size + 1, np.int64)
    for code in codes:
        begins[ranks[code] + 1] += 1
    for rank in range(ranks.size):
        begins[rank + 1] += begins[rank]
    order = np.empty(codes.size, np.int64)
    for row in range(codes.size):
        rank = ranks[codes[row]]
        order[begins[rank]] = row
        begins[rank] += 1
    return order


@njit
def _before(one, other, keys):  # type: ignore[no-untyped-def]
    """Whether row ``one`` comes before row ``other``."""
    if keys[0][one] != keys[0][other]:
        return keys[0][one] < keys[0][other]
    if keys[1][one] != keys[1][other]:
        return keys[1][one] < keys[1][other]
    if keys[2][one] != keys[2][other]:
        return keys[2][one] < keys[2][other]
    return keys[3][one] < keys[3][other]


@njit
def _run_end(order, begin, end, keys):  # type: ignore[no-untyped-def]
    """Where the rows that are in order from ``begin`` on end."""
    at = begin + 1
    while at < end and not _before(order[at], order[at - 1], keys):
        at += 1
    return at


@njit([(types.Array(types.int64, 1, "C"), _I64, _FOUR)], cache=True, nogil=True)
def arrange(rows, first, keys):  # type: ignore[no-untyped-def]
    """Bring ``rows``, which is sorted by ``first``, into the order of ``keys`` where ``first`` is equal.

    Stable. Runs that are in order are merged, and exports are in order for the most part.
    """
    spare = np.empty(rows.size, np.int64)
    order = pointer(rows)
    columns = (pointer(keys[0]), pointer(keys[1]), pointer(keys[2]), pointer(keys[3]))
    begin = 0
    while begin < rows.size:
        end = begin + 1
        while end < rows.size and first[order[end]] == first[order[begin]]:
            end += 1
        while True:
            left, runs = begin, 0
            while left < end:
                middle = _run_end(order, left, end, columns)
                runs += 1
                if middle == end:
                    break
                right = _run_end(order, middle, end, columns)
                one, other = left, middle
                for at in range(left, right):
                    if one < middle and (other >= right or not _before(order[other], order[one], columns)):
                        spare[at] = order[one]
                        one += 1
                    else:
                        spare[at] = order[other]
                        other += 1
                rows[left:right] = spare[left:right]
                left = right
            if runs <= 1:
                break
        begin = end


@njit([(_I64, _FOUR)], cache=True, nogil=True)
def repeats(order, keys):  # type: ignore[no-untyped-def]
    """Whether each row of ``order`` is equal in all ``keys`` to the row before it."""
    found = np.zeros(order.size, np.bool_)
    for at in range(1, order.size):
        one, other = order[at - 1], order[at]
        found[at] = (
            keys[0][one] == keys[0][other]
            and keys[1][one] == keys[1][other]
            and keys[2][one] == keys[2][other]
            and keys[3][one] == keys[3][other]
        )
    return found


@njit([(_I64, _I64, _I64, _I64)], cache=True, nogil=True)
def meeting(buyer, second, known_buyer, known_second):  # type: ignore[no-untyped-def]
    """Where among the known rows those with the buyer and the second of each row begin, -1 where there are none; both
    are sorted by the two columns. Far fewer of the known ones are looked at than there are.
    """
    found = np.full(buyer.size, -1, np.int64)
    size = known_buyer.size
    begin = 0
    for row in range(buyer.size):
        one, two = buyer[row], second[row]
        if row > 0 and one == buyer[row - 1] and two == second[row - 1]:
            found[row] = found[row - 1]
            continue
        end, step = begin, 1
        while end < size and (
            known_buyer[end] < one or (known_buyer[end] == one and known_second[end] < two)
        ):
            begin = end + 1
            end += step
            step *= 2
        end = min(end, size)
        while begin < end:
            middle = (begin + end) // 2
            if known_buyer[middle] < one or (known_buyer[middle] == one and known_second[middle] < two):
                begin = middle + 1
            else:
                end = middle
        if begin < size and known_buyer[begin] == one and known_second[begin] == two:
            found[row] = begin
    return found


@njit([(_I64, _FOUR, _FOUR)], cache=True, nogil=True)
def among(begins, rows, known):  # type: ignore[no-untyped-def]
    """Where each of ``rows`` stands among ``known``, -1 for nowhere; ``begins``: by ``meeting`` of the first two of the
    four columns.
    """
    found = np.full(begins.size, -1, np.int64)
    for row in range(begins.size):
        at = begins[row]
        while 0 <= at < known[0].size and known[0][at] == rows[0][row] and known[1][at] == rows[1][row]:
            if known[2][at] == rows[2][row] and known[3][at] == rows[3][row]:
                found[row] = at
                break
            at += 1
    return found
