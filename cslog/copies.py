"""Copies of messages out of overlapping exports: which of them are new, and what all of them together say
(kpi-spec I2, definitions 1-3 and 6). Every rule is a minimum or a maximum, so the order of files is no matter.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import polars as pl

from cslog import coded, schema
from cslog.coded import NOBODY, Coded

_THREADS = min(4, os.cpu_count() or 1)  # Polars has more of its own
Numbers = tuple[np.ndarray, ...]
"""Columns of integers (int64)."""

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


def merged(batch: Coded) -> Coded:
    """One row per message of ``batch`` as ``fold`` makes it, in the order of the store (schema.MESSAGE_ORDER)."""
    from cslog.scan import rows

    buyer, second, message, occurrence = found = _integers(batch, schema.MESSAGE_ID)
    order = rows.ordered(buyer)
    rows.arrange(order, buyer, (second, message, occurrence, occurrence))
    repeated = rows.repeats(order, found)
    if repeated.any():
        copied = repeated.copy()
        copied[:-1] |= repeated[1:]  # the first copy too
        batch = _folded(batch, order[copied], repeated[copied])
        order = order[~repeated]
    buyer, second, rank, message, occurrence = _integers(batch, schema.MESSAGE_ORDER)
    rows.arrange(order, buyer, (second, rank, message, occurrence))
    return batch.only(order)


def _folded(batch: Coded, rows: np.ndarray, repeated: np.ndarray) -> Coded:
    """``batch`` with what all copies of a message say together in the first of them. ``rows`` are the copies, those
    of a message behind one another; ``repeated`` marks all but the first.
    """
    begins = np.flatnonzero(~repeated)
    first = rows[begins]
    columns = dict(batch.columns)
    for name in _RULES:
        said = columns[name].take(rows)
        if name in coded.NAMES:
            together = _least(said, begins, batch.names)
        else:
            together = np.maximum.reduceat(said, begins)
        if not np.array_equal(together, said[begins]):
            columns[name] = columns[name].copy()
            columns[name][first] = together
    return replace(batch, columns=columns)


def _least(said: np.ndarray, begins: np.ndarray, names: pl.Series) -> np.ndarray:
    """Of each group of numbers of ``names`` that of the least name; NOBODY only where no other is in the group."""
    occurring = np.flatnonzero(np.bincount(said))
    somebody = occurring[occurring != NOBODY]
    in_order = np.append(somebody[names[somebody].arg_sort().to_numpy()], NOBODY)
    place = np.empty(len(names), np.int32)
    place[in_order] = np.arange(len(in_order))
    return in_order[np.minimum.reduceat(place[said], begins)]


def keys_of(batch: Coded) -> pl.LazyFrame:
    """What ``unknown`` needs of messages to find their copies, and nothing of what they say."""
    frame = batch.frame(schema.MESSAGE_ID).lazy()
    return frame.with_columns(**{name: pl.lit(None, schema.MESSAGES[name]) for name in _RULES})


def unknown(batch: Coded, known: Iterable[pl.LazyFrame]) -> tuple[Coded, Coded]:
    """Rows of ``batch`` that the store lacks, and rows whose copy knows more than the store's.

    ``batch`` is as ``merged`` makes it; ``known`` are the files of the store that may hold a message of it, each
    in the order of the store. Of those no more than the keys of one a thread are in memory at a time.
    """
    mine = _integers(batch, schema.MESSAGE_ID)
    found = np.zeros(len(batch), np.bool_)
    told: list[pl.DataFrame] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for here, said in pool.map(lambda file: _said_in(file, mine), known):
            if len(here):
                found[here] = True
                told.append(said.with_columns(row=pl.Series(here)))
    if not told:
        return batch, batch.only(np.empty(0, np.int64))
    there = pl.concat(told)
    if there.height > np.count_nonzero(found):  # refinements, and what a killed ingest has left
        there = there.group_by("row").agg(**_RULES)
    ours = batch.only(there["row"].to_numpy()).frame(list(_RULES))
    both = ours.hstack(there.rename({name: f"{name}_known" for name in _RULES}))
    refined = both.filter(
        _greater("rank")
        | _greater("message_class")
        | _greater("characters")
        | _smaller("agent")
        | (_smaller("exporter") & pl.col("agent_known").is_null())
    )
    return batch.only(np.flatnonzero(~found)), batch.only(refined["row"].sort().to_numpy())


def _said_in(file: pl.LazyFrame, mine: Numbers) -> tuple[np.ndarray, pl.DataFrame]:
    """Which rows of ``mine`` (schema.MESSAGE_ID, sorted) are in a file of the store, and what it says of them.

    Whole days of new messages have no second in common with what is there, and most of a file is not read then.
    """
    from cslog.scan import rows

    nothing = np.empty(0, np.int64), pl.DataFrame()
    keys = file.select(schema.MESSAGE_ID[:2]).collect()
    # Piece by piece, as the file has them: so nothing is copied.
    if not any((_meeting(mine, piece)[1] >= 0).any() for piece in keys.iter_slices(schema.ROWS_PER_GROUP)):
        return nothing
    first, begins = _meeting(mine, keys)
    ours = tuple(column[first : first + len(begins)] for column in mine)
    rest = file.select(schema.MESSAGE_ID[2:]).collect()
    row = rows.among(begins, ours, (*_numbers(keys), *_numbers(rest)))
    here = np.flatnonzero(row >= 0)
    return (here + first, file.select(*_RULES).collect()[row[here]]) if len(here) else nothing


def _meeting(mine: Numbers, keys: pl.DataFrame) -> tuple[int, np.ndarray]:
    """Where among ``keys`` the buyer and the second of rows of ``mine`` begin, as rows.meeting says it, for all that
    may be there; and which the first of those rows is.
    """
    from cslog.scan import rows

    buyer, second = _numbers(keys)
    first, last = np.searchsorted(mine[0], buyer[0]), np.searchsorted(mine[0], buyer[-1], side="right")
    return int(first), rows.meeting(mine[0][first:last], mine[1][first:last], buyer, second)


def _smaller(name: str) -> pl.Expr:
    known = pl.col(f"{name}_known")
    return pl.col(name).is_not_null() & (known.is_null() | (pl.col(name) < known))


def _greater(name: str) -> pl.Expr:
    return pl.col(name) > pl.col(f"{name}_known")


def _integers(batch: Coded, names: tuple[str, ...]) -> Numbers:
    return tuple(batch[name].astype(np.int64, copy=False) for name in names)


def _numbers(frame: pl.DataFrame) -> Numbers:
    return tuple(column.cast(pl.Int64).to_numpy() for column in frame.iter_columns())
