"""What a store holds: shops, days, gaps, files, and how much of it hangs together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from cslog import clock
from cslog.order_versions import fold_orders
from cslog.store import Store, folder_size


@dataclass(frozen=True)
class Status:
    """One row per shop in ``shops``; the rest are totals of the store."""

    store: str
    store_version: int
    files: int
    rejects: int
    bytes: int
    shops: pl.DataFrame

    def as_dict(self) -> dict[str, Any]:
        """The JSON of `cslog status`."""
        shops = [
            {
                **row,
                "first_message_at": _iso(row["first_message_at"]),
                "last_message_at": _iso(row["last_message_at"]),
            }
            for row in self.shops.iter_rows(named=True)
        ]
        return {
            "store": self.store,
            "store_version": self.store_version,
            "files": self.files,
            "rejects": self.rejects,
            "bytes": self.bytes,
            "shops": shops,
        }


def status(store: Store) -> Status:
    """Look through the store; an empty or absent one has version 0 and no shops."""
    with store.reading():
        snapshot = store.snapshot()
        if snapshot.store_version == 0:
            return Status(str(store.folder), 0, 0, 0, 0, _no_shops())
        chats = snapshot.bounds()
        orders = fold_orders(snapshot.order_versions(), None)
        people = snapshot.buyers()
        joined = (
            orders.join(people.with_columns(chatted=True), on=["shop", "buyer_key"], how="left")
            .group_by("shop")
            .agg(
                orders=pl.len(),
                orders_masked=(~pl.col("joinable")).sum(),
                orders_with_chat=(pl.col("joinable") & pl.col("chatted").fill_null(False)).sum(),
            )
        )
        shops = chats.join(joined, on="shop", how="full", coalesce=True).sort("shop")
        missing = [_missing(days) for days in shops["days"].to_list()]
        shops = shops.select(
            "shop",
            pl.col("messages").fill_null(0),
            pl.col("buyers").fill_null(0),
            pl.col("first_at").alias("first_message_at"),
            pl.col("last_at").alias("last_message_at"),
            pl.col("days").list.len().fill_null(0).alias("days_covered"),
            pl.Series("days_missing", missing, dtype=pl.List(pl.String)),
            pl.when(pl.col("asked") > 0)
            .then(pl.col("inferred") / pl.col("asked"))
            .alias("inferred_agents_rate"),
            pl.col("orders", "orders_with_chat", "orders_masked").fill_null(0),
        )
        ledger = snapshot.ledger()
        return Status(
            store=str(store.folder),
            store_version=snapshot.store_version,
            files=ledger.filter(pl.col("action") == "ingest").height,
            rejects=snapshot.rejects().height,
            bytes=folder_size(store.folder),
            shops=shops,
        )


def _missing(days: list[int] | None) -> list[str]:
    """Days between the first and the last one without any message."""
    if not days:
        return []
    held = set(days)
    return [str(clock.date_of(day)) for day in range(min(held), max(held)) if day not in held]


def _no_shops() -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            "shop": pl.String, "messages": pl.Int64, "buyers": pl.Int64, "first_message_at": pl.Int64,
            "last_message_at": pl.Int64, "days_covered": pl.Int64, "days_missing": pl.List(pl.String),
            "inferred_agents_rate": pl.Float64,
            "orders": pl.Int64, "orders_with_chat": pl.Int64, "orders_masked": pl.Int64,
        }
    )  # fmt: skip


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else clock.iso(seconds)
