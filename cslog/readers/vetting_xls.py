"""How far the sheets of an old workbook (.xls) reach, and how much text they hold: its records walked, nothing kept.

The container is Microsoft's compound file ([MS-CFB]), the stream in it a row of records ([MS-XLS] 2.1.4).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from typing import NamedTuple

_END = 0xFFFF_FFFA  # sector numbers from here on are marks
_STREAMS = ("workbook", "book")
_BEGIN = (0x0009, 0x0209, 0x0409, 0x0809)
_CELLS = (
    0x0002,
    0x0003,
    0x0004,
    0x0005,
    0x0006,
    0x00D6,
    0x00FD,
    0x0203,
    0x0204,
    0x0205,
    0x0206,
    0x0406,
    0x027E,
)
_BLANKS = (0x0001, 0x0201)
_SEVERAL = (0x00BD, 0x00BE)  # cells side by side, the last column at the end
_DIMENSIONS = 0x0200
_SHARED_TEXTS, _CONTINUE, _SHARED_CELL = 0x00FC, 0x003C, 0x00FD


class Extent(NamedTuple):
    """Of one sheet. ``text_bytes``: of the shared texts in its cells, each as often as it stands there."""

    rows: int
    columns: int
    cells: int
    text_bytes: int


def extents(data: bytes) -> Iterator[Extent]:
    """What each sheet spans and holds. Raises ValueError or struct.error for what is no .xls."""
    stream = _stream(data)
    rows = columns = cells = text_bytes = at = 0
    texts: list[int] = []
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        body = stream[at + 4 : at + 4 + length]
        at += 4 + length
        if kind in _BEGIN:
            yield Extent(rows, columns, cells, text_bytes)
            rows = columns = cells = text_bytes = 0
        elif kind == _SHARED_TEXTS:
            pieces = [body]
            while at + 4 <= len(stream) and struct.unpack_from("<H", stream, at)[0] == _CONTINUE:
                length = struct.unpack_from("<H", stream, at + 2)[0]
                pieces.append(stream[at + 4 : at + 4 + length])
                at += 4 + length
            texts = _text_sizes(pieces)
        elif kind == _DIMENSIONS and length >= 14:
            _, last_row, _, last_column = struct.unpack_from("<IIHH", body)
            rows, columns = max(rows, last_row), max(columns, last_column)
        elif length >= 4 and (kind in _CELLS or kind in _BLANKS or kind in _SEVERAL):
            row, column = struct.unpack_from("<HH", body)
            last = column
            if kind in _SEVERAL and length >= 6:
                (last,) = struct.unpack_from("<H", body, length - 2)
            rows, columns = max(rows, row + 1), max(columns, column + 1, last + 1)
            cells += max(last - column + 1, 1)
            if kind == _SHARED_CELL and length >= 10:
                (number,) = struct.unpack_from("<I", body, 6)
                text_bytes += texts[number] if number < len(texts) else 0
    yield Extent(rows, columns, cells, text_bytes)


def _text_sizes(pieces: list[bytes]) -> list[int]:
    """About how many bytes of UTF-8 each shared text has ([MS-XLS] 2.4.265, 2.5.293); stops where they are damaged."""
    sizes: list[int] = []
    piece, at = 0, 8
    while piece < len(pieces):
        body = pieces[piece]
        if at + 3 > len(body):  # the head of a text is never cut in two
            piece, at = piece + 1, at - len(body) if at > len(body) else 0
            continue
        left, flags = struct.unpack_from("<HB", body, at)
        at += 3
        skipped = 0  # what follows the characters: how they are formatted
        if flags & 8 and at + 2 <= len(body):
            skipped += 4 * struct.unpack_from("<H", body, at)[0]
        at += 2 if flags & 8 else 0
        if flags & 4 and at + 4 <= len(body):
            skipped += struct.unpack_from("<I", body, at)[0]
        at += 4 if flags & 4 else 0
        sizes.append(0)
        while left and piece < len(pieces):
            width = 1 + (flags & 1)
            here = min(left, max(0, len(pieces[piece]) - at) // width)
            sizes[-1] += here * (3 if width == 2 else 1)
            left, at = left - here, at + here * width
            if left:  # the rest stands in the next piece, behind how it is written there
                piece, at = piece + 1, 1
                flags = pieces[piece][0] if piece < len(pieces) and pieces[piece] else 0
        at += skipped
    return sizes


def _stream(data: bytes) -> bytes:
    """The stream of the workbook."""
    if len(data) < 512:
        raise ValueError("no header")
    size = 1 << min(struct.unpack_from("<H", data, 30)[0], 16)
    first_folder, _, smallest, first_mini = struct.unpack_from("<IIII", data, 48)
    mini_size = 1 << min(struct.unpack_from("<H", data, 32)[0], 16)
    table = _numbers(b"".join(_sector(data, number, size) for number in _tables(data, size)))
    folder = _chain(data, table, first_folder, size)
    root = b""
    found: tuple[int, int] | None = None
    for at in range(0, len(folder) - 127, 128):
        name_bytes = struct.unpack_from("<H", folder, at + 64)[0]
        name = folder[at : at + max(0, min(name_bytes, 64) - 2)].decode("utf-16-le", errors="replace")
        kind = folder[at + 66]
        start, length = struct.unpack_from("<II", folder, at + 116)
        if kind == 5:
            root = _chain(data, table, start, size)
        elif name.casefold() in _STREAMS and found is None:
            found = start, length
    if found is None:
        raise ValueError("no workbook in it")
    start, length = found
    if length >= smallest:
        return _chain(data, table, start, size)[:length]
    mini_table = _numbers(_chain(data, table, first_mini, size))
    # Small streams lie in the stream of the root, in sectors of their own that are counted from its beginning.
    return _chain(root, mini_table, start, mini_size, offset=0)[:length]


def _tables(data: bytes, size: int) -> Iterator[int]:
    """Numbers of the sectors that hold the table of sectors."""
    yield from (number for number in struct.unpack_from("<109I", data, 76) if number < _END)
    following = struct.unpack_from("<I", data, 68)[0]
    seen: set[int] = set()
    while following < _END and following not in seen:
        seen.add(following)
        numbers = _numbers(_sector(data, following, size))
        if not numbers:
            return
        yield from (number for number in numbers[:-1] if number < _END)
        following = numbers[-1]


def _sector(data: bytes, number: int, size: int) -> bytes:
    return data[(number + 1) * size : (number + 2) * size]


def _numbers(content: bytes) -> array[int]:
    return array("I", content[: len(content) // 4 * 4])


def _chain(data: bytes, table: array[int], start: int, size: int, offset: int = 1) -> bytes:
    """The sectors from ``start`` on, as the table links them; a chain that runs in a circle is cut."""
    sectors: list[bytes] = []
    left = len(data) // size + 1
    while start < _END and left > 0:
        sectors.append(data[(start + offset) * size : (start + offset + 1) * size])
        left -= 1
        if start >= len(table):
            break
        start = table[start]
    return b"".join(sectors)
