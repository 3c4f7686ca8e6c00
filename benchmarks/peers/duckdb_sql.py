"""The month's figures by one SQL script in DuckDB: ``python -m benchmarks.peers.duckdb_sql STORE MONTH OUT``."""

from __future__ import annotations

from pathlib import Path

import duckdb

from benchmarks.peers.inputs import FIGURES, Inputs, parsed

SCRIPT = Path(__file__).with_name("kpi.sql")


def run(given: Inputs) -> None:
    """Run kpi.sql and write the figures of its sums."""
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false")
    for name in ("messages", "later", "newest", "orders"):
        files = "[" + ", ".join(f"'{path}'" for path in getattr(given, name)) + "]::VARCHAR[]"
        connection.execute(f"SET VARIABLE {'files' if name == 'messages' else name} = {files}")
    for name in ("first_day", "last_day", "low", "high"):
        connection.execute(f"SET VARIABLE {name} = {getattr(given, name)}::BIGINT")
    connection.execute(SCRIPT.read_text(encoding="utf-8"))
    connection.execute(f"COPY ({FIGURES.read_text(encoding='utf-8')}) TO '{given.out}' (FORMAT parquet)")


if __name__ == "__main__":
    run(parsed((__doc__ or "").splitlines()[0])[0])
