"""How many chats run at once: a sweep over sessions (kpi-spec 3, reference code ``max_concurrent``)."""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.kernels.signatures import I64

HOUR = 3_600
_MINUTES = 3_000  # of the day and most of the next; what lies beyond shares the last
_FEW = 32  # so many seconds are sorted sooner without the minutes
_MANY = 4_096  # so many may make a minute a crowd, into which insertion would take for ever


@njit(cache=True, nogil=True)
def _ascending(seconds, day_start):  # type: ignore[no-untyped-def]
    """The seconds sorted: by their minute, and those of one minute, which are mostly few, by insertion."""
    if seconds.size <= _FEW:
        return np.sort(seconds)
    following = np.zeros(_MINUTES + 1, np.int64)
    for second in seconds:
        following[min(max((second - day_start) // 60, 0), _MINUTES - 1) + 1] += 1
    for minute in range(_MINUTES):
        following[minute + 1] += following[minute]
    found = np.empty(seconds.size, np.int64)
    for second in seconds:
        minute = min(max((second - day_start) // 60, 0), _MINUTES - 1)
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


@njit([(I64, I64, I64, I64)], cache=True, nogil=True)
def sweep(starts, first, last, day_start):  # type: ignore[no-untyped-def]
    """Peak, chat seconds and busy seconds per group and hour of its day, each of shape (groups, 24).

    ``starts``: offsets of the groups; ``first``, ``last``: seconds of the first and last message of each
    session; ``day_start``: first second of each group's day. A session occupies [first, last + 1), an end
    comes before a start of the same second; what runs past the day stays in its last hour.
    """
    groups = starts.size - 1
    peak = np.zeros((groups, 24), np.int64)
    chat_seconds = np.zeros((groups, 24), np.int64)
    busy_seconds = np.zeros((groups, 24), np.int64)
    for g in range(groups):
        begins = _ascending(first[starts[g] : starts[g + 1]], day_start[g])
        ends = _ascending(last[starts[g] : starts[g + 1]], day_start[g]) + 1
        i, j, level = 0, 0, 0
        while j < ends.size:
            # The level holds from here to the next change, across as many hours as that takes.
            here = ends[j] if i == begins.size or ends[j] <= begins[i] else begins[i]
            while j < ends.size and ends[j] == here:
                level -= 1
                j += 1
            while i < begins.size and begins[i] == here:
                level += 1
                i += 1
            if j == ends.size:
                break
            following = ends[j] if i == begins.size or ends[j] <= begins[i] else begins[i]
            while level > 0 and here < following:
                hour = min((here - day_start[g]) // HOUR, 23)
                stop = following if hour == 23 else min(following, day_start[g] + (hour + 1) * HOUR)
                peak[g, hour] = max(peak[g, hour], level)
                chat_seconds[g, hour] += level * (stop - here)
                busy_seconds[g, hour] += stop - here
                here = stop
    return peak, chat_seconds, busy_seconds
