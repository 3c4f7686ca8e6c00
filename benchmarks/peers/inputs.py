"""What every peer is told: the files of the store's newest version, the seconds of the month, and where to write.

A peer is a program of somebody who likes his own tool better: it lists the Parquet files with deltalake and reads
them as they lie. Nothing here or in the peers imports cslog.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

DAY = 86_400

# Profile chitu, clock wall, attribution order_first, lookup asof (kpi-spec 6); all in seconds or days.
MAX_WAIT = 600
SLOW_S, SLOW_TIMES, LONG_S = 120, 3, 3600
LOOKBACK_S = 172_800
AFTER_SALE_DAYS, ORDER_DAYS, UNPAID_DAYS = 21, 2, 3
NIGHT_BEGIN, NIGHT_END, NIGHT_DUE = 82_800, 32_400, 34_200
LEVELS = (6, 30, 60, 180)

# What is read beyond the month (kpi-spec T3): yesterday's chats, answers after midnight, and around the orders.
BEFORE_DAYS, AFTER_DAYS, SETTLED_DAYS = 3, 2, 3

FIGURES = Path(__file__).with_name("figures.sql")
"""From sums to figures in SQL, of DuckDB and ClickHouse alike; ``finishing`` does it for the others."""

NOBODY = 0
"""Key of an account that is not there: messages have integer keys of shop and agents beside the names."""


@dataclass(frozen=True)
class Inputs:
    """The question and its files. ``low`` and ``high`` bound the messages that are read of everybody (inclusive);
    ``orders`` are all; ``later`` the messages of all months after those of ``messages``.
    """

    messages: list[str]
    later: list[str]
    newest: list[str]
    orders: list[str]
    first_day: int
    last_day: int
    out: Path

    @property
    def begin(self) -> int:
        """First second of the month."""
        return self.first_day * DAY

    @property
    def end(self) -> int:
        """First second after the month."""
        return (self.last_day + 1) * DAY

    @property
    def low(self) -> int:
        """First second that is read."""
        return self.begin - BEFORE_DAYS * DAY

    @property
    def high(self) -> int:
        """Last second that is read."""
        return self.end + AFTER_DAYS * DAY


def inputs(store: Path, month: str, out: Path) -> Inputs:
    """Files and bounds for one month of a store."""
    first = date.fromisoformat(f"{month}-01")
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    messages, orders = DeltaTable(str(store / "messages")), DeltaTable(str(store / "orders"))
    months = sorted({partition["month"] for partition in messages.partitions()})
    before, after = _label(first - timedelta(days=1)), _label(last + timedelta(days=1))
    near = [label for label in months if before <= label <= after]

    def files(wanted: list[str]) -> list[str]:
        return messages.file_uris(file_pruning_predicate=[("month", "in", wanted)]) if wanted else []

    return Inputs(
        messages=files(near),
        later=files([label for label in months if label > after]),
        newest=files(months[-1:]),
        orders=orders.file_uris() or [_no_rows(orders, out.with_suffix(".none"))],
        first_day=(first - date(1970, 1, 1)).days,
        last_day=(last - date(1970, 1, 1)).days,
        out=out,
    )


def _no_rows(table: DeltaTable, file: Path) -> str:
    """A file without rows, for a table without files: the engines read no list of nothing."""
    pq.write_table(pa.schema(table.schema().to_arrow()).empty_table(), file)
    return str(file)


def _label(day: date) -> str:
    return f"{day:%Y-%m}"


def parsed(description: str, *options: str) -> tuple[Inputs, set[str]]:
    """The command line of a peer: STORE MONTH OUT and flags."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("store", type=Path)
    parser.add_argument("month")
    parser.add_argument("out", type=Path, help="Parquet file, one row per shop and agent")
    for option in options:
        parser.add_argument(f"--{option}", action="store_true")
    chosen = parser.parse_args()
    return inputs(chosen.store, chosen.month, chosen.out), {o for o in options if getattr(chosen, o)}
