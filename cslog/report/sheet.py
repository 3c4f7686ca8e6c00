"""What every renderer takes: a table with a meaning per column, and what must be said beside it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import polars as pl

from cslog import clock

Language = Literal["en", "zh"]

INSTANTS = ("instant", "second")
"""Units of wall seconds; people see the first to the minute, the second to the second."""


@dataclass(frozen=True)
class Column:
    """One column. ``unit`` decides how a value is shown; ``key`` is its name in the data."""

    key: str
    zh: str
    unit: str = ""
    short: str = ""  # English title where the key's words are too long for a terminal

    def heading(self, language: Language) -> str:
        """The name for files: the Chinese one, or the key."""
        return self.zh if language == "zh" and self.zh else self.key

    def title(self, language: Language) -> str:
        """The name for people: the Chinese one, or the key in words."""
        return self.heading(language) if language == "zh" else self.short or self.key.replace("_", " ")


@dataclass(frozen=True)
class Sheet:
    """A table to be shown.

    ``rows`` holds the columns by key: money as Int64 cents (unit CNY), instants as wall seconds (units
    instant and second). ``shown`` are the keys a terminal shows by default. ``stamp``: lines of (name, value) that
    say what the rows were computed from. ``document``: the JSON object, rows included.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: pl.DataFrame
    document: dict[str, Any]
    shown: tuple[str, ...] = ()
    stamp: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    hides_empty: bool = False  # a terminal names rows without any figure below the table
    zh: str = ""  # the Chinese name of the page in a workbook

    def page(self, language: Language) -> str:
        """The name of the page in a workbook."""
        return self.zh if language == "zh" and self.zh else self.name

    def visible(self) -> tuple[Column, ...]:
        """The columns that a terminal shows."""
        return tuple(column for column in self.columns if not self.shown or column.key in self.shown)


def plain_value(value: Any, unit: str) -> Any:
    """The value for machines: money as Decimal yuan, an instant as ISO text with its offset."""
    if value is None:
        return None
    if unit == "CNY":
        return Decimal(value).scaleb(-2).quantize(Decimal("0.01"))
    if unit in INSTANTS:
        return clock.iso(value)
    return value


def moment(value: int) -> datetime.datetime:
    """An instant as spreadsheets want it: naive Shanghai wall time."""
    return clock.moment_of(value)


def shown_text(value: Any, unit: str) -> str:
    """The value for people; ``–`` where it is undefined."""
    if value is None:
        return "–"
    if unit == "CNY":
        return f"{plain_value(value, unit):,.2f}"
    if unit == "fraction":
        return f"{value:.1%}"
    if unit == "instant":
        return f"{clock.moment_of(value):%m-%d %H:%M}"
    if unit == "second":
        return f"{clock.moment_of(value):%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:,.2f}" if unit == "ratio" else f"{value:,.1f}"
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, int):
        return f"{value:,}" if unit else str(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)


def shown_rows(sheet: Sheet, columns: Sequence[Column]) -> list[list[str]]:
    """Every row as texts for people; ``…`` where a figure is not final yet (its key is in ``immature``)."""
    rows = []
    for row in sheet.rows.iter_rows(named=True):
        waiting = row.get("immature") or ()
        rows.append(
            ["…" if c.key in waiting else shown_text(row[c.key], c.unit) for c in columns],
        )
    return rows


def records(sheet: Sheet) -> list[dict[str, Any]]:
    """Rows as plain values, for JSON."""
    units = {column.key: column.unit for column in sheet.columns}
    return [
        {name: plain_value(value, units.get(name, "")) for name, value in row.items()}
        for row in sheet.rows.iter_rows(named=True)
    ]
