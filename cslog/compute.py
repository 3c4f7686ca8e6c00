"""Some buyers' share of a report: load what their figures need, compute facts, sum them up.

``partial_of(task)`` is the one function that every engine maps; a task is plain data. How far beyond the
period messages and orders are loaded (padding, kpi-spec T3) is decided here, and so that cutting a period
or splitting the buyers never changes a figure.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from cslog import clock, contacts, keys, partials
from cslog import facts as facts_module
from cslog.clock import DAY_SECONDS
from cslog.facts import NUMBERS, Facts, Orders
from cslog.facts.circumstances import Circumstances
from cslog.facts.rules import message_columns
from cslog.order_versions import fold_orders
from cslog.partials import Partial
from cslog.snapshot import Snapshot
from cslog.split import Split
from cslog.store import opened

_BEFORE_DAYS = 3  # yesterday's peer-day decides on continuations; its sessions may have begun a day earlier
_AFTER_DAYS = 2  # a peer-day of the last day may be answered after midnight
_RUN_S = 2 * DAY_SECONDS  # no run of messages without a silence is longer (definitions 4)
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


def orders_of(task: Task) -> pl.DataFrame:
    """Orders of all buyers that can matter to the task's period, as in facts.Orders."""
    return _Loader(task).all_orders().frame


def facts_of(task: Task) -> Facts:
    """The facts of one task; those outside the period serve as context and are not to be counted."""
    loader = _Loader(task)
    orders = loader.orders()
    reach = loader.reach(orders)
    messages = loader.messages(reach)
    facts = facts_module.compute(messages, orders, task.circumstances)
    return loader.with_late_answers(facts)


_folding = threading.Lock()  # the cache alone would let every thread fold them


