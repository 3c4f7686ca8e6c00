"""The metrics as data: one row per figure, and the one place where something is divided.

Every metric is a numerator over an optional denominator, both names of measures (cslog.partials), null
where the denominator is 0. ``cslog metrics`` prints this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from cslog import clock
from cslog.profile import Profile
from cslog.split import Split

if TYPE_CHECKING:
    from cslog.partials import Merged

Unit = Literal["people·days", "people", "turns", "messages", "s", "fraction", "ratio", "chats", "CNY", "orders", "items",
               "days", "characters", "instant"]  # fmt: skip


def days_to_final(profile: Profile) -> dict[str, int]:
    """Days after which a day's cells are final, by Metric.final (kpi-spec 4.8)."""
    ordered = profile.order_days
    return {"same_day": 1, "next_day": max(ordered, 2), "payment": ordered + profile.unpaid_days}


@dataclass(frozen=True)
class Metric:
    """One figure. ``final``: when a day's cell stops changing (kpi-spec 4.8); ``source``: who defines it."""

    key: str
    zh: str
    unit: Unit
    what: str
    numerator: str | None = None
    denominator: str | None = None
    mean_of_agents: bool = False  # the mean of the agents' quotients, in rows not split by agent
    final: Literal["same_day", "next_day", "payment"] | None = None
    shop_rows_only: bool = False
    needs: str = ""  # data that no reader provides yet; the figure is null
    source: str = "kpi-spec 3"


def _people(key: str, zh: str, what: str, **more: object) -> Metric:
    return Metric(key, zh, "people·days", what, key, **more)  # type: ignore[arg-type]


