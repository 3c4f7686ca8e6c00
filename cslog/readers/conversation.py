"""Which rows belong to one customer: shared by the readers of tables and of mapped logs."""

from __future__ import annotations

import polars as pl

from cslog.errors import ReadError

NO_CUSTOMER = "its session does not tell the customer"


def blocks(frame: pl.DataFrame, keys: list[str]) -> pl.Series:
    """The number of each row's contact block, by first appearance; equal ``keys`` are one block."""
    numbers = frame.select(keys).unique(maintain_order=True).with_row_index("block")
    joined = frame.select(keys).join(numbers, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return joined["block"].cast(pl.Int64)


def customers_of_sessions(frame: pl.DataFrame, single: bool) -> pl.Series:
    """The customer of each row's ``session``: the ``sender`` of its first row that ``speaks`` as "buyer".

    Null where nobody does, and, when there must be a ``single`` one, where several do.
    """
    speakers = pl.when(pl.col("speaks") == "buyer").then(pl.col("sender")).drop_nulls()
    known = pl.col("session").is_not_null()
    if single:
        known &= speakers.n_unique().over("session") == 1
    named = pl.when(known).then(speakers.first().over("session"))
    return frame.select(named.alias("customer")).to_series()


def only_shop(names: pl.Series, given: str | None, path: str) -> str | None:
    """The one shop that a column names, null when it names none.

    Raises ReadError when it names several, unless the user has ``given`` one.
    """
    shops = names.drop_nulls().unique()
    if shops.len() > 1 and given is None:
        raise ReadError(
            f"{path}: holds messages of {shops.len()} shops", "split the file by shop, or give --shop NAME"
        )
    return str(shops[0]) if shops.len() == 1 else None


def shop_prefix(*columns: pl.Series) -> str | None:
    """The most frequent shop in names ``shop:agent`` (formats 6), without ``cntaobao``."""
    prefixes = pl.concat(column.drop_nulls().rename("name") for column in columns)
    prefixes = prefixes.str.replace("^(?:cntaobao|cnalichn)", "").str.extract("^([^:]+):", 1).drop_nulls()
    if prefixes.is_empty():
        return None
    counts = prefixes.value_counts().sort(["count", "name"], descending=[True, False])
    return str(counts["name"][0])
