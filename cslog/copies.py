"""Copies of messages out of overlapping exports: which of them are new, and what all of them together say
(kpi-spec I2, definitions 1-3 and 6). Every rule is a minimum or a maximum, so the order of files is no matter.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from cslog import schema

_RULES: dict[str, pl.Expr] = {
    "rank": pl.col("rank").max(),
    "message_class": pl.col("message_class").max(),  # auto beats assist beats human
    "agent": pl.col("agent").min(),
    "exporter": pl.col("exporter").min(),
    "characters": pl.col("characters").max(),
}
"""What all copies of a message say together."""


def fold(frame: pl.LazyFrame) -> pl.LazyFrame:
    """One row per message out of its copies; of what no rule is about, the first one's."""
    rest = {
        name: pl.col(name) for name in schema.MESSAGES if name not in _RULES and name not in schema.MESSAGE_ID
    }
    rest["text"] = rest["text"].drop_nulls()  # one copy may have been read without texts
    return frame.group_by(schema.MESSAGE_ID, maintain_order=True).agg(
        **_RULES, **{name: values.first() for name, values in rest.items()}
    )


def merged(batch: pl.DataFrame) -> pl.DataFrame:
    """One row per message of ``batch`` as ``fold`` makes it, in the order of the store (schema.MESSAGE_ORDER).

    Rows are put in order by their numbers alone; the columns are touched once, at the end.
    """
    from cslog.scan import rows

    batch = (
        batch.rechunk()
    )  # to take rows out of many pieces costs twice as much as to put them together first
    buyer, second, message, occurrence = keys = _integers(batch, schema.MESSAGE_ID)
    order = np.argsort(buyer, kind="stable")
    rows.arrange(order, buyer, (second, message, occurrence, occurrence))
    repeated = rows.repeats(order, keys)
    if repeated.any():
        copied = repeated.copy()
        copied[:-1] |= repeated[1:]  # the first copy too
        number = pl.Series("number", np.cumsum(~repeated)[copied])
        copies = batch.select(list(_RULES))[order[copied]].with_columns(number)
        together = copies.group_by("number", maintain_order=True).agg(**_RULES)
        first = order[copied & ~repeated]
        batch = batch.with_columns(batch[name].scatter(first, together[name]) for name in _RULES)
        order = order[~repeated]
    buyer, second, rank, message, occurrence = _integers(batch, schema.MESSAGE_ORDER)
    rows.arrange(order, buyer, (second, rank, message, occurrence))
    return batch[order]


def unknown(batch: pl.DataFrame, known: Iterable[pl.LazyFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of ``batch`` that the store lacks, and rows whose copy knows more than the store's.

    ``batch`` is as ``merged`` makes it; ``known`` are the files of the store that may hold a message of it, each
    in the order of the store. Of those no more than the keys of one are in memory at a time.
    """
    from cslog.scan import rows

    first, last = batch["sent_at"].min(), batch["sent_at"].max()
    mine = _integers(batch, schema.MESSAGE_ID)
    found = np.zeros(batch.height, np.bool_)
    told: list[pl.DataFrame] = []
    for file in known:
        within = file.filter(pl.col("sent_at").is_between(first, last))
        theirs = within.select(schema.MESSAGE_ID).collect()
        here = rows.among(mine, _integers(theirs, schema.MESSAGE_ID))
        if here.any():
            found |= here
            key = batch.lazy().filter(pl.Series(here)).select(schema.MESSAGE_ID)
            told.append(
                within.select(*schema.MESSAGE_ID, *_RULES)
                .join(key, on=schema.MESSAGE_ID, how="semi")
                .collect()
            )
    if not told:
        return batch, batch.clear()
    there = pl.concat(told).group_by(schema.MESSAGE_ID).agg(**_RULES)
    both = batch.filter(pl.Series(found)).join(
        there, on=schema.MESSAGE_ID, how="inner", suffix="_known", maintain_order="left"
    )
    refined = both.filter(
        _greater("rank")
        | _greater("message_class")
        | _greater("characters")
        | _smaller("agent")
        | (_smaller("exporter") & pl.col("agent_known").is_null())
    )
    return batch.filter(pl.Series(~found)), refined.select(list(schema.MESSAGES))


def _smaller(name: str) -> pl.Expr:
    known = pl.col(f"{name}_known")
    return pl.col(name).is_not_null() & (known.is_null() | (pl.col(name) < known))


def _greater(name: str) -> pl.Expr:
    return pl.col(name) > pl.col(f"{name}_known")


def _integers(frame: pl.DataFrame, names: tuple[str, ...]) -> tuple[np.ndarray, ...]:
    return tuple(frame[name].cast(pl.Int64).to_numpy() for name in names)
