"""Text copied out of the Qianniu chat window (formats 2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cslog.errors import ReadError
from cslog.readers import qn_copy_lines, text
from cslog.readers.base import Batch
from cslog.readers.qn_txt import QnTxt
from cslog.readers.ww_txt_old import WwTxtOld

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cslog.readers.base import Options
    from cslog.readers.head import Head
    from cslog.readers.qn_copy_lines import Header

_JD_SESSION = re.compile(r"\s*/\*+(?:以下为一通会话|会话结束)")
_ANY_DATE = "2000-01-01"  # identify asks for headers, not for times

_NO_HEADER = "text without a sender above it"
_NO_DATE = "no date"
_NO_TIME = "no time"
_IMPOSSIBLE = "impossible date"
_NO_BUYER = "no buyer to be found for this message"


class QnCopy:
    """Text copied from the chat window, headers H1 to H6 (formats 2).

    H1 `nick 2024-1-15 14:30:25` · H2 without the blank · H3 `A --> B time` · H4 nick and time on two
    lines · H5 `[nick] time` · H6 `nick (time): text`; H1, H2 and H5 also with a time alone, when a
    date line stands above or the file's name holds exactly one date. The text follows up to the
    next header.

    A body line that ends with a time is no header when what stands before is no name (a label, a
    sentence, markup). In a file of full dates without date lines, a time alone makes a header only
    behind a known sender. A bare time is H4 below a known sender, or below any name when the file
    has no other header form; else it is the window's own separator and dropped. A date line right
    below a header that has its own date is that message's text.

    Lines without a header (recalls, transfers, 当前用户来自) get the time of the message above, at
    the top of the file that of the first one below.
    """

    id = "qn-copy"
    title = "Text copied from the Qianniu chat window"
    title_zh = "从千牛聊天窗口复制的文本"
    sign = "lines that end with 'nick YYYY-M-D HH:MM:SS', their text below; status lines 已读/未读"

    def identify(self, head: Head) -> bool:
        """Headers begin the file or are a fifth of its lines, and name an agent, or two people."""
        if head.container != "text" or QnTxt().identify(head) or WwTxtOld().identify(head):
            return False
        lines = head.lines
        if any(text.is_rule(line) or text.contact_nick(line) or _JD_SESSION.match(line) for line in lines):
            return False
        scan = _Scan(lines, _ANY_DATE)
        scan.run()
        names = list(scan.names())
        senders = {name for name, header in zip(scan.rows.sender, scan.has_header, strict=True) if header}
        with_agent = any(qn_copy_lines.names_agent(name) for name in names) or any(scan.receivers)
        dated = scan.has_dates or with_agent
        if not senders or not dated or not any(scan.rows.text):
            return False
        first = scan.rows.line[scan.has_header.index(True)]
        begins = all(line > first for line, _, _ in scan.rows.rejected)
        frequent = sum(scan.has_header) * 5 >= sum(bool(line.strip()) for line in lines)
        return (begins or frequent) if with_agent else (begins and frequent and len(senders) > 1)

    def read(self, head: Head, options: Options) -> Batch:
        """Read all messages. Raises ReadError when the shop is unknown or no sender is a buyer."""
        decoded, lines = text.lines_of(head)
        scan = _Scan(lines, qn_copy_lines.date_of_file_name(head.name))
        scan.run()
        shop = None
        if scan.rows.line:
            cast = text.cast_of(scan.names(), options, head.path)
            shop = cast.shop
            _assign_buyers(scan, cast, head.path)
        return Batch(
            messages=scan.rows.messages(),
            rejects=scan.rows.rejects(),
            encoding=decoded.encoding,
            replaced_characters=decoded.replaced,
            shop=shop,
            warnings=scan.warnings(),
        )


class _Scan:
    """Lines to messages; who is buyer and who is staff comes later."""

    def __init__(self, lines: Sequence[str], date_of_file: str | None) -> None:
        self.lines = lines
        self.rows = text.Rows()
        self.receivers: list[str | None] = []  # form H3, one per message
        self.has_header: list[bool] = []  # one per message
        self.breaks: set[int] = set()
        self._headers = [qn_copy_lines.header_of(line) for line in lines]
        self._known = {header.sender for header in self._headers if header and header.sender}
        self._known_dated = {header.sender for header in self._headers if header and header.date} - {""}
        date_lines = any(qn_copy_lines.date_of(line.strip()) for line in lines)
        self._clocks_alone = date_lines or not self._known_dated
        self.has_dates = date_lines or any(header is not None and header.date for header in self._headers)
        self._date: str | None = None
        self._date_of_file = date_of_file
        self._used_date_of_file = False
        self._undated = 0
        self._body: list[str] = []
        self._inline = False  # the open message began its text on its first line
        self._own_date = False  # the header of the open message has its date
        self._open = ""  # what further lines belong to: message, origin, transfer, or nothing
        self._reason = _NO_HEADER

    def names(self) -> Iterator[str]:
        """Every name in a header."""
        for sender, receiver, header in zip(self.rows.sender, self.receivers, self.has_header, strict=True):
            if header and sender is not None:
                yield sender
            if receiver is not None:
                yield receiver

    def warnings(self) -> list[str]:
        """What the user should know, without anybody's words."""
        found = []
        if self._used_date_of_file:
            found.append(f"times without a date were given the date in the file's name, {self._date_of_file}")
        if self._undated:
            messages = text.counted(self._undated, "message")
            found.append(f"{messages} without a date rejected; put a line such as 2024-01-15 above them")
        return found

    def run(self) -> None:
        """Read all lines into ``rows``."""
        rows = self.rows
        skip = -1
        for index, line in enumerate(self.lines):
            if index == skip:
                continue
            header = self._header_at(index)
            if header is None:
                self._further(index, line)
                continue
            if self._headers[index] is None:  # form H4, two lines
                skip = index + 1
            self._start(index, header)
        self._finish()
        if not any(self.has_header):
            rows.reject_incomplete(self.lines, _NO_TIME, [None] * len(rows.line))
            self.receivers, self.has_header = [], []
            return
        following: int | None = None
        for position in range(len(rows.line) - 1, -1, -1):
            if rows.sent_at[position] is None:
                rows.sent_at[position] = following
            following = rows.sent_at[position]

    def _header_at(self, index: int) -> Header | None:
        header = self._headers[index]
        if header is not None:
            stands = header.date is not None or self._clocks_alone or header.sender in self._known_dated
            return header if header.sender and stands else None
        below = self._headers[index + 1] if index + 1 < len(self.lines) else None
        if below is None or below.sender:
            return None
        name = self.lines[index].strip()
        if name not in self._known and (
            self._known_dated
            or not qn_copy_lines.is_name(name)
            or qn_copy_lines.is_client_line(name)
            or qn_copy_lines.date_of(name) is not None
        ):
            return None
        return below._replace(sender=name)

    def _start(self, index: int, header: Header) -> None:
        self._finish()
        date = header.date or self._date
        if date is None:
            date = self._date_of_file
            self._used_date_of_file |= date is not None
        sent_at = None if date is None else text.instant(date, header.clock)
        if sent_at is None:
            self._undated += date is None
            self._open, self._reason = "", _NO_DATE if date is None else _IMPOSSIBLE
            self.rows.reject(index + 1, self._reason, self.lines[index])
            return
        sender, auto = text.sender_without_mark(header.sender)
        self.rows.add(index + 1, sender, sent_at, "", auto=auto)
        self.receivers.append(header.receiver)
        self.has_header.append(True)
        self._open, self._own_date, self._inline = "message", header.date is not None, False
        if header.text:
            self._inline = True
            self._body.append(header.text)

    def _further(self, index: int, line: str) -> None:
        """A line that is no header: text, status, date, or a line of the client itself."""
        stripped = line.strip()
        header = self._headers[index]
        if not stripped:
            self._body.append("")
            return
        if stripped in qn_copy_lines.STATUS or (header is not None and not header.sender):
            return  # the latter is the window's own time separator
        untold = self._open == "message" and not any(self._body)
        date = qn_copy_lines.date_of(stripped)
        if date is not None and not (untold and self._own_date):
            self._finish()
            self._date, self._open, self._reason = date, "", _NO_HEADER
            self.breaks.add(len(self.rows.line))
        elif (recaller := self._recaller(stripped)) is not None:
            self._client_line(index, recaller if recaller in self._known else None, "system", "recall")
        elif not untold and qn_copy_lines.TRANSFER.fullmatch(stripped):
            self._client_line(index, None, None, "transfer")
        elif not untold and qn_copy_lines.CAME_FROM.fullmatch(stripped):
            self._client_line(index, None, "system", "origin")
        elif self._open in ("message", "origin"):
            self._body.append(line)
        elif self._open == "transfer" and qn_copy_lines.REASON.fullmatch(stripped):
            self._body.append(stripped)
        else:
            self.rows.reject(index + 1, self._reason, line)

    def _recaller(self, line: str) -> str | None:
        """Who recalled a message; None when the line is somebody's words about a recall."""
        match = qn_copy_lines.RECALL.fullmatch(line)
        if match is None:
            return None
        return match[1] if match[2] or match[1] in ("你", "对方") or match[1] in self._known else None

    def _client_line(self, index: int, sender: str | None, side: str | None, kind: str) -> None:
        self._finish()
        sent_at = self.rows.sent_at[-1] if self.rows.sent_at else None
        self.rows.add(index + 1, sender, sent_at, "", side=side)
        self.receivers.append(None)
        self.has_header.append(False)
        self._body.append(self.lines[index].strip())
        self._open, self._inline, self._reason = kind, True, _NO_HEADER

    def _finish(self) -> None:
        """Join the lines of the open message; blank ones around them are layout."""
        body = self._body
        if self._open and body:
            start = 0
            while not self._inline and start < len(body) and not body[start].strip():
                start += 1
            while body and not body[-1].strip():
                body.pop()
            words, marked = text.text_without_mark("\n".join(body[start:]))
            self.rows.text[-1] = words
            self.rows.auto[-1] |= marked
        body.clear()


