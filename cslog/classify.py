"""What a message is, by its text alone: its kind, and whether it is a system line, a transfer, a recall
or a marked auto reply (formats 6, kpi-spec M1 and M2). Pure Polars expressions, no state.
"""

from __future__ import annotations

import functools
from typing import Any

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

_RECALL = r"^(?:.{0,60}撤回了(?:一|1)条消息|消息已撤回)$"

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


def characters(text: pl.Expr, message_kind: pl.Expr) -> pl.Expr:
    """Code points that are not white space; 0 unless the message is text (kpi-spec 3, 客服字数)."""
    visible = text.str.replace_all(r"\s+", "").str.len_chars().cast(pl.Int32)
    return pl.when(message_kind == int(Kind.TEXT)).then(visible).otherwise(pl.lit(0, pl.Int32))


def comparable(text: pl.Expr, message_kind: pl.Expr) -> pl.Expr:
    """The normalised text of the message's identity (docs/definitions.md 1); empty unless it is text."""
    plain = text.str.replace_all(_lost_in_gbk(), "")
    return pl.when(message_kind == int(Kind.TEXT)).then(plain).otherwise(pl.lit(""))


@functools.cache
def _lost_in_gbk() -> str:
    # Blanks, question marks and everything that a GBK export turns into question marks.
    ranges: list[tuple[int, int]] = []
    for code in range(0xFFFE):
        character = chr(code)
        if 0xD800 <= code <= 0xDFFF or character.isspace() or character in "?？":
            continue
        try:
            character.encode("gbk")
        except UnicodeEncodeError:
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return "[^" + "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in ranges) + "]+"
