"""Facts → sums that can be merged: tables of integers per row of the report.

Merging is a group-by with sum, minimum and maximum: associative, commutative, and the same for any split of the
buyers. Nothing is divided here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cslog.clock import DAY_SECONDS, HOUR_SECONDS
from cslog.counted import FACTS, Counted
from cslog.facts.tables import Table
from cslog.flags import MESSAGE, SESSION, TURN
from cslog.kernels import concurrency, sums
from cslog.measures import MEASURES
from cslog.row_keys import RowKeys

if TYPE_CHECKING:
    from cslog.facts import Facts
    from cslog.split import Split

_USUAL_WAIT = 1024  # seconds; longer waits are counted one by one
_NEVER = -1  # less than any day
_HISTOGRAM = 4_000_000  # counters at most, whatever the number of rows

AGENT_MEANS = ("cost_s", "turns_in_mean", "first_wait_s", "first_turns")
"""Measures whose quotients per agent make the means of agents (definitions 39)."""


@dataclass(frozen=True, eq=False)
class Partial:
    """Sums over some buyers; rows of the report as numbers of ``keys`` (RowKeys).

    sums: by fact, key + one Int64 column per measure (the greatest of none is _NEVER) · waits: key, wait_s, turns, first (a histogram of whole seconds) ·
    spans: key of the staff, day, first and last (of the session's messages, seconds since the day began) · activity:
    key, agent (code), day, first_at, last_at of valid staff messages · means: key, agent, AGENT_MEANS, where rows are not split by agent · totals:
    key of shop and time, paid_cents of the shop · owners: shop (code), asked (buyer messages of the period), inferred
    (those whose agent no export states).
    """

    keys: RowKeys
    sums: dict[str, pl.DataFrame]
    waits: pl.DataFrame
    spans: pl.DataFrame
    activity: pl.DataFrame
    means: pl.DataFrame
    totals: pl.DataFrame
    owners: pl.DataFrame


@dataclass(frozen=True)
class Merged:
    """The sums of all buyers, rows by their names.

    sums, waits, means, totals as in Partial with key columns (Split.keys, time_keys) in place of the key, the agent
    by name · activity: key columns, agent, day, first_at, last_at · concurrency: staff keys, day, hour_at (first
    second of an hour), max_concurrent, chat_seconds, busy_seconds · owners: shop by name, asked, inferred.
    """

    sums: pl.DataFrame
    waits: pl.DataFrame
    concurrency: pl.DataFrame
    activity: pl.DataFrame
    means: pl.DataFrame
    totals: pl.DataFrame
    owners: pl.DataFrame


def partial_of(
    facts: Facts, split: Split, wanted: frozenset[str], agents: frozenset[str] | None = None
) -> Partial:
    """Sums of ``facts`` for the rows of ``split``: the measures ``wanted``; ``agents`` limits them to what these
    agents did.
    """
    keys = RowKeys(split, facts.circumstances.names)
    counted = Counted(facts, keys, agents)
    by_fact: dict[str, pl.DataFrame] = {}
    found: dict[str, pl.DataFrame] = {}
    for fact in FACTS:
        names = [
            name for name in MEASURES if MEASURES[name].fact == fact and name in (wanted | {"paid_cents"})
        ]
        if fact == "turns":
            names += [name for name in MEASURES if MEASURES[name].fact == "nights" and name in wanted]
        if not names and fact not in ("turns", "sessions", "messages"):
            continue
        table = counted.table(fact)
        codes, rows = counted.codes(fact, table)
        by_fact[fact] = _sums(table, codes, rows, names, facts)
        if fact == "turns":
            found["waits"] = _waits(table, codes, rows)
            found["means"] = _means(table, codes, rows, split, len(keys.names.accounts))
        elif fact == "sessions":
            found["spans"] = _spans(table, codes, counted)
        elif fact == "messages":
            found["activity"] = _activity(table, codes, rows, counted)
    totals = by_fact.pop("paid")
    return Partial(keys=keys, sums=by_fact, totals=totals, owners=_owners(facts, split), **found)


def added(partials: Sequence[Partial]) -> Partial:
    """One partial out of several over disjoint buyers."""
    names = [field.name for field in fields(Partial) if field.name not in ("keys", "sums")]
    column = {name: [getattr(partial, name) for partial in partials] for name in names}
    return Partial(
        keys=partials[0].keys,
        sums={
            fact: _added([partial.sums[fact] for partial in partials], ["key"]) for fact in partials[0].sums
        },
        waits=_added_waits(pl.concat(column["waits"])),
        spans=pl.concat(column["spans"]),
        activity=pl.concat(column["activity"])
        .group_by("key", "agent", "day")
        .agg(pl.col("first_at").min(), pl.col("last_at").max()),
        means=_added(column["means"], ["key", "agent"]),
        totals=_added(column["totals"], ["key"]),
        owners=_added(column["owners"], ["shop"]),
    )


def merge(partials: Sequence[Partial], split: Split) -> Merged:
    """The sums of all buyers out of partials over disjoint sets of them."""
    whole = added(partials)
    keys = whole.keys

    def named(frame: pl.DataFrame, of: RowKeys = keys) -> pl.DataFrame:
        columns = of.frame(frame["key"].to_numpy())
        if "agent" in frame.columns:
            frame = frame.with_columns(agent=keys.names.agents(frame["agent"].to_numpy()))
        return columns.hstack(frame.drop("key"))

    together = _added(list(whole.sums.values()), ["key"])
    greatest = [name for name in together.columns if name in MEASURES and MEASURES[name].greatest]
    return Merged(
        sums=named(together.with_columns(pl.col(name).replace(_NEVER, None) for name in greatest)),
        waits=named(whole.waits),
        concurrency=named(_swept(whole.spans, split), keys.without_time()),
        activity=named(whole.activity),
        means=named(whole.means),
        totals=named(whole.totals, keys.without_staff()),
        owners=whole.owners.with_columns(shop=keys.names.shop_names(whole.owners["shop"].to_numpy())),
    )


def _added(tables: Sequence[pl.DataFrame], by: list[str]) -> pl.DataFrame:
    whole = pl.concat(tables, how="diagonal")
    names = [name for name in whole.columns if name not in by]
    return whole.group_by(by).agg(
        pl.col(name).max() if name in MEASURES and MEASURES[name].greatest else pl.col(name).sum()
        for name in names
    )


def _added_waits(waits: pl.DataFrame) -> pl.DataFrame:
    """Histograms put together: by a kernel, since there are as many rows as rows of the report times waits."""
    key, wait, turns, first = (
        np.ascontiguousarray(waits[name].to_numpy(), dtype=np.int64) for name in waits.columns
    )
    rows, keys = sums.intern(key)
    codes, distinct = sums.intern(rows.astype(np.int64) << 32 | wait)
    flags = np.zeros(codes.size, np.int64)
    return pl.DataFrame(
        {
            "key": keys[distinct >> 32],
            "wait_s": distinct & 0xFFFFFFFF,
            "turns": sums.add_values(codes, flags, 0, turns, distinct.size),
            "first": sums.add_values(codes, flags, 0, first, distinct.size),
        }
    )


def _sums(table: Table, codes: np.ndarray, rows: np.ndarray, names: list[str], facts: Facts) -> pl.DataFrame:
    """One row per row of the report: key and the measures ``names``."""
    counts = [name for name in names if not (m := MEASURES[name]).value and not m.once_per]
    # A row of the report exists when something counts in it, be it only for another table: the last mask, of none.
    needs = np.array([*(MEASURES[name].mask for name in counts), 0], np.int64)
    counted = sums.count_flags(codes, table.flags, needs, rows.size)
    columns: dict[str, np.ndarray] = {"key": rows}
    columns |= {name: counted[:, place] for place, name in enumerate(counts)}
    for name in names:
        measure = MEASURES[name]
        if measure.once_per:
            columns[name] = _distinct(table, codes, rows.size, name, facts)
        elif measure.greatest:
            some = np.where(table.flags & measure.mask == measure.mask, codes, np.int32(-1))
            least, greatest = sums.extremes(some, table.day, table.day, rows.size)
            columns[name] = np.where(least <= greatest, greatest, np.int64(_NEVER))
        elif measure.value:
            values = table.values[measure.value]
            columns[name] = sums.add_values(codes, table.flags, measure.mask, values, rows.size)
    some = counted[:, -1] > 0
    return pl.DataFrame({name: values[some] for name, values in columns.items()})


def _distinct(table: Table, codes: np.ndarray, number: int, name: str, facts: Facts) -> np.ndarray:
    """Buyers, or buyers and days, that are counted once per row of the report."""
    measure = MEASURES[name]
    if measure.once_per == ("buyer_key",):
        return sums.count_distinct(codes, table.flags, measure.mask, table.buyer, number)
    orders = facts.credited.orders
    buyer = orders.buyer_key[orders.paid >= 0]
    order = np.lexsort((table.day, buyer))
    other = np.ones(order.size, bool)
    other[1:] = (buyer[order][1:] != buyer[order][:-1]) | (table.day[order][1:] != table.day[order][:-1])
    return sums.count_distinct(
        codes[order], table.flags[order], measure.mask, np.cumsum(other).astype(np.int64), number
    )


def _waits(table: Table, codes: np.ndarray, rows: np.ndarray) -> pl.DataFrame:
    """Histograms of what the mean counts (turns) and of first responses (first)."""
    width = min(_USUAL_WAIT, max(1, _HISTOGRAM // max(rows.size, 1)))
    dense, pairs = [], []
    for need, value in (("in_mean", "cost_s"), ("first_answered", "wait_s")):
        waits = table.values[value]
        needs = TURN["counted"] | TURN[need]
        counts, longer = sums.histogram(codes, table.flags, needs, waits, rows.size, width)
        dense.append(counts)
        pairs.append(codes[longer].astype(np.int64) << 32 | waits[longer])
    usual = np.flatnonzero(dense[0] + dense[1])
    places, long = sums.intern(np.concatenate(pairs))
    size = pairs[0].size
    counts_of_long = [np.bincount(part, minlength=long.size) for part in (places[:size], places[size:])]
    return pl.DataFrame(
        {
            "key": rows[np.concatenate([usual // width, long >> 32])],
            "wait_s": np.concatenate([usual % width, long & 0xFFFFFFFF]),
            "turns": np.concatenate([dense[0][usual], counts_of_long[0]]),
            "first": np.concatenate([dense[1][usual], counts_of_long[1]]),
        }
    )


def _means(turns: Table, codes: np.ndarray, rows: np.ndarray, split: Split, accounts: int) -> pl.DataFrame:
    """AGENT_MEANS per row and agent; nothing where rows are split by agent."""
    if split.by_agent:
        schema = dict.fromkeys(("key", *AGENT_MEANS), pl.Int64)
        return pl.DataFrame(schema=schema).insert_column(1, pl.Series("agent", dtype=pl.Int64))
    both = np.where(
        (codes >= 0) & (turns.agent >= 0), codes.astype(np.int64) * accounts + turns.agent, np.int64(-1)
    )
    places, distinct = sums.intern(both)
    columns = {
        "key": rows[distinct // accounts] if accounts else distinct,
        "agent": distinct % max(accounts, 1),
    }
    for name in AGENT_MEANS:
        measure = MEASURES[name]
        values = turns.values[measure.value] if measure.value else np.ones(places.size, np.int64)
        columns[name] = sums.add_values(places, turns.flags, measure.mask, values, distinct.size)
    # Agents who have turns of other rows only are no part of a mean.
    return pl.DataFrame(columns)


def _spans(sessions: Table, codes: np.ndarray, counted: Counted) -> pl.DataFrame:
    """Sessions that count, by whose they are and on which day."""
    part = sessions.where(np.flatnonzero((codes >= 0) & (sessions.flags & SESSION["counted"] != 0)))
    begin = part.day * DAY_SECONDS + counted.keys.split.day_cut_s
    # Millions of them wait for one another: narrow columns. A session begins in its day.
    return pl.DataFrame(
        {
            "key": counted.staff_keys(part),
            "day": part.day.astype(np.int32),
            "first": (part.at - begin).astype(np.int32),
            "last": (part.values["last_at"] - begin).astype(np.int32),
        }
    )


def _activity(messages: Table, codes: np.ndarray, rows: np.ndarray, counted: Counted) -> pl.DataFrame:
    """First and last valid message of each agent and day per row."""
    places, row, cell = counted.by_cell(messages, codes)
    spoke = np.where(messages.flags & MESSAGE["active"] != 0, places, np.int32(-1))
    first, last = sums.extremes(spoke, messages.values["first_at"], messages.values["last_at"], row.size)
    some = np.flatnonzero(first <= last)
    return pl.DataFrame(
        {
            "key": rows[row[some]],
            "agent": counted.cells.agent[cell[some]].astype(np.int64),
            "day": counted.cells.day[cell[some]],
            "first_at": first[some],
            "last_at": last[some],
        }
    )


def _owners(facts: Facts, split: Split) -> pl.DataFrame:
    """Buyer messages of the period per shop, and for how many of them the agent is inferred (kpi-spec I3)."""
    rows, shops = facts.rows.gathered, len(facts.circumstances.names.shops)
    begin = split.period.first_day * DAY_SECONDS + split.day_cut_s
    end = begin + len(split.period.days) * DAY_SECONDS
    asked, inferred = sums.count_owners(
        rows.starts, rows.shop, rows.at, rows.who, rows.agent, begin, end, shops
    )
    return pl.DataFrame({"shop": np.arange(shops), "asked": asked, "inferred": inferred})


def _side_by_side(starts: np.ndarray, first: np.ndarray, last: np.ndarray) -> list[np.ndarray]:
    """kernels.concurrency.sweep over parts of the groups, on all cores."""
    groups = starts.size - 1
    parts = min(os.cpu_count() or 1, max(1, groups))
    bounds = [groups * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        found = pool.map(
            lambda low, high: concurrency.sweep(starts[low : high + 1], first, last), bounds[:-1], bounds[1:]
        )
        return [np.concatenate(pieces) for pieces in zip(*found, strict=True)]


def _swept(spans: pl.DataFrame, split: Split) -> pl.DataFrame:
    """Peak, chat seconds and busy seconds per staff key, day and hour with a chat (kpi-spec 3)."""
    key, day, first, last = (spans[name].to_numpy() for name in ("key", "day", "first", "last"))
    days, first_day = len(split.period.days), split.period.first_day
    codes, distinct = sums.small_codes(key * days + (day - first_day))
    peak, chats, busy = _side_by_side(*concurrency.grouped(codes, first, last, distinct.size))
    group, hour = np.nonzero(busy)
    group_key, group_day = np.divmod(distinct, days)
    group_day = group_day + first_day
    return pl.DataFrame(
        {
            "key": group_key[group],
            "day": group_day[group],
            "hour_at": group_day[group] * DAY_SECONDS + split.day_cut_s + hour * HOUR_SECONDS,
            "max_concurrent": peak[group, hour],
            "chat_seconds": chats[group, hour],
            "busy_seconds": busy[group, hour],
        }
    )
