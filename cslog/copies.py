"""Copies of messages out of overlapping exports: which of them are new, and what all of them together say
(kpi-spec I2, definitions 1-3 and 6). Every rule is a minimum or a maximum, so the order of files is no matter.
"""

from __future__ import annotations

import polars as pl

from cslog import schema


def fold(frame: pl.LazyFrame) -> pl.LazyFrame:
    """One row per message out of its copies; every rule is a minimum or a maximum, so order is no matter."""
    rules: dict[str, pl.Expr] = {
        "rank": pl.col("rank").max(),
        "message_class": pl.col("message_class").max(),  # auto beats assist beats human
        "agent": pl.col("agent").min(),
        "exporter": pl.col("exporter").min(),
        "characters": pl.col("characters").max(),
        "text": pl.col("text").drop_nulls().first(),  # one copy may have been read without texts
    }
    rest = [name for name in schema.MESSAGES if name not in rules and name not in schema.MESSAGE_ID]
    return frame.group_by(schema.MESSAGE_ID, maintain_order=True).agg(
        **rules, **{c: pl.col(c).first() for c in rest}
    )


def unknown(batch: pl.DataFrame, known: pl.LazyFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of ``batch`` that the store lacks, and rows whose copy knows more than the store's."""
    if batch.is_empty():
        return batch, batch
    key = list(schema.MESSAGE_ID)
    folded = ["rank", "message_class", "characters", "agent", "exporter"]
    first, last = batch["sent_at"].min(), batch["sent_at"].max()
    there = (
        known.filter(
            pl.col("month").is_in(batch["month"].unique().sort().to_list()),
            pl.col("sent_at").is_between(first, last),
        )
        .select(key + folded)
        .join(batch.lazy().select(key), on=key, how="semi")
        .group_by(key)
        .agg(
            pl.col("rank", "message_class", "characters").max(),
            pl.col("agent", "exporter").min(),
        )
        .collect()
    )
    fresh = batch.join(there, on=key, how="anti", maintain_order="left")
    both = batch.join(there, on=key, how="inner", suffix="_known", maintain_order="left")

    def smaller(name: str) -> pl.Expr:
        return pl.col(name).is_not_null() & (
            pl.col(f"{name}_known").is_null() | (pl.col(name) < pl.col(f"{name}_known"))
        )

    def greater(name: str) -> pl.Expr:
        return pl.col(name) > pl.col(f"{name}_known")

    refined = both.filter(
        greater("rank")
        | greater("message_class")
        | greater("characters")
        | smaller("agent")
        | (smaller("exporter") & pl.col("agent_known").is_null())
    ).select(list(schema.MESSAGES))
    return fresh, refined
