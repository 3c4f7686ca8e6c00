"""Inquiries without an order (询单流失), definitions 63."""

from __future__ import annotations

import polars as pl

from cslog import places
from cslog.clock import DAY_SECONDS
from cslog.compute import Task
from cslog.facts import Facts
from cslog.lists.request import Finder, Request, Source, begin_of, data_end, dated
from cslog.metrics import days_to_final
from cslog.profile import Profile
from cslog.texts import with_last_messages

_DAY = ["shop", "agent", "buyer_key", "day"]


def final(profile: Profile, ends: dict[str, int]) -> pl.Expr:
    """Whether what became of the inquiries of a row's day is final (definitions 29)."""
    today = (data_end(ends) - profile.day_cut_s).floordiv(DAY_SECONDS)
    return pl.col("day") + days_to_final(profile)["next_day"] <= today


def _keep(facts: Facts, task: Task, request: Request) -> pl.DataFrame:
    talked = facts.sessions.group_by(_DAY).agg(until=pl.col("last_at").max())
    return (
        facts.peer_days.filter("lost", task.split.inside(pl.col("day")))
        .join(talked, on=_DAY, how="left", nulls_equal=True)
        .select(*_DAY, "until", "buyer_messages", "agent_messages", at="asked_at")
    )


def _finish(rows: pl.DataFrame, request: Request, source: Source) -> pl.DataFrame:
    profile = request.profile
    ended = begin_of(pl.col("day") + 1, profile) - 1
    rows = rows.sort("at", "buyer_key", "agent", nulls_last=True).with_columns(
        final=final(profile, source.ends),
        since=begin_of(pl.col("day"), profile),
        until=pl.max_horizontal("until", "at").fill_null(ended),
    )
    rows = with_last_messages(rows, source.snapshot, "since", "until")
    return (
        places.placed(rows, source.snapshot, "buyer")
        .with_columns(dated())
        .select(
            "shop",
            "agent",
            "buyer",
            "day",
            "final",
            "at",
            "buyer_messages",
            "agent_messages",
            "last_messages",
            "source_file",
            "source_line",
        )
    )


FINDER = Finder(_keep, _finish)
