"""Bytes to text in a fixed order: BOM, UTF-16 by its NULs, UTF-8, GB18030. Never a silent guess."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import cached_property

REPLACEMENT = "\ufffd"
_UTF8_CHINESE = re.compile(rb"(?:[\xe3-\xe9\xef][\x80-\xbf]{2}){2}")

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Decoded:
    """``utf8``, the text in that encoding, the ``encoding`` it was read in, and how many characters had to be
    ``replaced``.
    """

    utf8: bytes | bytearray
    encoding: str
    replaced: int

    @cached_property
    def text(self) -> str:
        """The text."""
        return self.utf8.decode()


def looks_utf16(data: bytes) -> bool:
    """Whether every other byte is mostly NUL, or a UTF-16 BOM stands in front."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    sample = data[:4096]
    if len(sample) < 4 or b"\x00" not in sample:
        return False
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    return max(even, odd) > len(sample) // 8 and min(even, odd) <= max(even, odd) // 16


def decode(data: bytes, encoding: str | None = None, *, unix_lines: bool = False) -> Decoded:
    """Decode a whole file; ``encoding`` overrides the detection. ``unix_lines``: ``utf8`` is a bytearray of its
    own, in which lines end in LF (cslog.scan.encodings.unix_lines).

    GB18030 is decoded line by line, so that one broken byte costs one character and not the rest
    of the file (formats 1.1), and lines of UTF-8 among them are read as such. A UTF-8 file with a few
    broken bytes stays UTF-8.
    """
    from cslog.scan import encodings

    named = encoding or _encoding_of(data)
    if encoding is None:
        for bom, name in _BOMS:
            data = data.removeprefix(bom) if name == named else data
    codec = "utf-8" if named == "utf-8-sig" else named
    utf8: bytes | bytearray | None = None
    replaced, mixed = 0, False
    if codec == "gb18030":
        utf8 = encodings.utf8_of_gb18030(data, unix_lines=unix_lines)
    elif codec == "utf-8" and encodings.utf8_faults(data).broken == 0:
        utf8 = data
    if utf8 is None:
        text, replaced, mixed = _replacing(data, codec)
        utf8 = text.encode(errors="replace")
    if unix_lines and not isinstance(utf8, bytearray):
        utf8 = encodings.unix_lines(utf8)
    return Decoded(utf8, f"{named}+utf-8" if mixed else named, replaced)


def _encoding_of(data: bytes) -> str:
    for bom, name in _BOMS:
        if data.startswith(bom):
            return name
    if looks_utf16(data):
        sample = data[:4096]
        return "utf-16-le" if sample[1::2].count(0) > sample[0::2].count(0) else "utf-16-be"
    from cslog.scan import encodings

    faults = encodings.utf8_faults(data)
    return "utf-8" if faults.broken == 0 or faults.shown * 20 <= faults.beyond_ascii else "gb18030"


def _replacing(data: bytes, encoding: str) -> tuple[str, int, bool]:
    """The text, how many characters had to be replaced, and whether lines of it were UTF-8 and not ``encoding``."""
    try:
        return data.decode(encoding), 0, False
    except UnicodeDecodeError:
        pass
    mixed = False
    if encoding.startswith("utf-16"):
        text = data.decode(encoding, errors="replace")
    else:
        lines = data.split(b"\n")
        utf8 = [_utf8_line(line) if encoding == "gb18030" else None for line in lines]
        mixed = any(line is not None for line in utf8)  # exports of both kinds in one file
        text = "\n".join(
            line.decode(encoding, errors="replace") if known is None else known
            for line, known in zip(lines, utf8, strict=True)
        )
    return text, text.count(REPLACEMENT), mixed


def _utf8_line(line: bytes) -> str | None:
    """The line, if it is UTF-8 beyond doubt: such bytes would be three rare characters of GB18030 in a row."""
    if not _UTF8_CHINESE.search(line):
        return None
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return None
