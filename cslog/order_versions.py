"""What an order is now, out of all the versions that exports have shown of it (kpi-spec 4.6)."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from cslog import schema

ORDER_COLUMNS = [
    "shop",
    "order_id",
    "buyer_key",
    "joinable",
    "created_at",
    "paid_at",
    "shipped_at",
    "state",
    "amount_cents",
    "post_fee_cents",
    "refund_cents",
    "items",
    "memo",
    "flag",
]
"""Columns of folded orders that facts need."""


_DECIDE = (
    "buyer", "buyer_key", "joinable", "created_at", "paid_at", "state", "refund_cents", "shipped_at", "content_key",
)  # fmt: skip
"""Columns that decide which version is the current one, and what stays known."""


def fold_orders(
    versions: pl.LazyFrame, as_of: int | None, columns: Sequence[str] = ORDER_COLUMNS
) -> pl.DataFrame:
    """The current state of every order out of its versions (kpi-spec 4.6), whatever order they came in.

    Creation and payment times stay known, and so does a buyer whom a later export masks. ``versions`` must
    hold all versions of an order: their buyers, and so their buyer keys, may differ. With ``as_of``,
    orders created, payments made and goods shipped later are unknown.
    """
    order = list(schema.ORDER_ID)
    if as_of is not None:
        paid = pl.col("paid_at")
        versions = versions.filter(pl.col("created_at") <= as_of).with_columns(
            paid_at=pl.when(paid <= as_of).then(paid)
        )
    needed = dict.fromkeys([*order, *_DECIDE, *columns])
    whole = versions.select(list(needed)).collect()
    current = whole
    if (
        whole["order_id"].n_unique() < whole.height
    ):  # shops and platforms number their orders apart, as a rule
        repeated = whole.select(pl.struct(order).is_duplicated()).to_series()
        current = pl.concat([whole.filter(~repeated), _current(whole.filter(repeated), order)])
    if as_of is not None:
        shipped = pl.col("shipped_at")
        current = current.with_columns(shipped_at=pl.when(shipped <= as_of).then(shipped))
    return current.select(columns)


def _current(versions: pl.DataFrame, order: list[str]) -> pl.DataFrame:
    """One row per order out of several versions of each."""
    known = versions.group_by(order).agg(
        first_created=pl.col("created_at").min(),
        first_paid=pl.col("paid_at").min(),
        clear_buyer=pl.col("buyer").filter("joinable").min(),
        clear_key=pl.col("buyer_key").filter("joinable").sort_by(pl.col("buyer").filter("joinable")).first(),
    )
    return (
        versions.sort(
            pl.col("state"),
            pl.col("refund_cents").fill_null(0),
            pl.col("shipped_at").fill_null(-1),
            pl.col("content_key"),
        )
        .unique(order, keep="last", maintain_order=False)
        .join(known, on=order)
        .with_columns(
            created_at=pl.col("first_created"),
            paid_at=pl.col("first_paid"),
            buyer=pl.coalesce("clear_buyer", "buyer"),
            buyer_key=pl.coalesce("clear_key", "buyer_key"),
            joinable=pl.col("clear_key").is_not_null(),
        )
        .select(versions.columns)
    )
