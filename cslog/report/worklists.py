"""The lists a supervisor works from, as sheets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cslog import clock
from cslog.lists import NAMES
from cslog.metrics import BY_KEY
from cslog.report.figures import made_from
from cslog.report.sheet import Column, Sheet

if TYPE_CHECKING:
    from cslog.lists.registry import Found

_COLUMNS = {
    column.key: column
    for column in (
        Column("shop", "店铺"),
        Column("agent", "客服"),
        Column("owner", "负责客服"),
        Column("buyer", "买家"),
        Column("day", "日期"),
        Column("state", "状态"),
        Column("over", "超出"),
        Column("final", "已定稿"),
        Column("at", "买家消息时间", "second", "asked"),
        Column("asked_at", "当日首句时间", "second"),
        Column("waiting_since", "开始等待", "second"),
        Column("waited_s", "已等待(秒)", "s", "waited, s"),
        Column("messages_waiting", "等待消息数", "messages", "messages"),
        Column("last_message_at", "买家最后一句", "second"),
        Column("wait_s", "响应(秒)", "s", "wait, s"),
        Column("late_s", "超时回复(秒)", "s", "late, s"),
        Column("question", "买家消息"),
        Column("reply_at", "回复时间", "second"),
        Column("reply", "客服回复"),
        Column("buyer_messages", "买家消息数", "messages"),
        Column("agent_messages", "客服消息数", "messages"),
        Column("last_messages", "最后几句"),
        Column("order_id", "订单编号"),
        Column("created_at", "下单时间", "second"),
        Column("paid_at", "付款时间", "second"),
        Column("bought_at", "购买时间", "second"),
        Column("age_h", "已过(小时)", "h", "age, h"),
        Column("amount", "金额", "CNY"),
        Column("night", "夜间"),
        Column("shift", "班次"),
        Column("label", "标签(英)"),
        Column("label_zh", "标签"),
        Column("after_sale_buyers", "售后接待人数", "people", "after-sale"),
        Column("silent_since", "沉默起", "second"),
        Column("from", "买家等待起", "second"),
        Column("to", "止", "second"),
        Column("minutes", "分钟", "min"),
        Column("ended_by", "结束于"),
        Column("buyers_waiting", "等待买家数", "people", "buyers"),
        Column("auto_replies", "自动回复数", "messages", "auto"),
        Column("source_file", "文件"),
        Column("source_line", "行号"),
        Column("reply_file", "回复文件"),
        Column("reply_line", "回复行号"),
    )
}

_SHOWN = {
    "unanswered": ("agent", "buyer", "state", "waiting_since", "waited_s", "messages_waiting", "last_messages"),
    "slow": ("agent", "buyer", "state", "wait_s", "at", "question", "reply"),
    "lost": ("agent", "buyer", "at", "final", "last_messages"),
    "unpaid": ("owner", "buyer", "order_id", "created_at", "age_h", "amount"),
    "silent": ("buyer", "order_id", "state", "created_at", "paid_at", "amount", "label"),
    "aftersale": ("agent", "buyer", "state", "at", "order_id", "last_messages"),
    "overload": (
        "agent", "day", "buyers_received", "after_sale_buyers", "reply_rate", "response_avg", "max_concurrent", "over",
    ),
    "idle": ("agent", "from", "to", "minutes", "buyers_waiting", "messages_waiting", "auto_replies", "question"),
}  # fmt: skip
"""What a terminal shows; files hold every column."""


def sheet_of(found: Found) -> Sheet:
    """One list."""
    name, answer = found.name, found.answer
    period = answer.question.period
    dates = f"{clock.date_of(period.first_day)} – {clock.date_of(period.last_day)}"
    shops = answer.frame["shop"].n_unique()
    return Sheet(
        name=name.name,
        title=f"{name.name} {name.zh}: {answer.frame.height} rows, {dates}",
        columns=tuple(_column(key) for key in answer.frame.columns),
        rows=answer.frame,
        document={**found.stamp(), "rows": ...},
        shown=(*(("shop",) if shops > 1 else ()), *_SHOWN[name.name]),
        stamp=made_from(answer),
        warnings=answer.warnings,
        zh=name.zh,
    )


def _column(key: str) -> Column:
    if key in _COLUMNS:
        return _COLUMNS[key]
    return Column(key, BY_KEY[key].zh, BY_KEY[key].unit)


def names() -> Sheet:
    """All lists, a line each."""
    columns = (
        Column("list", "清单"),
        Column("zh", "名称"),
        Column("what", "内容(英)"),
        Column("what_zh", "内容"),
    )
    rows = [{"list": n.name, "zh": n.zh, "what": n.what, "what_zh": n.what_zh} for n in NAMES]
    frame = pl.DataFrame(rows, schema={column.key: pl.String for column in columns})
    return Sheet("lists", "Lists (清单): cslog list NAME", columns, frame, {"lists": ...})
