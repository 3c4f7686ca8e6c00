"""What is counted and compared of a text, character by character, and which texts are worth a closer look."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from cslog.scan.addresses import Rows
from cslog.scan.hashing import LANES, hash_of
from cslog.scan.words import bytes_at, pointer, word_at

VISIBLE, KEPT = 1, 2
"""Marks of a character in a table by code point: not white space; part of what is compared."""

_SEPARATOR = 0x1F
_I8 = types.Array(types.int8, 1, "C", readonly=True)
_I32 = types.Array(types.int32, 1, "C", readonly=True)
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_OUT = types.Array(types.uint8, 1, "C")
_LANES = types.Array(types.uint64, 1, "C")
_I64 = types.Array(types.int64, 1, "C", readonly=True)
_U64 = types.Array(types.uint64, 1, "C", readonly=True)


@njit
def _take(text, length, marks, kept, at):  # type: ignore[no-untyped-def]
    """Visible characters of a text, and where its kept characters end when they are written to ``kept`` from ``at``.

    ``marks`` is the table by code point up to U+FFFF; characters beyond are visible and not kept.
    """
    place, count = 0, 0
    while place < length:
        byte = text[place]
        if byte < 0x80:
            mark = marks[byte]
            if mark & KEPT:
                kept[at] = byte
                at += 1
            place += 1
        elif byte < 0xE0:
            mark = marks[(np.uint32(byte & 0x1F) << 6) | np.uint32(text[place + 1] & 0x3F)]
            if mark & KEPT:
                kept[at], kept[at + 1] = byte, text[place + 1]
                at += 2
            place += 2
        elif byte < 0xF0:
            second, third = text[place + 1], text[place + 2]
            mark = marks[
                (np.uint32(byte & 0x0F) << 12) | (np.uint32(second & 0x3F) << 6) | np.uint32(third & 0x3F)
            ]
            if mark & KEPT:
                kept[at], kept[at + 1], kept[at + 2] = byte, second, third
                at += 3
            place += 3
        else:
            mark = VISIBLE
            place += 4
        count += mark & VISIBLE
    return count, at


@njit([(_I64, _I32, _BYTES)], cache=True, nogil=True)
def kept(addresses, lengths, table):  # type: ignore[no-untyped-def]
    """The kept characters of every row: their bytes behind one another, and the rows + 1 places between them."""
    total = 0
    for length in lengths:
        total += length
    data = np.empty(total, np.uint8)
    places = np.empty(lengths.size + 1, np.int64)
    out, marks, at = pointer(data), pointer(table), 0
    for row in range(lengths.size):
        places[row] = at
        _, at = _take(bytes_at(addresses[row]), lengths[row], marks, out, at)
    places[lengths.size] = at
    return data[:at], places


def message_keys(
    texts: Rows, kinds: np.ndarray, speakers: np.ndarray, names: Rows, table: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hash of speaker, kind and kept characters of every message, and the number of its visible characters (int32).

    The three are separated by U+001F. ``speakers`` are rows of ``names``, -1 for an empty one. Of kinds other than
    0 the text does not matter.
    """
    longest = int(texts.lengths.max(initial=0)) + int(names.lengths.max(initial=0)) + 8
    written, lanes = np.empty(longest, np.uint8), np.empty(LANES, np.uint64)
    return _message_keys(*texts[:2], kinds, speakers, *names[:2], table, written, lanes)


@njit([(_I64, _I32, _I8, _I32, _I64, _I32, _BYTES, _OUT, _LANES)], cache=True, nogil=True)
def _message_keys(addresses, lengths, kinds, speakers, names, name_lengths, table, written, lanes):  # type: ignore[no-untyped-def]
    out, scratch, marks = pointer(written), pointer(lanes), pointer(table)
    keys = np.empty(lengths.size, np.int64)
    counts = np.zeros(lengths.size, np.int32)
    for row in range(lengths.size):
        at = np.int64(0)
        if speakers[row] >= 0:
            name = bytes_at(names[speakers[row]])
            for i in range(name_lengths[speakers[row]]):
                out[i] = name[i]
            at = name_lengths[speakers[row]]
        out[at] = _SEPARATOR
        at += 1
        if kinds[row] >= 10:
            out[at] = 0x30 + kinds[row] // 10
            at += 1
        out[at], out[at + 1] = 0x30 + kinds[row] % 10, _SEPARATOR
        at += 2
        if kinds[row] == 0:
            counts[row], at = _take(bytes_at(addresses[row]), lengths[row], marks, out, at)
        keys[row] = hash_of(out, 0, at, scratch)
    return keys, counts


@njit
def _little(text, start, end):  # type: ignore[no-untyped-def]
    """Up to seven bytes as a number, the first byte the lowest."""
    word = np.uint64(0)
    for place in range(start, end):
        word |= np.uint64(text[place]) << np.uint64(8 * (place - start))
    return word


@njit([(_I64, _I32, _U64, _U64, _U64, _U64)], cache=True, nogil=True)
def that_look_like(addresses, lengths, openings, opening_masks, closings, closing_masks):  # type: ignore[no-untyped-def]
    """Whether each row begins or ends with white space in ASCII, or as ``openings`` or ``closings`` say."""
    found = np.zeros(lengths.size, np.bool_)
    for row in range(lengths.size):
        length = np.int64(lengths[row])
        if length == 0:
            continue
        text = bytes_at(addresses[row])
        if length >= 8:
            first, last = word_at(text, 0), word_at(text, length - 8)
        else:
            first = _little(text, 0, length)
            last = first << np.uint64(8 * (8 - length))
        hit = text[0] <= 0x20 or text[length - 1] <= 0x20
        for i in range(openings.size):
            hit |= (first & opening_masks[i]) == openings[i]
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
