"""Is a peer's table the one that ``cslog kpi --month M --json`` prints? Cell by cell: counts, seconds and money
exactly, quotients to one part in 10^12.

    python -m benchmarks.check KPI.json PEER.parquet [PEER.parquet ...]
"""

from __future__ import annotations

import json
import math
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

INSTANTS = ("first_message_at", "last_message_at")
MONEY = ("sales_amount", "average_order_value", "average_item_price")
EPOCH = datetime(1970, 1, 1)


def cells_of_cslog(document: bytes) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of a JSON report by shop and agent; money in cents, instants in wall seconds."""
    rows = {}
    for row in json.loads(document, parse_float=Decimal)["rows"]:
        for key in MONEY:
            if row[key] is not None:
                row[key] = int(Decimal(row[key]) * 100)
        for key in INSTANTS:
            if row[key] is not None:
                moment = datetime.fromisoformat(row[key]).replace(tzinfo=None)
                row[key] = int((moment - EPOCH).total_seconds())
        rows[row["shop"], row["agent"]] = row
    return rows


def cells_of_peer(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of a peer's table by shop and agent."""
    return {(row["shop"], row["agent"]): row for row in pl.read_parquet(path).iter_rows(named=True)}


def differences(
    ours: dict[tuple[str, str], dict[str, Any]], theirs: dict[tuple[str, str], dict[str, Any]]
) -> list[str]:
    """One line per cell that differs; a figure that the peer leaves out is no difference (see ``left_out``)."""
    found = [f"{key}: only in one of the tables" for key in sorted(ours.keys() ^ theirs.keys())]
    for key in sorted(ours.keys() & theirs.keys()):
        for name, value in theirs[key].items():
            if not _equal(ours[key].get(name), value):
                found.append(f"{key} {name}: cslog {ours[key].get(name)}, peer {value}")
    return found


def _equal(ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None or isinstance(ours, str):
        return ours == theirs
    if isinstance(ours, int) and float(theirs).is_integer():
        return ours == int(theirs)
    return math.isclose(float(ours), float(theirs), rel_tol=1e-12, abs_tol=0)


def left_out(
    ours: dict[tuple[str, str], dict[str, Any]], theirs: dict[tuple[str, str], dict[str, Any]]
) -> list[str]:
    """Figures with a value somewhere that the peer does not compute."""
    computed = set(next(iter(theirs.values()), {}))
    with_value = {key for row in ours.values() for key, value in row.items() if value is not None}
    return sorted(with_value - computed - {"immature"})


def main(arguments: list[str]) -> int:
    """Compare and print; 1 when anything differs."""
    ours = cells_of_cslog(Path(arguments[0]).read_bytes())
    wrong = 0
    for path in map(Path, arguments[1:]):
        theirs = cells_of_peer(path)
        found = differences(ours, theirs)
        wrong += len(found)
        cells = sum(len(row) for row in theirs.values())
        print(
            f"{path.name}: {len(theirs)} rows, {cells} cells, {len(found)} differ; left out: {left_out(ours, theirs)}"
        )
        for line in found[:40]:
            print(f"  {line}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
