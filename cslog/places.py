"""Where in which file a fact or an order stands, with the buyer's nick."""

from __future__ import annotations

import polars as pl

from cslog.order_versions import fold_orders
from cslog.schema import MessageClass
from cslog.snapshot import Snapshot

SPEAKERS = {
    "buyer": (MessageClass.BUYER, MessageClass.TRANSFER),
    "staff": (MessageClass.HUMAN, MessageClass.ASSIST, MessageClass.AUTO),
}
"""Message classes of a side; a turn that a transfer opened again stands at the marker."""


def of_orders(snapshot: Snapshot, as_of: int | None = None) -> pl.DataFrame:
    """shop, order_id, buyer, source_file, source_line of the version of each order that counts."""
    columns = ["shop", "order_id", "buyer", "source_file", "source_line"]
    return fold_orders(snapshot.order_versions(), as_of, columns)


def placed(rows: pl.DataFrame, snapshot: Snapshot, speaker: str, *more: str) -> pl.DataFrame:
    """``rows`` (buyer_key, at) with buyer, source_file, source_line and ``more`` columns of the message of that
    second: the first of the side ``speaker`` (buyer, staff, any), or the one of the ``rank`` that rows of
    staff, or of speaker ``exact``, name.
    """
    given = ["buyer", "source_file", "source_line", *more]
    if rows.is_empty():
        types = {"source_line": pl.Int64}
        return rows.with_columns(pl.lit(None, types.get(name, pl.String)).alias(name) for name in given)
    low, high = int(rows["at"].min()), int(rows["at"].max())  # type: ignore[arg-type]
    classes = [int(code) for code in SPEAKERS.get(speaker, tuple(MessageClass))]
    ranked = speaker in ("exact", "staff") and "rank" in rows.columns
    key = ["buyer_key", "at", *(["rank"] if ranked else [])]
    places = (
        snapshot.messages(low, high, ["buyer_key", "sent_at", "rank", "message_class", *given])
        .filter(pl.col("message_class").is_in(classes))
        .rename({"sent_at": "at"})
        .join(rows.lazy().select("buyer_key").unique(), on="buyer_key", how="semi")
        .sort("buyer_key", "at", "rank", "message_class")
        .unique(key, keep="first", maintain_order=True)
        .select(*key, *given)
        .collect()
    )
    return rows.join(places, on=key, how="left", maintain_order="left")
