"""The kinds of line in text copied from the Qianniu chat window (formats 2): one line at a time, no state."""

from __future__ import annotations

import re
from typing import NamedTuple

from cslog.readers import text

STATUS = frozenset(("已读", "未读", "发送中"))
TRANSFER = re.compile(r"由.{1,64}转交给.{1,100}")
CAME_FROM = re.compile(r"(?:当前|该)用户来自.{0,100}")
REASON = re.compile(r"原因\s?[:：].{0,200}")
RECALL = re.compile(r"(.{1,64}?)(\s?)撤回了[一1]条消息")

_DATED = re.compile(r"([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})\s+([0-9]{1,2}:[0-9]{2}:[0-9]{2})$")
_CLOCK = re.compile(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$")
_BRACKETED = re.compile(
    r"\[([^\[\]]+)\]\s*(?:([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})\s+)?([0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)"
)
_PARENTHESISED = re.compile(
    r"(.+?)\s?[(（]([0-9]{4}-[0-9]{1,2}-[0-9]{1,2}) ([0-9]{1,2}:[0-9]{2}:[0-9]{2})[)）](?:[:：] {0,2}(.*)|)"
)
_DATE_LINE = re.compile(
    r"([0-9]{4})(?:[-/]([0-9]{1,2})[-/]([0-9]{1,2})|年([0-9]{1,2})月([0-9]{1,2})日)"
    r"\s*(?:[(（]?(?:星期|周|礼拜)[一二三四五六日天][)）]?)?"
)
_DATE_IN_FILE_NAME = re.compile(r"(?<![0-9])(20[0-9]{2})(-?)([0-9]{2})\2([0-9]{2})(?![0-9])")

# Words, not a name: marks of sentences, tables, markup and code; labels on order cards (交易时间:).
_NOT_A_NAME = re.compile(
    r"[,，。;；！？\"“”<>{}=\t`|]|://|[:：、]$|(?:时间|日期|时刻|截至|截止)$|^[\[【\-#/*]"
)
_LONGEST_NAME = 64
_MOST_BLANKS = 3
_PLACEHOLDERS = frozenset(
    ("图片", "表情", "语音", "视频", "位置", "卡片", "链接", "文件", "未知", "自动回复")
)


class Header(NamedTuple):
    """A header line. No sender: a bare time, perhaps the second line of form H4. No date: ``clock`` alone."""

    sender: str
    receiver: str | None
    date: str | None
    clock: str
    text: str | None  # on the same line, form H6


def is_name(name: str) -> bool:
    """Whether this can be a nick: short, and free of what only sentences, tables and code hold."""
    return (
        0 < len(name) <= _LONGEST_NAME
        and name not in STATUS
        and name.count(" ") <= _MOST_BLANKS
        and _NOT_A_NAME.search(name) is None
    )


def names_agent(name: str) -> bool:
    """Whether the name has the form ``shop:agent``."""
    shop, colon, agent = name.partition(":")
    return bool(colon and shop and agent) and shop == shop.rstrip() and agent == agent.lstrip()


def is_client_line(line: str) -> bool:
    """Whether the line is one that the client writes without a header: transfer, origin, recall."""
    return any(pattern.fullmatch(line) for pattern in (TRANSFER, CAME_FROM, RECALL))


def header_of(line: str) -> Header | None:
    """The header on this line, forms H1–H3, H5, H6 and the bare time of H4; None for anything else."""
    line = line.strip()
    if line[-1:].isdigit() and line[-3:-2] == ":":
        return _header_ending_in_time(line)
    if ("(2" in line or "（2" in line or "(1" in line or "（1" in line) and (
        match := _PARENTHESISED.fullmatch(line)
    ):
        name = match[1].strip()
        if is_name(name):
            return Header(name, None, match[2], match[3], match[4])
    return None


def _header_ending_in_time(line: str) -> Header | None:
    if line.startswith("[") and (match := _BRACKETED.fullmatch(line)):
        name = match[1].strip()
        named = is_name(name) and name not in _PLACEHOLDERS
        return Header(name, None, match[2], match[3], None) if named else None
    if match := _DATED.search(line):
        date, clock = match[1], match[2]
    elif match := _CLOCK.search(line):
        date, clock = None, match[0]
    else:
        return None
    sender, arrow, receiver = line[: match.start()].partition("-->")
    sender, receiver = sender.strip(), receiver.strip()
    if not arrow and not sender:
        return None if date is None else Header("", None, date, clock, None)
    if not is_name(sender) or (arrow and not is_name(receiver)):
        return None
    return Header(sender, receiver if arrow else None, date, clock, None)


def date_of(line: str) -> str | None:
    """``YYYY-M-D`` when the stripped line is nothing but a day that exists, weekday allowed."""
    if not line[:4].isdigit():
        return None
    match = _DATE_LINE.fullmatch(line)
    if match is None:
        return None
    date = f"{match[1]}-{match[2] or match[4]}-{match[3] or match[5]}"
    return date if text.day_number(date) is not None else None


def date_of_file_name(name: str) -> str | None:
    """The date in a file's name (YYYY-MM-DD or YYYYMMDD) when it holds exactly one."""
    dates = {f"{match[1]}-{match[3]}-{match[4]}" for match in _DATE_IN_FILE_NAME.finditer(name)}
    real = [date for date in dates if text.day_number(date) is not None]
    return real[0] if len(real) == 1 else None
