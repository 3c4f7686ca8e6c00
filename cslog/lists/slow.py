"""Slow and unanswered turns (慢响应), definitions 62."""

from __future__ import annotations

import polars as pl

from cslog import places
from cslog.compute import Task
from cslog.facts import Facts
from cslog.lists.request import Finder, Request, Source
from cslog.texts import one_line, with_replies

_WAIT, _LATE = pl.col("wait_s"), pl.col("late_s")


def _keep(facts: Facts, task: Task, request: Request) -> pl.DataFrame:
    return facts.turns.filter(
        "counted",
        task.split.inside(pl.col("day")),
        _WAIT.is_null() | (request.profile.slow_s < _WAIT),
    ).select(
        "shop",
        "agent",
        "buyer_key",
        "wait_s",
        "late_s",
        at="open_at",
        reply_at=pl.col("open_at") + pl.coalesce("raw_wait_s", "late_s"),
        state=pl.when(_WAIT.is_not_null())
        .then(pl.lit("slow (慢响应)"))
        .when(_LATE.is_not_null())
        .then(pl.lit("answered too late (超时回复)"))
        .otherwise(pl.lit("unanswered (未回复)")),
    )


def _finish(rows: pl.DataFrame, request: Request, source: Source) -> pl.DataFrame:
    longest = pl.coalesce("wait_s", "late_s")
    rows = rows.sort(
        longest, "at", "buyer_key", "agent", descending=[True, False, False, False], nulls_last=[False] * 4
    )
    rows = places.placed(rows, source.snapshot, "buyer", "text").with_columns(question=one_line())
    return with_replies(rows, source.snapshot).select(
        "shop",
        "agent",
        "buyer",
        "state",
        "wait_s",
        "late_s",
        "at",
        "question",
        "reply_at",
        "reply",
        "source_file",
        "source_line",
        "reply_file",
        "reply_line",
    )


FINDER = Finder(_keep, _finish)
