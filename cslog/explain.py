"""Why this number: the turns, people, messages, sessions or orders behind one cell of a report.

An explanation lists the facts with what each adds to the cell's numerator and denominator, by the very
expressions that the report sums (cslog.measures), and where in which file the fact begins. A buyer's
story shows everything known of one buyer: each peer-day, turn and order with the rule that decided, also
where it does not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from cslog import clock, compute, identity, kpi, places, texts, wording
from cslog.answer import Question
from cslog.compute import Task
from cslog.config import Config
from cslog.counted import Counted
from cslog.errors import UsageError
from cslog.facts import Facts, rules
from cslog.measures import MEASURES, Measure
from cslog.metrics import BY_KEY, PERCENTILES, Metric, resolved
from cslog.profile import Profile
from cslog.row_keys import RowKeys
from cslog.schema import Kind, MessageClass
from cslog.snapshot import Snapshot
from cslog.split import Split
from cslog.store import Store

_BEFORE_S, _AFTER_S, _MESSAGES = 600, 1800, 10  # how much is shown around a fact

_CHAT_SECONDS = Measure("concurrent", "sessions", ("counted",), "chat_seconds")

_ROW: dict[str, pl.DataType] = {
    "fact": pl.String(),
    "shop": pl.String(),
    "agent": pl.String(),
    "buyer": pl.String(),
    "at": pl.Int64(),
    "what": pl.String(),
    "why": pl.String(),
    "numerator": pl.Int64(),
    "denominator": pl.Int64(),
    "source_file": pl.String(),
    "source_line": pl.Int64(),
    "buyer_key": pl.Int64(),  # dropped before anybody sees it
}
"""Columns of an explanation. ``at``: wall seconds; the numerator of money is in cents."""


@dataclass(frozen=True)
class Explanation:
    """``rows`` (see _ROW) behind ``value``; the sums of their numerators and denominators make it."""

    metric: Metric
    cell: dict[str, Any]
    value: Any
    immature: bool
    rows: pl.DataFrame


@dataclass(frozen=True)
class Story:
    """Everything about one buyer in a period: ``facts`` (columns of _ROW) and ``messages`` in order."""

    buyer: str
    facts: pl.DataFrame
    messages: pl.DataFrame


def explain(
    keys: Sequence[str],
    question: Question,
    where: Mapping[str, Any],
    store: Store,
    profile: Profile,
    config: Config,
    *,
    with_messages: bool = False,
) -> list[Explanation]:
    """The facts behind the figures ``keys`` of the row that ``question`` and ``where`` name.

    One agent makes it that agent's row, none the shop's; ``where`` says which team, shift or hour (dimension →
    value, None for the row without one); the shop may be left out when there is one. ``with_messages``: rows have
    ``messages``, what was said around each. Raises UsageError when the row or a figure does not exist.
    """
    with store.reading():
        if len(question.agents) > 1:
            raise UsageError("a cell belongs to one agent", "give one --agent, or none for the shop's row")
        by = (*(("agent",) if question.agents else ()), *where) or ("shop",)
        question = replace(question, by=by, metrics=tuple(keys))
        as_counted = {metric.key: metric for metric in resolved(profile, "agent" in by)}
        chosen = [as_counted[_explainable(key).key] for key in keys]
        row = _row_of(kpi.report(question, store, profile, config).frame, where)
        cell: dict[str, Any] = {name: row[name] for name in ("shop", *by)}

        listed: dict[str, list[pl.DataFrame]] = {key: [] for key in keys}
        snapshot = store.snapshot(question.version)
        for task in kpi.plan(replace(question, shops=(cell["shop"],)), snapshot, profile, config):
            # Facts of all agents, since a colleague's chat can decide; only the cell's are listed.
            facts = compute.facts_of(task)
            counted = Counted(
                facts, RowKeys(task.split, task.circumstances.names), task.agents, by_message=True
            )
            for metric in chosen:
                listed[metric.key].append(_listed(metric, counted, cell, snapshot, profile))
        return [
            Explanation(
                metric=metric,
                cell=cell,
                value=row[metric.key],
                immature=metric.key in row["immature"],
                rows=_finished(pl.concat(listed[metric.key]), snapshot, profile, with_messages),
            )
            for metric in chosen
        ]


def _finished(rows: pl.DataFrame, snapshot: Snapshot, profile: Profile, with_messages: bool) -> pl.DataFrame:
    """Rows in order, without the buyer's key; with what was said around each: before an order, around the rest."""
    if with_messages:
        at, sold = pl.col("at"), pl.col("fact").is_in(["sales", "silent", "paid"])
        rows = rows.with_columns(
            since=at - pl.when(sold).then(profile.lookback_s).otherwise(_BEFORE_S),
            until=at + pl.when(sold).then(0).otherwise(_AFTER_S),
        )
        rows = texts.with_last_messages(rows, snapshot, "since", "until", _MESSAGES)
        rows = rows.rename({"last_messages": "messages"}).drop("since", "until")
    return rows.drop("buyer_key").sort("at", "buyer", "fact", "agent", nulls_last=True)


