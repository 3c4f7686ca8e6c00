"""The reader qn-txt as a plain loop over lines: what cslog.scan.chat_blocks is held against."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl

from cslog.errors import ReadError
from cslog.readers import decode, text
from cslog.readers.base import Batch, Options
from cslog.readers.head import Head

_SKEW_S = 5  # clocks of client and server differ by seconds; a quoted message is older than that
# What stands between a sender and his text. Full-width marks come from editors that "correct" them.
_TAIL = re.compile(r"[(（]([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})[)）][:：]")
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
# shop:agent of a shop that is not the exporter's; a blank at the colon makes it a phrase.
_OTHER_SHOP = re.compile(r"[^:]*[^:\s]:[^:\s].*")
_LONGEST_ACCOUNT = 64

_OUTSIDE = "outside a contact block"
_BEFORE_FIRST = "text before the first message of its block"
_STRANGER = "the sender is neither the block's buyer nor staff"
_IMPOSSIBLE = "impossible date"
_CUT = "the file ends in the middle of this message"


class _Sender(NamedTuple):
    """A sender as written (without the auto mark), and what the name alone tells."""

    written: str
    name: str
    auto: bool
    staff: bool
    other_shop: bool


def read(head: Head, options: Options) -> Batch:
    """Read every single chat of the export."""
    decoded, lines = text.lines_of(head)
    login_index = _login_index(lines)
    login = None if login_index is None else text.plain_name(lines[login_index].strip())
    shop = None if login is None else login.partition(":")[0].strip()
    scan = _Scan(lines, {name for name in (shop, options.shop) if name}, options)
    scan.run(0 if login_index is None else login_index + 1)
    if login is None:
        senders = [sender for sender in scan.rows.sender if sender is not None]
        if options.shop is not None or any(":" in sender for sender in senders):
            shop = text.cast_of(senders, options, head.path).shop
    messages, rejects, warnings = scan.rows.messages(), scan.rows.rejects(), scan.warnings()
    if login is not None and _is_cut(head.data, lines):
        known = _Scan(lines[:-1], {name for name in (shop, options.shop) if name}, options)
        known.run(0 if login_index is None else login_index + 1)
        said, half = known.rows.messages()["text"].to_list(), messages["text"].to_list()
        if len(said) != len(half) or said[-1:] != half[-1:]:
            warnings.append("the file ends in the middle of a message, which was left out: export it again")
            rows = [
                *rejects.rows(),
                *((line, _CUT, text) for line, text in messages[-1:].select("line", "text").rows()),
            ]
            rejects = pl.DataFrame(sorted(rows, key=lambda row: row[0]), schema=rejects.schema, orient="row")
            messages = messages[:-1]
    return Batch(
        messages=messages,
        rejects=rejects,
        encoding=decoded.encoding,
        replaced_characters=decoded.replaced,
        shop=shop,
        exporter=login,
        warnings=warnings,
    )


def _is_cut(data: bytes, lines: Sequence[str]) -> bool:
    """Whether a file whose lines mostly end in CRLF has a last line without an end."""
    feeds = [data[:place].endswith(b"\r") for place, byte in enumerate(data) if byte == 10]
    return data[-1:] not in (b"\n", b"\r") and sum(feeds) * 2 > len(feeds) and bool(lines[-1].strip())


def _login_index(lines: Sequence[str]) -> int | None:
    """Index of the exporter's login: the first line with content, unless the header was cut off."""
    for index, line in enumerate(lines):
        if line.strip():
            is_login = not text.is_rule(line) and text.contact_nick(line) is None and not _TAIL.search(line)
            return index if is_login else None
    return None


