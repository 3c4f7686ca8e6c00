"""A Bloom filter over pairs of 64-bit keys: what was never added is found in about one case of a hundred, what was
added always (B. H. Bloom, Space/time trade-offs in hash coding with allowable errors, CACM 13/7, 1970).
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

_I64 = types.Array(types.int64, 1, "C", readonly=True)
_FOUND = types.Array(types.boolean, 1, "C", readonly=True)
_WORDS = types.Array(types.uint64, 1, "C", readonly=True)
_U = np.uint64
_BITS_PER_PAIR, _PROBES = 12, 3
_MULTIPLY_1, _MULTIPLY_2 = _U(0x9E3779B97F4A7C15), _U(0xC2B2AE3D27D4EB4F)


@njit(cache=True, nogil=True, inline="always")
def _mixed(one, other):  # type: ignore[no-untyped-def]
    """A pair as one number whose bits all depend on both."""
    number = (_U(one) * _MULTIPLY_1) ^ (_U(other) * _MULTIPLY_2)
    number = (number ^ (number >> _U(32))) * _MULTIPLY_1
    return number ^ (number >> _U(29))


@njit([(_I64, _I64, _FOUND)], cache=True, nogil=True)
def digest_of(one, other, wanted):  # type: ignore[no-untyped-def]
    """Words (uint64) of the filter that holds the ``wanted`` pairs; equal ones mostly follow one another."""
    changes, last = 0, -1
    for i in range(one.size):
        if wanted[i]:
            changes += last < 0 or one[i] != one[last] or other[i] != other[last]
            last = i
    words = 1
    while words * 64 < changes * _BITS_PER_PAIR:
        words *= 2
    digest = np.zeros(words, np.uint64)
    last = -1
    for i in range(one.size):
        if not wanted[i] or (last >= 0 and one[i] == one[last] and other[i] == other[last]):
            continue
        last = i
        place = _mixed(one[i], other[i])
        step = (place >> _U(32)) | _U(1)
        for _ in range(_PROBES):
            digest[(place >> _U(6)) & _U(words - 1)] |= _U(1) << (place & _U(63))
            place += step
    return digest


@njit([(_WORDS, _I64, _I64)], cache=True, nogil=True)
def holds(digest, one, other):  # type: ignore[no-untyped-def]
    """Whether each pair may be among those of the filter; bool."""
    found = np.ones(one.size, np.bool_)
    for i in range(one.size):
        place = _mixed(one[i], other[i])
        step = (place >> _U(32)) | _U(1)
        for _ in range(_PROBES):
            if not (digest[(place >> _U(6)) & _U(digest.size - 1)] >> (place & _U(63))) & _U(1):
                found[i] = False
                break
            place += step
    return found
