"""What one fact adds to a figure: the integers whose sums are the numerators and denominators of metrics.

A report adds these values up (cslog.partials), an explanation lists them (cslog.explain): the same
expressions over the same rows, so the rows of an explanation always add up to the cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from cslog.profile import LEVELS
from cslog.split import Split

if TYPE_CHECKING:
    from cslog.facts import Facts

_ALWAYS = pl.lit(True)
_WAIT, _COST, _FIRST = pl.col("wait_s"), pl.col("cost_s"), pl.col("first")
_FIRST_RESPONSE, _BY_BUYER = pl.col("first_response"), pl.col("by_buyer")
_ANSWERED = _WAIT.is_not_null()
_RECEIVED = pl.col("received")
_CONSULTED = _RECEIVED | pl.col("unreplied")
_FROM_BUYER = pl.col("from_buyer")


@dataclass(frozen=True)
class Measure:
    """``value``: what one row of the table ``fact`` adds (null and false add nothing).

    With ``distinct``, rows with a true value count once per combination of these columns; with
    ``largest``, the maximum is kept instead of the sum.
    """

    fact: str
    value: pl.Expr
    distinct: tuple[str, ...] = ()
    largest: bool = False

    def aggregate(self) -> pl.Expr:
        """The measure of a group of rows."""
        if self.distinct:
            return pl.struct(self.distinct).filter(self.value).n_unique()
        return self.value.max() if self.largest else self.value.sum()

    def contribution(self) -> pl.Expr:
        """What each row adds; of rows that count once together, the first."""
        if self.distinct:
            first = pl.struct(*self.distinct, self.value.alias("counts")).is_first_distinct()
            return (self.value & first).cast(pl.Int64)
        return self.value.cast(pl.Int64).fill_null(0)


def _measures(fact: str, **values: pl.Expr) -> dict[str, Measure]:
    return {name: Measure(fact, value) for name, value in values.items()}


MEASURES: dict[str, Measure] = {
    **_measures(
        "turns",
        turns=_ANSWERED | ~_ANSWERED,
        turns_answered=_ANSWERED,
        turns_unanswered=~_ANSWERED,
        turns_late=pl.col("late_s").is_not_null(),
        cost_s=_COST,
        turns_in_mean=_COST.is_not_null(),
        first_wait_s=pl.when(_FIRST_RESPONSE).then(_WAIT),
        first_turns=_FIRST_RESPONSE & _ANSWERED,
        first_response_missed=_FIRST_RESPONSE & ~_ANSWERED,
        first_any_wait_s=pl.when(_FIRST).then(_WAIT),
        first_any_turns=_FIRST & _ANSWERED,
        wall_s=pl.col("raw_wait_s"),
        first_wall_s=pl.when(_FIRST_RESPONSE).then(pl.col("raw_wait_s")),
        first_questions=_FIRST_RESPONSE,
        **{f"within_{level}s_turn": level >= _WAIT for level in LEVELS},
        **{f"within_{level}s_first_turn": _FIRST_RESPONSE & (level >= _WAIT) for level in LEVELS},
    ),
    **_measures(
        "questions",
        questions=pl.col("at").is_not_null(),
        **{f"within_{level}s_message": level >= _WAIT for level in LEVELS},
    ),
    **_measures("nights", night_questions=pl.col("night"), night_answered=pl.col("night_answered")),
    **_measures(
        "units",
        buyers_chatted=_CONSULTED | pl.col("filtered"),
        buyers_filtered=pl.col("filtered"),
        buyers_received=_RECEIVED,
        buyers_unreplied=pl.col("unreplied"),
        buyers_consulted=_CONSULTED,
        buyers_direct=pl.col("direct"),
        buyers_forwarded_in=pl.col("forwarded_in"),
        buyers_forwarded_out=pl.col("forwarded_out"),
        buyer_initiated=_CONSULTED & _BY_BUYER,
        agent_initiated=_CONSULTED & ~_BY_BUYER,
        slow_buyers=pl.col("slow"),
        long_buyers=pl.col("long"),
        inquiries=pl.col("inquiry"),
        inquiries_ordered_same_day=pl.col("ordered_same_day"),
        inquiries_ordered=pl.col("ordered"),
        inquiries_paid_same_day=pl.col("paid_same_day"),
        inquiries_paid_next_day=pl.col("paid_next_day"),
        inquiries_paid=pl.col("paid"),
        inquiries_lost=pl.col("lost"),
        orders_lost=pl.col("order_lost"),
        assists=pl.col("assist"),
        consults_ordered=pl.col("consult_ordered"),
        buyers_turned=pl.col("turned"),
        **{f"within_{level}s_peer_day": pl.col("turned") & ~pl.col(f"tardy_{level}s") for level in LEVELS},
    ),
    "buyers_received_distinct": Measure("units", _RECEIVED, distinct=("buyer_key",)),
    "last_received_day": Measure("units", pl.when(_RECEIVED).then(pl.col("_day")), largest=True),
    **_measures(
        "messages",
        buyer_messages=_FROM_BUYER,
        agent_messages=~_FROM_BUYER,
        agent_characters=pl.when(~_FROM_BUYER).then(pl.col("characters").cast(pl.Int64)),
    ),
    **_measures("autos", auto_messages=pl.col("at").is_not_null()),
    **_measures("sessions", session_s=pl.col("last_at") - pl.col("first_at")),
    **_measures(
        "sales",
        sales_cents=pl.col("amount_cents"),
        sales_orders=pl.col("order_id").is_not_null(),
        sales_items=pl.col("items"),
    ),
    "sales_buyers": Measure("sales", pl.col("order_id").is_not_null(), distinct=("buyer_key", "_day")),
    **_measures(
        "silent", silent_cents=pl.col("amount_cents"), silent_orders=pl.col("order_id").is_not_null()
    ),
    **_measures("paid", paid_cents=pl.col("amount_cents")),
}
"""Every measure by name; ``metrics.METRICS`` divides them."""


def countable(facts: Facts, split: Split, agents: frozenset[str] | None = None) -> dict[str, pl.DataFrame]:
    """The rows that count, by fact table, each with the key columns of the report row it counts in.

    turns, questions, sessions, messages, autos, sales, silent and paid orders as in ``Facts``; ``nights`` are
    the turns of the night; ``units`` are what people are counted by; ``staff`` are the staff messages that show
    who was active. ``agents`` limits them to what these agents did.
    """
    only = _ALWAYS if agents is None else pl.col("agent").is_in(sorted(agents))
    wanted = only & (pl.col("agent").is_not_null() if split.by_agent else _ALWAYS)
    day, counted = pl.col("day"), pl.col("counted")

    messages = split.keyed(facts.messages.filter(wanted), day, pl.col("at"))
    sold_day, sold_at = split.business_day("sold_at"), pl.col("sold_at")
    sold = facts.orders.filter(sold_at.is_not_null())
    credited = pl.col("credited")
    own = sold.filter(credited.is_not_null() if agents is None else credited.is_in(sorted(agents)))
    silent = sold.clear() if split.by_agent or split.by_team else sold.filter(credited.is_null())
    nights = facts.turns.filter(wanted & pl.col("consulted") & pl.col("night"))
    return {
        "turns": split.keyed(facts.turns.filter(wanted & counted), day, pl.col("open_at")),
        "nights": split.keyed(nights, day, pl.col("open_at")),
        "questions": split.keyed(facts.questions.filter(wanted & counted), day, pl.col("at")),
        "sessions": split.keyed(facts.sessions.filter(wanted & counted), day, pl.col("first_at")),
        "units": split.keyed(
            _units(facts.peer_days.filter(wanted), split), day, pl.coalesce("asked_at", "first_at")
        ),
        "messages": messages.filter("counted"),
        "staff": messages.filter(~_FROM_BUYER & ~pl.col("filtered")),
        "autos": split.keyed(facts.autos.filter(wanted), split.business_day("at"), pl.col("at")),
        "sales": split.keyed(own, sold_day, sold_at, "credited"),
        "silent": split.keyed(silent, sold_day, sold_at, None),
        "paid": split.keyed(sold, sold_day, sold_at, None),
    }


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
    tardy = [name for name in people.columns if name.startswith("tardy_")]
    if tardy:
        people = people.with_columns(pl.col("turned", *tardy) & ~filtered)
    if split.by_agent:
        return people
    if split.by_team:
        assert split.teams is not None
        people = people.join(split.teams, on=["shop", "agent"], how="left", maintain_order="left")
    kept = received | pl.col("unreplied")
    flags = [
        "received", "direct", "forwarded_in", "forwarded_out", "slow", "long", "inquiry", "assist", "ordered_same_day",
        "ordered", "paid_same_day", "paid_next_day", "paid", "consult_ordered", *tardy, *(["turned"] if tardy else []),
    ]  # fmt: skip
    return (
        people.sort("first_at", "first_row")
        .group_by("shop", "buyer_key", "day", *(["team"] if split.by_team else []))
        .agg(
            *[pl.col(flag).any() for flag in flags],
            pl.col("unreplied").any() & ~received.any(),
            pl.col("filtered").all(),
            pl.col("asked_at").min(),
            pl.col("first_at").min(),
            # The thread that the buyer's day is dated by: its agent has the shift and the team.
            pl.col("agent").sort_by("asked_at", nulls_last=True, maintain_order=True).first(),
            by_buyer=pl.col("by_buyer").filter(kept).first(),
            lost=pl.col("inquiry").any() & (~pl.col("inquiry") | pl.col("lost")).all(),
        )
        .with_columns(order_lost=pl.col("inquiry") & ~pl.col("lost") & ~pl.col("paid"))
    )
