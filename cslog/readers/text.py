"""What the readers of line logs share: lines, times, names, and who talks to whom (formats 1, 2, 6)."""

from __future__ import annotations

import datetime
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from cslog import schema
from cslog.errors import ReadError
from cslog.readers import decode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from cslog.readers.base import Options
    from cslog.readers.decode import Decoded
    from cslog.readers.head import Head

SINGLE_CHAT = "单聊"
GROUP_CHAT = "群聊"
RULE = "=" * 64
DASHES = "-" * 28
AUTO_REPLY = "自动回复"

_LONG_NAME_PREFIXES = ("cntaobao", "cnalichn")
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_MARKS_BEHIND_SENDER = ("(自动回复)", "（自动回复）")
_MARKS_BEFORE_TEXT = ("[自动回复]", "(自动回复)")


def lines_of(head: Head) -> tuple[Decoded, list[str]]:
    """The whole file decoded, and its lines without their ends (CRLF, LF, or CR alone)."""
    decoded = decode.decode(head.data)
    text = decoded.text
    if "\r" in text:
        # Not str.splitlines: it would also cut at U+2028, form feeds and the like inside a message.
        text = text.replace("\r", "") if "\n" in text else text.replace("\r", "\n")
    return decoded, text.split("\n")


@lru_cache(maxsize=1 << 14)
def day_number(date: str) -> int | None:
    """Days since 1970-01-01 of ``YYYY-M-D``, padded or not; None for a day that does not exist, or is not of
    2000 to 2099: broken clocks write 1970, and no chat is from there (as in readers.instants).
    """
    try:
        year, month, day = date.split("-")
        found = datetime.date(int(year), int(month), int(day))
        return found.toordinal() - _EPOCH if 2000 <= found.year < 2100 else None
    except ValueError:
        return None


