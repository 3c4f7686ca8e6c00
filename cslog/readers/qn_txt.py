"""Txt export of the Qianniu/Wangwang message manager (formats 1.1)."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import polars as pl

from cslog.readers import decode, text
from cslog.readers.base import Batch

if TYPE_CHECKING:
    from cslog.readers.base import Options
    from cslog.readers.head import Head
    from cslog.scan.chat_blocks import Blocks

# What stands between a sender and his text. Full-width marks come from editors that "correct" them.
_TAIL = re.compile(r"[(（][0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}[)）][:：]")
_CUT = "the file ends in the middle of this message"


class QnTxt:
    """Qianniu/Wangwang message manager, 导出 → Txt (formats 1.1).

    Line 0 is the exporter's login, then come a section 单聊 and a section 群聊. Only single chats
    are read. A contact line opens a block; a line `nick(time):  text` in it is a message when the
    sender can be one: the block's buyer, the main account, `shop:…`, a name in `options.staff`, or
    another `shop:agent`. Of several readings of one line (nicks may hold parentheses) the shortest
    plausible sender wins, and surely known senders go before other shops. Everything else continues
    the message above.

    A message quoted inside a body looks exactly like a message. Blocks are chronological, so a
    line whose time is earlier than the message above it in the block is taken for a quotation and
    stays text, by however little it is earlier. Both kinds of quotation are counted in a warning.

    A contact line has exactly 28 dashes on both sides. Where a longer row of dashes would make a
    nick that begins or ends with a dash, it counts only if that very nick speaks in the block.

    The client ends every line with CRLF, and the file with the group chats. Where a file that has its header ends
    within a line of a single chat, it was cut off, or is still being written: the message that the line is part of
    is a reject, since half of it would stay in the store beside the whole one that the next export brings.
    """

    id = "qn-txt"
    title = "Qianniu/Wangwang message manager, Txt export"
    title_zh = "千牛/旺旺消息管理器导出的 Txt 文件"
    sign = "a line of 64 '=', then 单聊; contact lines of 28 dashes, nick, 28 dashes"

    def identify(self, head: Head) -> bool:
        """The file begins with at most a login and a section title, or with a contact block."""
        if head.container != "text":
            return False
        content = list(itertools.islice((line for line in head.lines if line.strip()), 4))
        for index, line in enumerate(content[:2]):
            following = content[index + 1] if index + 1 < len(content) else ""
            if text.is_rule(line):
                return following.strip() in (text.SINGLE_CHAT, text.GROUP_CHAT)
            if text.contact_nick(line) is not None:
                return _TAIL.search(following, 1) is not None
        return False

    def read(self, head: Head, options: Options) -> Batch:
        """Read every single chat of the export."""
        from cslog.scan import chat_blocks, columns

        decoded = decode.decode(head.data, unix_lines=True)
        content = decoded.utf8
        assert isinstance(content, bytearray)
        start, line, login = _beginning(content)
        shop = None if login is None else login.partition(":")[0].strip()
        shops = [text.plain_name(name) for name in (shop, options.shop) if name]
        staff = [text.plain_name(name) for name in options.staff]
        cut = None if login is None else _cut_at(head.data, content)
        before = None if cut is None else content[:cut]
        found = chat_blocks.scan(content, start, line, shops + staff, shops)
        senders = columns.viewed(found.sender, content)
        if login is None and (options.shop is not None or senders.str.contains(":", literal=True).any()):
            shop = text.cast_of(senders, options, head.path).shop
        nobody = pl.Series([None], dtype=pl.String).new_from_index(0, len(senders))
        messages = {
            "line": pl.Series(found.line),
            "block": pl.Series(found.block),
            "buyer": columns.viewed(found.buyer, content),
            "sender": senders,
            "side": nobody,
            "agent": nobody,
            "sent_at": pl.Series(found.sent_at),
            "text": columns.viewed(found.text, content),
            "auto": pl.Series(found.auto),
        }
        reasons = [chat_blocks.REASONS[reason] for reason in found.rejected_reason]
        rejects = {
            "line": pl.Series(found.rejected_line),
            "reason": pl.Series(reasons, dtype=pl.String),
            "text": columns.viewed(found.rejected_text, content),
        }
        batch = Batch(
            messages=pl.DataFrame(messages),
            rejects=pl.DataFrame(rejects),
            encoding=decoded.encoding,
            replaced_characters=decoded.replaced,
            shop=shop,
            exporter=login,
            warnings=_warnings(found),
        )
        if before is not None:
            known = chat_blocks.scan(before, min(start, len(before)), line, shops + staff, shops)
            _leave_out_cut(batch, columns.viewed(known.text, before))
        return batch


def _cut_at(data: bytes, content: bytearray) -> int | None:
    """Where the last line begins in ``content``, if the file ends within it."""
    if data.endswith((b"\n", b"\r")) or data.count(b"\r\n") * 2 <= data.count(b"\n"):
        return None
    begin = content.rfind(b"\n") + 1
    return begin if content[begin:].decode(errors="replace").strip() else None


def _leave_out_cut(batch: Batch, texts: pl.Series) -> None:
    """Make a reject of the last message, if it is another one than in ``texts``, those without the file's last line."""
    messages, rejects = batch.messages, batch.rejects
    assert messages is not None
    assert rejects is not None
    last = messages.tail(1)
    if len(texts) == messages.height and last["text"].equals(texts.tail(1), null_equal=True):
        return  # the line is none of its text
    batch.warnings.append("the file ends in the middle of a message, which was left out: export it again")
    batch.messages = messages.head(messages.height - 1)
    cut = last.select("line", pl.lit(_CUT).alias("reason"), "text")
    batch.rejects = pl.concat([rejects, cut]).sort("line", maintain_order=True)


def _beginning(content: bytearray) -> tuple[int, int, str | None]:
    """Byte and number (from 1) of the first line behind the login, and the login.

    The login is the first line with content; where the header was cut off it is None, and everything is read.
    """
    begin = 0
    for number in itertools.count(1):
        end = content.find(b"\n", begin)
        line = content[begin : None if end < 0 else end].decode()
        if line.strip():
            if text.is_rule(line) or text.contact_nick(line) is not None or _TAIL.search(line):
                break
            return len(content) if end < 0 else end + 1, number + 1, text.plain_name(line.strip())
        if end < 0:
            break
        begin = end + 1
    return 0, 1, None


def _warnings(found: Blocks) -> list[str]:
    """What the user should know, without anybody's words."""
    warnings = []
    if found.group_lines:
        warnings.append(f"{text.counted(found.group_lines, 'line')} of group chat skipped")
    if found.quoted:
        lines = text.counted(found.quoted, "line")
        warnings.append(f"{lines} in the form of a message by somebody outside the chat kept as quoted text")
    if found.backwards:
        lines = text.counted(found.backwards, "line")
        warnings.append(f"{lines} in the form of a message that goes back in time kept as quoted text")
    return warnings
