"""Files that people hand over together with chat logs and that cslog cannot use: one hint for each.

Sections 0, 1.3, 3, 4, 7, 8.2 and 9 of the format notes.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cslog.errors import ReadError
from cslog.readers import message_table, tb_orders
from cslog.readers.head import Head
from cslog.readers.tabular import header_key

_AS_TXT = "in the 消息管理器 choose 导出 again and the file type Txt"

_BACKUPS = (".imd", ".wmd", ".wwr")

_CONTAINERS = {
    "picture": ("a picture", "cslog reads exported text, not screenshots; " + _AS_TXT),
    "pdf": ("a PDF", _AS_TXT),
    "rar": ("a RAR archive", "unpack it first"),
    "7z": ("a 7z archive", "unpack it first"),
    "database": ("a database of the client", _AS_TXT),
}

# Columns of the KPI tools (formats 7), compared by header_key.
_KPI_WORDS = """
    咨询人数 接待人数 未回复人数 有效接待人数 平均响应时长 首次响应时长 3分钟人工响应率 旺旺回复率 慢响应人数
    答问比 聊天人数(原咨询人数) 直接接入人数 转发接入人数 转出人数 总消息数 买家消息数 客服消息数 客服字数
    最大同时聊天数 慢接待人数 长接待人数 首次响应(秒) 平均响应(秒) 询单人数 客户满意率"""
_KPI_TITLES = {header_key(title) for title in _KPI_WORDS.split()}
_LONG_CELL_WORDS = "聊天记录 聊天内容 对话内容 chat_text 筛选范围 filter_range messages"
_LONG_CELL_TITLES = {header_key(title) for title in _LONG_CELL_WORDS.split()}
_JSON = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]])")
_HTML = re.compile(r"\s*<(?:!doctype|html|head|body|table|div|meta|\?xml|!--)", re.IGNORECASE)


def refusal(head: Head) -> ReadError | None:
    """Why the file cannot be used, or None when nothing speaks against it."""
    return never(head) or not_yet(head)


def never(head: Head) -> ReadError | None:
    """Why no reader should even look at the file."""
    if not head.data:
        return ReadError(f"{head.path}: the file is empty", "export it again")
    if head.name.lower().endswith(_BACKUPS):
        return ReadError(f"{head.path}: is a binary backup of the client", _AS_TXT)
    if head.container in _CONTAINERS:
        what, hint = _CONTAINERS[head.container]
        return ReadError(f"{head.path}: is {what}", hint)
    if head.workbook_error is not None:
        return head.workbook_error
    opening = "\n".join(head.lines[:12])
    if "快捷短语导出文档" in opening:
        return ReadError(f"{head.path}: holds quick phrases (快捷短语导出), no chats", _AS_TXT)
    if re.search(r"^消息(?:对象|分组)[:：]|^消息记录（此消息记录为文本格式", opening, re.MULTILINE):
        return ReadError(f"{head.path}: is an export of QQ", "cslog reads chats of Qianniu and Wangwang")
    if _any_header(head, tb_orders.is_item_table):
        return ReadError(
            f"{head.path}: is a table of items (宝贝报表), one row per item",
            "export 订单报表 (ExportOrderList) instead",
        )
    if _any_header(head, _is_kpi_table):
        return ReadError(
            f"{head.path}: holds figures of a KPI tool, no messages",
            "compare them with `cslog kpi`; ingest the chats themselves",
        )
    return None


def not_yet(head: Head) -> ReadError | None:
    """Formats that are known and that cslog itself does not read; a plug-in may."""
    if _any_header(head, _is_long_cell_table):
        return ReadError(
            f"{head.path}: holds whole conversations in one cell each, which is not supported yet",
            "export one message per row, or the Txt of the 消息管理器",
        )
    if "以下为一通会话" in head.text:
        return ReadError(
            f"{head.path}: is a JD log (咚咚), which is not supported yet", "see `cslog readers`"
        )
    if _HTML.match(head.text) or "imui-msg" in head.text:
        return ReadError(f"{head.path}: is a saved web page, which is not supported yet", _AS_TXT)
    if _JSON.match(head.text):
        return ReadError(
            f"{head.path}: is a JSON dump, which is not supported yet",
            "write it as CSV, one message per row, and see `cslog readers`",
        )
    return None


def _any_header(head: Head, matches: Callable[[list[str]], bool]) -> bool:
    """Whether the header of the text table matches, or that of every sheet that has one."""
    if head.container == "workbook":
        return any(matches(titles) for titles in head.sheets.values()) and not any(
            message_table.columns_of(titles) or (tb_orders.columns_of(titles) and not matches(titles))
            for titles in head.sheets.values()
        )
    return matches(head.table_header)


def _is_kpi_table(titles: list[str]) -> bool:
    # 首次响应时长（秒) has a unit in mixed brackets; compared without it.
    keys = {header_key(title) for title in titles}
    keys |= {re.sub(r"\(秒\)$", "", key) for key in keys}
    return len(keys & _KPI_TITLES) >= 3


def _is_long_cell_table(titles: list[str]) -> bool:
    keys = {header_key(title) for title in titles}
    return len(titles) > 1 and bool(keys & _LONG_CELL_TITLES) and message_table.columns_of(titles) is None
