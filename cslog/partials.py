"""Facts → sums that can be merged: tables of integers per row of the report.

Merging is a group-by with sum, minimum and maximum: associative, commutative, and the same for any
split of the buyers. Nothing is divided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import polars as pl

from cslog import clock
from cslog.clock import Period
from cslog.profile import Profile

if TYPE_CHECKING:
    from cslog.facts import Facts

DIMENSIONS = ("shop", "agent", "day", "hour", "week", "month")
"""What a report can be split by; the shop always is."""

_LEVELS = (6, 30, 60, 180)
_MAXIMA = ("last_received_day",)


@dataclass(frozen=True)
class Split:
    """The rows of a report: the dimensions beside the shop, in order, over the days of a period."""

    dimensions: tuple[str, ...]
    period: Period
    day_cut_s: int

    @property
    def by_agent(self) -> bool:
        """Whether rows are split by agent; only then are people counted once per agent."""
        return "agent" in self.dimensions

    @property
    def keys(self) -> list[str]:
        """Grouping columns, named ``by_shop``, ``by_agent`` …"""
        return ["by_shop", *(f"by_{name}" for name in self.dimensions)]

    @property
    def time_keys(self) -> list[str]:
        """Grouping columns without the agent."""
        return [key for key in self.keys if key != "by_agent"]

    def keyed(self, frame: pl.DataFrame, day: pl.Expr, at: pl.Expr) -> pl.DataFrame:
        """``frame`` with the key columns; rows outside the period, or of no agent when split by agent, left out."""
        frame = frame.with_columns(by_shop=pl.col("shop"), _day=day).filter(
            pl.col("_day").is_between(self.period.first_day, self.period.last_day)
        )
        columns: dict[str, pl.Expr] = {}
        for name in self.dimensions:
            if name == "agent":
                columns["by_agent"] = pl.col("agent") if "agent" in frame.columns else pl.lit(None, pl.String)
            elif name == "day":
                columns["by_day"] = pl.col("_day")
            elif name == "hour":
                columns["by_hour"] = at.floordiv(clock.HOUR_SECONDS) % 24
            else:
                label = clock.week_label if name == "week" else clock.month_label
                columns[f"by_{name}"] = pl.col("_day").replace_strict(
                    list(self.period.days), [label(d) for d in self.period.days], return_dtype=pl.String
                )
        return frame.with_columns(**columns)

    def business_day(self, at: str) -> pl.Expr:
        """The business day of an instant column (kpi-spec T2)."""
        return (pl.col(at) - self.day_cut_s).floordiv(clock.DAY_SECONDS)


@dataclass(frozen=True)
class Partial:
    """Sums over some buyers.

    sums: keys + one Int64 column per measure · waits: keys, wait_s, turns, first (a histogram of whole
    seconds) · spans: shop, agent, day, first_at, last_at of sessions · activity: keys, agent, day,
    first_at, last_at of valid staff messages · totals: shop and time keys, paid_cents of the shop.
    """

    sums: pl.DataFrame
    waits: pl.DataFrame
    spans: pl.DataFrame
    activity: pl.DataFrame
    totals: pl.DataFrame


def partial_of(facts: Facts, split: Split, profile: Profile, agents: frozenset[str] | None = None) -> Partial:
    """Sums of ``facts`` for the rows of ``split``; ``agents`` limits them to what these agents did."""
    only = pl.lit(True) if agents is None else pl.col("agent").is_in(sorted(agents))
    present = pl.col("agent").is_not_null() if split.by_agent else pl.lit(True)
    wanted = only & present

    turns = split.keyed(facts.turns.filter(wanted & pl.col("counted")), pl.col("day"), pl.col("open_at"))
    sessions = split.keyed(
        facts.sessions.filter(wanted & pl.col("counted")), pl.col("day"), pl.col("first_at")
    )
    messages = split.keyed(facts.messages.filter(wanted), pl.col("day"), pl.col("at"))
    autos = split.keyed(facts.autos.filter(wanted), split.business_day("at"), pl.col("at"))
    units = split.keyed(
        _units(facts.peer_days.filter(wanted), split), pl.col("day"), pl.coalesce("asked_at", "first_at")
    )
    sold = split.keyed(
        facts.orders.filter(pl.col("sold_at").is_not_null()), split.business_day("sold_at"), pl.col("sold_at")
    )
    credited = pl.col("credited").is_not_null()
    if agents is not None:
        credited &= pl.col("credited").is_in(sorted(agents))
    own = sold.filter(credited)
    if split.by_agent:
        own = own.with_columns(by_agent=pl.col("credited"))

    tables = [
        _turn_sums(turns, split.keys),
        _unit_sums(units, split.keys),
        messages.filter("counted")
        .group_by(split.keys)
        .agg(
            buyer_messages=pl.col("from_buyer").sum(),
            agent_messages=(~pl.col("from_buyer")).sum(),
            agent_characters=pl.col("characters").filter(~pl.col("from_buyer")).sum(),
        ),
        autos.group_by(split.keys).agg(auto_messages=pl.len()),
        sessions.group_by(split.keys).agg(session_s=(pl.col("last_at") - pl.col("first_at")).sum()),
        own.group_by(split.keys).agg(
            sales_cents=pl.col("amount_cents").sum(),
            sales_orders=pl.len(),
            sales_items=pl.col("items").fill_null(0).sum(),
            sales_buyers=pl.struct("buyer_key", "_day").n_unique(),
        ),
    ]
    if not split.by_agent:
        silent = sold.filter(pl.col("credited").is_null())
        tables.append(
            silent.group_by(split.keys).agg(silent_cents=pl.col("amount_cents").sum(), silent_orders=pl.len())
        )
    return Partial(
        sums=_merged_sums(tables, split.keys),
        waits=_merged_waits([_waits(turns, split.keys)], split.keys),
        spans=sessions.select("shop", "agent", "day", "first_at", "last_at"),
        activity=_merged_activity([_activity(messages, split)], split),
        totals=sold.group_by(split.time_keys).agg(paid_cents=pl.col("amount_cents").sum()),
    )


def merge(partials: Sequence[Partial], split: Split) -> Partial:
    """One partial out of several over disjoint buyers."""
    column = {field.name: [getattr(partial, field.name) for partial in partials] for field in fields(Partial)}
    return Partial(
        sums=_merged_sums(column["sums"], split.keys),
        waits=_merged_waits(column["waits"], split.keys),
        spans=pl.concat(column["spans"]),
        activity=_merged_activity(column["activity"], split),
        totals=pl.concat(column["totals"]).group_by(split.time_keys).agg(pl.col("paid_cents").sum()),
    )


def _merged_sums(tables: Sequence[pl.DataFrame], keys: list[str]) -> pl.DataFrame:
    whole = pl.concat(tables, how="diagonal_relaxed")
    measures = [name for name in whole.columns if name not in keys]
    operations: dict[Literal["sum", "max"], list[str]] = {
        "sum": [name for name in measures if name not in _MAXIMA],
        "max": [name for name in measures if name in _MAXIMA],
    }
    return whole.group_by(keys).agg(
        pl.col(operations["sum"]).cast(pl.Int64).sum(), pl.col(operations["max"]).cast(pl.Int64).max()
    )


def _turn_sums(turns: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    wait, first, by_buyer = pl.col("wait_s"), pl.col("first"), pl.col("by_buyer")
    answered = wait.is_not_null()
    return turns.group_by(keys).agg(
        turns=pl.len(),
        turns_answered=answered.sum(),
        turns_unanswered=(~answered).sum(),
        turns_late=pl.col("late_s").is_not_null().sum(),
        wait_s=wait.sum(),
        first_wait_s=wait.filter(first & by_buyer).sum(),
        first_turns=(first & by_buyer & answered).sum(),
        first_response_missed=(first & by_buyer & ~answered).sum(),
        first_any_wait_s=wait.filter(first).sum(),
        first_any_turns=(first & answered).sum(),
        **{f"within_{level}s": (wait <= level).sum() for level in _LEVELS},
    )


def _units(peer_days: pl.DataFrame, split: Split) -> pl.DataFrame:
    """What people are counted by: peer-days, or distinct (buyer, day) where rows are not split by agent."""
    received = pl.col("received")
    filtered = pl.col("filter").is_not_null()
    people = peer_days.filter(received | pl.col("unreplied") | filtered).with_columns(
        filtered=filtered,
        direct=received & ~pl.col("forwarded_in"),
        forwarded_in=received & pl.col("forwarded_in"),
        forwarded_out=received & pl.col("forwarded_out"),
        slow=pl.col("slow") & ~filtered,
        long=pl.col("long") & ~filtered,
    )
    if split.by_agent:
        return people
    kept = pl.col("received") | pl.col("unreplied")
    flags = [
        "received", "direct", "forwarded_in", "forwarded_out", "slow", "long", "inquiry", "assist", "ordered_same_day",
        "ordered", "paid_same_day", "paid_next_day", "paid", "consult_ordered",
    ]  # fmt: skip
    return (
        people.sort("first_at", pl.col("agent").fill_null(""))
        .group_by("shop", "buyer_key", "day")
        .agg(
            *[pl.col(flag).any() for flag in flags],
            pl.col("unreplied").any() & ~pl.col("received").any(),
            pl.col("filtered").all(),
            pl.col("asked_at").min(),
            pl.col("first_at").min(),
            by_buyer=pl.col("by_buyer").filter(kept).first(),
            lost=pl.col("inquiry").any() & (~pl.col("inquiry") | pl.col("lost")).all(),
        )
        .with_columns(order_lost=pl.col("inquiry") & ~pl.col("lost") & ~pl.col("paid"))
    )


def _unit_sums(units: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    received = pl.col("received")
    consulted = received | pl.col("unreplied")
    return units.group_by(keys).agg(
        buyers_chatted=(consulted | pl.col("filtered")).sum(),
        buyers_filtered=pl.col("filtered").sum(),
        buyers_received=received.sum(),
        buyers_unreplied=pl.col("unreplied").sum(),
        buyers_consulted=consulted.sum(),
        buyers_received_distinct=pl.col("buyer_key").filter(received).n_unique(),
        buyers_direct=pl.col("direct").sum(),
        buyers_forwarded_in=pl.col("forwarded_in").sum(),
        buyers_forwarded_out=pl.col("forwarded_out").sum(),
        buyer_initiated=(consulted & pl.col("by_buyer")).sum(),
        agent_initiated=(consulted & ~pl.col("by_buyer")).sum(),
        slow_buyers=pl.col("slow").sum(),
        long_buyers=pl.col("long").sum(),
        inquiries=pl.col("inquiry").sum(),
        inquiries_ordered_same_day=pl.col("ordered_same_day").sum(),
        inquiries_ordered=pl.col("ordered").sum(),
        inquiries_paid_same_day=pl.col("paid_same_day").sum(),
        inquiries_paid_next_day=pl.col("paid_next_day").sum(),
        inquiries_paid=pl.col("paid").sum(),
        inquiries_lost=pl.col("lost").sum(),
        orders_lost=pl.col("order_lost").sum(),
        assists=pl.col("assist").sum(),
        consults_ordered=pl.col("consult_ordered").sum(),
        last_received_day=pl.col("_day").filter(received).max(),
    )


def _waits(turns: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    return (
        turns.filter(pl.col("wait_s").is_not_null())
        .group_by([*keys, "wait_s"])
        .agg(turns=pl.len().cast(pl.Int64), first=(pl.col("first") & pl.col("by_buyer")).sum().cast(pl.Int64))
    )


def _merged_waits(tables: Sequence[pl.DataFrame], keys: list[str]) -> pl.DataFrame:
    return pl.concat(tables).group_by([*keys, "wait_s"]).agg(pl.col("turns", "first").sum())


def _activity(messages: pl.DataFrame, split: Split) -> pl.DataFrame:
    staff = messages.filter(~pl.col("from_buyer") & ~pl.col("filtered"))
    return staff.select(*split.keys, "agent", "day", first_at="at", last_at="at")


def _merged_activity(tables: Sequence[pl.DataFrame], split: Split) -> pl.DataFrame:
    return (
        pl.concat(tables)
        .group_by([*split.keys, "agent", "day"])
        .agg(pl.col("first_at").min(), pl.col("last_at").max())
    )
