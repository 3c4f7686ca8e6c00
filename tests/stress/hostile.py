"""Files made to take all memory, all time, or a place on the disk; each says of itself what must become of it."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from tests.stress.targets import _SHEET, MARKER, SHOP, workbook_of_xml

_RULE, _DASHES = "=" * 64, "-" * 28
MIB = 1 << 20


@dataclass(frozen=True)
class Hostile:
    """A file; ``said`` is part of its error, empty where it must be read, with so many messages and rejects."""

    name: str
    make: Callable[[], bytes]
    said: str = ""
    messages: int = 0
    rejects: int = 0


def chat(*lines: str, encoding: str = "gb18030") -> bytes:
    """A Txt export with one buyer ``b``, and these lines."""
    head = [f"{SHOP}:小美", "", _RULE, " " * 31 + "单聊", _RULE, "", "", f"{_DASHES}b{_DASHES}"]
    return "\n".join([*head, *lines, ""]).encode(encoding)


GOOD = chat("b(2024-11-06 10:12:00):  在吗", f"{SHOP}:小美(2024-11-06 10:12:09):  在的")


def zipped(*members: tuple[str, bytes]) -> bytes:
    """A zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def _zeros(size: int) -> bytes:
    return zipped(("a.txt", bytes(size)))


def _nested() -> bytes:
    inner = zipped(("a.txt", b"a" * (40 * MIB)))
    return zipped(*((f"{number}.zip", inner) for number in range(20)))


def _overlapping() -> bytes:
    """Two thousand names in the directory for one and the same member."""
    content = zipped(("a.txt", bytes(10 * MIB)))
    start = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    directory = content[start:end] * 2000
    closing = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 2000, 2000, len(directory), start, 0)
    return content[:start] + directory + closing


def _understated(content: bytes, size: int = 10) -> bytes:
    """The same zip, whose members state another size than they have."""
    changed = bytearray(content)
    for sign, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.find(sign)
        while at >= 0:
            struct.pack_into("<I", changed, at + offset, size)
            at = content.find(sign, at + 1)
    return bytes(changed)