def _explainable(key: str) -> Metric:
    if key not in BY_KEY:
        raise UsageError(f"no metric {key}", "`cslog metrics` lists them")
    if BY_KEY[key].needs:
        raise UsageError(f"{key} needs a {BY_KEY[key].needs}, which cslog does not read yet")
    return BY_KEY[key]


def _row_of(frame: pl.DataFrame, where: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in where.items():
        frame = frame.filter(pl.col(name).eq_missing(pl.lit(value)))
    if frame.is_empty():
        raise UsageError("the report has no such row", "look at it with `cslog kpi` and the same options")
    if frame.height > 1:
        shops = ", ".join(frame["shop"].unique().sort())
        raise UsageError("several shops have such a row", f"give one by --shop: {shops}")
    return frame.row(0, named=True)


def story(buyer: str, question: Question, store: Store, profile: Profile, config: Config) -> Story:
    """Everything about ``buyer`` in the period of ``question``, with the rule that decided each fact."""
    with store.reading():
        snapshot = store.snapshot(question.version)
        nick = identity.plain_account(buyer)
        listed, spoken = [], []
        for task in kpi.plan(replace(question, by=("agent",), agents=()), snapshot, profile, config):
            mine = snapshot.keys_of_buyer(nick).filter(
                pl.col("buyer_key").is_between(task.low_key, task.high_key)
            )
            if mine.is_empty():
                continue
            found = compute.facts_of(replace(task, buyers=tuple(mine["buyer_key"].to_list())))
            listed.append(_whole_story(found, task.split, snapshot, profile).filter(pl.col("buyer") == nick))
            spoken.append(_transcript(snapshot, task, mine))
        if not listed:
            raise UsageError(
                f"the store knows no buyer {buyer!r} in these shops", "write the nick as in the export"
            )
        return Story(
            nick,
            pl.concat(listed).drop("buyer_key").sort("at", "fact", "agent", nulls_last=True),
            pl.concat(spoken),
        )


def _of_cell(fact: str, counted: Counted, cell: dict[str, Any]) -> pl.DataFrame:
    split = counted.keys.split
    if fact == "concurrent":
        sessions = _going_on(counted.frame("sessions"), split, cell)
        return sessions.with_columns(chat_seconds=pl.col("session_s") + 1)
    frame = counted.frame(fact)
    # What the shop was paid belongs to no agent; every agent's share divides by it.
    keys = split.time_keys if fact == "paid" else split.keys
    return frame.filter([pl.col(key).eq_missing(pl.lit(cell[key.removeprefix("by_")])) for key in keys])


def _going_on(sessions: pl.DataFrame, split: Split, cell: dict[str, Any]) -> pl.DataFrame:
    """The sessions that a sweep of the cell meets: of an hour all that reach into it (definitions 21, 22)."""
    for key in split.keys:
        if key != "by_hour":
            sessions = sessions.filter(pl.col(key).eq_missing(pl.lit(cell[key.removeprefix("by_")])))
    if "hour" not in cell:
        return sessions
    begin = pl.col("day") * clock.DAY_SECONDS + split.day_cut_s
    wanted = (cell["hour"] - begin.floordiv(clock.HOUR_SECONDS)) % 24
    first, last = (
        pl.min_horizontal((pl.col(name) - begin).floordiv(clock.HOUR_SECONDS), 23)
        for name in ("first_at", "last_at")
    )
    return sessions.filter(wanted.is_between(first, last))


def _lenses(metric: Metric) -> list[tuple[str, Measure | None, Measure | None]]:
    """(fact table, numerator, denominator) of a metric; two tables when its halves differ."""
    if metric.key in PERCENTILES:
        population, _ = PERCENTILES[metric.key]
        names = ("first_wait_s", "first_turns") if population == "first" else ("cost_s", "turns_in_mean")
        return [("turns", MEASURES[names[0]], MEASURES[names[1]])]
    if metric.key in ("max_concurrent", "avg_concurrent"):
        return [("concurrent", _CHAT_SECONDS, None)]
    if metric.key in ("first_message_at", "last_message_at", "days_active"):
        return [("staff", None, None)]
    assert metric.numerator is not None
    above = MEASURES[metric.numerator]
    below = MEASURES[metric.denominator] if metric.denominator else None
    if below is None or below.fact == above.fact:
        return [(above.fact, above, below)]
    return [(above.fact, above, None), (below.fact, None, below)]


def _listed(
    metric: Metric, counted: Counted, cell: dict[str, Any], snapshot: Snapshot, profile: Profile
) -> pl.DataFrame:
    tables = []
    for fact, above, below in _lenses(metric):
        rows = _of_cell(fact, counted, cell)
        if fact == "staff":
            tables.append(_described(fact, _ends_of_days(rows), snapshot, profile))
            continue
        numerator, denominator = (
            measure.contribution() if measure else pl.lit(None, pl.Int64) for measure in (above, below)
        )
        adding = rows.with_columns(numerator=numerator, denominator=denominator).filter(
            (pl.col("numerator").fill_null(0) != 0) | (pl.col("denominator").fill_null(0) != 0)
        )
        tables.append(_described(fact, adding, snapshot, profile))
    return pl.concat(tables)


def _ends_of_days(staff: pl.DataFrame) -> pl.DataFrame:
    """First and last staff message of each agent's day; the first stands for the day."""
    day = ["agent", "day"]
    ordered = staff.sort("at", "rank")
    first, last = (ordered.unique(day, keep=end, maintain_order=True) for end in ("first", "last"))
    return pl.concat(
        [
            first.with_columns(numerator=pl.lit(1), denominator=pl.lit(None, pl.Int64)),
            last.with_columns(numerator=pl.lit(0), denominator=pl.lit(None, pl.Int64)),
        ]
    )


def _described(fact: str, rows: pl.DataFrame, snapshot: Snapshot, profile: Profile) -> pl.DataFrame:
    """Fact rows in the columns of _ROW: in words, with the buyer's nick and the place in the files."""
    described = rows.with_columns(fact=pl.lit(fact), **wording.words(fact, rows, profile))
    if "order_id" in rows.columns:
        placed = described.join(
            places.of_orders(snapshot), on=["shop", "order_id"], how="left", maintain_order="left"
        )
    else:
        speakers = {
            "turns": "buyer",
            "nights": "buyer",
            "units": "any",
            "sessions": "any",
            "staff": "staff",
            "autos": "staff",
        }
        placed = places.placed(described, snapshot, speakers.get(fact, "exact"))
    agent = "credited" if "credited" in rows.columns else "agent" if "agent" in rows.columns else None
    return placed.with_columns(agent=pl.col(agent) if agent else pl.lit(None, pl.String)).select(
        pl.col(name).cast(dtype)
        if name in placed.columns or name == "agent"
        else pl.lit(None, dtype).alias(name)
        for name, dtype in _ROW.items()
    )


def _whole_story(found: Facts, split: Split, snapshot: Snapshot, profile: Profile) -> pl.DataFrame:
    inside = split.inside(pl.col("day"))
    dated = found.orders.with_columns(dated_at=pl.coalesce("sold_at", "created_at"))
    orders = dated.filter(split.inside(split.business_day("dated_at")))
    return pl.concat(
        _described(fact, rows, snapshot, profile)
        for fact, rows in (
            ("peer_days", found.peer_days.filter(inside)),
            ("turns", found.turns.filter(inside)),
            ("orders", orders),
        )
    )


def _transcript(snapshot: Snapshot, task: Task, mine: pl.DataFrame) -> pl.DataFrame:
    """The buyer's messages of the period, with class, rule and place."""
    period, cut = task.split.period, task.split.day_cut_s
    low, high = (
        period.first_day * clock.DAY_SECONDS + cut,
        (period.last_day + 1) * clock.DAY_SECONDS + cut - 1,
    )
    classes = {int(code): code.name.lower() for code in MessageClass}
    kinds = {int(code): code.name.lower() for code in Kind}
    circumstances = task.circumstances
    config = circumstances.config
    spoken = snapshot.messages(low, high).join(mine.lazy(), on="buyer_key", how="semi")
    found = rules.with_automatic_replies(
        spoken.with_columns(**rules.message_columns(config)).collect(), config, circumstances.automatic, cut
    )
    # What the configuration calls automatic is so in every figure (definitions 49), and named as that.
    rule = pl.coalesce("auto_rule", "rule") if "auto_rule" in found.columns else pl.col("rule")
    return found.sort("buyer_key", "sent_at", "rank", "message_class", "agent").select(
        "shop",
        at="sent_at",
        sender="sender",
        message_class=pl.col("message_class").replace_strict(classes, return_dtype=pl.String),
        rule=rule,
        kind=pl.col("kind").replace_strict(kinds, return_dtype=pl.String),
        text="text",
        source_file="source_file",
        source_line="source_line",
    )