def _assign_buyers(scan: _Scan, cast: text.Cast, path: str) -> None:
    """Give every message its buyer and block; bare transfer lines are the buyer's (formats 6)."""
    rows = scan.rows
    customers: list[str | None] = []
    agents: list[str | None] = []
    for sender, receiver, header in zip(rows.sender, scan.receivers, scan.has_header, strict=True):
        customer = agent = None
        if header and sender is not None:
            # H3 between two accounts of the shop is internal: its other side stands for the buyer.
            other = sender if not cast.is_staff(sender) else receiver
            customer = None if other is None else text.plain_name(other)
            agent = cast.agent(sender) or (None if receiver is None else cast.agent(receiver))
        customers.append(customer)
        agents.append(agent)
    distinct = {customer for customer in customers if customer is not None}
    if not distinct:
        raise ReadError(
            f"{path}: every sender belongs to the shop, so there is no buyer", "name the shop: --shop NAME"
        )
    if len(distinct) == 1:
        rows.buyer[:], rows.block[:] = [*distinct] * len(customers), [1] * len(customers)
    else:
        rows.buyer[:], rows.block[:] = text.conversations(customers, agents, scan.breaks)
    for index, buyer in enumerate(rows.buyer):
        if not scan.has_header[index] and rows.side[index] is None:
            rows.sender[index] = buyer
    rows.reject_incomplete(scan.lines, _NO_BUYER, [*rows.buyer])
