"""Some buyers' share of a report: load what their figures need, compute facts, sum them up.

``partial_of(task)`` is the one function that every engine maps; a task is plain data. How far beyond the
period messages and orders are loaded (padding, kpi-spec T3) is decided here, and so that cutting a period
or splitting the buyers never changes a figure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from cslog import facts as facts_module
from cslog import partials
from cslog.clock import DAY_SECONDS
from cslog.facts import COLUMNS, Facts
from cslog.facts.circumstances import Circumstances
from cslog.facts.rules import message_columns
from cslog.order_versions import ORDER_COLUMNS, fold_orders
from cslog.partials import Partial
from cslog.split import Split
from cslog.store import Store

_BEFORE_DAYS = 3  # yesterday's peer-day decides on continuations; its sessions may have begun a day earlier
_AFTER_DAYS = 2  # a peer-day of the last day may be answered after midnight
_SETTLED_DAYS = 3  # what makes a message eligible: its day, and the chats into and out of it


@dataclass(frozen=True)
class Task:
    """A report's work for the buyers with ``low_key`` ≤ buyer_key ≤ ``high_key``."""

    folder: str
    version: int
    split: Split
    circumstances: Circumstances
    measures: frozenset[str]
    as_of: int | None
    agents: frozenset[str] | None
    low_key: int
    high_key: int
    buyers: tuple[int, ...] | None = None  # only these buyer keys


def partial_of(task: Task) -> Partial:
    """The sums of one task."""
    return partials.partial_of(facts_of(task), task.split, task.measures, task.agents)


def extensions_of(task: Task, shifts: pl.DataFrame) -> pl.DataFrame:
    """How long sessions went on past the ends of ``shifts`` (shop, agent, end): definitions 43.

    Columns shop, agent, begin (the shift's end) and end. The sessions are those of the wall clock.
    """
    wall = replace(task, circumstances=replace(task.circumstances, duty=None))
    sessions = facts_of(wall).sessions.select("shop", "agent", "first_at", "last_at")
    ends = shifts.select("shop", "agent", begin="end").unique()
    return (
        pl.concat(_following_ends(sessions, ends))
        .group_by("shop", "agent", "begin")
        .agg(end=pl.col("last_at").max() + 1)
    )


def facts_of(task: Task) -> Facts:
    """The facts of one task; those outside the period serve as context and are not to be counted."""
    loader = _Loader(task)
    orders = loader.orders()
    reach = loader.reach(orders)
    messages = loader.messages(reach)
    facts = facts_module.compute(messages, orders, task.circumstances)
    return loader.with_late_answers(facts, messages, reach)


def _following_ends(sessions: pl.DataFrame, ends: pl.DataFrame) -> list[pl.DataFrame]:
    """Sessions joined with the first end of a shift after their first message, then with the next, until none."""
    agent = ["shop", "agent"]
    parts, asked = [], sessions.with_columns(after="first_at").sort("after")
    ends = ends.sort("begin")
    while not asked.is_empty():
        joined = asked.join_asof(
            ends.with_columns(pl.col("begin").alias("at")),
            left_on="after",
            right_on="at",
            by=agent,
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,
        ).filter(pl.col("begin") <= pl.col("last_at"))
        parts.append(joined.select(*agent, "last_at", "begin"))
        asked = joined.select(*agent, "first_at", "last_at", after="begin").sort("after")
    return parts or [sessions.select(*agent, "last_at", begin="first_at").clear()]


