"""What the readers' tests look at in a Batch, and seconds of a written time."""

from __future__ import annotations

import calendar
from datetime import datetime

from cslog.readers.base import Batch


def at(written: str) -> int:
    """Wall seconds of ``2026-09-01 10:00:00``."""
    return calendar.timegm(datetime.fromisoformat(written).timetuple())


def rows(batch: Batch, *columns: str) -> list[tuple[object, ...]]:
    """Columns of the messages, row by row."""
    assert batch.messages is not None
    return batch.messages.select(columns).rows()


def column(batch: Batch, name: str) -> list[object]:
    """One column of the messages."""
    assert batch.messages is not None
    return batch.messages[name].to_list()


def rejected(batch: Batch) -> list[tuple[object, ...]]:
    """All rejects: line, reason, text."""
    assert batch.rejects is not None
    return batch.rejects.rows()


def reasons(batch: Batch) -> list[tuple[int, str]]:
    """Lines and reasons of the rejects."""
    assert batch.rejects is not None
    return list(batch.rejects.select("line", "reason").iter_rows())
