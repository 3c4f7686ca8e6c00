"""How many chats run at once: a sweep over sessions (kpi-spec 3, reference code ``max_concurrent``)."""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.kernels.signatures import I32, I64, INT

HOUR = 3_600
_MINUTES = 3_000  # of the day and most of the next; what lies beyond shares the last
_FEW = 32  # so many seconds are sorted sooner without the minutes
_MANY = 4_096  # so many may make a minute a crowd, into which insertion would take for ever


@njit([(I32, I32, I32, INT)], cache=True, nogil=True)
def grouped(codes, first, last, number):  # type: ignore[no-untyped-def]
    """``first`` and ``last`` of the sessions put together by their group (``codes`` below ``number``, none negative),
    and where each group begins (one more at the end).
    """
    starts = np.zeros(number + 1, np.int64)
    for code in codes:
        starts[code + 1] += 1
    for code in range(number):
        starts[code + 1] += starts[code]
    firsts = np.empty(codes.size, np.int32)
    lasts = np.empty(codes.size, np.int32)
    following = starts[:-1].copy()
    for i in range(codes.size):
        place = following[codes[i]]
        firsts[place], lasts[place] = first[i], last[i]
        following[codes[i]] = place + 1
    return starts, firsts, lasts


@njit(cache=True, nogil=True)
def _ascending(seconds):  # type: ignore[no-untyped-def]
    """The seconds sorted: by their minute, and those of one minute, which are mostly few, by insertion."""
    if seconds.size <= _FEW:
        return np.sort(seconds)
    following = np.zeros(_MINUTES + 1, np.int64)
    for second in seconds:
        following[min(max(second // 60, 0), _MINUTES - 1) + 1] += 1
    for minute in range(_MINUTES):
        following[minute + 1] += following[minute]
    found = np.empty(seconds.size, np.int32)
    for second in seconds:
        minute = min(max(second // 60, 0), _MINUTES - 1)
        found[following[minute]] = second
        following[minute] += 1
    if seconds.size > _MANY:
        begin = 0
        for minute in range(_MINUTES):
            if following[minute] - begin > _FEW:
                found[begin : following[minute]] = np.sort(found[begin : following[minute]])
            begin = following[minute]
    for i in range(1, found.size):
        second, j = found[i], i
        while j > 0 and found[j - 1] > second:
            found[j] = found[j - 1]
            j -= 1
        found[j] = second
    return found


@njit([(I64, I32, I32)], cache=True, nogil=True)
def sweep(starts, first, last):  # type: ignore[no-untyped-def]
    """Peak, chat seconds and busy seconds per group and hour of its day, each of shape (groups, 24).

    ``starts``: offsets of the groups; ``first``, ``last``: when the first and last message of each session was sent,
    in seconds since the group's day began. A session occupies [first, last + 1), an end comes before a start of the
    same second; what runs past the day stays in its last hour.
    """
    groups = starts.size - 1
    peak = np.zeros((groups, 24), np.int64)
    chat_seconds = np.zeros((groups, 24), np.int64)
    busy_seconds = np.zeros((groups, 24), np.int64)
    for g in range(groups):
        begins = _ascending(first[starts[g] : starts[g + 1]])
        ends = _ascending(last[starts[g] : starts[g + 1]])
        i, j, level = 0, 0, 0
        while j < ends.size:
            # The level holds from here to the next change, across as many hours as that takes.
            here = ends[j] + 1 if i == begins.size or ends[j] < begins[i] else begins[i]
            while j < ends.size and ends[j] + 1 == here:
                level -= 1
                j += 1
            while i < begins.size and begins[i] == here:
                level += 1
                i += 1
            if j == ends.size:
                break
            following = ends[j] + 1 if i == begins.size or ends[j] < begins[i] else begins[i]
            while level > 0 and here < following:
                hour = min(here // HOUR, 23)
                stop = following if hour == 23 else min(following, (hour + 1) * HOUR)
                peak[g, hour] = max(peak[g, hour], level)
                chat_seconds[g, hour] += level * (stop - here)
                busy_seconds[g, hour] += stop - here
                here = stop
    return peak, chat_seconds, busy_seconds
