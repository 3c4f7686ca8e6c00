"""Bytes in GB18030 or in what may be UTF-8, looked at byte by byte: as fast as Python's codecs are exact.

GB18030 is all of GBK, so it reads the exports of the client too. The tables come from Python's own codec.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numba import njit, types

from cslog.scan.words import first_byte, pointer, put_word, word_at

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_OUT = types.Array(types.uint8, 1, "C")
_PACKED = types.Array(types.uint32, 1, "C", readonly=True)
_ONES, _HIGH = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_RETURNS = _ONES * np.uint64(13)
_CODES = types.Array(types.uint16, 1, "C", readonly=True)

_TRAILS = [*range(0x40, 0x7F), *range(0x80, 0xFF)]
_LEADS = range(0x81, 0xFF)
_FOUR_BYTE_CODES = 39_420  # what GB18030 numbers through outside the two-byte area, up to U+FFFF
_KEEP, _DROP, _REPLACE = range(3)
_ROW = 191  # trail bytes 0x40 … 0xFE


def utf8_of_gb18030(data: bytes, *, unix_lines: bool = False) -> bytearray | None:
    """The text in UTF-8; None when ``data`` is not wholly GB18030. ``unix_lines``: as that function makes them."""
    two, four = _tables()
    # Two bytes become three at most, four stay four; words are written whole.
    out = bytearray(len(data) // 2 * 3 + 9)
    returns = _returns(data) if unix_lines else _KEEP
    written = _transcode(np.frombuffer(data, np.uint8), two, four, returns, np.frombuffer(out, np.uint8))
    if written < 0:
        return None
    del out[written:]
    return out


class Faults(NamedTuple):
    """Of bytes read as UTF-8: ``broken`` places, U+FFFD ``shown`` (for them, or as written), and characters
    ``beyond_ascii``, the shown ones among them.
    """

    broken: int
    shown: int
    beyond_ascii: int


def utf8_faults(data: bytes) -> Faults:
    """How well ``data`` reads as UTF-8, counted as Python's decoder replaces.

    Stops counting where it is certain that more than a twentieth of what is beyond ASCII is not sound.
    """
    return Faults(*map(int, _faults(np.frombuffer(data, np.uint8))))


def unix_lines(text: bytes) -> bytearray:
    """A copy of the text with LF as line end: without any CR, or for CR where there is no LF.

    Not as str.splitlines, which would also cut at U+2028, form feeds and the like inside a message.
    """
    out = bytearray(len(text))
    size = _unix_lines(np.frombuffer(text, np.uint8), _returns(text), np.frombuffer(out, np.uint8))
    del out[size:]
    return out


def _returns(text: bytes) -> int:
    """What becomes of a CR."""
    return _DROP if b"\n" in text else _REPLACE


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """By lead and trail byte the UTF-8 of two bytes, with its length in the fourth; by number U+0000 to U+FFFF."""
    pairs = b"".join(bytes((lead, trail)) for lead in _LEADS for trail in _TRAILS).decode("gb18030")
    two = np.zeros((len(_LEADS), _ROW), np.uint32)
    packed = [int.from_bytes(c.encode(), "little") | len(c.encode()) << 24 for c in pairs]
    two[:, [trail - 0x40 for trail in _TRAILS]] = np.array(packed, np.uint32).reshape(
        len(_LEADS), len(_TRAILS)
    )
    numbers = np.arange(_FOUR_BYTE_CODES)
    quadruples = np.empty((_FOUR_BYTE_CODES, 4), np.uint8)
    for column, (base, divisor, size) in enumerate(
        ((0x81, 12_600, 126), (0x30, 1_260, 10), (0x81, 10, 126), (0x30, 1, 10))
    ):
        quadruples[:, column] = base + numbers // divisor % size
    four = np.frombuffer(quadruples.tobytes().decode("gb18030").encode("utf-16-le"), np.uint16)
    return two.ravel(), four


@njit([(_BYTES, _PACKED, _CODES, types.int64, _OUT)], cache=True, nogil=True)
def _transcode(data, two, four, returns, written):  # type: ignore[no-untyped-def]
    """Number of bytes written, -1 at the first byte that is no GB18030."""
    size = data.size
    text, out = pointer(data), pointer(written)
    place, at = 0, 0
    while place < size:
        byte = text[place]
        if byte < 0x80:
            if place + 8 > size:
                word, length = np.uint64(byte), 1
            else:
                word = word_at(text, place)
                length = first_byte(word & _HIGH)
            if returns != _KEEP:
                found = word ^ _RETURNS
                length = min(length, first_byte((found - _ONES) & ~found & _HIGH))
                if length == 0:
                    if returns == _REPLACE:
                        out[at] = 10
                        at += 1
                    place += 1
                    continue
            put_word(out, at, word)
            at += length
            place += length
            continue
        if byte == 0x80 or byte == 0xFF or place + 1 >= size:
            return -1
        trail = text[place + 1]
        if trail >= 0x40:
            if trail == 0x7F or trail == 0xFF:
                return -1
            packed = np.uint64(two[(np.int64(byte) - 0x81) * _ROW + np.int64(trail) - 0x40])
            put_word(out, at, packed)
            at += 3 if packed >> np.uint64(24) == 3 else 2
            place += 2
        else:
            if trail < 0x30 or trail > 0x39 or place + 3 >= size:
                return -1
            third, fourth = text[place + 2], text[place + 3]
            if third < 0x81 or third == 0xFF or fourth < 0x30 or fourth > 0x39:
                return -1
            number = (
                ((np.int64(byte) - 0x81) * 10 + np.int64(trail) - 0x30) * 126 + np.int64(third) - 0x81
            ) * 10 + (np.int64(fourth) - 0x30)
            if number < four.size:
                code = np.uint32(four[number])
            elif 189_000 <= number < 189_000 + 0x100000:
                code = np.uint32(number - 189_000 + 0x10000)
            else:
                return -1
            place += 4
            if code >= 0x10000:
                out[at] = 0xF0 | (code >> 18)
                out[at + 1] = 0x80 | ((code >> 12) & 0x3F)
                out[at + 2] = 0x80 | ((code >> 6) & 0x3F)
                out[at + 3] = 0x80 | (code & 0x3F)
                at += 4
            elif code >= 0x800:
                out[at] = 0xE0 | (code >> 12)
                out[at + 1] = 0x80 | ((code >> 6) & 0x3F)
                out[at + 2] = 0x80 | (code & 0x3F)
                at += 3
            else:  # no sequence stands for ASCII
                out[at] = 0xC0 | (code >> 6)
                out[at + 1] = 0x80 | (code & 0x3F)
                at += 2
    return at


@njit([(_BYTES,)], cache=True, nogil=True)
def _faults(data):  # type: ignore[no-untyped-def]
    size = data.size
    place, broken, shown, beyond = 0, 0, 0, 0
    while place < size:
        byte = data[place]
        if byte < 0x80:
            place += 1
            continue
        beyond += 1
        # Length by the lead byte, and the range of the second one (overlong forms, surrogates, too large).
        low, high = np.uint8(0x80), np.uint8(0xBF)
        if 0xC2 <= byte <= 0xDF:
            length = 2
        elif 0xE0 <= byte <= 0xEF:
            length = 3
            if byte == 0xE0:
                low = np.uint8(0xA0)
            elif byte == 0xED:
                high = np.uint8(0x9F)
        elif 0xF0 <= byte <= 0xF4:
            length = 4
            if byte == 0xF0:
                low = np.uint8(0x90)
            elif byte == 0xF4:
                high = np.uint8(0x8F)
        else:
            length = 1
        good = 1
        while good < length and place + good < size and low <= data[place + good] <= high:
            good += 1
            low, high = np.uint8(0x80), np.uint8(0xBF)
        if length == 1 or good < length:
            broken += 1
            shown += 1
            # Every pair of bytes left can at best be a sound character.
            if shown * 20 - beyond > (size - place) // 2 + 1:
                break
        elif byte == 0xEF and data[place + 1] == 0xBF and data[place + 2] == 0xBD:
            shown += 1
        place += good
    return broken, shown, beyond


@njit([(_BYTES, types.int64, _OUT)], cache=True, nogil=True)
def _unix_lines(text, returns, out):  # type: ignore[no-untyped-def]
    at = 0
    for byte in text:
        if byte == 13:
            if returns == _DROP:
                continue
            byte = np.uint8(10)
        out[at] = byte
        at += 1
    return at