METRICS: tuple[Metric, ...] = (
    _people("buyers_chatted", "聊天人数", "received + unreplied + filtered", source="A4"),
    _people("buyers_filtered", "过滤人数", "removed by a filter (接待过滤)", source="A4"),
    _people("buyers_consulted", "咨询人数", "received + unreplied", source="A4"),
    _people("buyers_received", "接待人数", "the buyer wrote and somebody answered", source="A5"),
    _people("buyers_unreplied", "未回复人数", "the buyer wrote and nobody answered", source="A5"),
    Metric("buyers_received_distinct", "接待人数(去重)", "people", "distinct buyers received in the period",
           "buyers_received_distinct"),
    Metric("reply_rate", "回复率", "fraction", "received ÷ consulted", "buyers_received", "buyers_consulted"),
    _people("buyers_direct", "直接接待人数", "received without a transfer in", source="A6"),
    _people("buyers_forwarded_in", "转入人数", "received after a transfer to the agent", source="A6"),
    _people("buyers_forwarded_out", "转出人数", "received and transferred to a colleague", source="A6"),
    _people("buyer_initiated", "买家发起人数", "first session started by the buyer", source="A8"),
    _people("agent_initiated", "客服主动跟进人数", "first session started by the agent", source="A8"),
    Metric("turns", "对话轮次", "turns", "waits of a buyer for one account", "turns"),
    Metric("turns_answered", "已回复轮次", "turns", "answered before a silence of 最长等待时间", "turns_answered"),
    Metric("turns_unanswered", "未回复轮次", "turns", "not answered in time", "turns_unanswered"),
    Metric("turns_late", "超时回复轮次", "turns", "unanswered, but the agent wrote next, later", "turns_late"),
    Metric("first_response_avg", "首次响应(秒)", "s",
           "mean wait of the first turn of a buyer-day, sessions started by the buyer", "first_wait_s", "first_turns",
           source="A5 A6"),
    Metric("first_response_any_avg", "首次响应(含客服先说)", "s", "the same whoever started the session",
           "first_any_wait_s", "first_any_turns"),
    Metric("first_response_missed", "首次未响应", "turns", "first turns that nobody answered in time",
           "first_response_missed"),
    Metric("first_response_p50", "首响中位(秒)", "s", "half of the first responses were at most this"),
    Metric("first_response_p90", "首响九分位(秒)", "s", "nine of ten first responses were at most this"),
    Metric("response_avg", "平均响应(秒)", "s", "mean wait of every answered turn", "cost_s", "turns_in_mean",
           source="A5 A6"),
    Metric("first_response_wall_avg", "首次响应(自然时间)", "s", "first_response_avg on the wall clock, whatever the shifts",
           "first_wall_s", "first_turns"),
    Metric("response_wall_avg", "平均响应(自然时间)", "s", "mean wait of answered turns on the wall clock, uncapped",
           "wall_s", "turns_answered"),
    Metric("first_response_avg_of_agents", "首次响应(客服均值)", "s", "mean of the agents' first_response_avg (shop rows)",
           "first_wait_s", "first_turns", mean_of_agents=True, source="kpi-spec 3"),
    Metric("response_avg_of_agents", "平均响应(客服均值)", "s", "mean of the agents' response_avg (shop rows)",
           "cost_s", "turns_in_mean", mean_of_agents=True, source="kpi-spec 3"),
    Metric("response_p50", "响应中位(秒)", "s", "half of the answers came within this"),
    Metric("response_p90", "响应九分位(秒)", "s", "nine of ten answers came within this"),
    Metric("within_6s_rate", "6秒响应率", "fraction", "turns answered in ≤ 6 s ÷ turns", "within_6s_turn", "turns"),
    Metric("within_30s_rate", "30秒响应率", "fraction", "turns answered in ≤ 30 s ÷ turns", "within_30s_turn", "turns"),
    Metric("within_60s_rate", "60秒响应率", "fraction", "turns answered in ≤ 60 s ÷ turns", "within_60s_turn", "turns"),
    Metric("within_180s_rate", "3分钟响应率", "fraction", "turns answered in ≤ 180 s ÷ turns", "within_180s_turn", "turns"),
    Metric("night_questions", "夜间咨询轮次", "turns", "turns that open in the night (23:00–09:00)", "night_questions",
           source="kpi-spec 3"),
    Metric("night_answered_rate", "夜间及时回复率", "fraction", "night questions answered by 09:30 ÷ night questions",
           "night_answered", "night_questions", source="kpi-spec 3"),
    _people("slow_buyers", "慢响应人数", "at least 3 turns slower than 120 s or unanswered", source="A5 A10"),
    _people("long_buyers", "长接待人数", "a session longer than 3600 s", source="A5"),
    Metric("service_time_avg", "平均接待时长(秒)", "s", "time between first and last message of sessions ÷ received",
           "session_s", "buyers_received", source="A5 A9"),
    Metric("max_concurrent", "最大同时接待数", "chats", "most chats at once on any day", "max_concurrent", source="A6"),
    Metric("avg_concurrent", "平均同时接待数", "ratio", "chat seconds ÷ seconds with a chat", "chat_seconds",
           "busy_seconds"),
    Metric("buyer_messages", "买家消息数", "messages", "messages of consulted buyers", "buyer_messages", source="A6"),
    Metric("agent_messages", "客服消息数", "messages", "valid messages of the agent", "agent_messages", source="A6"),
    Metric("agent_characters", "客服字数", "characters", "characters of the agent's texts, without blanks",
           "agent_characters", source="A6"),
    Metric("answer_ratio", "答问比", "ratio", "agent messages ÷ buyer messages", "agent_messages", "buyer_messages",
           source="A4"),
    Metric("auto_messages", "自动回复数", "messages", "auto replies and robots, for information", "auto_messages"),
    Metric("first_message_at", "最早消息", "instant", "first valid message (a proxy: no login log)"),
    Metric("last_message_at", "最晚消息", "instant", "last valid message"),
    Metric("days_active", "上班天数", "days", "days with a valid message", "days_active"),
    _people("inquiries", "询单人数", "received, pre-sale, not assisting a colleague", final="next_day", source="A4"),
    _people("inquiries_ordered_same_day", "询单→当日下单人数", "ordered on the day", final="same_day", source="A8"),
    _people("inquiries_ordered", "询单→最终下单人数", "ordered on the day or the next", final="next_day", source="A8"),
    _people("inquiries_paid_same_day", "询单→当日付款人数", "paid on the day", final="same_day", source="A5"),
    _people("inquiries_paid_next_day", "询单→次日付款人数", "paid by the next day", final="next_day", source="A5"),
    _people("inquiries_paid", "询单→最终付款人数", "paid by day + 4", final="payment", source="A5"),
    Metric("inquiry_to_order_rate", "询单→最终下单转化率", "fraction", "ordered ÷ inquiries", "inquiries_ordered",
           "inquiries", final="next_day", source="A5"),
    Metric("inquiry_to_payment_same_day_rate", "询单→当日付款转化率", "fraction", "paid on the day ÷ inquiries",
           "inquiries_paid_same_day", "inquiries", final="next_day", source="A5"),
    Metric("inquiry_to_payment_next_day_rate", "询单→次日付款转化率", "fraction", "paid by the next day ÷ inquiries",
           "inquiries_paid_next_day", "inquiries", final="next_day", source="A5"),
    Metric("inquiry_to_payment_rate", "询单→最终付款转化率", "fraction", "paid by day + 4 ÷ inquiries",
           "inquiries_paid", "inquiries", final="payment", source="A5"),
    Metric("order_per_consult_rate", "转化率(下单/咨询)", "fraction", "buyer-days that ordered ÷ consulted (VIP)",
           "consults_ordered", "buyers_consulted", final="next_day"),
    _people("inquiries_lost", "询单流失人数", "no order by the next day", final="next_day", source="A8 A9"),
    _people("orders_lost", "下单流失人数", "ordered and not paid in time", final="payment", source="A8 A9"),
    Metric("sales_amount", "客服销售额", "CNY", "money paid on orders credited by the rule (绩效判定规则)", "sales_cents",
           source="A2 A5"),
    Metric("sales_orders", "客服销售订单数", "orders", "paid orders credited", "sales_orders", source="A5"),
    _people("sales_buyers", "客服销售人数", "buyers of these orders, per day", source="A5"),
    Metric("sales_items", "客服销售件数", "items", "items of these orders", "sales_items", source="A5"),
    Metric("average_order_value", "客单价", "CNY", "sales ÷ buyers", "sales_cents", "sales_buyers", source="A4 A5"),
    Metric("items_per_buyer", "客件数", "ratio", "items ÷ buyers", "sales_items", "sales_buyers", source="A4"),
    Metric("average_item_price", "件均价", "CNY", "sales ÷ items", "sales_cents", "sales_items", source="A4"),
    Metric("sales_share", "客服销售额占比", "fraction", "sales ÷ all the shop was paid", "sales_cents", "paid_cents"),
    Metric("silent_amount", "静默销售额", "CNY", "paid orders credited to nobody", "silent_cents",
           shop_rows_only=True, source="A9"),
    Metric("silent_orders", "静默订单数", "orders", "paid orders credited to nobody", "silent_orders",
           shop_rows_only=True, source="A9"),
    _people("assists", "协助服务人数", "their orders are all credited to colleagues", final="next_day", source="A8 A9"),
    Metric("refund_amount", "退款金额", "CNY", "refunds by success date", needs="refund export"),
    Metric("refund_rate", "退款率", "fraction", "refunds ÷ sales", needs="refund export"),
    Metric("satisfaction_rate", "满意率", "fraction", "satisfied ÷ ratings", needs="rating export"),
    Metric("rating_invite_rate", "邀评率", "fraction", "invited ÷ consulted", needs="rating export"),
    Metric("rating_return_rate", "评价返回率", "fraction", "ratings ÷ invitations", needs="rating export"),
)  # fmt: skip
"""Every metric of kpi-spec section 3, in its order."""