@lru_cache(maxsize=1 << 17)
def clock_seconds(clock: str) -> int | None:
    """Seconds since midnight of ``H:MM`` or ``H:MM:SS``; None for a time that does not exist."""
    parts = [int(part) for part in clock.split(":")]
    hour, minute, second = parts if len(parts) == 3 else (*parts, 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    return hour * 3600 + minute * 60 + second


def instant(date: str, clock: str) -> int | None:
    """Wall-clock seconds since 1970-01-01 (kpi-spec T1); None when there is no such date or time."""
    day, seconds = day_number(date), clock_seconds(clock)
    return None if day is None or seconds is None else day * 86400 + seconds


def plain_name(name: str) -> str:
    """A name without the long-id prefix ``cntaobao`` or ``cnalichn`` (formats 6)."""
    return name[8:] if name.startswith(_LONG_NAME_PREFIXES) and len(name) > 8 else name


def sender_without_mark(sender: str) -> tuple[str, bool]:
    """The sender without ``(自动回复)`` behind it, and whether it was there (formats 6)."""
    sender = sender.strip()
    for mark in _MARKS_BEHIND_SENDER:
        if sender.endswith(mark) and len(sender) > len(mark):
            return sender[: -len(mark)].rstrip(), True
    return sender, False


def text_without_mark(text: str) -> tuple[str, bool]:
    """The text without ``[自动回复]`` in front of it, and whether it was there (formats 6)."""
    for mark in _MARKS_BEFORE_TEXT:
        if text.startswith(mark):
            return text[len(mark) :].lstrip(" "), True
    return text, False


def is_rule(line: str) -> bool:
    """Whether the line is the 64 ``=`` around a section title of a Txt export (formats 1.1)."""
    return line.startswith(RULE) and line.rstrip() == RULE


def contact_nick(line: str) -> str | None:
    """The middle of ``-{28}nick-{28}`` (formats 1.1), None when blank or only dashes.

    The middle may begin or end with a dash: then the line could as well be a longer row of dashes
    that somebody typed, which only its surroundings can tell.
    """
    line = line.rstrip()
    if len(line) <= 56 or not line.startswith(DASHES) or not line.endswith(DASHES):
        return None
    nick = line[28:-28]
    return nick.strip() if nick.strip("- \t\u3000") else None


def counted(number: int, noun: str) -> str:
    """``1 line``, ``2 lines``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class Rows:
    """Columns of schema.RAW_MESSAGES and schema.REJECTS while a file is being read."""

    __slots__ = ("auto", "block", "buyer", "line", "rejected", "sender", "sent_at", "side", "text")

    def __init__(self) -> None:
        self.line: list[int] = []
        self.block: list[int] = []
        self.buyer: list[str | None] = []
        self.sender: list[str | None] = []
        self.side: list[str | None] = []
        self.sent_at: list[int | None] = []
        self.text: list[str] = []
        self.auto: list[bool] = []
        self.rejected: list[tuple[int, str, str]] = []

    def add(
        self,
        line: int,
        sender: str | None,
        sent_at: int | None,
        text: str,
        *,
        auto: bool = False,
        side: str | None = None,
        block: int = 0,
        buyer: str | None = None,
    ) -> None:
        """Append a message; what is not known yet can be filled in later."""
        self.line.append(line)
        self.block.append(block)
        self.buyer.append(buyer)
        self.sender.append(sender)
        self.side.append(side)
        self.sent_at.append(sent_at)
        self.text.append(text)
        self.auto.append(auto)

    def continue_last(self, tail: list[str]) -> None:
        """Append further lines to the last message's text and empty ``tail``.

        Blank lines at the end are layout and dropped.
        """
        while tail and not tail[-1].strip():
            tail.pop()
        if tail:
            self.text[-1] = "\n".join((self.text[-1], *tail))
            tail.clear()

    def reject(self, line: int, reason: str, text: str) -> None:
        """Append a line that could not be placed."""
        self.rejected.append((line, reason, text))

    def reject_incomplete(self, lines: Sequence[str], reason: str, missing: Sequence[object]) -> None:
        """Move the messages whose entry in ``missing`` is None to the rejects, with all their lines."""
        keep = [index for index, value in enumerate(missing) if value is not None]
        if len(keep) == len(self.line):
            return
        ends = [*(line - 1 for line in self.line[1:]), len(lines)]
        for index, value in enumerate(missing):
            if value is None:
                own = "\n".join(lines[self.line[index] - 1 : ends[index]])
                self.reject(self.line[index], reason, own.rstrip())
        for name in self.__slots__:
            if name != "rejected":
                column = getattr(self, name)
                column[:] = [column[index] for index in keep]

    def messages(self) -> pl.DataFrame:
        """The messages as schema.RAW_MESSAGES."""
        return pl.DataFrame(
            {
                "line": self.line,
                "block": self.block,
                "buyer": self.buyer,
                "sender": self.sender,
                "side": self.side,
                "agent": [None] * len(self.line),
                "sent_at": self.sent_at,
                "text": self.text,
                "auto": self.auto,
            },
            schema=schema.RAW_MESSAGES,
        )

    def rejects(self) -> pl.DataFrame:
        """The lines that could not be placed as schema.REJECTS, in file order."""
        self.rejected.sort(key=lambda row: row[0])
        return pl.DataFrame(self.rejected, schema=schema.REJECTS, orient="row")


class Cast:
    """Who belongs to the shop, for logs in which only the names tell (formats 6).

    Staff are the main account (named like the shop), its sub-accounts ``shop:…`` and
    ``options.staff``. Everybody else is a buyer, also a sub-account of another shop.
    """

    def __init__(self, shop: str, options: Options) -> None:
        self.shop = shop
        self._prefix = shop + ":"
        self._staff = frozenset(plain_name(name) for name in options.staff)
        self._robots = options.robots

    def is_staff(self, name: str) -> bool:
        """Whether ``name`` speaks for the shop."""
        name = plain_name(name)
        return name == self.shop or name.startswith(self._prefix) or name in self._staff

    def agent(self, name: str) -> str | None:
        """The staff account that can own a conversation: not a robot, not the main account."""
        name = plain_name(name)
        if name == self.shop or not self.is_staff(name):
            return None
        short = name.removeprefix(self._prefix)
        return None if short in self._robots or name in self._robots else name


def cast_of(names: Iterable[str], options: Options, path: str) -> Cast:
    """The cast of a file whose senders are ``names``.

    The shop is ``options.shop``, else the most frequent part before ``:`` (the smaller name when
    two are equally frequent). Raises ReadError when neither is to be had.
    """
    if options.shop is not None:
        return Cast(plain_name(options.shop), options)
    prefixes = Counter(plain_name(name).partition(":")[0] for name in names if ":" in name)
    prefixes.pop("", None)
    if not prefixes:
        raise ReadError(
            f"{path}: no sender is written as shop:agent, so the shop is unknown", "name it: --shop NAME"
        )
    return Cast(min(prefixes, key=lambda prefix: (-prefixes[prefix], prefix)), options)


def conversations(
    customers: Sequence[str | None], agents: Sequence[str | None], breaks: Collection[int]
) -> tuple[list[str | None], list[int]]:
    """Buyer and block (1, 2, …) of each message of a stream in which agent lines name no buyer (formats 1.2).

    ``customers`` holds the buyer where the line itself gives him, ``agents`` the sub-account where
    one speaks; robots, the main account and system lines have neither and follow the conversation
    they stand in. A new conversation starts at every index in ``breaks`` (a date line), when
    another buyer speaks, and when an agent speaks who is not the conversation's agent; one that a
    buyer opened takes the first agent who speaks in it. Its buyer is the first who speaks in it;
    where none does, after a change of agent, the buyer of the conversation before; else None.
    """
    starts: list[int] = []
    owners: list[str | None] = []
    buyer: str | None = None
    fallback: str | None = None
    agent: str | None = None
    for index, (customer, speaker) in enumerate(zip(customers, agents, strict=True)):
        opens = index == 0 or index in breaks
        inherited: str | None = None
        if not opens and customer is not None:
            opens = buyer is not None and customer != buyer
        elif not opens and speaker is not None and agent is not None and speaker != agent:
            opens = True
            inherited = buyer if buyer is not None else fallback
        if opens:
            if starts:
                owners.append(buyer if buyer is not None else fallback)
            starts.append(index)
            buyer, fallback, agent = None, inherited, None
        if customer is not None:
            buyer = customer
        if speaker is not None:
            agent = speaker
    if starts:
        owners.append(buyer if buyer is not None else fallback)
    buyers: list[str | None] = []
    blocks: list[int] = []
    ends = [*starts, len(customers)][1:]
    for block, (start, end, owner) in enumerate(zip(starts, ends, owners, strict=True), start=1):
        buyers.extend([owner] * (end - start))
        blocks.extend([block] * (end - start))
    return buyers, blocks
