"""Older Wangwang Txt export: 即时消息 in the third line, records led by their date (formats 1.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cslog.readers import text
from cslog.readers.base import Batch
from cslog.readers.qn_txt import QnTxt

if TYPE_CHECKING:
    from cslog.readers.base import Options
    from cslog.readers.head import Head

_HEADING = "即时消息"
_HEADING_INDEX = 2
# The nick ends at the first colon with a blank or the line's end behind it: shop:agent keeps its own.
_RECORD = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) (.+?):(?: (.*))?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_SYSTEM = ("系统提示", "系统提醒")

_BEFORE_FIRST = "text without a message above it"
_IMPOSSIBLE = "impossible date"
_NO_BUYER = "no buyer to be found for this message"


class WwTxtOld:
    """Older Wangwang Txt export (formats 1.2): one stream with many buyers.

    Agent lines do not say whom they answer; `text.conversations` assigns them. Texts that hold
    系统提示 or 系统提醒 are the system's: they set no buyer, unless their sender also speaks
    otherwise. A line of nothing but a date separates days and ends the conversation. A line that
    begins with a date but is no record is body text; an isolated time is noise. What stands above
    the first date is the header. The exporter is unknown.
    """

    id = "ww-txt-old"
    title = "Older Wangwang Txt export (即时消息)"
    title_zh = "旧版旺旺导出的 Txt 文件（即时消息）"
    sign = "the third line holds 即时消息; records 'YYYY-MM-DD HH:MM:SS nick: text'"

    def identify(self, head: Head) -> bool:
        """The heading in line three, and at least one record below it."""
        if head.container != "text" or len(head.lines) <= _HEADING_INDEX:
            return False
        if _HEADING not in head.lines[_HEADING_INDEX] or QnTxt().identify(head):
            return False
        return any(_RECORD.fullmatch(line) for line in head.lines[_HEADING_INDEX + 1 :])

    def read(self, head: Head, options: Options) -> Batch:
        """Read all records. Raises ReadError when neither the names nor the user tell the shop."""
        decoded, lines = text.lines_of(head)
        rows, breaks = _scan(lines)
        shop = None
        if rows.line:
            cast = text.cast_of((name for name in rows.sender if name is not None), options, head.path)
            shop = cast.shop
            customers, agents = _speakers(rows, cast)
            buyers, blocks = text.conversations(customers, agents, breaks)
            rows.buyer[:], rows.block[:] = buyers, blocks
            rows.reject_incomplete(lines, _NO_BUYER, buyers)
        return Batch(
            messages=rows.messages(),
            rejects=rows.rejects(),
            encoding=decoded.encoding,
            replaced_characters=decoded.replaced,
            shop=shop,
        )


def _scan(lines: list[str]) -> tuple[text.Rows, set[int]]:
    """The records, without buyers, and the indices of the messages that follow a date line."""
    rows = text.Rows()
    breaks: set[int] = set()
    tail: list[str] = []
    is_open = False
    in_header = True
    reason = _BEFORE_FIRST
    for index in range(_HEADING_INDEX + 1, len(lines)):
        line = lines[index]
        if line[:2].isdigit():
            if match := _RECORD.fullmatch(line):
                rows.continue_last(tail)
                in_header = False
                sent_at = text.instant(match[1], match[2])
                if sent_at is None:
                    is_open, reason = False, _IMPOSSIBLE
                    rows.reject(index + 1, reason, line)
                    continue
                sender, marked_sender = text.sender_without_mark(match[3])
                body, marked_text = text.text_without_mark(match[4] or "")
                rows.add(index + 1, sender, sent_at, body, auto=marked_sender or marked_text)
                is_open = True
                continue
            shape = line.rstrip()
            if _DATE.fullmatch(shape):
                rows.continue_last(tail)
                breaks.add(len(rows.line))
                in_header, is_open, reason = False, False, _BEFORE_FIRST
                continue
            if _STAMP.fullmatch(shape):
                continue
        if is_open:
            tail.append(line)
        elif not in_header and line.strip():
            rows.reject(index + 1, reason, line)
    rows.continue_last(tail)
    for index, body in enumerate(rows.text):
        if any(word in body for word in _SYSTEM):
            rows.side[index] = "system"
    return rows, breaks


def _speakers(rows: text.Rows, cast: text.Cast) -> tuple[list[str | None], list[str | None]]:
    """Buyer and agent of each line as far as the line itself tells them."""
    known: dict[str, tuple[str | None, str | None]] = {}
    said_something: set[str] = set()
    for sender, side in zip(rows.sender, rows.side, strict=True):
        if sender is not None:
            if sender not in known:
                customer = None if cast.is_staff(sender) else text.plain_name(sender)
                known[sender] = (customer, cast.agent(sender))
            if side is None:
                said_something.add(sender)
    customers: list[str | None] = []
    agents: list[str | None] = []
    for sender, side in zip(rows.sender, rows.side, strict=True):
        customer, agent = known[sender] if sender in said_something else (None, None)
        customers.append(customer)
        agents.append(None if side == "system" else agent)
    return customers, agents
