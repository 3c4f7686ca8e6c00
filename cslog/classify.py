"""What a message is, by its text alone: its kind, and whether it is a system line, a transfer, a recall
or a marked auto reply (formats 6, kpi-spec M1 and M2). No state.

Most texts are words and nothing else, which ``worth_a_look`` sees at once; patterns are for the others.
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from cslog.schema import Kind

if TYPE_CHECKING:
    from cslog.scan.addresses import Rows

WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
"""What Unicode calls so, and Polars; Python has the separators U+001C to U+001F besides."""

BLANKS = [character for character in map(chr, range(0x80, 0x3001)) if character.isspace()]
"""White space beyond ASCII."""

AUTO_MARKER = rf"^[{WHITE_SPACE}]*[\[(（【]自动回复[\])）】][{WHITE_SPACE}]*"
"""Behind the nick or in front of the text, put there by the client."""

TRANSFER = r"^由\s*(.+?)\s*转交给\s*(.+?)\s*(?:[，,。]?\s*原因[：:][\s\S]*)?$"
"""``由 服务助手 转交给 客服A``, with or without blanks, with or without a reason."""

_SYSTEM = "|".join(
    [
        r"(?:当前|该)用户来自[\s\S]*",
        r"买家正在浏览.*",
        r"买家从.{1,20}进入.*",
        r"您有一条店铺消息.*",
        r"您可能关心以下内容[\s\S]*",
        r"(?:平台提示|系统提示|系统提醒)(?:[：:][\s\S]*)?",
        r"温馨提示[：:].{1,60}正在为您服务。?",
        r"您发送了一个振屏。?",
        r"对方向您发送了一个振屏。?",
        r"请确认收货地址",
        r"账号信息保护显示",
    ]
)
"""Lines that the client writes into a conversation."""

_SYSTEM_OPENINGS = [
    "当前用户",
    "该用户",
    "买家正在",
    "买家从",
    "您有一条",
    "您可能",
    "平台提示",
    "系统提示",
    "系统提醒",
    "温馨提示",
    "您发送了",
    "对方向您",
    "请确认收货",
    "账号信息",
]

_RECALL = r".{0,60}撤回了(?:一|1)条消息|消息已撤回"
_RECALL_CLOSINGS = ("条消息", "已撤回")

_PLACEHOLDERS = {
    "[图片]": Kind.IMAGE,
    "[卡片]": Kind.CARD,
    "请在客户端查看原始聊天记录，网页版无法展示": Kind.CARD,
    "[语音]": Kind.VOICE,
    "[视频]": Kind.VIDEO,
    "[文件]": Kind.FILE,
    "[链接]": Kind.LINK,
    "[位置]": Kind.LOCATION,
    "[表情]": Kind.STICKER,
    "[未知]": Kind.UNKNOWN,
}
"""What the client writes instead of anything that is not text."""

_RAW_KINDS = (
    (rf"https?://img\.alicdn\.com/[^{WHITE_SPACE}]+|<img[{WHITE_SPACE}][^>]*>", Kind.IMAGE),
    (r"<recognition>[\s\S]*\.amr", Kind.VOICE),
)
_RAW_OPENINGS = ("http", "<img", "<recogni")


class Look(NamedTuple):
    """What a text is. ``bare``: without the mark of an auto reply that the client put in front of it, if it is
    ``marked``; ``hands_over``: it may be a transfer line.
    """

    system: bool
    marked: bool
    hands_over: bool
    bare: str
    kind: Kind


@functools.lru_cache(maxsize=1 << 12)  # what the client and robots write stands in every file
def look(text: str) -> Look:
    """What patterns tell of a text."""
    mark = re.match(AUTO_MARKER, text)
    bare = text[mark.end() :] if mark else text
    hands_over = text.startswith("由") and "转交给" in text
    return Look(is_system(text), mark is not None, hands_over, bare, kind(bare))


def without_auto_marker(text: pl.Expr) -> pl.Expr:
    """The text without a leading auto-reply marker."""
    return text.str.replace(AUTO_MARKER, "")


def has_auto_marker(text: pl.Expr) -> pl.Expr:
    """Whether the client marked the text as an auto reply."""
    return text.str.contains(AUTO_MARKER)


def is_system(text: str) -> bool:
    """Whether the text is a line of the client or the platform; recalls are among them."""
    return re.fullmatch(_SYSTEM, text) is not None or is_recall(text)


def is_recall(text: str) -> bool:
    """Whether the line says that a message was taken back."""
    return re.fullmatch(_RECALL, text) is not None


_parties: dict[str, tuple[str, str] | tuple[()]] = {}
_PARTIES_KEPT = 1 << 12


def parties(texts: list[str]) -> list[tuple[str, str] | tuple[()]]:
    """Names that each transfer line hands over from and to, as written; nothing for other texts.

    By Polars, whose time does not explode over blanks. The same few lines stand in every file of a shop, and are
    remembered: one query costs as much as hundreds of lines.
    """
    known = {text: pair for text in texts if (pair := _parties.get(text)) is not None}
    if new := [text for text in texts if text not in known]:
        found = pl.Series(new, dtype=pl.String).str.extract_groups(TRANSFER)
        pairs = [(pair["1"], pair["2"]) if pair["1"] is not None else () for pair in found]
        known |= zip(new, pairs, strict=True)
        if len(_parties) + len(new) > _PARTIES_KEPT:
            _parties.clear()
        _parties.update(itertools.islice(zip(new, pairs, strict=True), _PARTIES_KEPT))
    return [known[text] for text in texts]


def kind(text: str) -> Kind:
    """What a text consists of."""
    trimmed = text.strip(WHITE_SPACE)
    if trimmed in _PLACEHOLDERS:
        return _PLACEHOLDERS[trimmed]
    if is_recall(trimmed):
        return Kind.RECALL
    return next((code for pattern, code in _RAW_KINDS if re.fullmatch(pattern, trimmed)), Kind.TEXT)


def keys_and_characters(
    texts: Rows, kinds: np.ndarray, speakers: np.ndarray, names: Rows
) -> tuple[np.ndarray, np.ndarray]:
    """What identifies each message beside buyer, second and number (int64), and its code points that are not white
    space (int32, kpi-spec 3 客服字数; 0 unless it is text).

    The first is the hash of the speaker (a row of ``names``, -1 for none), the kind and the normalised text
    (docs/definitions.md 1), empty unless it is text.
    """
    from cslog.scan import texts as scan

    return scan.message_keys(texts, kinds, speakers, names, _characters())


def comparable(text: pl.Expr, message_kind: pl.Expr) -> pl.Expr:
    """The normalised text of the message's identity; empty unless it is text."""
    plain = text.map_batches(_normalised, return_dtype=pl.String, is_elementwise=True)
    return pl.when(message_kind == int(Kind.TEXT)).then(plain).otherwise(pl.lit(""))


