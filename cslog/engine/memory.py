"""Arrays of one task are as large as those of the next: freed memory is kept for it.

Handing it back to the system and getting it again, page by page, took a fifth of a large report's time.
"""

from __future__ import annotations

import ctypes
import sys

_MMAP_THRESHOLD, _TRIM_THRESHOLD, _ARENA_MAX = -3, -1, -8  # parameters of mallopt(3)
_LARGEST_ARRAY = 1 << 30


def keep_freed() -> None:
    """Let the C library keep what arrays free; without effect where it has no such switch."""
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl
        return
    mallopt(_ARENA_MAX, 1)  # the heaps of further threads are too small for such arrays
    mallopt(_MMAP_THRESHOLD, _LARGEST_ARRAY)
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)
