"""What the reader of a report must know beside its figures: what is missing, not final, or guessed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import polars as pl

from cslog import clock, refused, wording
from cslog.answer import Question
from cslog.clock import Period
from cslog.config import Config
from cslog.metrics import BY_KEY, days_to_final
from cslog.partials import Merged
from cslog.profile import Profile
from cslog.schema import Kind
from cslog.snapshot import Snapshot

_MANY_INFERRED = 0.1
_LONGEST_GAP_DAYS = 3  # longer, it is a holiday


def of(
    question: Question,
    snapshot: Snapshot,
    profile: Profile,
    config: Config,
    chats: dict[str, int],
    ends: dict[str, int],
    frame: pl.DataFrame,
    keys: tuple[str, ...],
    merged: Merged,
    orders: pl.DataFrame,
) -> Iterable[str]:
    """Warnings of one report, a line each. ``chats``: last message second per shop; ``ends``: of the shops asked
    for; ``frame``: the finished rows, of the sums ``merged``; ``orders``: those that can matter to the period.
    """
    period = question.period
    if clock.date_of(period.first_day) < profile.valid_from:
        yield f"profile {profile.id} is valid from {profile.valid_from}; the period begins before"
    yield from _unripe(question, profile, frame, keys)
    missing = sorted(set(question.agents) - set(frame["by_agent"])) if "by_agent" in frame.columns else []
    if missing:
        yield f"no agent {', '.join(missing)} in this period; names are written without the shop"
    elif frame.is_empty():
        yield "the store has nothing of this period; `cslog status` shows what it holds"
    low = period.first_day * clock.DAY_SECONDS + profile.day_cut_s
    high = (period.last_day + 1) * clock.DAY_SECONDS + profile.day_cut_s
    complete_from = complete_since(snapshot)
    if clock.month_label(period.first_day) < complete_from:
        yield (
            f"figures before {complete_from} are not complete: what is older than the store keeps (保存期限) was removed"
        )
    removed = removals(snapshot, period, config) if question.version is not None else ""
    if removed:
        yield f"figures of this version may not be those of then: {removed}"
    yield from _absent(question, config, merged.activity)
    yield from _inferred(merged.owners)
    yield from wordless(snapshot, config, ends, low, high)
    orders = orders.filter(pl.col("paid_at").is_between(low, high, closed="left"))
    yield from _older_orders(snapshot, question.as_of, ends, high)
    masked = orders.filter(~pl.col("joinable")).height
    if masked:
        yield f"{masked} of {orders.height} paid orders have a masked buyer nick and cannot be joined to chats"
    if orders.is_empty() and frame.height:
        yield "no order paid in this period is in the store: conversion and sales are 0; ingest the order export"
    chatless = sorted(set(orders["shop"].unique()) - set(chats))
    if chatless:
        yield (
            f"orders of {', '.join(chatless)} belong to no chat log; "
            'when that is another name of the shop, set aliases under [shops."…"] in cslog.toml and ingest all '
            "files into a new store"
        )
    if question.attribution == "memo" and not any(config.shops[s].memo for s in ends if s in config.shops):
        yield 'rule memo credits nobody without a pattern: set [shops."…".memo] in cslog.toml'


def complete_since(snapshot: Snapshot) -> str:
    """The first month whose figures are complete, empty when all are (cslog.privacy.retention)."""
    told = refused.load(snapshot.folder)
    return (told.complete_from if told else None) or ""


def removals(snapshot: Snapshot, period: Period, config: Config) -> str:
    """What `cslog forget` has removed since this version that figures of ``period`` could have counted, in words."""
    gone = snapshot.removed_since(clock.months_around(period.first_day, period.last_day))
    what = ["buyers"]
    if clock.month_label(period.first_day) < complete_since(snapshot):
        what.append("months")
    if config.text_rules:
        what.append("texts")
    return wording.removals(gone.filter(pl.col("what").is_in(what))) if gone.height else ""


def _unripe(
    question: Question, profile: Profile, frame: pl.DataFrame, keys: tuple[str, ...]
) -> Iterable[str]:
    """Figures that are not final yet, with the day from which they are."""
    waiting = set(frame["immature"].explode().drop_nulls()) & set(keys) if frame.height else set()
    for stage, days in days_to_final(profile).items():
        mine = sorted(key for key in waiting if BY_KEY[key].final == stage)
        if mine:
            final = clock.date_of(question.period.last_day + days)
            yield (
                f"not final before {final} and left empty (延迟统计): {', '.join(mine)}; "
                f"ingest later chats, or give --as-of {final}"
            )


def _absent(question: Question, config: Config, activity: pl.DataFrame) -> Iterable[str]:
    """Days without a message of an agent who worked around them, or who was rostered."""
    period = question.period
    worked: dict[tuple[str, str], set[int]] = {}
    for shop, agent, day in activity.select("by_shop", "agent", "day").unique().iter_rows():
        worked.setdefault((shop, agent), set()).add(day)
    rostered: dict[tuple[str, str], set[int]] = {}
    if config.rosters:
        from cslog import roster

        found = roster.load(config, period.first_day, period.last_day)
        for shop, agent in found.agents.iter_rows():
            rostered[shop, agent] = set()
        for shop, agent, begin in found.shifts.select("shop", "agent", "begin").iter_rows():
            rostered[shop, agent].add(begin // clock.DAY_SECONDS)
    absent: dict[str, list[str]] = {}
    for (shop, agent), days in sorted(worked.items()):
        on_duty = rostered.get((shop, agent))
        missing = _gaps(days) if on_duty is None else sorted(d for d in on_duty - days if d < max(days))
        if missing:
            dates = ", ".join(f"{clock.date_of(day):%m-%d}" for day in missing)
            rule = "" if on_duty is None else "rostered "
            absent.setdefault(shop, []).append(f"{agent} {rule}{dates}")
    for shop, lines in absent.items():
        yield (
            f"{shop}: no messages between days that have some: {'; '.join(lines)}: days off, or exports that are "
            "missing"
        )


def _gaps(days: set[int]) -> list[int]:
    ordered = sorted(days)
    return [
        day
        for before, after in itertools.pairwise(ordered)
        if after - before <= _LONGEST_GAP_DAYS + 1
        for day in range(before + 1, after)
    ]


def _inferred(owners: pl.DataFrame) -> Iterable[str]:
    """Shops in which many buyer messages had their agent inferred (kpi-spec I3). ``owners``: as in Merged."""
    shares = (
        owners.filter(pl.col("asked") > 0)
        .select("shop", share=pl.col("inferred") / pl.col("asked"))
        .filter(pl.col("share") > _MANY_INFERRED)
        .sort("shop")
    )
    for shop, share in shares.iter_rows():
        yield (
            f"for {share:.0%} of the buyer messages of {shop} no export says which agent they were for; "
            "it is inferred from who answered (docs/definitions.md 4)"
        )


def wordless(snapshot: Snapshot, config: Config, shops: Iterable[str], low: int, high: int) -> Iterable[str]:
    """Configured rules that look for words, and messages with low ≤ sent_at < high whose texts were not kept."""
    if not config.text_rules:
        return
    without = (
        snapshot.messages(low, high - 1, ["shop", "kind", "text"])
        .filter(
            pl.col("shop").is_in(sorted(shops)), pl.col("kind") == int(Kind.TEXT), pl.col("text").is_null()
        )
        .group_by("shop")
        .len()
        .sort("shop")
        .collect()
    )
    for shop, count in without.iter_rows():
        yield (
            f"{count:,} messages of {shop} are in the store without their texts (--no-text): "
            f"{', '.join(config.text_rules)} of cslog.toml cannot find anything in them"
        )


def _older_orders(
    snapshot: Snapshot, as_of: int | None, ends: dict[str, int], period_end: int
) -> Iterable[str]:
    """A shop whose orders end long before its chats: the export is older, conversion would be too low."""
    known = 2**62 if as_of is None else as_of
    paid = pl.col("paid_at")
    newest = (
        snapshot.order_versions()
        .filter(pl.col("shop").is_in(sorted(ends)), pl.col("created_at") <= known)
        .group_by("shop")
        .agg(pl.max_horizontal(pl.col("created_at").max(), paid.filter(paid <= known).max()))
        .collect()
    )
    for shop, last in newest.sort("shop").iter_rows():
        if last + 2 * clock.DAY_SECONDS < min(ends[shop], period_end):
            yield (
                f"the newest order of {shop} is of {clock.moment_of(last):%Y-%m-%d %H:%M}, its chats go on: "
                "conversion and sales after that are too low; ingest a later order export"
            )
