"""From the names of lists to their rows: the facts are computed once for all lists that ask the same question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from cslog import cautions, clock, compute, kpi
from cslog.answer import Answer
from cslog.clock import DAY_SECONDS, Period
from cslog.config import Config
from cslog.errors import UsageError
from cslog.lists import BY_NAME, Name, aftersale, idle, lost, orders, overload, slow, unanswered
from cslog.lists.request import Finder, Request, Source
from cslog.profile import Profile
from cslog.store import Store

FINDERS: dict[str, Finder] = {
    "unanswered": unanswered.FINDER,
    "slow": slow.FINDER,
    "lost": lost.FINDER,
    "unpaid": orders.UNPAID,
    "silent": orders.SILENT,
    "aftersale": aftersale.FINDER,
    "overload": overload.FINDER,
    "idle": idle.FINDER,
}

DAYS_BACK = {"unanswered": 1, "unpaid": 14}
"""Lists of an instant, and how many days before its day they look back to."""

_STALE = 3600  # a shop whose data end this long before the instant is named in a warning


@dataclass(frozen=True)
class Found:
    """The rows of one list, with what makes them reproducible: ``answer.stamp()``; ``answer.frame`` are the rows."""

    name: Name
    answer: Answer

    def stamp(self) -> dict[str, Any]:
        """The head of the list's JSON."""
        return {"list": self.name.name} | {k: v for k, v in self.answer.stamp().items() if k != "by"}


def find(
    names: Sequence[str],
    request: Request,
    store: Store,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> list[Found]:
    """The rows of these lists, all about the period and the instant of ``request.question``."""
    question, profile, config = request.question, request.profile, request.config
    finders = {name: _finder(name) for name in names}
    with store.reading():
        snapshot = store.snapshot(question.version)
        tasks = kpi.plan(question, snapshot, profile, config)
        kept: dict[str, list[pl.DataFrame]] = {name: [] for name in finders}
        for done, task in enumerate(tasks, start=1):
            facts = compute.facts_of(task)
            for name, finder in finders.items():
                kept[name].append(finder.keep(facts, task, request))
            on_done(done, len(tasks))
        ends = tasks[0].circumstances.data_ends
        source = Source(store, snapshot, ends)
        chats = {shop: end for shop, end in snapshot.data_ends().items() if shop in ends}
        low, high = (
            day * DAY_SECONDS + profile.day_cut_s
            for day in (question.period.first_day, question.period.last_day + 1)
        )
        wordless = tuple(cautions.wordless(snapshot, config, ends, low, high))
        found = []
        for name, finder in finders.items():
            rows = finder.finish(pl.concat(kept[name]), request, source)
            if question.agents and finder.who:
                rows = rows.filter(pl.col(finder.who).is_in(list(question.agents)))
            answer = Answer(
                question=question,
                by=(),
                keys=(),
                profile=profile,
                store_version=snapshot.store_version,
                as_of=min(ends.values(), default=question.as_of),
                config_hash=config.hash(profile),
                warnings=(*_warnings(name, request, rows, source, chats), *wordless),
                frame=rows,
            )
            found.append(Found(BY_NAME[name], answer))
        return found


def _finder(name: str) -> Finder:
    if name not in FINDERS:
        raise UsageError(f"no list {name!r}", f"use one of: {', '.join(FINDERS)}")
    return FINDERS[name]


def instant(shops: Sequence[str], version: int | None, store: Store, config: Config) -> int:
    """Now, as the store knows it: the last message second of these shops, of all when there are none."""
    with store.reading():
        ends = store.snapshot(version).data_ends()
    wanted = {config.canonical_shop(shop) for shop in shops}
    return max((end for shop, end in ends.items() if not wanted or shop in wanted), default=clock.now())


def looking_back(name: str, at: int, profile: Profile) -> Period:
    """The days that a list of an instant looks at: that of the instant and DAYS_BACK before it."""
    day = (at - profile.day_cut_s) // DAY_SECONDS
    return Period(day - DAYS_BACK[name], day)


def of_report(request: Request, store: Store) -> list[Found]:
    """Every list for a period: who waits is looked up at its last second, or now when that is earlier."""
    question, profile = request.question, request.profile
    at = question.as_of
    if at is None:
        at = instant(question.shops, question.version, store, request.config)
    at = min(at, (question.period.last_day + 1) * DAY_SECONDS + profile.day_cut_s - 1)
    waiting = replace(question, period=looking_back("unanswered", at, profile), as_of=at)
    others = [name for name in FINDERS if name != "unanswered"]
    return find(["unanswered"], replace(request, question=waiting), store) + find(others, request, store)


def _warnings(
    name: str, request: Request, rows: pl.DataFrame, source: Source, chats: dict[str, int]
) -> Iterable[str]:
    question = request.question
    if clock.date_of(question.period.first_day) < request.profile.valid_from:
        yield f"profile {request.profile.id} is valid from {request.profile.valid_from}; the period begins before"
    if name == "unanswered":
        for shop, end in sorted(chats.items()):
            if end + _STALE < source.ends[shop]:
                yield (
                    f"the last message of {shop} in the store is of {_minute(end)}: who wrote or was answered after it "
                    "is not known"
                )
    if name in ("unpaid", "silent", "lost", "aftersale"):
        newest = source.snapshot.order_ends()
        for shop in sorted(source.ends):
            if shop not in newest:
                yield f"the store has no order of {shop}; ingest the order export"
            elif name == "unpaid" and newest[shop] + DAY_SECONDS < source.ends[shop]:
                yield (
                    f"the newest order or payment of {shop} in the store is of {_minute(newest[shop])}: some of these may "
                    "be paid by now; ingest a later order export"
                )
    if "final" in rows.columns and not rows["final"].all():
        yield "rows that are not final yet (延迟统计) may go when later orders are ingested; see the column final"


def _minute(second: int) -> str:
    return f"{clock.moment_of(second):%Y-%m-%d %H:%M}"
