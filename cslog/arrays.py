"""Frames of messages → the flat, sorted arrays that kernels run over, and agent codes back to names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from cslog.profile import Profile
from cslog.schema import Kind, MessageClass


@dataclass(frozen=True)
class Names:
    """Agent names by code; codes ascend with the names, so that every order by code is one by name."""

    names: pl.Series

    def of(self, column: str) -> pl.Expr:
        """Names of a column of codes; null for negative ones."""
        codes = pl.col(column).cast(pl.Int64)
        return (
            pl.when(codes >= 0)
            .then(codes)
            .replace_strict(
                pl.int_range(len(self.names), eager=True), self.names, default=None, return_dtype=pl.String
            )
        )

    def to_series(self, codes: np.ndarray) -> pl.Series:
        """Names of an array of codes."""
        return pl.DataFrame({"code": codes}).select(self.of("code")).to_series()


@dataclass(frozen=True)
class People:
    """One row per buyer that wrote or ordered: position ``person``, shop, buyer_key; row offsets."""

    frame: pl.DataFrame
    starts: np.ndarray

    def columns(self, person: np.ndarray) -> dict[str, pl.Series]:
        """Shop and buyer_key of positions."""
        positions = pl.Series(person)
        return {name: self.frame[name].gather(positions) for name in ("shop", "buyer_key")}


def coded(messages: pl.DataFrame) -> tuple[Names, pl.DataFrame]:
    """All agent names, and ``messages`` with ``*_code`` columns (Int32, -1: null) in place of the names."""
    columns = ["agent", "exporter", "transfer_from", "transfer_to"]
    names = pl.concat([messages[c].unique() for c in columns]).drop_nulls().unique().sort()
    codes = pl.int_range(len(names), dtype=pl.Int32, eager=True)
    columns_of_codes = {
        f"{c}_code": pl.col(c).replace_strict(names, codes, default=None, return_dtype=pl.Int32).fill_null(-1)
        for c in columns
    }
    main = pl.col("shop").replace_strict(names, codes, default=-2, return_dtype=pl.Int32)
    return Names(names), messages.with_columns(**columns_of_codes, main_code=main).drop(columns)


def kernel_rows(messages: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """Buyer and valid staff messages and transfer markers, in the kernels' order, with ``who`` 0, 1, 2."""
    valid = [int(MessageClass.HUMAN)] + ([int(MessageClass.ASSIST)] if profile.assist_valid else [])
    message_class = pl.col("message_class")
    return (
        messages.with_columns(
            who=pl.when(message_class == int(MessageClass.BUYER))
            .then(pl.lit(0, pl.Int8))
            .when(message_class.is_in(valid))
            .then(pl.lit(1, pl.Int8))
            .when(message_class == int(MessageClass.TRANSFER))
            .then(pl.lit(2, pl.Int8))
        )
        .filter(pl.col("who").is_not_null())
        .with_columns(
            visible=((pl.col("kind") != int(Kind.TEXT)) | (pl.col("characters") > 0)).cast(pl.Int8),
        )
        .sort(
            "buyer_key",
            "sent_at",
            "rank",
            # Equal ranks (definitions 2): buyer, marker, then staff by name, the main account first.
            pl.col("who").replace_strict({0: 0, 2: 1, 1: 2}, return_dtype=pl.Int8),
            (pl.col("agent_code") != pl.col("main_code")),
            "agent_code",
            # Markers alone can still differ; only with these is the order that of the content.
            "transfer_from_code",
            "transfer_to_code",
        )
    )


def people_of(rows: pl.DataFrame, orders: pl.DataFrame) -> People:
    """Everybody in ``rows`` (of kernel_rows) or with a joinable order, by buyer key."""
    wrote = rows.group_by("shop", "buyer_key").len("rows")
    ordered = orders.filter("joinable").select("shop", "buyer_key").unique()
    frame = (
        pl.concat([wrote.select("shop", "buyer_key"), ordered])
        .unique()
        .join(wrote, on=["shop", "buyer_key"], how="left")
        .with_columns(pl.col("rows").fill_null(0))
        .sort("buyer_key", "shop")
        .with_row_index("person")
    )
    starts = np.concatenate([[0], frame["rows"].cum_sum().to_numpy()]).astype(np.int64)
    return People(frame.with_columns(pl.col("person").cast(pl.Int64)), starts)


def array(frame: pl.DataFrame, name: str, dtype: type) -> np.ndarray:
    """A column without nulls as a contiguous array."""
    return np.ascontiguousarray(frame[name].to_numpy(), dtype=dtype)
