"""Attribution rules side by side, and orders with whom each rule credits, as sheets."""

from __future__ import annotations

import polars as pl

from cslog import clock
from cslog.answer import Question
from cslog.credit_rules import RULES
from cslog.profile import Profile
from cslog.report.sheet import Column, Sheet

RULE_NAMES = {"order_first": "下单优先", "order": "下单", "payment": "付款", "memo": "备注"}


def side_by_side(rows: pl.DataFrame, question: Question, profile: Profile) -> Sheet:
    """One row per agent; the one without a name is what a rule credits to nobody (静默)."""
    columns = [Column("shop", "店铺"), Column("agent", "客服")]
    for rule in RULES:
        zh = RULE_NAMES[rule]
        columns.append(Column(f"amount_{rule}", f"销售额({zh})", "CNY", f"{rule.replace('_', ' ')}, CNY"))
        columns.append(Column(f"orders_{rule}", f"订单数({zh})", "orders", "orders"))
    return Sheet(
        "attribution",
        f"attribution 绩效判定 {_dates(question)}",
        tuple(columns),
        rows,
        {**_head(question, profile), "rows": ...},
        stamp=(
            ("lookup 判定方式", profile.lookup),
            ("– in agent", "credited to nobody (静默)"),
        ),
    )


def orders(rows: pl.DataFrame, question: Question, profile: Profile) -> Sheet:
    """One row per order."""
    columns = (
        Column("shop", "店铺"),
        Column("order_id", "订单编号"),
        Column("buyer", "买家"),
        Column("created_at", "下单时间", "second"),
        Column("paid_at", "付款时间", "second"),
        Column("amount", "金额", "CNY"),
        Column("label", "标签(英)"),
        Column("label_zh", "标签"),
        Column("flag", "旗帜"),
        Column("order_agent", "落实下单客服"),
        Column("payment_agent", "落实付款客服"),
        Column("memo_agent", "备注客服"),
        *(Column(f"credited_{rule}", f"归属({RULE_NAMES[rule]})") for rule in RULES),
        Column("source_file", "文件"),
        Column("source_line", "行号"),
    )
    shown = (
        "order_id",
        "buyer",
        "created_at",
        "amount",
        "label",
        "order_agent",
        "payment_agent",
        "memo_agent",
    )
    return Sheet(
        "orders",
        f"orders 订单 {_dates(question)}",
        columns,
        rows,
        {**_head(question, profile), "rows": ...},
        shown,
        stamp=(("lookup 判定方式", profile.lookup),),
    )


def _dates(question: Question) -> str:
    period = question.period
    return f"{clock.date_of(period.first_day)} – {clock.date_of(period.last_day)}"


def _head(question: Question, profile: Profile) -> dict[str, object]:
    period = question.period
    return {
        "period": {"from": str(clock.date_of(period.first_day)), "to": str(clock.date_of(period.last_day))},
        "profile": profile.id,
        "lookup": profile.lookup,
    }
