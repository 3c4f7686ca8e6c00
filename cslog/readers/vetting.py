"""Whether a workbook can be opened without harm: looked at before anything is unpacked for good (cslog.limits).

What reads workbooks holds the whole rectangle that a sheet spans, and every shared text once per cell, so
that a file of a few hundred bytes could ask for all memory there is; and being no Python, it does not raise
MemoryError then, but ends the program.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from cslog import limits
from cslog.errors import ReadError
from cslog.readers import vetting_xls

_CHUNK = limits.MIB
_UNUSUAL_CELL = re.compile(rb"<c[>/\s](?!r=\"[A-Za-z]+[0-9]+\")")
_WIDE = re.compile(rb'<c r="([A-Za-z]{2,9})')
_USUAL_ROW = re.compile(rb'<c r="[A-Za-z]+([0-9]{1,12})')
# An attribute r, and not xmlns:r="http…".
_COLUMN = re.compile(rb"(?<![:\w])r\s*=\s*[\"']\s*\$?([A-Za-z]{1,9})\$?[0-9]")
_ROW = re.compile(rb"(?<![:\w])r\s*=\s*[\"']\s*\$?[A-Za-z]{0,9}\$?([0-9]{1,12})")
_CELL_TAGS = [mark + b"c" + end for mark in (b"<", b":") for end in (b" ", b">", b"/", b"\n", b"\t", b"\r")]
_ROW_TAG = re.compile(rb"<(?:\w+:)?row[\s/>]")
_TEXT_TAG = re.compile(rb"<(?:\w+:)?si[\s/>]")
_VALUE = re.compile(rb"<(?:\w+:)?v[^<>]*>\s*([0-9]{1,9})\s*<")
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError, ValueError, IndexError, struct.error,
)  # fmt: skip
_HINT = "copy the table alone into a new workbook"


def vet(path: str, data: bytes) -> None:
    """Raise ReadError when the workbook is damaged, or opening it would take more than cslog.limits allow."""
    is_zip = data.startswith(b"PK")
    if not is_zip and len(data) > limits.XLS_BYTES:
        size = limits.shown(limits.XLS_BYTES)
        raise ReadError(f"{path}: is larger than {size}, more than an .xls can hold", "save it as .xlsx")
    try:
        if not is_zip:
            for sheet in vetting_xls.extents(data):
                _judge(path, sheet.rows, sheet.columns, sheet.cells)
                _judge_texts(path, sheet.text_bytes, len(data))
            return
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
        if any(member.filename.lower().endswith("workbook.bin") for member in members):
            raise ReadError(f"{path}: is a binary workbook (.xlsb)", "save it as .xlsx")
        _vet_parts(path, data, members)
    except _DAMAGED as error:
        raise ReadError(
            f"{path}: the workbook cannot be opened", "save it again as .xlsx without a password"
        ) from error


def _vet_parts(path: str, data: bytes, members: list[zipfile.ZipInfo]) -> None:
    left = max(limits.ZIP_SMALL_BYTES, limits.ZIP_RATIO * len(data))
    texts: list[int] = []
    parts: list[_Part] = []
    for member in members:
        part = _Part()
        for piece in _pieces(data, member):
            left -= len(piece)
            if left < 0:
                raise ReadError(
                    f"{path}: unpacks to more than {limits.ZIP_RATIO} times its size and"
                    f" {limits.shown(limits.ZIP_SMALL_BYTES)}",
                    _HINT,
                )
            part.see(piece)
        part.judge(path)
        texts += part.texts()
        parts.append(part)
    longest = max(texts, default=0)
    for member, part in zip(members, parts, strict=True):
        if part.cells * longest > limits.SHEET_TEXT_BYTES:
            indices = (int(index) for piece in _pieces(data, member) for index in _VALUE.findall(piece))
            _judge_texts(path, sum(texts[index] for index in indices if index < len(texts)), part.size)


@dataclass
class _Part:
    """What one part of the workbook holds, should it be a sheet or the shared texts: parts can have any name."""

    cells: int = 0
    placed: int = 0  # cells that say their column
    columns: set[bytes] = field(default_factory=set)
    rows: int = 0
    row_tags: int = 0
    longest_row: int = 0  # cells between two row tags
    size: int = 0
    starts: list[int] = field(default_factory=list)  # of shared texts
    _in_row: int = 0

    def see(self, piece: bytes) -> None:
        """Count what the next piece holds; no tag is cut."""
        usual = piece.count(b'<c r="')
        if b":c" not in piece and usual == piece.count(b"<c ") and not _UNUSUAL_CELL.search(piece):
            # As all programs write it; several times faster than what is made to look otherwise.
            cells, wide, rows = usual, _WIDE.findall(piece), _USUAL_ROW.findall(piece)
            columns = {*wide, b"Z"} if len(wide) < usual else {*wide}
            self.placed += cells
        else:
            cells = sum(map(piece.count, _CELL_TAGS))
            found = _COLUMN.findall(piece)
            columns, rows = {*found}, _ROW.findall(piece)
            self.placed += len(found)
        self.cells += cells
        self.columns |= columns
        self.rows = max(self.rows, max(map(int, {*rows}), default=0))
        if self.placed < self.cells:
            self._count_rows(piece)
        if b"si" in piece:
            self.starts += [self.size + found.start() for found in _TEXT_TAG.finditer(piece)]
        self.size += len(piece)

    def _count_rows(self, piece: bytes) -> None:
        """Cells without a place stand one behind the other: how many at most in a row."""
        before, *rows = _ROW_TAG.split(piece)
        for cells in (before, *rows):
            if cells is not before:
                self._in_row = 0
                self.row_tags += 1
            self._in_row += sum(map(cells.count, _CELL_TAGS))
            self.longest_row = max(self.longest_row, self._in_row)

    def judge(self, path: str) -> None:
        """Raise ReadError when the rectangle of a sheet is beyond all reason."""
        width = max((_number(letters) for letters in self.columns), default=0) + self.longest_row
        _judge(path, self.rows + self.row_tags, width, self.cells)

    def texts(self) -> list[int]:
        """Bytes of each shared text, with its tags."""
        ends = [*self.starts[1:], self.size]
        return [end - start for start, end in zip(self.starts, ends, strict=True)] if self.starts else []


def _judge(path: str, rows: int, columns: int, cells: int) -> None:
    if rows * columns > max(limits.SHEET_CELLS, limits.SHEET_SPARSITY * cells):
        raise ReadError(
            f"{path}: a sheet spans {rows:,} rows and {columns:,} columns, most of them blank", _HINT
        )


def _judge_texts(path: str, text_bytes: int, size: int) -> None:
    most = min(max(limits.SHEET_TEXT_BYTES, limits.SHEET_TEXT_RATIO * size), limits.SHEET_TEXT_MOST)
    if text_bytes > most:
        raise ReadError(f"{path}: the texts of a sheet come to more than {limits.shown(most)}", _HINT)


def _number(letters: bytes) -> int:
    """1 for A, 27 for AA."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _pieces(data: bytes, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """A part of the workbook unpacked, in pieces that end before a tag."""
    rest = b""
    for chunk in _unpacked(data, member):
        whole = rest + chunk
        end = whole.rfind(b"<")
        end = end if end > 0 and len(whole) - end < _CHUNK else len(whole)
        yield whole[:end]
        rest = whole[end:]
    yield rest


def _unpacked(data: bytes, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """What the member unpacks to, whatever size it states: the one that will read it does not look at that."""
    at = member.header_offset
    if data[at : at + 4] != b"PK\x03\x04":
        raise zipfile.BadZipFile
    name, extra = struct.unpack_from("<HH", data, at + 26)
    start = at + 30 + name + extra
    packed = memoryview(data)[start : start + member.compress_size]
    if member.flag_bits & 1 or len(packed) != member.compress_size:
        raise zipfile.BadZipFile  # locked, or cut
    if member.compress_type == zipfile.ZIP_STORED:
        for offset in range(0, len(packed), _CHUNK):
            yield bytes(packed[offset : offset + _CHUNK])
        return
    if member.compress_type != zipfile.ZIP_DEFLATED:
        raise zipfile.BadZipFile
    unpacker = zlib.decompressobj(-15)
    waiting: bytes | memoryview = packed
    while waiting and not unpacker.eof:
        yield unpacker.decompress(waiting, _CHUNK)
        waiting = unpacker.unconsumed_tail
    yield unpacker.flush(_CHUNK)
