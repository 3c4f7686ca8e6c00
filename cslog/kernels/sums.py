"""Facts → sums per row of the report: integers only, so that any split of the facts adds up to the same."""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.kernels.signatures import I8, I32, I64, INT

_SMALL_RANGE = 4_000_000  # numbers that a table of all of them is kept for


@njit(cache=True, nogil=True, inline="always")
def _mixed(value):  # type: ignore[no-untyped-def]
    """The bits of a number spread out, so that neighbours do not share a slot."""
    value = np.uint64(value) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(value ^ (value >> np.uint64(29)))


@njit([(I64,)], cache=True, nogil=True)
def intern(keys):  # type: ignore[no-untyped-def]
    """Codes 0, 1, 2 … of ``keys`` in the order of their first appearance, int32, -1 for negative ones; and the
    distinct keys by code.
    """
    codes = np.empty(keys.size, np.int32)
    size = 1024
    slots = np.full(size, -1, np.int32)
    distinct = np.empty(size // 2, np.int64)
    count = 0
    last_key, last_code = np.int64(-1), np.int32(-1)
    for i in range(keys.size):
        key = keys[i]
        if key < 0:
            codes[i] = -1
            continue
        if key == last_key:  # neighbours mostly belong to the same row
            codes[i] = last_code
            continue
        place = _mixed(key) & (size - 1)
        while slots[place] >= 0 and distinct[slots[place]] != key:
            place = (place + 1) & (size - 1)
        if slots[place] < 0:
            if count == distinct.size:
                size *= 4
                slots = np.full(size, -1, np.int32)
                more = np.empty(size // 2, np.int64)
                more[:count] = distinct
                distinct = more
                for code in range(count):
                    place = _mixed(distinct[code]) & (size - 1)
                    while slots[place] >= 0:
                        place = (place + 1) & (size - 1)
                    slots[place] = code
                place = _mixed(key) & (size - 1)
                while slots[place] >= 0:
                    place = (place + 1) & (size - 1)
            slots[place] = count
            distinct[count] = key
            count += 1
        last_key, last_code = key, slots[place]
        codes[i] = last_code
    return codes, distinct[:count].copy()


def small_codes(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As ``intern``, codes ascending with the numbers, for many numbers out of a small range."""
    size = int(numbers.max(initial=-1)) + 1
    if size > _SMALL_RANGE:
        return intern(numbers)
    there = np.zeros(size + 1, bool)
    there[numbers] = True  # the last is that of -1
    there[size] = False
    codes = np.cumsum(there, dtype=np.int32) - np.int32(1)
    codes[size] = -1
    return codes[numbers], np.flatnonzero(there)


@njit([(I32, I64, I64, INT)], cache=True, nogil=True)
def count_flags(codes, flags, needs, number):  # type: ignore[no-untyped-def]
    """How many facts of each code (of ``number``) have all flags of each mask in ``needs``: int64, (codes, masks)."""
    sums = np.zeros((number + 1, needs.size), np.int64)  # the last row for facts that count nowhere
    for i in range(codes.size):
        code, bits = codes[i] if codes[i] >= 0 else number, flags[i]
        for j in range(needs.size):  # without a branch, so that several are added at once
            sums[code, j] += (bits & needs[j]) == needs[j]
    return sums[:number]


@njit([(I32, I64, INT, I64, INT)], cache=True, nogil=True)
def add_values(codes, flags, need, values, number):  # type: ignore[no-untyped-def]
    """Sum of ``values`` of the facts that have all flags of ``need``, per code: int64."""
    sums = np.zeros(number + 1, np.int64)  # the last for facts that count nowhere
    for i in range(codes.size):
        counts = (codes[i] >= 0) & (flags[i] & need == need)
        sums[codes[i] if counts else number] += values[i]
    return sums[:number]


@njit([(I32, I64, INT, I64, INT)], cache=True, nogil=True)
def count_distinct(codes, flags, need, who, number):  # type: ignore[no-untyped-def]
    """How many different values of ``who``, equal ones of which follow one another, have a fact with ``need``."""
    sums = np.zeros(number, np.int64)
    last = np.full(number, -1, np.int64)
    for i in range(codes.size):
        code = codes[i]
        if code >= 0 and flags[i] & need == need and last[code] != who[i]:
            last[code] = who[i]
            sums[code] += 1
    return sums


@njit([(I32, I64, INT, I64, INT, INT)], cache=True, nogil=True)
def histogram(codes, flags, need, values, number, width):  # type: ignore[no-untyped-def]
    """How often each value below ``width`` occurs per code among the facts with all flags of ``need``: int64, code *
    width + value; and positions of the facts whose value is greater.
    """
    counts = np.zeros(number * width, np.int64)
    longer = np.empty(codes.size, np.int64)
    size = 0
    for i in range(codes.size):
        if codes[i] >= 0 and flags[i] & need == need:
            if values[i] < width:
                counts[codes[i] * width + values[i]] += 1
            else:
                longer[size] = i
                size += 1
    return counts, longer[:size]


@njit([(I64, I32, I64, I8, I32, INT, INT, INT)], cache=True, nogil=True)
def count_owners(starts, shop, at, who, agent, begin, end, shops):  # type: ignore[no-untyped-def]
    """Buyer messages with ``begin`` ≤ at < ``end`` per shop, and those whose agent is not stated: int64, (2, shops)."""
    counts = np.zeros((2, shops), np.int64)
    for buyer in range(shop.size):
        asked, inferred = 0, 0
        for i in range(starts[buyer], starts[buyer + 1]):
            counts_here = (who[i] == 0) & (at[i] >= begin) & (at[i] < end)
            asked += counts_here
            inferred += counts_here & (agent[i] < 0)
        counts[0, shop[buyer]] += asked
        counts[1, shop[buyer]] += inferred
    return counts


@njit([(I32, I64, I64, INT)], cache=True, nogil=True)
def extremes(codes, first, last, number):  # type: ignore[no-untyped-def]
    """Least ``first`` and greatest ``last`` per code; int64."""
    least = np.full(number, 2**62, np.int64)
    greatest = np.full(number, -(2**62), np.int64)
    for i in range(codes.size):
        code = codes[i]
        if code >= 0:
            least[code] = min(least[code], first[i])
            greatest[code] = max(greatest[code], last[i])
    return least, greatest


@njit([(I32, I32, I64, I8, I32, I64, INT, INT, INT, INT, INT, INT)], cache=True, nogil=True)
def row_keys(  # type: ignore[no-untyped-def]
    shop,
    agent,
    day,
    agent_wanted,
    team,
    day_label,
    first_day,
    agents,
    teams,
    labels,
    by_agent,
    by_team,
):
    """The number of the report's row that each fact counts in, without hour and shift; -1 for none.

    ``agent_wanted``: per agent code and one more for nobody, 0 to leave facts out. ``team``: per shop and agent,
    -1 for none. ``day_label``: per day of the period, what its rows are split by. ``agents``, ``teams``,
    ``labels``: how many there are. ``by_agent``, ``by_team``: 1 or 0.
    """
    keys = np.empty(shop.size, np.int64)
    for i in range(shop.size):
        offset = day[i] - first_day
        who = agent[i]
        if offset < 0 or offset >= day_label.size or agent_wanted[who if who >= 0 else agents] == 0:
            keys[i] = -1
            continue
        key = np.int64(shop[i])
        if by_agent:
            key = key * (agents + 1) + who + 1
        if by_team:
            key = key * (teams + 1) + (team[shop[i] * agents + who] if who >= 0 else -1) + 1
        keys[i] = key * labels + day_label[offset]
    return keys
