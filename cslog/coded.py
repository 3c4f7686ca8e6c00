"""Messages with numbers for their names, on the way from a file into the store.

Rows are compared, put in order and chosen as integers; names become strings once, when rows are written.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cslog import keys, schema

if TYPE_CHECKING:
    import pyarrow as pa

NAMES = tuple(name for name, dtype in schema.MESSAGES.items() if dtype == pl.String() and name != "text")
"""Columns of schema.MESSAGES that are numbers here."""
NOBODY = 0
"""Number of a missing name."""


@dataclass(frozen=True)
class Coded:
    """Messages. ``columns``: an array per column of schema.MESSAGES except ``text``, for those of NAMES with
    numbers of ``names`` (int32), whose first is null. ``rows``: which rows in which order, if not all as they stand.
    """

    names: pl.Series
    columns: dict[str, np.ndarray]
    text: pl.Series
    rows: np.ndarray | None = None

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Coded:
        """The messages of a frame (schema.MESSAGES)."""
        names, columns = Names(), {}
        for name in schema.MESSAGES:
            if name in NAMES:
                numbers, found = distinct(frame[name])
                columns[name] = names.numbers(found)[numbers]
            elif name != "text":
                columns[name] = frame[name].to_numpy()
        return concat([cls(names.all(), columns, frame["text"])])

    def __len__(self) -> int:
        return len(self.text) if self.rows is None else len(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        """A column other than ``text``, of the chosen rows."""
        column = self.columns[name]
        return column if self.rows is None else column.take(self.rows)

    def only(self, rows: np.ndarray) -> Coded:
        """The messages with these numbers among the chosen ones, in that order."""
        return replace(self, rows=rows if self.rows is None else self.rows.take(rows))

    def without_text(self) -> Coded:
        """The same messages without what was said."""
        return replace(self, text=pl.Series([None], dtype=pl.String).new_from_index(0, len(self.text)))

    def frame(self, columns: Sequence[str] = tuple(schema.MESSAGES)) -> pl.DataFrame:
        """The messages as ``columns`` of schema.MESSAGES."""
        found = {}
        for name in columns:
            if name == "text":
                found[name] = self.text if self.rows is None else self.text[self.rows]
            elif name in NAMES:
                found[name] = self.names[self[name].view(np.uint32)]
            else:
                found[name] = pl.Series(self[name], dtype=schema.MESSAGES[name])
        return pl.DataFrame(found)

    def occurring(self, column: str) -> list[str]:
        """The names in a column of NAMES, each once."""
        numbers = np.flatnonzero(np.bincount(self[column], minlength=1))
        return self.names[numbers[numbers != NOBODY]].to_list()

    def stored(self, rows_per_group: int) -> pa.Table:
        """The messages as the store keeps them: schema.MESSAGES and the keys of their accounts. Names are written as
        they are here, by number, with a dictionary for each group of rows.
        """
        import pyarrow as pa

        from cslog.scan.rows import renumbered

        rows = np.arange(len(self)) if self.rows is None else self.rows
        groups = [rows[at : at + rows_per_group] for at in range(0, len(rows), rows_per_group)]
        key_columns = {name: key for key, name in keys.ACCOUNT_KEYS.items()}
        places = np.full(len(self.names), -1, np.int32)
        found: dict[str, Any] = {}
        for name in schema.MESSAGES:
            if name in NAMES:
                numbered = [renumbered(self.columns[name], group, places) for group in groups]
                named = [(numbers, self.names[used]) for numbers, used in numbered]
                found[name] = pa.chunked_array([_dictionary(*of_group) for of_group in named])
                if name in key_columns:
                    key_of = [np.append(keys.hashes(used).to_numpy(), keys.NOBODY) for _, used in named]
                    of_rows = [key.take(numbers) for key, (numbers, _) in zip(key_of, named, strict=True)]
                    found[key_columns[name]] = np.concatenate(
                        of_rows
                    )  # nobody has number -1, and the last key
            elif name == "text":
                found[name] = self.text[rows].to_arrow(compat_level=pl.CompatLevel.newest())
            else:
                found[name] = pa.array(self[name])
        return pa.table(found)


class Names:
    """The names of a file, each once, with numbers in the order in which they are met; the first is null."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str | None, int] = defaultdict(itertools.count(NOBODY).__next__)
        self.number(None)

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, name: str | None) -> int:
        """The number of ``name``, which gets one if it has none."""
        return self._numbers[name]

    def numbers(self, names: Iterable[str | None]) -> np.ndarray:
        """The numbers of ``names`` (int32), and NOBODY at the end, where -1 finds it."""
        return np.array([*map(self._numbers.__getitem__, names), NOBODY], np.int32)

    def all(self) -> pl.Series:
        """All names."""
        return pl.Series(list(self._numbers), dtype=pl.String)


def concat(parts: Sequence[Coded]) -> Coded:
    """All messages of ``parts``, of which none is a choice of rows, with one number for each name."""
    from cslog.scan import rows

    numbers, names = distinct(pl.concat([part.names for part in parts], rechunk=True))
    number_of = np.split(numbers, np.cumsum([len(part.names) for part in parts])[:-1])
    ends = np.cumsum([len(part.text) for part in parts])
    columns = {}
    for name in schema.MESSAGES:
        if name == "text":
            continue
        column = np.empty(ends[-1], parts[0].columns[name].dtype)
        for part, number, end in zip(parts, number_of, ends, strict=True):
            here, found = column[end - len(part.text) : end], part.columns[name]
            if name in NAMES:
                rows.translate(found, number, here)
            else:
                here[:] = found
        columns[name] = column
    return Coded(names, columns, pl.concat([part.text for part in parts], rechunk=True))


def distinct(strings: pl.Series) -> tuple[np.ndarray, pl.Series]:
    """A number per row (int32), equal for equal strings, and the strings numbered."""
    from cslog.scan import columns, hashing, rows

    hashes = hashing.xxh3(columns.rows_of(strings))
    if strings.null_count():
        hashes = np.where(strings.is_null().to_numpy(), keys.NOBODY, hashes)
    numbers, first = rows.distinct(hashes)
    return numbers, strings[first]


def _dictionary(numbers: np.ndarray, names: pl.Series) -> pa.DictionaryArray:
    """The names with these numbers, null for -1."""
    import pyarrow as pa

    absent = numbers < 0
    mask = absent if absent.any() else None
    return pa.DictionaryArray.from_arrays(pa.array(numbers, mask=mask), names.to_arrow().cast(pa.string()))