class _Loader:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._snapshot = Store(Path(task.folder)).snapshot(task.version)
        period, cut = task.split.period, task.split.day_cut_s
        self._begin = period.first_day * DAY_SECONDS + cut
        self._end = (period.last_day + 1) * DAY_SECONDS + cut  # exclusive
        self._low = self._begin - _BEFORE_DAYS * DAY_SECONDS
        self._high = self._end + _AFTER_DAYS * DAY_SECONDS
        self._rules = message_columns(task.circumstances.config)
        self._columns = [*COLUMNS, *self._rules]
        self._last = max(task.circumstances.data_ends.values(), default=0)

    def orders(self) -> pl.DataFrame:
        """Current states of the orders that can matter to the period."""
        profile = self._task.circumstances.profile
        created_before = self._end + profile.order_days * DAY_SECONDS
        # All versions first: one with a masked nick has another buyer key than the one that names the buyer.
        versions = self._snapshot.order_versions().filter(pl.col("created_at") < created_before)
        orders = self._mine(fold_orders(versions, self._task.as_of).lazy()).collect()
        oldest = self._begin - (profile.after_sale_days + 1) * DAY_SECONDS
        return orders.filter((pl.col("created_at") >= oldest) | (pl.col("paid_at") >= oldest))

    def reach(self, orders: pl.DataFrame) -> pl.DataFrame:
        """Per buyer whose orders need messages from outside the usual range: ``low`` and ``high``."""
        profile = self._task.circumstances.profile
        created, paid = pl.col("created_at"), pl.col("paid_at")
        asked = created.is_between(
            self._begin - profile.unpaid_days * DAY_SECONDS, self._end + profile.order_days * DAY_SECONDS
        )
        sold = paid.is_between(self._begin, self._end)
        margin = _SETTLED_DAYS * DAY_SECONDS
        return (
            orders.filter(pl.col("joinable") & (asked | sold))
            .group_by("buyer_key")
            .agg(
                low=pl.min_horizontal(created.min(), paid.min()) - profile.lookback_s - margin,
                high=pl.max_horizontal(created.max(), paid.max()) + margin,
            )
            .filter((pl.col("low") < self._low) | (pl.col("high") > self._high))
        )

    def messages(self, reach: pl.DataFrame) -> pl.DataFrame:
        """Messages of the period and its padding; of the buyers in ``reach``, as far as that says."""
        parts = [self._between(self._low, self._high)]
        if reach.height:
            before = self._between(int(reach["low"].min()), self._low - 1)  # type: ignore[arg-type]
            after = self._between(self._high + 1, int(reach["high"].max()))  # type: ignore[arg-type]
            far = reach.lazy()
            parts += [
                part.join(far, on="buyer_key")
                .filter(pl.col("sent_at").is_between(pl.col("low"), pl.col("high")))
                .select(self._columns)
                for part in (before, after)
            ]
        return pl.concat(parts).collect()

    def with_late_answers(self, facts: Facts, messages: pl.DataFrame, reach: pl.DataFrame) -> Facts:
        """``turns.late_s`` where the next message of the thread lies beyond what was loaded."""
        split = self._task.split
        waiting = facts.turns.filter(pl.col("unfollowed"), split.inside(pl.col("day")))
        people = waiting.select("buyer_key").unique()
        if people.is_empty() or self._last <= self._high:
            return facts
        loaded = people.join(reach.select("buyer_key", "high"), on="buyer_key", how="left").with_columns(
            pl.max_horizontal(pl.col("high").fill_null(self._high), pl.lit(self._high)).alias("high")
        )
        later = (
            self._between(self._high + 1, self._last)
            .join(loaded.lazy(), on="buyer_key")
            .filter(pl.col("sent_at") > pl.col("high"))
            .select(self._columns)
            .collect()
        )
        if later.is_empty():
            return facts
        whole = pl.concat([messages.join(people, on="buyer_key", how="semi"), later])
        nothing = pl.DataFrame(schema=facts.orders.schema).select(ORDER_COLUMNS)
        turns = facts_module.compute(whole, nothing, self._task.circumstances).turns
        key = ["shop", "agent", "buyer_key", "open_at"]
        # An answered turn may open in the same second; of the unanswered ones only one can.
        found = turns.filter(pl.col("late_s").is_not_null()).select(*key, late_found="late_s").unique(key)
        turns = facts.turns.join(
            found, on=key, how="left", nulls_equal=True, maintain_order="left"
        ).with_columns(late_s=pl.when("unfollowed").then(pl.col("late_found")).otherwise(pl.col("late_s")))
        return replace(facts, turns=turns.drop("late_found"))

    def _between(self, low: int, high: int) -> pl.LazyFrame:
        last = self._task.as_of if self._task.as_of is not None else self._last
        rules = self._rules
        inputs = dict.fromkeys(
            [*COLUMNS, *(name for rule in rules.values() for name in rule.meta.root_names())]
        )
        read = self._snapshot.messages(low, max(low, min(high, last)), list(inputs))
        return self._mine(read).filter(pl.col("sent_at") <= last).with_columns(**rules).select(self._columns)

    def _mine(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        mine = frame.filter(
            pl.col("buyer_key").is_between(self._task.low_key, self._task.high_key),
            pl.col("shop").is_in(sorted(self._task.circumstances.data_ends)),
        )
        buyers = self._task.buyers
        return mine if buyers is None else mine.filter(pl.col("buyer_key").is_in(list(buyers)))
