"""Seconds of rostered time (kpi-spec 5, clock ``shift``; definitions 42): a second clock that runs only
while an agent is on duty. Whom no roster names is always on duty, so that for him it is the wall clock.

``duty`` is (starts, begin, end, before): a roster number names the ranges ``starts[number]`` …
``starts[number + 1]`` of ``begin`` and ``end``, disjoint, ascending, half-open wall seconds; ``before`` holds the
seconds of the roster's earlier ranges. Number -1 is the wall clock.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.kernels.signatures import DUTY, I32, I64

DAY = 86_400


@njit(cache=True, nogil=True)
def elapsed_at(number, instant, duty):  # type: ignore[no-untyped-def]
    """Seconds of duty until ``instant``; the differences of two such values are what counts."""
    if number < 0:
        return instant
    starts, begin, end, before = duty
    low, high = starts[number], starts[number + 1]
    while low < high:
        middle = (low + high) // 2
        if begin[middle] <= instant:
            low = middle + 1
        else:
            high = middle
    if low == starts[number]:
        return 0
    return before[low - 1] + min(instant, end[low - 1]) - begin[low - 1]


@njit([(I32, I64, DUTY)], cache=True, nogil=True)
def elapsed(number, instant, duty):  # type: ignore[no-untyped-def]
    """``elapsed_at`` of every pair of roster number and instant, as int64."""
    result = np.empty(instant.size, np.int64)
    for i in range(instant.size):
        result[i] = elapsed_at(number[i], instant[i], duty)
    return result