class _Scan:
    """One pass over the lines of an export."""

    def __init__(self, lines: Sequence[str], shops: set[str], options: Options) -> None:
        self.lines = lines
        self.rows = text.Rows()
        self.group_lines = self.quoted = self.backwards = 0
        plain = {text.plain_name(shop) for shop in shops}
        self._accounts = plain | {text.plain_name(name) for name in options.staff}
        self._prefixes = tuple(f"{shop}:" for shop in plain)
        self._senders: dict[str, _Sender] = {}

    def warnings(self) -> list[str]:
        """What the user should know, without anybody's words."""
        found = []
        if self.group_lines:
            found.append(f"{text.counted(self.group_lines, 'line')} of group chat skipped")
        if self.quoted:
            lines = text.counted(self.quoted, "line")
            found.append(f"{lines} in the form of a message by somebody outside the chat kept as quoted text")
        if self.backwards:
            lines = text.counted(self.backwards, "line")
            found.append(f"{lines} in the form of a message that goes back in time kept as quoted text")
        return found

    def run(self, first: int) -> None:
        """Read the lines from index ``first`` on into ``rows``."""
        rows = self.rows
        tail: list[str] = []  # further lines of the message that is open
        buyer: str | None = None
        block = 0
        group = False
        last: int | None = None  # time of the message before, in this block
        reason = _OUTSIDE  # why a line is rejected while no message is open
        is_open = False
        skip_to = first
        for index, line in enumerate(self.lines):
            if index < skip_to:
                continue
            first_character = line[:1]  # cheaper than to ask every line for a rule and for dashes
            if first_character == "=" and (title := self._section(index)):
                rows.continue_last(tail)
                group = title == text.GROUP_CHAT
                skip_to = index + (3 if text.is_rule(self._line(index + 2)) else 2)
                buyer, is_open, reason = None, False, _OUTSIDE
                continue
            if group:
                self.group_lines += bool(line.strip())
                continue
            if first_character == "-" and (nick := self._contact(index)) is not None:
                rows.continue_last(tail)
                block += 1
                buyer, last, is_open, reason = nick, None, False, _BEFORE_FIRST
                continue
            why = reason
            if buyer is not None:
                found = self._message(line, buyer)
                if isinstance(found, tuple):
                    sender, match = found
                    sent_at = text.instant(match[1], match[2])
                    if sent_at is None:
                        rows.continue_last(tail)
                        is_open, reason = False, _IMPOSSIBLE
                        rows.reject(index + 1, reason, line)
                        continue
                    if last is None or sent_at >= last - _SKEW_S:
                        if tail:
                            rows.continue_last(tail)
                        body, marked = _body(line, match.end())
                        rows.add(
                            index + 1,
                            sender.written,
                            sent_at,
                            body,
                            auto=sender.auto or marked,
                            block=block,
                            buyer=buyer,
                        )
                        last, is_open = max(sent_at, last or 0), True
                        continue
                    self.backwards += 1
                elif found:
                    self.quoted += is_open
                    why = _STRANGER if reason == _BEFORE_FIRST else reason
            if first_character == "2" and _STAMP.fullmatch(line.rstrip()):
                continue  # an isolated time is noise of the client, not text
            if is_open:
                tail.append(line)
            elif line.strip():
                rows.reject(index + 1, why, line)
        rows.continue_last(tail)

    def _line(self, index: int) -> str:
        return self.lines[index] if index < len(self.lines) else ""

    def _section(self, index: int) -> str:
        """Title of the section whose upper rule is at ``index``; empty for a row of ``=`` in a text."""
        title = self._line(index + 1).strip()
        is_title = text.is_rule(self.lines[index]) and title in (text.SINGLE_CHAT, text.GROUP_CHAT)
        return title if is_title else ""

    def _contact(self, index: int) -> str | None:
        nick = text.contact_nick(self.lines[index])
        if nick is None:
            return None
        nick = text.plain_name(nick)
        if not (nick.startswith("-") or nick.endswith("-")):
            return nick
        openings = (f"{nick}(", f"{nick}（")
        for later in range(index + 1, len(self.lines)):
            line = self.lines[later]
            if line.startswith(text.DASHES) and text.contact_nick(line) is not None:
                return None
            if text.plain_name(line).startswith(openings):
                return nick
        return None

    def _message(self, line: str, buyer: str) -> tuple[_Sender, re.Match[str]] | bool:
        """The plausible reading of a message line, else whether it looked like one at all."""
        possible: tuple[_Sender, re.Match[str]] | None = None
        looks = False
        for match in _TAIL.finditer(line):
            written = line[: match.start()]
            if not written:
                continue
            looks = True
            sender = self._senders.get(written) or self._know(written)
            if sender.staff or sender.name == buyer:
                return sender, match
            if sender.other_shop and possible is None:
                possible = sender, match
        return possible or looks

    def _know(self, written: str) -> _Sender:
        sender, auto = text.sender_without_mark(written)
        name = text.plain_name(sender)
        staff = name in self._accounts or name.startswith(self._prefixes)
        other = len(name) <= _LONGEST_ACCOUNT and _OTHER_SHOP.fullmatch(name) is not None
        self._senders[written] = known = _Sender(sender, name, auto, staff, other)
        return known


def _body(line: str, start: int) -> tuple[str, bool]:
    """First line of a text: two blanks before words, one before placeholders (formats 1.1)."""
    if line.startswith("  ", start):
        start += 2
    elif line.startswith(" ", start):
        start += 1
    body = line[start:]
    return text.text_without_mark(body) if text.AUTO_REPLY in body[:6] else (body, False)


def outcome(read: Callable[[Head, Options], Batch], head: Head, options: Options) -> object:
    """All that a reader says of a file, to be compared."""
    try:
        batch = read(head, options).validated("qn-txt")
    except ReadError as error:
        return str(error)
    return (
        batch.messages.rows(named=True), batch.rejects.rows(), batch.warnings, batch.encoding,
        batch.replaced_characters, batch.shop, batch.exporter,
    )  # fmt: skip


def is_surely_utf8(line: bytes) -> bool:
    """Two Chinese characters of UTF-8 one behind the other in a line of nothing else than UTF-8."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return False
    chinese = ["\u3000" <= character <= "\u9fff" or "\uf000" <= character <= "\uffff" for character in text]
    return any(first and second for first, second in itertools.pairwise(chinese))


def decoded_plainly(data: bytes) -> tuple[str, str, int] | None:
    """UTF-8, GB18030 and between them by Python's codecs alone; None for what has a mark of its encoding."""
    if decode.looks_utf16(data) or data.startswith(b"\xef\xbb\xbf"):
        return None
    try:
        return data.decode("utf-8"), "utf-8", 0
    except UnicodeDecodeError:
        pass
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    if broken * 20 <= sum(character > "\x7f" for character in text):
        return text, "utf-8", broken
    try:
        return data.decode("gb18030"), "gb18030", 0  # U+FFFD may be written in it
    except UnicodeDecodeError:
        mixed = {line for line in data.split(b"\n") if is_surely_utf8(line)}
    lines = [
        line.decode("utf-8" if line in mixed else "gb18030", errors="replace") for line in data.split(b"\n")
    ]
    text = "\n".join(lines)
    return text, "gb18030+utf-8" if mixed else "gb18030", text.count("\ufffd")
