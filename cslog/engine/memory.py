"""Arrays of one task are as large as those of the next: freed memory is kept for it.

Handing it back to the system and getting it again, page by page, took a fifth of a large report's time.
"""

from __future__ import annotations

import ctypes
import sys

_MMAP_THRESHOLD, _TRIM_THRESHOLD, _ARENA_MAX = -3, -1, -8  # parameters of mallopt(3)
_LARGEST_ARRAY = 1 << 30


def use_one_heap() -> None:
    """Let all threads share one heap: those of further threads are too small for such arrays, which would be mapped
    anew for every task. To be called before there is a second thread; without effect where there is no such switch.
    """
    _set({_ARENA_MAX: 1})


def keep_freed() -> None:
    """Let the C library keep what arrays free; without effect where it has no such switch."""
    _set({_MMAP_THRESHOLD: _LARGEST_ARRAY, _TRIM_THRESHOLD: 2**31 - 1})


def _set(values: dict[int, int]) -> None:
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl
        return
    for parameter, value in values.items():
        mallopt(parameter, value)