BY_KEY: Mapping[str, Metric] = {metric.key: metric for metric in METRICS}

PERCENTILES = {
    "first_response_p50": ("first", 50),
    "first_response_p90": ("first", 90),
    "response_p50": ("turns", 50),
    "response_p90": ("turns", 90),
}
"""Population of the waits' histogram and percent of each percentile."""


_LEVELS = {
    "turn": ("turns", "turns"),
    "first_turn": ("first turns", "first_questions"),
    "message": ("buyer messages", "questions"),
    "peer_day": ("people whose every turn was", "buyers_turned"),
}
"""What a within-N rate counts (definitions 34): in words, and the measure it divides by."""

_MEANS = ("first_response_avg", "response_avg")


def resolved(profile: Profile, by_agent: bool) -> tuple[Metric, ...]:
    """METRICS as ``profile`` counts them: the level of the within-N rates, the mean of the shop's rows."""
    found = []
    for metric in METRICS:
        if metric.key.startswith("within_"):
            stem = metric.key.removesuffix("_rate")
            level = getattr(profile, stem)
            words, whole = _LEVELS[level]
            what = metric.what.replace("turns answered", f"{words} answered").replace(
                "÷ turns", "÷ all of them"
            )
            metric = replace(metric, what=what, numerator=f"{stem}_{level}", denominator=whole)
        elif metric.key in _MEANS and profile.shop_mean == "agents" and not by_agent:
            metric = replace(metric, what=f"mean of the agents' {metric.key}", mean_of_agents=True)
        found.append(metric)
    return tuple(found)


def measures_of(metrics: Iterable[Metric]) -> frozenset[str]:
    """Names of the measures that these metrics divide."""
    return frozenset(
        name for metric in metrics for name in (metric.numerator, metric.denominator) if name
    ) | {"last_received_day"}


