"""Agent-days with too many buyers (超负荷), definitions 67."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from cslog import kpi
from cslog.compute import Task
from cslog.facts import Facts
from cslog.lists.request import Finder, Request, Source, dated

_BESIDE = (
    "buyers_received", "buyers_consulted", "reply_rate", "first_response_avg", "response_avg", "within_180s_rate",
    "max_concurrent",
)  # fmt: skip
_DAY = ["shop", "agent", "day"]


def _keep(facts: Facts, task: Task, request: Request) -> pl.DataFrame:
    return (
        facts.peer_days.filter("after_sale", task.split.inside(pl.col("day")))
        .group_by(_DAY)
        .agg(after_sale_buyers=pl.len().cast(pl.Int64))
    )


def _finish(rows: pl.DataFrame, request: Request, source: Source) -> pl.DataFrame:
    question = replace(request.question, by=("agent", "day"), metrics=_BESIDE)
    figures = kpi.report(question, source.store, request.profile, request.config).frame
    after_sale = rows.group_by(_DAY).agg(pl.col("after_sale_buyers").sum()).with_columns(dated())
    received, complaints = pl.col("buyers_received"), pl.col("after_sale_buyers")
    busy, too_many = received > request.limit, complaints > request.after_sale_limit
    over = pl.concat_str(
        pl.when(busy).then(pl.lit(f"received (接待) > {request.limit}")),
        pl.when(too_many).then(pl.lit(f"after-sale (售后) > {request.after_sale_limit}")),
        separator="; ",
        ignore_nulls=True,
    )
    return (
        figures.join(after_sale, on=_DAY, how="left", maintain_order="left")
        .with_columns(complaints.fill_null(0))
        .filter(busy | too_many)
        .select(*_DAY, "buyers_received", "buyers_consulted", "after_sale_buyers", *_BESIDE[2:], over=over)
        .sort("day", "shop", "agent")
    )


FINDER = Finder(_keep, _finish)
