"""Bytes to text in a fixed order: BOM, UTF-16 by its NULs, UTF-8, GB18030. Never a silent guess."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

REPLACEMENT = "\ufffd"

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Decoded:
    """``text``, the ``encoding`` that was used, and how many characters had to be ``replaced``."""

    text: str
    encoding: str
    replaced: int


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
    of the file (formats 1.1). A UTF-8 file with a few broken bytes stays UTF-8.
    """
    if encoding is not None:
        return _replacing(data, encoding)
    for bom, name in _BOMS:
        if data.startswith(bom):
            return _replacing(data[len(bom) :], "utf-8" if name == "utf-8-sig" else name, shown=name)
    if looks_utf16(data):
        sample = data[:4096]
        return _replacing(data, "utf-16-le" if sample[1::2].count(0) > sample[0::2].count(0) else "utf-16-be")
    try:
        return Decoded(data.decode("utf-8"), "utf-8", 0)
    except UnicodeDecodeError:
        pass
    utf8 = data.decode("utf-8", errors="replace")
    broken = utf8.count(REPLACEMENT)
    if broken * 20 <= len(utf8) - len(utf8.encode("ascii", errors="ignore")):
        return Decoded(utf8, "utf-8", broken)
    return _replacing(data, "gb18030")


def _replacing(data: bytes, encoding: str, shown: str | None = None) -> Decoded:
    try:
        return Decoded(data.decode(encoding), shown or encoding, 0)
    except UnicodeDecodeError:
        pass
    if encoding.startswith("utf-16"):
        text = data.decode(encoding, errors="replace")
    else:
        text = "\n".join(line.decode(encoding, errors="replace") for line in data.split(b"\n"))
    return Decoded(text, shown or encoding, text.count(REPLACEMENT))