def _normalised(texts: pl.Series) -> pl.Series:
    from cslog.scan import columns
    from cslog.scan import texts as scan

    rows = columns.rows_of(texts)
    return columns.strings(*scan.kept(rows.addresses, rows.lengths, _characters()))


def worth_a_look(texts: Rows) -> np.ndarray:
    """Whether a text may be anything but plain words, by how it begins and ends: all others are unmarked text of no
    system, no transfer and no recall. Asking every text for every pattern would cost more than reading the file.
    """
    from cslog.scan import texts as scan

    return scan.that_look_like(texts.addresses, texts.lengths, *_looks())


@functools.cache
def _looks() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from cslog.scan import texts as scan

    marks = [f"{bracket}自动回复" for bracket in "[(（【"]
    openings = [*_SYSTEM_OPENINGS, *_PLACEHOLDERS, *_RAW_OPENINGS, *marks, "由", *BLANKS]
    return (
        *scan.openings([word.encode() for word in openings]),
        *scan.closings([word.encode() for word in (*_RECALL_CLOSINGS, *BLANKS)]),
    )


@functools.cache
def _characters() -> np.ndarray:
    """The table of marks of ``cslog.scan.texts``."""
    from cslog.scan import texts as scan

    every = "".join(map(chr, range(1 << 16)))
    # A GBK export turns into question marks whatever it cannot write; blanks and question marks go with them.
    copy = every.encode("gbk", errors="replace").decode("gbk")
    table = np.array(
        [scan.VISIBLE | scan.KEPT * (one == other) for one, other in zip(every, copy, strict=True)], np.uint8
    )
    for code in range(1 << 16):
        if chr(code).isspace():
            table[code] = (
                scan.VISIBLE if 0x1C <= code <= 0x1F else 0
            )  # separators, but no White_Space of Unicode
    table[[ord(mark) for mark in "?？"]] = scan.VISIBLE
    return table
