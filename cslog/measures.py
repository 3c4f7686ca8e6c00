"""What one fact adds to a figure: the integers whose sums are the numerators and denominators of metrics.

A report adds these numbers up (cslog.partials), an explanation lists them (cslog.explain): the same definitions
over the same rows, so the rows of an explanation always add up to the cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from cslog.flags import BITS, LEVELS, mask


@dataclass(frozen=True)
class Measure:
    """A fact of ``table`` with all flags of ``needs`` adds its number ``value``, or 1 without one.

    ``fact`` is what an explanation calls such rows. With ``once_per`` (columns), rows count once per combination;
    with ``greatest``, the greatest number is kept instead of the sum.
    """

    fact: str
    table: str
    needs: tuple[str, ...]
    value: str | None = None
    once_per: tuple[str, ...] = ()
    greatest: bool = False

    @cached_property
    def mask(self) -> int:
        """The flags a row needs, as bits."""
        return mask(BITS[self.table], self.needs)

    def contribution(self) -> pl.Expr:
        """What each row of a frame with ``flags`` adds; of rows that count once together, the first."""
        counts = pl.col("flags") & self.mask == self.mask
        if self.once_per:
            first = pl.struct(*self.once_per, counts.alias("counts")).is_first_distinct()
            return (counts & first).cast(pl.Int64)
        value = pl.col(self.value).cast(pl.Int64) if self.value else pl.lit(1, pl.Int64)
        return pl.when(counts).then(value).otherwise(0).fill_null(0)


def _turns(*needs: str, value: str | None = None) -> Measure:
    return Measure("turns", "turns", ("counted", *needs), value)


def _units(*needs: str) -> Measure:
    return Measure("units", "units", needs)


def _messages(value: str) -> Measure:
    return Measure("messages", "messages", ("counted",), value)


def _orders(fact: str, needs: tuple[str, ...], value: str | None = None) -> Measure:
    return Measure(fact, "orders", ("sold", *needs), value)


MEASURES: dict[str, Measure] = {
    "turns": _turns(),
    "turns_answered": _turns("answered"),
    "turns_unanswered": _turns("unanswered"),
    "turns_late": _turns("late"),
    "cost_s": _turns("in_mean", value="cost_s"),
    "turns_in_mean": _turns("in_mean"),
    "first_wait_s": _turns("first_answered", value="wait_s"),
    "first_turns": _turns("first_answered"),
    "first_response_missed": _turns("first_response", "unanswered"),
    "first_any_wait_s": _turns("any_first_answered", value="wait_s"),
    "first_any_turns": _turns("any_first_answered"),
    "wall_s": _turns("answered", value="raw_wait_s"),
    "first_wall_s": _turns("first_answered", value="raw_wait_s"),
    "first_questions": _turns("first_response"),
    **{f"within_{level}s_turn": _turns(f"within_{level}s") for level in LEVELS},
    **{f"within_{level}s_first_turn": _turns(f"first_within_{level}s") for level in LEVELS},
    "questions": Measure("questions", "questions", ("counted",)),
    **{
        f"within_{level}s_message": Measure("questions", "questions", ("counted", f"within_{level}s"))
        for level in LEVELS
    },
    "night_questions": Measure("nights", "turns", ("consulted", "night")),
    "night_answered": Measure("nights", "turns", ("consulted", "night", "night_answered")),
    "buyers_chatted": _units("chatted"),
    "buyers_filtered": _units("filtered"),
    "buyers_received": _units("received"),
    "buyers_unreplied": _units("unreplied"),
    "buyers_consulted": _units("consulted"),
    "buyers_direct": _units("direct"),
    "buyers_forwarded_in": _units("forwarded_in"),
    "buyers_forwarded_out": _units("forwarded_out"),
    "buyer_initiated": _units("buyer_initiated"),
    "agent_initiated": _units("agent_initiated"),
    "slow_buyers": _units("slow"),
    "long_buyers": _units("long"),
    "inquiries": _units("inquiry"),
    "inquiries_ordered_same_day": _units("ordered_same_day"),
    "inquiries_ordered": _units("ordered"),
    "inquiries_paid_same_day": _units("paid_same_day"),
    "inquiries_paid_next_day": _units("paid_next_day"),
    "inquiries_paid": _units("paid"),
    "inquiries_lost": _units("lost"),
    "orders_lost": _units("order_lost"),
    "assists": _units("assist"),
    "consults_ordered": _units("consult_ordered"),
    "buyers_turned": _units("turned"),
    **{f"within_{level}s_peer_day": _units(f"within_{level}s") for level in LEVELS},
    "buyers_received_distinct": Measure("units", "units", ("received",), once_per=("buyer_key",)),
    "last_received_day": Measure("units", "units", ("received",), "day", greatest=True),
    "buyer_messages": _messages("buyer_messages"),
    "agent_messages": _messages("agent_messages"),
    "agent_characters": _messages("agent_characters"),
    "auto_messages": Measure("autos", "autos", ("counted",)),
    "session_s": Measure("sessions", "sessions", ("counted",), "session_s"),
    "sales_cents": _orders("sales", ("credited",), "amount_cents"),
    "sales_orders": _orders("sales", ("credited",)),
    "sales_items": _orders("sales", ("credited",), "items"),
    "sales_buyers": Measure("sales", "orders", ("sold", "credited"), once_per=("buyer_key", "day")),
    "silent_cents": _orders("silent", ("silent",), "amount_cents"),
    "silent_orders": _orders("silent", ("silent",)),
    "paid_cents": _orders("paid", (), "amount_cents"),
}
"""Every measure by name; ``metrics.METRICS`` divides them."""