def packed_again(content: bytes, **parts: bytes) -> bytes:
    """A workbook with other parts, deflated."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        old = {name: archive.read(name) for name in archive.namelist()}
    return zipped(*{**old, **{name.replace("__", "/"): part for name, part in parts.items()}}.items())


def sheet(*references: str) -> bytes:
    """The XML of a sheet with a text in each of these cells."""
    rows = [
        f'<row r="{re.sub("[A-Z]", "", place)}"><c r="{place}" t="inlineStr"><is><t>时间</t></is></c></row>'
        for place in references
    ]
    return _SHEET % f"<sheetData>{''.join(rows)}</sheetData>".encode()


def _laughs() -> bytes:
    entities = b"".join(
        b'<!ENTITY l%d "%s">' % (number, (b"&l%d;" % (number - 1) if number else b"ha") * 10)
        for number in range(10)
    )
    body = (
        _SHEET.partition(b"?>")[2]
        % b'<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&l9;</t></is></c></row></sheetData>'
    )
    return workbook_of_xml(b'<?xml version="1.0"?><!DOCTYPE x [' + entities + b"]>" + body)


_RELATIONS = (
    b'<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    b'<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
    b'Target="worksheets/sheet1.xml"/><Relationship Id="rId2" '
    b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/>'
    b"</Relationships>"
)


def shared_texts(length: int, rows: int) -> bytes:
    """A workbook in which one text of so many characters stands in four cells of every row."""
    cells = "".join(
        f'<row r="{row}">'
        + "".join(f'<c r="{column}{row}" t="s"><v>0</v></c>' for column in "ABCD")
        + "</row>"
        for row in range(1, rows + 1)
    )
    text = (
        b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>'
        + b"x" * length
        + b"</t></si></sst>"
    )
    return packed_again(
        workbook_of_xml(_SHEET % f"<sheetData>{cells}</sheetData>".encode(), xl__sharedStrings=text),
        **{"xl____rels__workbook.xml.rels".replace("____", "__").replace("__rels", "___rels"): _RELATIONS},
    )


def _unplaced() -> bytes:
    """Cells without a place: one long row, and very many short ones."""
    long = b"<row>" + b"<c><v>1</v></c>" * 20_000 + b"</row>"
    return workbook_of_xml(
        _SHEET % (b"<sheetData>" + long + b"<row><c><v>1</v></c></row>" * 200_000 + b"</sheetData>")
    )


def _shared_pieces(references: int, texts: tuple[str, ...]) -> list[bytes]:
    """The shared texts, cut where a record ends: at a character, behind the byte that says how the rest is written."""
    pieces = [struct.pack("<II", references, len(texts))] if texts else []
    for text in texts:
        if len(pieces[-1]) > 8200:
            pieces.append(b"")
        pieces[-1] += struct.pack("<HB", len(text), 1)
        left = text.encode("utf-16-le")
        while room := len(left):
            room = (8224 - len(pieces[-1])) // 2 * 2
            pieces[-1] += left[:room]
            if left := left[room:]:
                pieces.append(b"\x01")
    return pieces


def old_workbook(*cells: tuple[int, int, str | int], texts: tuple[str, ...] = ()) -> bytes:
    """An .xls with one sheet of these cells (row, column, text), as [MS-CFB] and [MS-XLS] lay it out.

    A number in the place of a text is that of one of the shared ``texts``.
    """

    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    def begin(kind: int) -> bytes:
        return record(0x809, struct.pack("<HHHHII", 0x600, kind, 0, 0x7CC, 0, 6))

    end = record(0x0A, b"")
    opening = begin(5) + record(0x42, struct.pack("<H", 1200))
    for number, piece in enumerate(_shared_pieces(len(cells), texts)):
        opening += record(0x3C if number else 0xFC, piece)
    place = len(opening) + 4 + 9 + len(end)
    listed = record(0x85, struct.pack("<IBBBB", place, 0, 0, 1, 0) + b"s")
    rows, columns = (max(cell[number] for cell in cells) + 1 for number in (0, 1))
    sheet = begin(0x10) + record(0x200, struct.pack("<IIHHH", 0, rows, 0, min(columns, 65535), 0))
    for row, column, text in cells:
        if isinstance(text, int):
            sheet += record(0xFD, struct.pack("<HHHI", row, column, 0, text))
            continue
        body = struct.pack("<HHHHB", row, column, 0, len(text), 1) + text.encode("utf-16-le")
        sheet += record(0x204, body)
    stream = opening + listed + end + sheet + end
    stream = stream.ljust(max(4096, -(-len(stream) // 512) * 512), b"\0")
    sectors = len(stream) // 512
    # The table of sectors lies in front, as many sectors of it as it takes to name all of them.
    tables = 1
    while tables * 128 < tables + 1 + sectors:
        tables += 1
    table = [0xFFFF_FFFD] * tables + [0xFFFF_FFFE, *range(tables + 2, tables + 1 + sectors), 0xFFFF_FFFE]
    table += [0xFFFF_FFFF] * (tables * 128 - len(table))

    def entry(name: str, kind: int, start: int, size: int, child: int) -> bytes:
        written = name.encode("utf-16-le")
        numbers = struct.pack("<HBBIII", len(written) + 2, kind, 1, 0xFFFF_FFFF, 0xFFFF_FFFF, child)
        return written.ljust(64, b"\0") + numbers + bytes(36) + struct.pack("<IQ", start, size)

    folder = entry("Root Entry", 5, 0xFFFF_FFFE, 0, 1) + entry(
        "Workbook", 2, tables + 1, len(stream), 0xFFFF_FFFF
    )
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
        + bytes(6)
    )
    header += struct.pack("<IIIIIIIII", 0, tables, tables, 0, 4096, 0xFFFF_FFFE, 0, 0xFFFF_FFFE, 0)
    header += struct.pack(f"<{tables}I", *range(tables)) + b"\xff" * (4 * (109 - tables))
    return header + struct.pack(f"<{len(table)}I", *table) + folder.ljust(512, b"\0") + stream


def _old_messages(shared: bool = False) -> bytes:
    lines = [
        ["时间", "内容", "发送者", "买家"],
        ["2024-11-06 10:12:00", "在吗" * 5000, "b", "b"],
        [f"2024-11-06 10:12:0{1}", "在的", f"{SHOP}:小美", "b"],
    ]
    cells = [(row, column, text) for row, line in enumerate(lines) for column, text in enumerate(line)]
    if not shared:
        return old_workbook(*((row, column, text[:4000]) for row, column, text in cells))
    texts = tuple(dict.fromkeys(text for _, _, text in cells))
    return old_workbook(*((row, column, texts.index(text)) for row, column, text in cells), texts=texts)


def _old_shared() -> bytes:
    """One text of 32,000 characters in 40,000 cells: 3.6 GiB out of a megabyte."""
    return old_workbook(
        *((row, column, 0) for row in range(10_000) for column in range(4)), texts=("文" * 32_000,)
    )


HEADER = "时间,内容,发送者,买家,客服"

FILES = [
    Hostile("good.txt", lambda: GOOD, messages=2),
    Hostile("zeros.zip", lambda: _zeros(100 * MIB), "more than 200 times its size"),
    Hostile("nested.zip", _nested, "more than 200 times its size"),
    Hostile("overlapping.zip", _overlapping, "more than 200 times its size"),
    Hostile("understated.zip", lambda: _understated(_zeros(80 * MIB)), "damaged"),
    Hostile("members.zip", lambda: zipped(*((f"{n}.txt", b"") for n in range(100_001))), "more than 100,000"),
    Hostile("out.zip", lambda: zipped(("../../../out/chat.txt", chat("b(2024-11-06 10:12:01):  啊"))), messages=1),
    Hostile("corners.xlsx", lambda: workbook_of_xml(sheet("A1", "XFD1048576")), "spans 1,048,576 rows and 16,384 columns"),
    Hostile("far.xlsx", lambda: workbook_of_xml(sheet("A1", "ZZZZZZ4294967290")), "most of them blank"),
    Hostile("unplaced.xlsx", _unplaced, "most of them blank"),
    Hostile("corners.xls", lambda: old_workbook((0, 0, "时间"), (65_535, 65_534, "x")), "spans 65,536 rows and 65,535 columns"),
    Hostile("good.xls", _old_messages, messages=2),
    Hostile("shared.xls", _old_shared, "more than 256 MiB"),
    Hostile("good-shared.xls", lambda: _old_messages(shared=True), messages=2),
    Hostile("laughs.xlsx", _laughs, "cannot be read"),
    Hostile("shared.xlsx", lambda: shared_texts(MIB, 20_000), "more than 256 MiB"),
    Hostile("shared-just.xlsx", lambda: shared_texts(MIB, 65), "more than 256 MiB"),
    Hostile("zeros.xlsx", lambda: packed_again(workbook_of_xml(_SHEET % (b" " * (100 * MIB)))), "more than 200 times its size"),
    Hostile("understated.xlsx", lambda: _understated(packed_again(workbook_of_xml(_SHEET % (b" " * (100 * MIB))))), "more than 200"),
    Hostile("binary.xlsx", lambda: packed_again(workbook_of_xml(sheet("A1")), xl__workbook_bin=b"x").replace(b"workbook_bin", b"workbook.bin"), ".xlsb"),
    Hostile("line.txt", lambda: chat("b(2024-11-06 10:12:00):  " + "x" * (40 * MIB)), "longer than 16 MiB"),
    Hostile("line.csv", lambda: f"{HEADER}\n".encode() + b"x" * (40 * MIB), "longer than 16 MiB"),
    Hostile("columns.csv", lambda: (HEADER + "," * 10_000_000 + "\n").encode(), "more than 16,384"),
    Hostile("titles.csv", lambda: (HEADER + "".join(f",c{n}" for n in range(60_000)) + "\n").encode(), "more than 16,384"),
    Hostile("quotes.csv", lambda: f"{HEADER}\n".encode() + b'"a",x,"\n' * 100_000, "none of 100000 rows"),
    Hostile("times.txt", lambda: chat("b(2024-11-06 10:12:00):  a", "y(2024-11-06 10:12:00):" * 200_000), messages=1, rejects=1),
    Hostile("contacts.txt", lambda: chat(*[f"{_DASHES}-x-{_DASHES}"] * 50_000), rejects=50_000),
    Hostile("nul.txt", lambda: chat("b(2024-11-06 10:12:00):  a\0b"), messages=1),
    Hostile("nul-filled.txt", lambda: GOOD + bytes(MIB), "unknown format"),
    Hostile("surrogates.txt", lambda: chat("b(2024-11-06 10:12:00):  XX").decode("gb18030").encode("utf-16").replace("XX".encode("utf-16-le"), b"\x00\xd8\x00\xd8"), messages=1),
    Hostile("surrogates-8.txt", lambda: chat("b(2024-11-06 10:12:00):  " + "文" * 90 + "XX", encoding="utf-8").replace(b"XX", b"\xed\xa0\x80"), messages=1),
    Hostile("mixed.txt", lambda: GOOD + f"b(2024-11-06 10:13:00):  那好\n{SHOP}:小美(2024-11-06 10:13:09):  好的，谢谢\n".encode(), messages=4),
    Hostile("dates.txt", lambda: chat(
        "b(1970-01-01 08:00:00):  a", "b(0001-01-01 00:00:00):  a", "b(9999-12-31 23:59:59):  a", "b(2100-01-01 00:00:00):  a",
        "b(2000-01-01 00:00:00):  a", "b(2099-12-31 23:59:59):  a",
    ), messages=2, rejects=4),
    Hostile("dates.csv", lambda: (HEADER + "\n" + "".join(
        f"{time},a,b,b,{SHOP}:小美\n" for time in ("1970-01-01 08:00:00", "0", "9" * 400, "٢٠٢٤-01-01 10:00:00", "2099-12-31 23:59:59")
    )).encode(), messages=2, rejects=3),
    Hostile("phone.csv", lambda: f"{HEADER}\n{MARKER},{MARKER},{MARKER},{MARKER},{MARKER}\n".encode(), "time is not readable"),
]  # fmt: skip
