"""XXH3 (64 bits, no seed) of every row of a column of strings: the same values as the library xxhash, without a
Python call per row. Steps and constants are those of its specification, which is frozen.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from cslog.scan.addresses import Rows
from cslog.scan.words import bytes_at, folded_product, pointer, word_at

_I32 = types.Array(types.int32, 1, "C", readonly=True)
_I64 = types.Array(types.int64, 1, "C", readonly=True)

LANES = 8
"""Words that ``hash_of`` works with."""

_OUT = types.Array(types.uint8, 1, "C")
_LANES = types.Array(types.uint64, 1, "C")
_U = np.uint64
_P32_1, _P32_2, _P32_3 = _U(0x9E3779B1), _U(0x85EBCA77), _U(0xC2B2AE3D)
_P64_1, _P64_2, _P64_3 = _U(0x9E3779B185EBCA87), _U(0xC2B2AE3D27D4EB4F), _U(0x165667B19E3779F9)
_P64_4, _P64_5 = _U(0x85EBCA77C2B2AE63), _U(0x27D4EB2F165667C5)
_MIX_1, _MIX_2 = _U(0x165667919E3779F9), _U(0x9FB21C651E98DF25)
_LOW = _U(0xFFFFFFFF)
_STRIPE, _BLOCK = 64, 1024
_SECRET = np.frombuffer(
    bytes.fromhex(
        "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
        "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
        "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
        "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
    ),
    np.uint8,
)


@njit
def _key(place):  # type: ignore[no-untyped-def]
    return word_at(pointer(_SECRET), place)


@njit
def _half_at(data, place):  # type: ignore[no-untyped-def]
    return (
        _U(data[place])
        | (_U(data[place + 1]) << _U(8))
        | (_U(data[place + 2]) << _U(16))
        | (_U(data[place + 3]) << _U(24))
    )


@njit
def _swapped(word):  # type: ignore[no-untyped-def]
    """The bytes of the word in the opposite order."""
    word = ((word & _U(0x00FF00FF00FF00FF)) << _U(8)) | ((word >> _U(8)) & _U(0x00FF00FF00FF00FF))
    word = ((word & _U(0x0000FFFF0000FFFF)) << _U(16)) | ((word >> _U(16)) & _U(0x0000FFFF0000FFFF))
    return (word << _U(32)) | (word >> _U(32))


@njit
def _avalanche(value):  # type: ignore[no-untyped-def]
    value = (value ^ (value >> _U(37))) * _MIX_1
    return value ^ (value >> _U(32))


@njit
def _avalanche_of_xxh64(value):  # type: ignore[no-untyped-def]
    value = (value ^ (value >> _U(33))) * _P64_2
    value = (value ^ (value >> _U(29))) * _P64_3
    return value ^ (value >> _U(32))


@njit
def _mixed(data, place, secret):  # type: ignore[no-untyped-def]
    """16 bytes with 16 of the secret."""
    return folded_product(word_at(data, place) ^ _key(secret), word_at(data, place + 8) ^ _key(secret + 8))


@njit
def _up_to_16(data, start, size):  # type: ignore[no-untyped-def]
    length = _U(size)
    if size > 8:
        low = word_at(data, start) ^ _key(24) ^ _key(32)
        high = word_at(data, start + size - 8) ^ _key(40) ^ _key(48)
        return _avalanche(length + _swapped(low) + high + folded_product(low, high))
    if size >= 4:
        word = _half_at(data, start + size - 4) + (_half_at(data, start) << _U(32))
        word ^= _key(8) ^ _key(16)
        word ^= ((word << _U(49)) | (word >> _U(15))) ^ ((word << _U(24)) | (word >> _U(40)))
        word *= _MIX_2
        word = (word ^ ((word >> _U(35)) + length)) * _MIX_2
        return word ^ (word >> _U(28))
    if size > 0:
        first, middle, last = _U(data[start]), _U(data[start + size // 2]), _U(data[start + size - 1])
        word = (first << _U(16)) | (middle << _U(24)) | last | (length << _U(8))
        return _avalanche_of_xxh64(word ^ (_key(0) & _LOW) ^ (_key(4) & _LOW))
    return _avalanche_of_xxh64(_key(56) ^ _key(64))


@njit
def _up_to_240(data, start, size):  # type: ignore[no-untyped-def]
    total = _U(size) * _P64_1
    end = start + size
    if size <= 128:
        for pair in range((size - 1) // 32 + 1):
            total += _mixed(data, start + 16 * pair, 32 * pair)
            total += _mixed(data, end - 16 * (pair + 1), 32 * pair + 16)
        return _avalanche(total)
    for i in range(8):
        total += _mixed(data, start + 16 * i, 16 * i)
    total = _avalanche(total)
    for i in range(8, size // 16):
        total += _mixed(data, start + 16 * i, 16 * (i - 8) + 3)
    return _avalanche(total + _mixed(data, end - 16, 119))


@njit
def _take_stripe(lanes, data, place, secret):  # type: ignore[no-untyped-def]
    for i in range(8):
        value = word_at(data, place + 8 * i)
        mixed = value ^ _key(secret + 8 * i)
        lanes[i ^ 1] += value
        lanes[i] += (mixed & _LOW) * (mixed >> _U(32))


@njit
def _long(data, start, size, lanes):  # type: ignore[no-untyped-def]
    lanes[0], lanes[1], lanes[2], lanes[3] = _P32_3, _P64_1, _P64_2, _P64_3
    lanes[4], lanes[5], lanes[6], lanes[7] = _P64_4, _P32_2, _P64_5, _P32_1
    stripes = (size - 1) // _STRIPE
    for stripe in range(stripes):
        within = stripe % (_BLOCK // _STRIPE)
        _take_stripe(lanes, data, start + _STRIPE * stripe, 8 * within)
        if within == _BLOCK // _STRIPE - 1:
            for i in range(8):
                lanes[i] = (lanes[i] ^ (lanes[i] >> _U(47)) ^ _key(128 + 8 * i)) * _P32_1
    _take_stripe(lanes, data, start + size - _STRIPE, 121)
    total = _U(size) * _P64_1
    for i in range(4):
        total += folded_product(lanes[2 * i] ^ _key(11 + 16 * i), lanes[2 * i + 1] ^ _key(19 + 16 * i))
    return _avalanche(total)


@njit
def hash_of(text, start, size, lanes):  # type: ignore[no-untyped-def]
    """XXH3 of ``size`` bytes behind the pointer ``text`` from ``start`` on; ``lanes``: LANES words to work with."""
    if size <= 16:
        return np.int64(_up_to_16(text, start, size))
    if size <= 240:
        return np.int64(_up_to_240(text, start, size))
    return np.int64(_long(text, start, size, lanes))


def xxh3(rows: Rows, opening: bytes = b"") -> np.ndarray:
    """Hashes (int64) of the rows of a column of strings, each behind ``opening``."""
    written = np.empty(len(opening) + (int(rows.lengths.max(initial=0)) if opening else 0), np.uint8)
    written[: len(opening)] = np.frombuffer(opening, np.uint8)
    return _xxh3(*rows[:2], written, len(opening), np.empty(LANES, np.uint64))


@njit([(_I64, _I32, _OUT, types.int64, _LANES)], cache=True, nogil=True)
def _xxh3(addresses, lengths, written, opening, lanes):  # type: ignore[no-untyped-def]
    hashes = np.empty(addresses.size, np.int64)
    out, scratch = pointer(written), pointer(lanes)
    for row in range(hashes.size):
        text, length = bytes_at(addresses[row]), np.int64(lengths[row])
        if opening > 0:
            for i in range(length):
                out[opening + i] = text[i]
            hashes[row] = hash_of(out, 0, opening + length, scratch)
        else:
            hashes[row] = hash_of(text, 0, length, scratch)
    return hashes
