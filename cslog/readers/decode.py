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

    utf8: bytes
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


def decode(data: bytes, encoding: str | None = None) -> Decoded:
    """Decode a whole file; ``encoding`` overrides the detection.

    GB18030 is decoded line by line, so that one broken byte costs one character and not the rest
    of the file (formats 1.1), and lines of UTF-8 among them are read as such. A UTF-8 file with a few
    broken bytes stays UTF-8.
    """
    if encoding is not None:
        return _replacing(data, encoding)
    for bom, name in _BOMS:
        if data.startswith(bom):
            return _replacing(data[len(bom) :], "utf-8" if name == "utf-8-sig" else name, shown=name)
    if looks_utf16(data):
        sample = data[:4096]
        return _replacing(data, "utf-16-le" if sample[1::2].count(0) > sample[0::2].count(0) else "utf-16-be")
    from cslog.scan import encodings

    faults = encodings.utf8_faults(data)
    if faults.broken == 0:
        return Decoded(data, "utf-8", 0)
    if faults.shown * 20 <= faults.beyond_ascii:
        return _decoded(data.decode(errors="replace"), "utf-8", faults.shown)
    utf8 = encodings.utf8_of_gb18030(data)
    return _replacing(data, "gb18030") if utf8 is None else Decoded(utf8, "gb18030", 0)


def _replacing(data: bytes, encoding: str, shown: str | None = None) -> Decoded:
    try:
        return _decoded(data.decode(encoding), shown or encoding, 0)
    except UnicodeDecodeError:
        pass
    if encoding.startswith("utf-16"):
        text = data.decode(encoding, errors="replace")
    else:
        lines = data.split(b"\n")
        utf8 = [_utf8_line(line) if encoding == "gb18030" else None for line in lines]
        if any(line is not None for line in utf8):  # exports of both kinds in one file
            shown = f"{encoding}+utf-8"
        text = "\n".join(
            line.decode(encoding, errors="replace") if known is None else known
            for line, known in zip(lines, utf8, strict=True)
        )
    return _decoded(text, shown or encoding, text.count(REPLACEMENT))


def _decoded(text: str, encoding: str, replaced: int) -> Decoded:
    return Decoded(text.encode(errors="replace"), encoding, replaced)


def _utf8_line(line: bytes) -> str | None:
    """The line, if it is UTF-8 beyond doubt: such bytes would be three rare characters of GB18030 in a row."""
    if not _UTF8_CHINESE.search(line):
        return None
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return None
