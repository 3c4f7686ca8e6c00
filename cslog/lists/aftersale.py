"""After-sale questions that nobody answered the same day (售后当日未回复), definitions 66."""

from __future__ import annotations

import polars as pl

from cslog import places
from cslog.compute import Task
from cslog.facts import Facts
from cslog.lists.lost import final
from cslog.lists.request import Finder, Request, Source, begin_of, dated
from cslog.profile import Profile
from cslog.texts import with_last_messages

_BUYER = ["shop", "buyer_key"]
_DAY = [*_BUYER, "day"]
_THREAD = ["shop", "agent", "buyer_key", "day"]


def of_peer_days(peer_days: pl.DataFrame, orders: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """The ``peer_days`` that are after-sale by kpi-spec 4.7, answered or not, with the order that makes them so.

    ``order_id`` is the last one bought before the buyer asked, ``bought_at`` when.
    """
    bought = pl.col("paid_at" if profile.after_sale == "paid" else "shipped_at")
    known = (
        orders.filter("joinable", bought.is_not_null())
        .select(*_BUYER, "order_id", bought_at=bought)
        .sort("bought_at", "order_id")
    )
    return (
        peer_days.filter("after_sale_asked")
        .with_row_index("row")
        .sort("asked_at")
        .join_asof(
            known,
            left_on="asked_at",
            right_on="bought_at",
            by=_BUYER,
            strategy="backward",
            allow_exact_matches=False,
            check_sortedness=False,
            coalesce=False,
        )
        .sort("row")
        .drop("row")
    )


def _keep(facts: Facts, task: Task, request: Request) -> pl.DataFrame:
    consulted = facts.peer_days.filter(
        pl.col("received") | pl.col("unreplied"), task.split.inside(pl.col("day"))
    )
    asked = facts.messages.filter("from_buyer").sort("at", "rank")
    asked = asked.group_by(_THREAD).agg(last_at=pl.col("at").last(), last_rank=pl.col("rank").last())
    answered = facts.messages.filter(~pl.col("from_buyer")).sort("at", "rank")
    answered = answered.group_by(_DAY).agg(
        answered_at=pl.col("at").last(), answered_rank=pl.col("rank").last()
    )
    later = (pl.col("answered_at") > pl.col("at")) | (
        (pl.col("answered_at") == pl.col("at")) & (pl.col("answered_rank") > pl.col("last_rank").fill_null(0))
    )
    return (
        of_peer_days(consulted, facts.orders, task.circumstances.profile)
        .join(asked, on=_THREAD, how="left", nulls_equal=True)
        .join(answered, on=_DAY, how="left")
        .with_columns(at=pl.coalesce("last_at", "asked_at"))
        .filter(~later.fill_null(False))
        .sort("at", "agent")
        .unique(_DAY, keep="last", maintain_order=True)
        .select(
            *_THREAD,
            "at",
            "asked_at",
            "order_id",
            "bought_at",
            state=pl.when(pl.col("answered_at").is_null())
            .then(pl.lit("no reply (未回复)"))
            .otherwise(pl.lit("last message without reply (末句未回复)")),
        )
    )


def _finish(rows: pl.DataFrame, request: Request, source: Source) -> pl.DataFrame:
    profile = request.profile
    day = pl.col("day")
    rows = rows.sort("at", "buyer_key").with_columns(
        since=begin_of(day, profile), until=begin_of(day + 1, profile) - 1, final=final(profile, source.ends)
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
            "state",
            "final",
            "asked_at",
            "at",
            "order_id",
            "bought_at",
            "last_messages",
            "source_file",
            "source_line",
        )
    )


FINDER = Finder(_keep, _finish)