@functools.lru_cache(maxsize=1)
def _orders(
    snapshot: Snapshot, circumstances: Circumstances, as_of: int | None, oldest: int, created_before: int
) -> Orders:
    """Current states of the orders of all buyers that can matter; folded once for all tasks of a report."""
    # All versions first: one with a masked nick has another buyer key than the one that names the buyer.
    versions = snapshot.order_versions().filter(pl.col("created_at") < created_before)
    orders = fold_orders(versions, as_of).filter(
        (pl.col("created_at") >= oldest) | (pl.col("paid_at") >= oldest),
        pl.col("shop").is_in(sorted(circumstances.data_ends)),
    )
    return facts_module.orders_of(orders, circumstances)


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
        self._snapshot = opened(Path(task.folder), task.version)
        period, cut = task.split.period, task.split.day_cut_s
        self._begin = period.first_day * DAY_SECONDS + cut
        self._end = (period.last_day + 1) * DAY_SECONDS + cut  # exclusive
        self._low = self._begin - _BEFORE_DAYS * DAY_SECONDS
        self._high = self._end + _AFTER_DAYS * DAY_SECONDS
        self._rules = message_columns(task.circumstances.config)
        further = ["shop"] if task.circumstances.automatic is not None else []
        self._columns = [*NUMBERS, *further, *self._rules]
        self._last = max(task.circumstances.data_ends.values(), default=0)

    def all_orders(self) -> Orders:
        """The orders of all buyers that can matter to the period."""
        task, profile = self._task, self._task.circumstances.profile
        oldest = self._begin - (profile.after_sale_days + 1) * DAY_SECONDS
        created_before = self._end + profile.order_days * DAY_SECONDS
        with _folding:
            return _orders(self._snapshot, task.circumstances, task.as_of, oldest, created_before)

    def orders(self) -> Orders:
        """The task's share of them."""
        task = self._task
        orders = self.all_orders().between(task.low_key, task.high_key)
        return orders if task.buyers is None else orders.where(np.isin(orders.buyer_key, task.buyers))

    def reach(self, orders: Orders) -> pl.DataFrame:
        """Per buyer whose orders need messages from outside the usual range: ``low`` and ``high``."""
        profile = self._task.circumstances.profile
        margin = _SETTLED_DAYS * DAY_SECONDS
        created, paid = orders.created, orders.paid
        asked = created >= self._begin - profile.unpaid_days * DAY_SECONDS
        asked &= created <= self._end + profile.order_days * DAY_SECONDS
        sold = (paid >= self._begin) & (paid <= self._end)
        first = np.where(paid >= 0, np.minimum(created, paid), created)
        low, high = first - profile.lookback_s - margin, np.maximum(created, paid) + margin
        matters = orders.joinable & (asked | sold)
        buyer, low, high = orders.buyer_key[matters], low[matters], high[matters]
        begins = np.flatnonzero(np.diff(buyer, prepend=buyer[:1] - 1))  # orders come by their buyers
        low, high = np.minimum.reduceat(low, begins), np.maximum.reduceat(high, begins)
        far = (low < self._low) | (high > self._high)
        return pl.DataFrame({"buyer_key": buyer[begins][far], "low": low[far], "high": high[far]})

    def messages(self, reach: pl.DataFrame) -> pl.DataFrame:
        """Messages of the period and its padding; of the buyers in ``reach``, as far as that says."""
        parts = [self._between(self._low, self._high)]
        if reach.height:
            before = int(reach["low"].min()), self._low - 1  # type: ignore[arg-type]
            after = self._high + 1, int(reach["high"].max())  # type: ignore[arg-type]
            far = reach.lazy()
            parts += [
                self._between(*span, reach["buyer_key"])
                .join(far, on="buyer_key", maintain_order="left")
                .filter(pl.col("sent_at").is_between(pl.col("low"), pl.col("high")))
                .select(self._columns)
                for span in (before, after)
            ]
        return pl.concat(parts).collect()

    def with_late_answers(self, facts: Facts) -> Facts:
        """Lateness of unanswered turns, where it is the first message behind what is settled that tells it.

        Whose a message is, those around it tell, as long as no silence ends their run, which does not last for days.
        So the last days that were loaded settle nothing, and no more do those at the end of a later month: the months
        are read one after the other, since most buyers come back soon or not at all, and no further than the agent
        may have written again.
        """
        if self._last <= self._high:
            return facts
        settled = self._high - _RUN_S
        turn = facts.unanswered_turns(self._task.split.period)
        followed = facts.walked.turns.followed[turn]
        turn = turn[(followed < 0) | (followed > settled)]
        answered = np.full(turn.size, -1)
        months = self._snapshot.months(settled, self._last) if turn.size else []
        met = self._last_met(*facts.people_of(turn), months)
        waiting = np.flatnonzero(met >= 0)
        kept, begin = self._loaded_since(facts, settled - _RUN_S), self._high + 1
        for number, month in enumerate(months):
            waiting = waiting[met[waiting] >= number]
            if not waiting.size:
                break
            last = min(clock.month_seconds(month)[1], self._last)
            buyers = pl.Series(np.unique(facts.people_of(turn[waiting])[0]))
            near = [kept.filter(pl.col("buyer_key").is_in(buyers.implode()))]
            if begin <= last:
                near.append(self._between(begin, last, buyers))
            messages = pl.concat(near).collect()
            at, by_agent = facts.next_events(turn[waiting], settled, messages)
            settled = last if month == months[-1] else max(settled, last - _RUN_S)
            told = (at >= 0) & (at <= settled)
            answered[waiting[told & by_agent]] = at[told & by_agent]
            # A message of the month's last days is looked at again with the next month, though it be the last one.
            met[waiting[at > settled]] = np.maximum(met[waiting[at > settled]], number + 1)
            waiting = waiting[~told]
            kept, begin = messages.lazy().filter(pl.col("sent_at") > settled - _RUN_S), max(begin, last + 1)
        return facts.answered_late(turn, answered) if turn.size else facts

    def _loaded_since(self, facts: Facts, second: int) -> pl.LazyFrame:
        """Of the messages that the facts are made of those of everybody, later than ``second``."""
        loaded = facts.rows.frame.lazy().select(self._columns)
        return loaded.filter(pl.col("sent_at") > second, pl.col("sent_at") <= self._high)

    def _last_met(self, buyer_key: np.ndarray, agent: np.ndarray, months: list[str]) -> np.ndarray:
        """Which of ``months`` is the last in which each agent (code) may have written to the buyer; -1 for none."""
        agent_keys = self._task.circumstances.names.account_keys
        agent_key = np.where(agent >= 0, agent_keys[agent], keys.NOBODY)
        met = np.full(agent.size, -1)
        span = (self._task.low_key, self._task.high_key)
        for number, month in enumerate(months):
            begin, last = clock.month_seconds(month)
            for digest in self._snapshot.contacts(begin, min(last, self._last), span):
                met[contacts.may_hold(digest, buyer_key, agent_key)] = number
        return met

    def _between(self, low: int, high: int, buyer_keys: pl.Series | None = None) -> pl.LazyFrame:
        """Messages of the task (of ``buyer_keys``) with ``low`` ≤ sent_at ≤ ``high`` that are known by then."""
        task = self._task
        last = task.as_of if task.as_of is not None else self._last
        rules = self._rules
        inputs = dict.fromkeys(
            [
                *self._columns[: -len(rules) or None],
                *(n for rule in rules.values() for n in rule.meta.root_names()),
            ]
        )
        span = (task.low_key, task.high_key)
        read = self._snapshot.messages(low, max(low, min(high, last)), list(inputs), span)
        if low > last:
            read = read.clear()
        if buyer_keys is not None:
            read = read.filter(pl.col("buyer_key").is_in(buyer_keys.implode()))
        if task.buyers is not None:
            read = read.filter(pl.col("buyer_key").is_in(list(task.buyers)))
        return read.with_columns(**rules).select(self._columns) if rules else read.select(self._columns)
