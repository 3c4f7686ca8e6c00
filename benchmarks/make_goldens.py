"""Goldens of sample_logs: what each file means, as canonical rows, one JSON object a line.

``python benchmarks/make_goldens.py`` writes those that are missing; ``--overwrite`` replaces all, after the
differences were looked at (`git diff sample_logs`). tests/test_goldens.py compares.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

if __package__ in (None, ""):  # run as a script: make the folder above importable
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from cslog import clock, identity
from cslog.inputs import files_below
from cslog.readers import registry
from cslog.readers.base import Options
from cslog.readers.head import Head
from cslog.schema import Kind, MessageClass, OrderState

SAMPLES = Path(__file__).resolve().parents[1] / "sample_logs"
MESSAGE = (
    "source_line", "sent_at", "buyer", "sender", "message_class", "rule", "kind", "agent", "exporter",
    "transfer_from", "transfer_to", "characters", "rank", "occurrence", "text",
)  # fmt: skip
ORDER = (
    "source_line", "order_id", "shop", "buyer", "joinable", "created_at", "paid_at", "shipped_at", "state",
    "amount_cents", "post_fee_cents", "refund_cents", "items", "memo", "flag", "close_reason",
)  # fmt: skip


def golden_of(file: Path) -> Path:
    """Where the golden of a sample lies."""
    return file.with_name(f"{file.name}.golden.jsonl")


def rows_of(file: Path) -> str:
    """The canonical rows of a sample as JSON lines: instants and codes in words, in file order."""
    head = Head(file.name, file.read_bytes())
    batch = registry.identify(head, registry.all_readers()).read(head, Options()).validated(file.name)
    accounts = identity.Accounts()
    frames: list[pl.DataFrame] = []
    if batch.messages is not None:
        messages, misplaced = identity.canonical_messages(batch, accounts, file.name)
        if misplaced.height:
            raise ValueError(f"{file.name}: {misplaced.height} lines without a place")
        frames.append(messages.select(MESSAGE))
    if batch.orders is not None:
        frames.append(identity.canonical_orders(batch, accounts, file.name).select(ORDER))
    words = {"message_class": MessageClass, "kind": Kind, "state": OrderState}
    lines = []
    for frame in frames:
        for row in frame.sort("source_line", maintain_order=True).iter_rows(named=True):
            shown = {
                name: words[name](value).name.lower()
                if name in words
                else clock.iso(value)
                if name.endswith("_at") and value is not None
                else value
                for name, value in row.items()
            }
            lines.append(json.dumps(shown, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the goldens that are missing, or with --overwrite all of them."""
    for file in files_below([str(SAMPLES)]):
        golden = golden_of(file)
        if golden.exists() and "--overwrite" not in sys.argv:
            sys.stdout.write(f"{golden.name} exists; --overwrite replaces it\n")
            continue
        golden.write_bytes(rows_of(file).encode())


if __name__ == "__main__":
    main()
