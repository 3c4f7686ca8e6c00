"""Facts → sums that can be merged: tables of integers per row of the report.

Merging is a group-by with sum, minimum and maximum: associative, commutative, and the same for any
split of the buyers. Nothing is divided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import polars as pl

from cslog import measures
from cslog.measures import MEASURES
from cslog.split import Split

if TYPE_CHECKING:
    from cslog.facts import Facts

_FACTS = (
    "turns",
    "nights",
    "questions",
    "units",
    "messages",
    "autos",
    "sessions",
    "sales",
    "silent",
)
"""Fact tables whose measures are summed per row of the report."""


AGENT_MEANS = ("cost_s", "turns_in_mean", "first_wait_s", "first_turns")
"""Measures whose quotients per agent make the means of agents (definitions 39)."""


@dataclass(frozen=True)
class Partial:
    """Sums over some buyers.

    sums: keys + one Int64 column per measure · waits: keys, wait_s, turns, first (a histogram of whole
    seconds) · spans: staff keys, day, first_at, last_at of sessions · activity: keys, agent, day,
    first_at, last_at of valid staff messages · means: keys, agent, AGENT_MEANS, where rows are not split by
    agent · totals: shop and time keys, paid_cents of the shop.
    """

    sums: pl.DataFrame
    waits: pl.DataFrame
    spans: pl.DataFrame
    activity: pl.DataFrame
    means: pl.DataFrame
    totals: pl.DataFrame


def partial_of(
    facts: Facts, split: Split, wanted: frozenset[str], agents: frozenset[str] | None = None
) -> Partial:
    """Sums of ``facts`` for the rows of ``split``: the measures ``wanted``; ``agents`` limits them to what these
    agents did.
    """
    rows = measures.countable(facts, split, agents)
    tables = [_sums(rows[fact], fact, split.keys, wanted) for fact in _FACTS]
    by_agent = [*split.keys, "agent"]
    turns = rows["turns"].filter(pl.col("agent").is_not_null())
    return Partial(
        sums=_merged_sums(tables, split.keys),
        waits=_merged_waits([_waits(rows["turns"], split.keys)], split.keys),
        spans=rows["sessions"].select(*split.staff_keys, "day", "first_at", "last_at"),
        activity=_merged_activity(
            [rows["staff"].select(*split.keys, "agent", "day", first_at="at", last_at="at")], split
        ),
        means=_sums(turns.clear() if split.by_agent else turns, "turns", by_agent, frozenset(AGENT_MEANS)),
        totals=_sums(rows["paid"], "paid", split.time_keys, wanted | {"paid_cents"}),
    )


def merge(partials: Sequence[Partial], split: Split) -> Partial:
    """One partial out of several over disjoint buyers."""
    column = {field.name: [getattr(partial, field.name) for partial in partials] for field in fields(Partial)}
    return Partial(
        sums=_merged_sums(column["sums"], split.keys),
        waits=_merged_waits(column["waits"], split.keys),
        spans=pl.concat(column["spans"]),
        activity=_merged_activity(column["activity"], split),
        means=_merged_sums(column["means"], [*split.keys, "agent"]),
        totals=pl.concat(column["totals"]).group_by(split.time_keys).agg(pl.col("paid_cents").sum()),
    )


def _merged_sums(tables: Sequence[pl.DataFrame], keys: list[str]) -> pl.DataFrame:
    whole = pl.concat(tables, how="diagonal_relaxed")
    names = [name for name in whole.columns if name not in keys]
    return whole.group_by(keys).agg(
        pl.col(name).max() if MEASURES[name].largest else pl.col(name).sum() for name in names
    )


def _sums(rows: pl.DataFrame, fact: str, keys: list[str], wanted: frozenset[str]) -> pl.DataFrame:
    own = {
        name: measure.aggregate().cast(pl.Int64)
        for name, measure in MEASURES.items()
        if measure.fact == fact and name in wanted
    }
    return rows.group_by(keys).agg(**own)


def _waits(turns: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Histograms of what the mean counts (turns) and of first responses (first)."""
    count = pl.len().cast(pl.Int64)
    mean = turns.filter(pl.col("cost_s").is_not_null()).group_by([*keys, pl.col("cost_s").alias("wait_s")])
    first = turns.filter(pl.col("first_response") & pl.col("wait_s").is_not_null()).group_by(
        [*keys, "wait_s"]
    )
    return pl.concat([mean.agg(turns=count), first.agg(first=count)], how="diagonal").with_columns(
        pl.col("turns", "first").fill_null(0)
    )


def _merged_waits(tables: Sequence[pl.DataFrame], keys: list[str]) -> pl.DataFrame:
    return pl.concat(tables).group_by([*keys, "wait_s"]).agg(pl.col("turns", "first").sum())


def _merged_activity(tables: Sequence[pl.DataFrame], split: Split) -> pl.DataFrame:
    return (
        pl.concat(tables)
        .group_by([*split.keys, "agent", "day"])
        .agg(pl.col("first_at").min(), pl.col("last_at").max())
    )
