"""What a message is, by its text alone: its kind, and whether it is a system line, a transfer, a recall
or a marked auto reply (formats 6, kpi-spec M1 and M2). Pure Polars expressions, no state.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import polars as pl

from cslog.schema import Kind

AUTO_MARKER = r"^\s*[\[(（【]自动回复[\])）】]\s*"
"""Behind the nick or in front of the text, put there by the client."""

TRANSFER = r"^由\s*(.+?)\s*转交给\s*(.+?)\s*(?:[，,。]?\s*原因[：:][\s\S]*)?$"
"""``由 服务助手 转交给 客服A``, with or without blanks, with or without a reason."""

_SYSTEM = (
    r"^(?:"
    + "|".join(
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
    + r")$"
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

_RECALL = r"^(?:.{0,60}撤回了(?:一|1)条消息|消息已撤回)$"
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
    (r"^https?://img\.alicdn\.com/\S+$|^<img\s[^>]*>$", Kind.IMAGE),
    (r"^<recognition>[\s\S]*\.amr$", Kind.VOICE),
)
_RAW_OPENINGS = ("http", "<img", "<recogni")


def without_auto_marker(text: pl.Expr) -> pl.Expr:
    """The text without a leading auto-reply marker."""
    return text.str.replace(AUTO_MARKER, "")


def has_auto_marker(text: pl.Expr) -> pl.Expr:
    """Whether the client marked the text as an auto reply."""
    return text.str.contains(AUTO_MARKER)


def is_system(text: pl.Expr) -> pl.Expr:
    """Whether the text is a line of the client or the platform; recalls are among them."""
    return text.str.contains(_SYSTEM) | is_recall(text)


def is_recall(text: pl.Expr) -> pl.Expr:
    """Whether the line says that a message was taken back."""
    return text.str.contains(_RECALL)


def transfer_parties(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Names that a transfer line hands over from and to, as written; null for other texts."""
    return text.str.extract(TRANSFER, 1), text.str.extract(TRANSFER, 2)


def kind(text: pl.Expr) -> pl.Expr:
    """The ``Kind`` code of a text."""
    trimmed = text.str.strip_chars()
    raw: Any = pl.when(is_recall(trimmed)).then(pl.lit(int(Kind.RECALL), pl.Int8))
    for pattern, code in _RAW_KINDS:
        raw = raw.when(trimmed.str.contains(pattern)).then(pl.lit(int(code), pl.Int8))
    placeholder = trimmed.replace_strict(
        list(_PLACEHOLDERS),
        [int(code) for code in _PLACEHOLDERS.values()],
        default=None,
        return_dtype=pl.Int8,
    )
    return pl.coalesce(placeholder, raw, pl.lit(int(Kind.TEXT), pl.Int8))


def keys_and_characters(
    texts: pl.Series, kinds: np.ndarray, speakers: np.ndarray, names: pl.Series
) -> tuple[np.ndarray, np.ndarray]:
    """What identifies each message beside buyer, second and number (int64), and its code points that are not white
    space (int32, kpi-spec 3 客服字数; 0 unless it is text).

    The first is the hash of the speaker (a row of ``names``, -1 for none), the kind and the normalised text
    (docs/definitions.md 1), empty unless it is text.
    """
    from cslog.scan import columns
    from cslog.scan import texts as scan

    return scan.message_keys(columns.rows_of(texts), kinds, speakers, columns.rows_of(names), _characters())


def comparable(text: pl.Expr, message_kind: pl.Expr) -> pl.Expr:
    """The normalised text of the message's identity; empty unless it is text."""
    plain = text.map_batches(_normalised, return_dtype=pl.String, is_elementwise=True)
    return pl.when(message_kind == int(Kind.TEXT)).then(plain).otherwise(pl.lit(""))


def _normalised(texts: pl.Series) -> pl.Series:
    from cslog.scan import columns
    from cslog.scan import texts as scan

    rows = columns.rows_of(texts)
    return columns.strings(*scan.kept(rows.addresses, rows.lengths, _characters()))


def worth_a_look(texts: pl.Series) -> np.ndarray:
    """Whether a text may be anything but plain words, by how it begins and ends: all others are unmarked text of no
    system, no transfer and no recall. Asking every text for every pattern would cost more than reading the file.
    """
    from cslog.scan import columns
    from cslog.scan import texts as scan

    rows = columns.rows_of(texts)
    return scan.that_look_like(rows.addresses, rows.lengths, *_looks())


@functools.cache
def _looks() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from cslog.scan import texts as scan

    blanks = [character for character in map(chr, range(0x80, 0x3001)) if character.isspace()]
    marks = [f"{bracket}自动回复" for bracket in "[(（【"]
    openings = [*_SYSTEM_OPENINGS, *_PLACEHOLDERS, *_RAW_OPENINGS, *marks, "由", *blanks]
    return (
        *scan.openings([word.encode() for word in openings]),
        *scan.closings([word.encode() for word in (*_RECALL_CLOSINGS, *blanks)]),
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
