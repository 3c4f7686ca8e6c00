"""An explanation or a buyer's story as a sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cslog import clock
from cslog.answer import Question
from cslog.report.sheet import Column, Sheet, plain_value, shown_text

if TYPE_CHECKING:
    from cslog.explain import Explanation, Story

_AT = Column("at", "时间", "second")
_WHERE = (Column("source_file", "文件"), Column("source_line", "行号"))


def of_cell(explanation: Explanation, question: Question) -> Sheet:
    """The facts behind one cell; the last lines say how they make it."""
    metric, rows = explanation.metric, explanation.rows
    above, below = (int(rows[name].fill_null(0).sum()) for name in ("numerator", "denominator"))
    parts = f"{above}" if metric.denominator is None else f"{above} ÷ {below}"
    value = "not final yet (延迟统计)" if explanation.immature else shown_text(explanation.value, metric.unit)
    where = " ".join(str(part) for part in explanation.cell.values())
    dates = f"{clock.date_of(question.period.first_day)} – {clock.date_of(question.period.last_day)}"
    stamp = [
        ("figure", f"{metric.key} {metric.zh} = {value}"),
        ("definition 定义", f"{metric.what} ({metric.source})"),
    ]
    if metric.mean_of_agents:
        stamp.append(
            ("made of the rows", "each agent's numerator ÷ denominator, then the mean of the agents")
        )
    elif metric.numerator is not None:
        stamp.append(("sum of the rows", parts + (" (cents 分)" if metric.unit == "CNY" else "")))
    document = {
        "metric": metric.key,
        "cell": explanation.cell,
        "period": {"from": dates.split(" – ")[0], "to": dates.split(" – ")[1]},
        "value": plain_value(explanation.value, metric.unit),
        "immature": explanation.immature,
        "numerator": above,
        "denominator": below if metric.denominator else None,
        "rows": ...,
    }
    columns = (
        Column("fact", "事实"),
        Column("shop", "店铺"),
        Column("agent", "客服"),
        Column("buyer", "买家"),
        _AT,
        Column("what", "内容"),
        Column("why", "依据"),
        Column("numerator", "分子", "count"),
        Column("denominator", "分母", "count"),
        *_WHERE,
        *([Column("messages", "前后对话")] if "messages" in rows.columns else []),
    )
    shown = (
        "buyer",
        "at",
        "what",
        "why",
        "numerator",
        *(["denominator"] if metric.denominator else []),
        "source_line",
        *(["messages"] if "messages" in rows.columns else []),
    )
    if metric.denominator is None:
        rows = rows.with_columns(pl.col("denominator").cast(pl.Int64))
    return Sheet("explain", f"{metric.key} {where} {dates}", columns, rows, document, shown, tuple(stamp))


def of_buyer(story: Story) -> Sheet:
    """A buyer's facts and messages in one list by time, facts before the message they begin with."""
    facts = story.facts.select(
        "at", "agent", "fact", "what", "why", "source_file", "source_line", text=pl.lit(None, pl.String)
    )
    messages = story.messages.select(
        "at",
        agent=pl.lit(None, pl.String),
        fact=pl.lit("message"),
        what=pl.format("{} ({})", "message_class", "rule"),
        why=pl.col("sender"),
        source_file="source_file",
        source_line="source_line",
        text="text",
    )
    rows = pl.concat([facts, messages.select(facts.columns)]).sort("at", maintain_order=True)
    columns = (
        _AT,
        Column("fact", "事实"),
        Column("agent", "客服"),
        Column("what", "内容"),
        Column("why", "依据"),
        Column("text", "原文"),
        *_WHERE,
    )
    document = {"buyer": story.buyer, "rows": ...}
    shown = ("at", "fact", "agent", "what", "why", "text")
    return Sheet("explain", f"{story.buyer}", columns, rows, document, shown)
