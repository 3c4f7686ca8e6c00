"""Nothing lost: every line of a file is a message, part of one, a reject, or layout.

Each function takes the lines of a file and what a reader made of them, and returns the numbers of the
lines that it can find nowhere. What is layout is said here a second time, in the words of the format notes.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cslog.readers.base import Batch

BLANKS = " \t\r\n\x03\x0b\x0c\u00a0\u2002\u2003\u2009\u200b\u200e\u200f\u3000\ufeff"
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s*")
_CONTACT = re.compile(r"-{28}.*-{28}\s*")
_DATE = re.compile(r"\s*\d{4}(?:[-/]\d{1,2}[-/]\d{1,2}|年\d{1,2}月\d{1,2}日).{0,8}")
_MARK = re.compile(r"^[\[(]自动回复[\])] *")
_CLIENT = re.compile(r"(?:已读|未读|发送中|(?:\d{4}-\d{1,2}-\d{1,2}\s+)?\d{1,2}:\d\d:\d\d)")


def lines_of(text: str) -> list[str]:
    """Lines as the format notes count them: CRLF, LF, or CR alone."""
    if "\r" in text:
        text = text.replace("\r", "") if "\n" in text else text.replace("\r", "\n")
    return text.split("\n")


def _nowhere(lines: list[str], batch: Batch, layout: Callable[[int, str], bool]) -> list[int]:
    """Numbers of lines that begin no message and no reject, are layout nowhere, and in no text above them."""
    starts: list[dict[int, list[str]]] = []
    for frame in (batch.messages, batch.rejects):
        begins: dict[int, list[str]] = {}
        if frame is not None:
            for number, words in frame.select("line", "text").iter_rows():
                begins.setdefault(number, []).append(words or "")
        starts.append(begins)
    lost: list[int] = []
    above: list[list[str]] = [[], []]  # of the last message, and of the last reject
    for number, line in enumerate(lines, start=1):
        words = _MARK.sub("", line.strip())
        found = [begins.get(number) for begins in starts]
        above = [new or old for new, old in zip(found, above, strict=True)]
        known = any(found) or any(words in text for texts in above for text in texts)
        if words and not known and not layout(number, line):
            lost.append(number)
    return lost


def lost_of_qn_txt(lines: list[str], batch: Batch) -> list[int]:
    """Lines of a Txt export of the message manager that are nowhere."""
    first = next((number for number, line in enumerate(lines, start=1) if line.strip()), 0)
    group = False
    skipped = 0
    in_group: set[int] = set()
    titles: set[int] = set()
    for number, line in enumerate(lines, start=1):
        title = lines[number].strip() if number < len(lines) else ""
        if line.rstrip() == "=" * 64 and title in ("单聊", "群聊"):
            group = title == "群聊"
            titles.update((number, number + 1))
            if number + 1 < len(lines) and lines[number + 1].rstrip() == "=" * 64:
                titles.add(number + 2)
        elif group and number not in titles and line.strip():
            in_group.add(number)
            skipped += 1
    said = "".join(batch.warnings)
    assert not skipped or f"{skipped} line" in said, "lines of group chat are counted in a warning"

    def layout(number: int, line: str) -> bool:
        return (
            number == first
            or number in in_group
            or number in titles
            or _STAMP.fullmatch(line) is not None
            or _CONTACT.fullmatch(line) is not None
        )

    return _nowhere(lines, batch, layout)


def lost_of_ww_txt_old(lines: list[str], batch: Batch) -> list[int]:
    """Lines of an older Wangwang export that are nowhere."""
    dated = re.compile(r"\d{4}-\d\d-\d\d")
    record = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d .+?:(?: .*)?")
    header_ends = next(
        (
            number
            for number, line in enumerate(lines, start=1)
            if number > 3 and (record.fullmatch(line) or dated.fullmatch(line.rstrip()))
        ),
        len(lines) + 1,
    )

    def layout(number: int, line: str) -> bool:
        return (
            number < header_ends
            or dated.fullmatch(line.rstrip()) is not None
            or _STAMP.fullmatch(line) is not None
        )

    return _nowhere(lines, batch, layout)


def lost_of_qn_copy(lines: list[str], batch: Batch) -> list[int]:
    """Lines of a copied chat window that are nowhere."""

    def layout(number: int, line: str) -> bool:
        bare = line.strip()
        below = lines[number].strip() if number < len(lines) else ""
        # The name of form H4 stands above its time; the time is then the second line of the header.
        return (
            _CLIENT.fullmatch(bare) is not None
            or _DATE.fullmatch(bare) is not None
            or _CLIENT.fullmatch(below) is not None
        )

    return _nowhere(lines, batch, layout)


def lost_of_irc(lines: list[str], batch: Batch) -> list[int]:
    """Lines of a channel, read by docs/mappings/irc.toml, that are nowhere."""
    left_out = re.compile(r"\d\d:\d\d -!-|--- Log closed|--- (?:Log opened|Day changed) \w{3} \w{3} \d\d ")
    return _nowhere(lines, batch, lambda number, line: left_out.match(line) is not None)


def lost_of_table(lines: list[str], batch: Batch) -> list[int]:
    """Rows of a delimited text without quotes that are neither a row of the result nor a reject."""
    if any('"' in line for line in lines):
        return []
    found: set[int] = set()
    for frame in (batch.messages, batch.orders, batch.rejects):
        if frame is not None:
            found.update(frame["line"])
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip(BLANKS)]
    return [number for number, line in numbered[1:] if line.strip(BLANKS + ",;'=") and number not in found]
