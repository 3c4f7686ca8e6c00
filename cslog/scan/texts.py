"""What is counted and compared of a text, character by character, and which texts are worth a closer look."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from cslog.scan.words import pointer, word_at

VISIBLE, KEPT = 1, 2
"""Marks of a character in a table by code point: not white space; part of what is compared."""

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_I64 = types.Array(types.int64, 1, "C", readonly=True)
_U64 = types.Array(types.uint64, 1, "C", readonly=True)


@njit([(_BYTES, _I64, _BYTES)], cache=True, nogil=True)
def words(data, places, table):  # type: ignore[no-untyped-def]
    """Per row the number of visible characters (int32), and the kept ones: their bytes and their places.

    ``table`` marks the characters up to U+FFFF; those beyond are visible and not kept.
    """
    rows = places.size - 1
    counts = np.empty(rows, np.int32)
    kept = np.empty(places[rows] - places[0], np.uint8)
    kept_places = np.empty(rows + 1, np.int64)
    at = 0
    for row in range(rows):
        kept_places[row] = at
        count = 0
        place, end = places[row], places[row + 1]
        while place < end:
            byte = data[place]
            if byte < 0x80:
                length, code = 1, np.uint32(byte)
            elif byte < 0xE0:
                length, code = 2, (np.uint32(byte & 0x1F) << 6) | np.uint32(data[place + 1] & 0x3F)
            elif byte < 0xF0:
                length = 3
                code = (
                    (np.uint32(byte & 0x0F) << 12)
                    | (np.uint32(data[place + 1] & 0x3F) << 6)
                    | np.uint32(data[place + 2] & 0x3F)
                )
            else:
                count += 1
                place += 4
                continue
            marks = table[code]
            count += marks & VISIBLE
            if marks & KEPT:
                for i in range(length):
                    kept[at + i] = data[place + i]
                at += length
            place += length
        counts[row] = count
    kept_places[rows] = at
    return counts, kept[:at], kept_places


@njit
def _first_word(data, size, start, end):  # type: ignore[no-untyped-def]
    """The first eight bytes of a row, zero behind its end."""
    if start + 8 <= size:
        word = word_at(data, start)
        return (
            word
            if end - start >= 8
            else word & ((np.uint64(1) << np.uint64(8 * (end - start))) - np.uint64(1))
        )
    word = np.uint64(0)
    for place in range(start, end):
        word |= np.uint64(data[place]) << np.uint64(8 * (place - start))
    return word


@njit([(_BYTES, _I64, _U64, _U64, _U64, _U64)], cache=True, nogil=True)
def that_look_like(data, places, openings, opening_masks, closings, closing_masks):  # type: ignore[no-untyped-def]
    """Whether each row begins or ends with white space in ASCII or with one of the words (see ``packed``)."""
    text = pointer(data)
    found = np.zeros(places.size - 1, np.bool_)
    for row in range(found.size):
        start, end = places[row], places[row + 1]
        if start == end:
            continue
        if data[start] <= 0x20 or data[end - 1] <= 0x20:
            found[row] = True
            continue
        first = _first_word(text, data.size, start, end)
        hit = False
        for i in range(openings.size):
            hit |= (first & opening_masks[i]) == openings[i]
        last = np.uint64(0)
        if end >= 8:
            last = word_at(text, end - 8)
        else:
            for place in range(end):
                last |= np.uint64(data[place]) << np.uint64(8 * (8 - end + place))
        if end - start < 8:
            last &= ~np.uint64(0) << np.uint64(8 * (8 - end + start))
        for i in range(closings.size):
            hit |= (last & closing_masks[i]) == closings[i]
        found[row] = hit
    return found


def openings(words: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The first eight bytes of each word as numbers with the masks of what counts of them, for ``that_look_like``."""
    found = [int.from_bytes(word[:8], "little") for word in words]
    masks = [(1 << 8 * min(len(word), 8)) - 1 for word in words]
    return np.array(found, np.uint64), np.array(masks, np.uint64)


def closings(words: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The same of the last eight bytes."""
    found = [int.from_bytes(word[-8:].rjust(8, b"\0"), "little") for word in words]
    masks = [int.from_bytes((b"\xff" * min(len(word), 8)).rjust(8, b"\0"), "little") for word in words]
    return np.array(found, np.uint64), np.array(masks, np.uint64)
