"""What an ingest does not take: rows of forgotten buyers, and what is older than the store keeps. Counted in its
report, never left out silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from cslog import mentions, schema
from cslog.coded import Coded
from cslog.refused import Refused


class FileReport(Protocol):
    """What is said of a file (ingest.FileReport)."""

    path: str
    messages_forgotten: int
    orders_forgotten: int
    messages_expired: int
    orders_expired: int
    warnings: list[str]


class ReadFile(Protocol):
    """A file as it was read (ingest._File): messages, and frames of schema.ORDERS and STORED_REJECTS."""

    @property
    def report(self) -> FileReport:
        """What is said of it."""
        ...

    known_as: str
    messages: list[Coded]
    orders: list[pl.DataFrame]
    rejects: list[pl.DataFrame]


@dataclass(frozen=True)
class Gate:
    """``refused``: what must not come back; None: everything may."""

    refused: Refused | None = None

    def filter(self, file: ReadFile) -> None:
        """Take out of ``file`` what must not come back, and say how much in its report."""
        if self.refused is None:
            return
        self._expire(file, self.refused)
        if not self.refused.buyers:
            return
        nicks: set[str] = set()
        before = sum(map(len, file.messages)), _rows(file.orders)
        file.messages = [
            Coded.of(self._later(messages.frame(), "sent_at", nicks)) if self._meets(messages) else messages
            for messages in file.messages
        ]
        file.orders = [self._orders(self._later(frame, "created_at", nicks), nicks) for frame in file.orders]
        file.report.messages_forgotten = before[0] - sum(map(len, file.messages))
        file.report.orders_forgotten = before[1] - _rows(file.orders)
        if nicks:
            self._silence(file, nicks)

    @staticmethod
    def _expire(file: ReadFile, refused: Refused) -> None:
        """Leave out what is older than the store keeps."""
        first, texts = refused.messages_from, refused.texts_from
        silenced = 0
        for number, messages in enumerate(file.messages):
            sent_at = messages["sent_at"]
            late = sent_at >= (first or 0)
            if not late.all():
                file.report.messages_expired += int((~late).sum())
                messages = Coded.of(messages.frame().filter(pl.Series(late)))
                sent_at = sent_at[late]
            old = sent_at < (texts or 0)
            if old.any():
                frame = messages.frame()
                silenced += int((pl.Series(old) & frame["text"].is_not_null()).sum())
                messages = Coded.of(frame.with_columns(text=pl.when(~pl.Series(old)).then("text")))
            file.messages[number] = messages
        if silenced:
            file.report.warnings.append(
                f"{silenced} texts are older than the store keeps them (保存期限) and were left out"
            )
        if refused.orders_from is not None:
            before = _rows(file.orders)
            last = pl.max_horizontal("created_at", "paid_at", "shipped_at")
            file.orders = [frame.filter(last >= refused.orders_from) for frame in file.orders]
            file.report.orders_expired = before - _rows(file.orders)

    def _meets(self, messages: Coded) -> bool:
        """Whether any of the messages is with a forgotten buyer."""
        assert self.refused is not None
        pairs = np.unique(np.stack([messages["shop"], messages["buyer"]]), axis=1)
        return any(
            self.refused.forgotten_at(messages.names[int(shop)], messages.names[int(buyer)])
            for shop, buyer in pairs.T
        )

    def _later(self, frame: pl.DataFrame, at: str, nicks: set[str]) -> pl.DataFrame:
        """Rows of buyers who were never forgotten, and of others since then; adds to ``nicks`` whose are missing."""
        assert self.refused is not None
        people = frame.select("shop", "buyer").unique()
        forgotten = [self.refused.forgotten_at(*row) for row in people.iter_rows()]
        if not any(forgotten):
            return frame
        until = people.with_columns(until=pl.Series(forgotten, dtype=pl.Int64))
        marked = frame.join(until, on=["shop", "buyer"], how="left", maintain_order="left")
        stays = (pl.col(at) >= pl.col("until")).fill_null(True)
        nicks |= set(marked.filter(~stays)["buyer"])
        return marked.filter(stays).drop("until")

    def _orders(self, frame: pl.DataFrame, nicks: set[str]) -> pl.DataFrame:
        """Orders without further versions of forgotten ones, which may name nobody."""
        assert self.refused is not None
        digest = self.refused.order
        known = [digest(*row) in self.refused.orders for row in frame.select(schema.ORDER_ID).iter_rows()]
        if not any(known):
            return frame
        theirs = pl.Series(known, dtype=pl.Boolean)
        nicks |= set(frame.filter(theirs)["buyer"])
        return frame.filter(~theirs)

    def _silence(self, file: ReadFile, nicks: set[str]) -> None:
        """Take the texts of lines that may be theirs, and ``nicks`` where others mention them."""
        messages = [coded.frame() for coded in file.messages]
        names = {
            name
            for frame in (*messages, *file.orders)
            for column in ("shop", "agent", "exporter")
            if column in frame.columns
            for name in frame[column].unique().drop_nulls()
        }
        telling = mentions.telling(nicks, names)
        file.known_as = mentions.cleaned(file.report.path, telling)

        def without(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
            return frame.with_columns(mentions.without(pl.col(name), telling) for name in columns)

        file.messages = [Coded.of(without(frame, "text", "source_file")) for frame in messages]
        file.orders = [without(frame, "memo", "flag", "close_reason", "source_file") for frame in file.orders]
        file.rejects = [
            without(frame, "source_file").with_columns(text=pl.lit(None, pl.String)) for frame in file.rejects
        ]


def _rows(frames: list[pl.DataFrame]) -> int:
    return sum(frame.height for frame in frames)
