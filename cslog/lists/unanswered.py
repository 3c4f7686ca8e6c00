"""Buyers who wait at an instant (未回复买家, 交接), definitions 61."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import polars as pl

from cslog import compute, places
from cslog.clock import DAY_SECONDS
from cslog.compute import Task
from cslog.config import Filter
from cslog.facts import Facts
from cslog.lists.request import Finder, Request, Source, begin_of, data_end
from cslog.texts import with_last_messages

WAITING = "waiting (等待中)"
UNANSWERED = "unanswered (未回复)"

_LATER = 400 * DAY_SECONDS  # by then every turn that is open now is over
_TURN = ["shop", "agent", "buyer_key", "open_at"]


def _keep(facts: Facts, task: Task, request: Request) -> pl.DataFrame:
    """Turns nobody has answered yet, one row per buyer and agent."""
    whole = compute.facts_of(_to_the_end(task))
    ends = task.circumstances.data_ends
    answers = _last_answers(whole.messages)
    answered_at = pl.col("answered_at")
    turns = (
        whole.turns.filter(pl.col("wait_s").is_null(), "consulted", task.split.inside(pl.col("day")))
        .join(answers, on="buyer_key", how="left")
        .filter(answered_at.is_null() | (pl.col("open_at") >= answered_at))
        .join(_overdue(facts, task), on=_TURN, how="left", nulls_equal=True)
    )
    asked = (
        whole.messages.filter("from_buyer", task.split.inside(pl.col("day")))
        .join(answers, on="buyer_key", how="left")
        .filter(
            answered_at.is_null()
            | (pl.col("at") > answered_at)
            | ((pl.col("at") == answered_at) & (pl.col("rank") > pl.col("answered_rank")))
        )
        .group_by("buyer_key")
        .agg(messages_waiting=pl.len().cast(pl.Int64), last_message_at=pl.col("at").max())
    )
    return (
        turns.group_by("shop", "agent", "buyer_key")
        .agg(at=pl.col("open_at").min(), overdue=pl.col("overdue").any())
        .join(asked, on="buyer_key", how="left")
        .with_columns(
            state=pl.when("overdue").then(pl.lit(UNANSWERED)).otherwise(pl.lit(WAITING)),
            waited_s=data_end(ends) - pl.col("at"),
        )
        .drop("overdue")
    )


def _to_the_end(task: Task) -> Task:
    """The task with nothing censored, and without filters that ask how little was said so far: a buyer who has just
    begun must not be left out for it.
    """
    circumstances = task.circumstances
    config = circumstances.config
    kept = tuple(rule for rule in config.filters if not _of_whole_days(rule))
    return replace(
        task,
        as_of=task.as_of if task.as_of is not None else max(circumstances.data_ends.values(), default=0),
        circumstances=replace(
            circumstances,
            config=msgspec.structs.replace(config, filters=kept),
            data_ends={shop: end + _LATER for shop, end in circumstances.data_ends.items()},
        ),
    )


def _of_whole_days(rule: Filter) -> bool:
    return rule.rule in ("single_sentence", "forwards") or rule.fewer_than is not None


def _last_answers(messages: pl.DataFrame) -> pl.DataFrame:
    """When the last agent wrote to each buyer."""
    return (
        messages.filter(~pl.col("from_buyer"))
        .sort("at", "rank")
        .group_by("buyer_key")
        .agg(answered_at=pl.col("at").last(), answered_rank=pl.col("rank").last())
    )


def _overdue(facts: Facts, task: Task) -> pl.DataFrame:
    """Turns that are over by the profile's rule: silence, or the end of their day."""
    profile = task.circumstances.profile
    over = facts.turns.filter(pl.col("wait_s").is_null())
    if profile.max_wait_s == 0:
        over = over.filter(begin_of(pl.col("day") + 1, profile) <= data_end(task.circumstances.data_ends))
    return over.select(*_TURN, overdue=pl.lit(True))


def _finish(rows: pl.DataFrame, request: Request, source: Source) -> pl.DataFrame:
    first = request.question.period.first_day
    rows = rows.sort("at", "buyer_key", "agent", nulls_last=True).with_columns(
        since=begin_of(pl.lit(first), request.profile), until=data_end(source.ends)
    )
    rows = with_last_messages(rows, source.snapshot, "since", "until")
    return (
        places.placed(rows, source.snapshot, "buyer")
        .rename({"at": "waiting_since"})
        .select(
            "shop",
            "agent",
            "buyer",
            "state",
            "waiting_since",
            "waited_s",
            "messages_waiting",
            "last_message_at",
            "last_messages",
            "source_file",
            "source_line",
        )
    )


FINDER = Finder(_keep, _finish)