def finalize(partial: Merged, split: Split, profile: Profile, data_ends: Mapping[str, int]) -> pl.DataFrame:
    """The report's rows: key columns, every metric, and ``immature`` (list of keys), sorted by the keys.

    Seconds, counts and Int64 cents stay integers; ratios are Float64, unrounded; instants are wall
    seconds. ``data_ends`` (last second known per shop) decides what is not final yet.
    """
    keys = split.keys
    metrics = resolved(profile, split.by_agent)
    rows = partial.sums
    for more in (_concurrency(partial, split), _activity(partial, split), *_percentiles(partial, keys)):
        rows = rows.join(more, on=keys, how="full", coalesce=True, nulls_equal=True)
    rows = rows.join(partial.totals, on=split.time_keys, how="left", nulls_equal=True)
    present = set(rows.columns)
    measures = {name for m in metrics for name in (m.numerator, m.denominator) if name}
    rows = rows.with_columns(
        [pl.col(name).fill_null(0) for name in measures & present]
        + [pl.lit(0).alias(n) for n in measures - present]
    )
    if "last_received_day" not in rows.columns:
        rows = rows.with_columns(last_received_day=pl.lit(None, pl.Int64))
    end_day = pl.col("by_shop").replace_strict(
        {shop: (end - split.day_cut_s) // clock.DAY_SECONDS for shop, end in data_ends.items()},
        default=None,
        return_dtype=pl.Int64,
    )
    open_days = {
        name: pl.col("last_received_day") + days > end_day for name, days in days_to_final(profile).items()
    }
    values = {}
    for metric in metrics:
        if metric.mean_of_agents:
            values[metric.key] = _mean_of_agents(metric, partial, split, rows)
            continue
        value = _value(metric, split, rows)
        values[metric.key] = (
            pl.when(~open_days[metric.final].fill_null(False)).then(value) if metric.final else value
        )
    waiting = [
        pl.when(open_days[metric.final].fill_null(False)).then(pl.lit(metric.key))
        for metric in metrics
        if metric.final
    ]
    return (
        rows.with_columns(immature=pl.concat_list(waiting).list.drop_nulls().list.sort())
        .select(*keys, *[expression.alias(key) for key, expression in values.items()], "immature")
        .sort(keys)
    )


def _mean_of_agents(metric: Metric, partial: Merged, split: Split, rows: pl.DataFrame) -> pl.Expr:
    """The mean over the agents with a value of their own means (definitions 39), exact until the last division."""
    means: dict[tuple[object, ...], list[Fraction]] = {}
    assert metric.numerator is not None and metric.denominator is not None
    for *key, above, below in partial.means.select(
        *split.keys, metric.numerator, metric.denominator
    ).iter_rows():
        if below:
            means.setdefault(tuple(key), []).append(Fraction(above, below))
    found = [means.get(key) for key in rows.select(split.keys).iter_rows()]
    return pl.lit(
        pl.Series([float(sum(f, Fraction()) / len(f)) if f else None for f in found], dtype=pl.Float64)
    )


def _value(metric: Metric, split: Split, rows: pl.DataFrame) -> pl.Expr:
    if metric.needs or (metric.shop_rows_only and (split.by_agent or split.by_team)):
        return pl.lit(None, pl.Int64 if metric.unit == "CNY" else pl.Float64)
    if metric.numerator is None:
        return pl.col(metric.key)
    if metric.denominator is None:
        return pl.col(metric.numerator)
    numerator, denominator = pl.col(metric.numerator), pl.col(metric.denominator)
    if metric.unit == "CNY":  # cents, rounded half up
        return pl.when(denominator > 0).then((2 * numerator + denominator).floordiv(2 * denominator))
    # By numpy: Polars multiplies by the reciprocal where a column has one value, and then the last bit of
    # a figure would depend on how many rows the report has.
    parts, wholes = rows[metric.numerator].to_numpy(), rows[metric.denominator].to_numpy()
    quotients = np.divide(parts, wholes, out=np.zeros(len(rows)), where=wholes > 0)
    return pl.when(denominator > 0).then(pl.lit(pl.Series(quotients)))


def _percentiles(partial: Merged, keys: list[str]) -> list[pl.DataFrame]:
    """Nearest-rank percentiles of the histograms: the value number ⌈p·n⌉ of the sorted seconds."""
    tables = []
    waits = partial.waits.sort("wait_s")
    for key, (population, percent) in PERCENTILES.items():
        number = (pl.col(population).sum() * percent + 99).floordiv(100)
        tables.append(
            waits.filter(pl.col(population) > 0)
            .group_by(keys, maintain_order=True)
            .agg(pl.col("wait_s").filter(pl.col(population).cum_sum() >= number).first().alias(key))
        )
    return tables


def _activity(partial: Merged, split: Split) -> pl.DataFrame:
    return partial.activity.group_by(split.keys).agg(
        first_message_at=pl.col("first_at").min(),
        last_message_at=pl.col("last_at").max(),
        days_active=pl.struct("agent", "day").n_unique().cast(pl.Int64),
    )


def _concurrency(partial: Merged, split: Split) -> pl.DataFrame:
    """Peak, chat seconds and busy seconds per row: the greatest and the sums of its days and hours."""
    keyed = split.by_time(partial.concurrency, pl.col("day"), pl.col("hour_at"))
    return keyed.group_by(split.keys).agg(
        pl.col("max_concurrent").max(), pl.col("chat_seconds", "busy_seconds").sum()
    )
