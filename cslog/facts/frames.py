"""Facts as frames with names in place of codes: for explanations, lists and stories, never for sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cslog.facts import rules, tables
from cslog.facts.credit import labels
from cslog.flags import LEVELS, PEER_DAY, TURN
from cslog.kernels import threads

if TYPE_CHECKING:
    from cslog.facts import Facts
    from cslog.facts.tables import Table


def base(facts: Facts, table: Table) -> dict[str, pl.Series]:
    """shop, agent (null: nobody), buyer_key and day of a table's rows."""
    names = facts.circumstances.names
    return {
        "shop": names.shop_names(table.shop),
        "agent": names.agents(table.agent),
        "buyer_key": pl.Series(facts.rows.gathered.buyer_key[table.buyer]),
        "day": pl.Series(table.day),
    }


def unpacked(flags: np.ndarray, bits: dict[str, int] | object, *names: str) -> dict[str, pl.Series]:
    """Columns of single flags."""
    return {name: pl.Series(flags & bits[name] != 0) for name in names}  # type: ignore[index]


def seconds(values: np.ndarray) -> pl.Series:
    """Seconds with null in place of -1."""
    return pl.Series(values, dtype=pl.Int64).replace(-1, None)


def turns(facts: Facts) -> pl.DataFrame:
    """shop, agent, buyer_key, day, open_at, wait_s (null: unanswered), raw_wait_s (on the wall clock), cost_s (what
    the mean counts), late_s, first, first_response, by_buyer, in_window, consulted (its peer-day is not
    filtered), counted (and opened in the profile's window), night, night_answered.
    """
    table = tables.turns(facts)
    waits = {name: seconds(table.values[name]) for name in ("wait_s", "raw_wait_s", "cost_s", "late_s")}
    shown = ("first", "first_response", "by_buyer", "in_window", "consulted", "counted", "night",
             "night_answered")  # fmt: skip
    return pl.DataFrame(
        base(facts, table) | {"open_at": table.at} | waits | unpacked(table.flags, TURN, *shown)
    )


def questions(facts: Facts) -> pl.DataFrame:
    """shop, agent, buyer_key, day, at, rank, wait_s, counted; only where a rate counts messages."""
    table = tables.questions(facts)
    return pl.DataFrame(
        base(facts, table)
        | {
            "at": table.at,
            "rank": _ranks(facts, table.values["event"]),
            "wait_s": seconds(table.values["wait_s"]),
            "counted": table.flags & 1 != 0,
        }
    )


def sessions(facts: Facts) -> pl.DataFrame:
    """shop, agent, buyer_key, day, first_at, last_at, counted."""
    table = tables.sessions(facts)
    return pl.DataFrame(
        base(facts, table)
        | {"first_at": table.at, "last_at": table.values["last_at"], "counted": table.flags & 1 != 0}
    )


def peer_days(facts: Facts) -> pl.DataFrame:
    """shop, agent, buyer_key, day, counts of messages, asked_at, first_at, first_row (order of first messages), filter
    (its name), and every flag of cslog.flags.PEER_DAY but filtered.
    """
    walked, flags = facts.walked, facts.peer_day_flags
    days = walked.peer_days
    names = facts.circumstances.names
    titles = [rule.title for rule in rules.filters_of(facts.circumstances.config)]
    shown = [
        name for name in PEER_DAY if name not in ("filtered", "turned", *(f"tardy_{n}s" for n in LEVELS))
    ]
    return pl.DataFrame(
        {
            "shop": names.shop_names(walked.thread_shop[days.thread]),
            "agent": names.agents(walked.thread_agent[days.thread]),
            "buyer_key": facts.rows.gathered.buyer_key[walked.thread_buyer[days.thread]],
            "day": days.day,
            "buyer_messages": days.buyer_messages,
            "agent_messages": days.staff_messages,
            "agent_characters": days.staff_characters,
            "asked_at": seconds(days.asked),
            "first_at": days.first,
            "first_row": walked.event_row[days.first_event],
            "filter": pl.Series(facts.filtered_by).replace_strict(
                list(range(len(titles))), titles, default=None, return_dtype=pl.String
            ),
        }
        | unpacked(flags, PEER_DAY, *shown)
    )


def messages(facts: Facts) -> pl.DataFrame:
    """shop, agent, buyer_key, day, at, rank, from_buyer, characters, counted, filtered; one row per message."""
    table = tables.messages(facts)
    event = table.values["event"]
    filtered = facts.peer_day_flags & PEER_DAY["filtered"] != 0
    return pl.DataFrame(
        base(facts, table)
        | {
            "at": table.at,
            "rank": _ranks(facts, event),
            "from_buyer": facts.walked.event_type[event] == threads.BUYER,
            "characters": facts.rows.gathered.characters[facts.walked.event_row[event]],
            "counted": table.flags & 1 != 0,
            "filtered": filtered[facts.walked.notes.peer_day[event]],
        }
    )


def autos(facts: Facts) -> pl.DataFrame:
    """shop, agent, buyer_key, at, rank of automatic replies."""
    table = tables.autos(facts)
    ranks = facts.rows.frame["rank"].gather(pl.Series(table.values["source"]))
    return pl.DataFrame(base(facts, table) | {"at": table.at, "rank": ranks}).drop("day")


def orders(facts: Facts) -> pl.DataFrame:
    """Columns of order_versions.ORDER_COLUMNS, memo_agent, excluded; order_agent, payment_agent, credited (null:
    nobody), sold_at (null: unpaid), label (credit_rules.LABELS).
    """
    credited, names = facts.credited, facts.circumstances.names
    return credited.orders.frame.with_columns(
        order_agent=names.agents(credited.at_creation),
        payment_agent=names.agents(credited.at_payment),
        sold_at=seconds(tables.orders(facts).at),
        credited=names.agents(credited.credited),
        label=labels(credited),
    )


def _ranks(facts: Facts, event: np.ndarray) -> np.ndarray:
    return facts.rows.column("rank", facts.walked.event_row[event], np.int32)
