"""The month's figures by ClickHouse in this process: ``python -m benchmarks.peers.chdb_sql STORE MONTH OUT``.

What it leaves out, like the other peers, is in the first lines of kpi_clickhouse.sql.
"""

from __future__ import annotations

import os
from pathlib import Path

import chdb

from benchmarks.peers.inputs import FIGURES, Inputs, parsed

SCRIPT = Path(__file__).with_name("kpi_clickhouse.sql")

# The columns that are read. A null of the files becomes 0: nobody, never.
MESSAGES = """shop_key Int64, agent_key Int64, exporter_key Int64, transfer_from_key Int64, transfer_to_key Int64,
  buyer_key Int64, sent_at Int64, rank Int32, message_class Int8, kind Int8, characters Int32,
  shop LowCardinality(String), agent LowCardinality(String)"""
ORDERS = """platform LowCardinality(String), shop LowCardinality(String), order_id String, buyer_key Int64,
  joinable Bool, created_at Int64, paid_at Int64, state Int8, amount_cents Int64, items Int64, refund_cents Int64,
  shipped_at Int64, content_key Int64"""


def run(given: Inputs) -> None:
    """Run kpi_clickhouse.sql and write the figures of its sums."""
    connection = chdb.connect(":memory:")
    newest = [path for path in given.newest if path not in given.messages]
    for name, files, columns in (
        ("messages", given.messages, MESSAGES),
        ("later", given.later, MESSAGES),
        ("newest", newest, MESSAGES),
        ("order_versions", given.orders, ORDERS),
    ):
        connection.query(f"CREATE VIEW {name} AS SELECT * FROM {_table(files, columns)}")
    connection.query("SET enable_named_columns_in_function_tuple = 1")
    # An alias that is named like a column does not hide it, as everywhere else in SQL.
    connection.query("SET prefer_column_name_to_alias = 1")
    connection.query(f"SET max_insert_threads = {os.cpu_count()}")  # else one thread reads what fills a table
    bounds = {name: getattr(given, name) for name in ("first_day", "last_day", "low", "high")}
    connection.query(SCRIPT.read_text(encoding="utf-8"), params=bounds)
    figures = connection.query(FIGURES.read_text(encoding="utf-8"), "Parquet")
    given.out.write_bytes(figures.bytes())
    connection.close()


def _table(files: list[str], columns: str) -> str:
    """The table function that reads ``files``; braces list names, but only below a folder."""
    if not files:
        return f"null('{columns}')"
    folder = os.path.commonpath([Path(path).parent for path in files])
    names = ",".join(os.path.relpath(path, folder) for path in files)
    return f"file('{folder}/{{{names}}}', Parquet, '{columns}')"


if __name__ == "__main__":
    run(parsed((__doc__ or "").splitlines()[0])[0])
