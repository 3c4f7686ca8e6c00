"""A computed report as a sheet: which columns it has and which a terminal shows."""

from __future__ import annotations

from cslog import clock
from cslog.answer import Answer
from cslog.metrics import BY_KEY
from cslog.report.sheet import Column, Language, Sheet

KEY_COLUMNS = {
    "shop": Column("shop", "店铺"),
    "agent": Column("agent", "客服"),
    "team": Column("team", "小组"),
    "shift": Column("shift", "班次"),
    "day": Column("day", "日期"),
    "hour": Column("hour", "小时"),
    "week": Column("week", "周"),
    "month": Column("month", "月份"),
}

SHOWN = {
    "buyers_received": "received",
    "reply_rate": "reply rate",
    "first_response_avg": "first reply, s",
    "response_avg": "mean reply, s",
    "within_180s_rate": "within 180 s",
    "answer_ratio": "answer ratio",
    "inquiries": "inquiries",
    "inquiry_to_payment_rate": "paid rate",
    "sales_amount": "sales",
    "average_order_value": "order value",
}
"""What a terminal of 100 columns shows, with short English titles; files hold all figures."""


def made_from(answer: Answer) -> tuple[tuple[str, str], ...]:
    """The lines below a table that say what it was computed from."""
    stamp = answer.stamp()
    return (
        ("profile 口径", f"{answer.profile.id} ({answer.profile.title_zh})"),
        ("clock 计时", answer.profile.clock),
        ("attribution 绩效判定", f"{answer.question.attribution}, {answer.profile.lookup}"),
        ("data until 数据截止", stamp["as_of"] or "no data"),
        (
            "made by",
            f"cslog {stamp['cslog_version']}, store version {stamp['store_version']}, config {stamp['config_hash']}",
        ),
    )


def sheet_of(answer: Answer, language: Language) -> Sheet:
    """The sheet of a KPI answer."""
    dimensions = ["shop", *(name for name in answer.frame.columns if name in KEY_COLUMNS and name != "shop")]
    columns = tuple(KEY_COLUMNS[name] for name in dimensions) + tuple(
        Column(key, BY_KEY[key].zh, BY_KEY[key].unit, SHOWN.get(key, "")) for key in answer.keys
    )
    shops = answer.frame["shop"].unique().sort().to_list()
    one_shop = len(shops) == 1 and len(dimensions) > 1
    period = answer.question.period
    dates = f"{clock.date_of(period.first_day)} – {clock.date_of(period.last_day)}"
    shown = answer.question.metrics or SHOWN
    title = f"{shops[0]}  {dates}" if one_shop else dates
    return Sheet(
        name="kpi",
        title=title,
        columns=(*columns, Column("immature", "未定稿")),
        rows=answer.frame,
        document={**answer.stamp(), "rows": ...},
        shown=tuple(name for name in dimensions if not (one_shop and name == "shop")) + tuple(shown),
        stamp=made_from(answer),
        warnings=answer.warnings,
        hides_empty=True,
    )
