"""Unpaid orders by owner (催付) and orders credited to nobody (静默订单), definitions 64, 65."""

from __future__ import annotations

import polars as pl

from cslog import places, roster
from cslog.clock import DAY_SECONDS
from cslog.compute import Task
from cslog.credit_rules import LABELS
from cslog.errors import UsageError
from cslog.facts import Facts
from cslog.lists.request import Finder, Request, Source, data_end
from cslog.order_versions import fold_orders
from cslog.schema import OrderState

_COLUMNS = ["shop", "order_id", "created_at", "paid_at", "amount_cents", "label"]
_UNPAID = pl.col("paid_at").is_null()


def _created(task: Task) -> pl.Expr:
    return task.split.inside(task.split.business_day("created_at"))


def _keep_unpaid(facts: Facts, task: Task, request: Request) -> pl.DataFrame:
    owner = pl.coalesce("order_agent", "credited")
    return facts.orders.filter(_UNPAID, _created(task)).select(*_COLUMNS, owner=owner)


def _finish_unpaid(rows: pl.DataFrame, request: Request, source: Source) -> pl.DataFrame:
    age = (data_end(source.ends) - pl.col("created_at")) / 3600
    return (
        _with_shift(_open(_placed(rows, request, source), source), request)
        .with_columns(age_h=age)
        .sort("shop", "owner", "created_at", "order_id", nulls_last=True)
        .select(
            "shop",
            "owner",
            "buyer",
            "order_id",
            "created_at",
            "age_h",
            "amount",
            "shift",
            "source_file",
            "source_line",
        )
    )


def _keep_silent(facts: Facts, task: Task, request: Request) -> pl.DataFrame:
    sold = task.split.inside(task.split.business_day("sold_at"))
    return facts.orders.filter(
        pl.col("credited").is_null(), pl.when(_UNPAID).then(_created(task)).otherwise(sold)
    ).select(_COLUMNS)


def _finish_silent(rows: pl.DataFrame, request: Request, source: Source) -> pl.DataFrame:
    rows = _with_shift(_open(_placed(rows, request, source), source), request)
    rows = rows.with_columns(
        state=pl.when(_UNPAID).then(pl.lit("unpaid (未付款)")).otherwise(pl.lit("paid (已付款)")),
        label_zh=pl.col("label").replace(LABELS),
        night=request.profile.at_night(pl.col("created_at") % DAY_SECONDS),
    )
    if request.night:
        rows = rows.filter("night")
    if request.shift is not None:
        rows = rows.filter(pl.col("shift") == request.shift)
    return rows.sort("created_at", "shop", "order_id").select(
        "shop",
        "buyer",
        "order_id",
        "state",
        "created_at",
        "paid_at",
        "amount",
        "night",
        "shift",
        "label",
        "label_zh",
        "source_file",
        "source_line",
    )


def _placed(rows: pl.DataFrame, request: Request, source: Source) -> pl.DataFrame:
    found = places.of_orders(source.snapshot, request.question.as_of)
    # Exports write 0.00 for what is not paid yet: that is no amount.
    amount = pl.when(~_UNPAID | (pl.col("amount_cents") > 0)).then(pl.col("amount_cents"))
    return rows.join(found, on=["shop", "order_id"], how="left", maintain_order="left").with_columns(
        amount=amount
    )


def _open(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Without orders that were closed and never paid, whenever that was: no export says when."""
    known = fold_orders(source.snapshot.order_versions(), None, ["shop", "order_id", "paid_at", "state"])
    closed = known.filter(_UNPAID, pl.col("state") == int(OrderState.CLOSED))
    return rows.join(closed, on=["shop", "order_id"], how="anti", maintain_order="left")


def _with_shift(rows: pl.DataFrame, request: Request) -> pl.DataFrame:
    """``rows`` with ``shift``: that of any agent of the shop at the order's creation (definitions 45)."""
    config, period = request.config, request.question.period
    if not config.rosters and request.shift is None:
        return rows.with_columns(shift=pl.lit(None, pl.String))
    earliest = min([*rows["created_at"], period.first_day * DAY_SECONDS]) // DAY_SECONDS
    labels = roster.needed(config, earliest - 2, period.last_day + 2).shop_labels
    known = {name for shop in config.shops.values() for name in shop.shifts} | set(labels["shift"])
    if request.shift is not None and request.shift not in known:
        raise UsageError(f"no shift {request.shift!r}", f"use one of: {', '.join(sorted(known))}")
    return rows.with_columns(shift=roster.shift_at(rows, "created_at", labels))


UNPAID = Finder(_keep_unpaid, _finish_unpaid, who="owner")
SILENT = Finder(_keep_silent, _finish_silent, who=None)
