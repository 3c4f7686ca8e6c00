"""What a report was asked for, and what came out of it: plain data between computing and showing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from cslog import __version__, clock, metrics
from cslog.clock import Period
from cslog.credit_rules import RULES
from cslog.errors import UsageError
from cslog.profile import Profile
from cslog.split import DIMENSIONS


@dataclass(frozen=True)
class Question:
    """What a report is asked for."""

    period: Period
    by: tuple[str, ...] = ("agent",)
    attribution: str = "order_first"
    shops: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()  # empty: all
    as_of: int | None = None
    version: int | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.by if name not in DIMENSIONS]
        if unknown or not self.by:
            raise UsageError(
                f"cannot report by {', '.join(unknown) or 'nothing'}",
                f"use any of: {', '.join(DIMENSIONS)}",
            )
        if self.attribution not in RULES:
            raise UsageError(f"no attribution rule {self.attribution!r}", f"use one of: {', '.join(RULES)}")
        missing = [key for key in self.metrics if key not in metrics.BY_KEY]
        if missing:
            raise UsageError(f"no metric {', '.join(missing)}", "`cslog metrics` lists them")


@dataclass(frozen=True)
class Answer:
    """Rows with everything that makes them reproducible.

    ``frame``: grouping columns (``shop``, then the others of ``by``), metrics, ``immature``. Money is in
    Int64 cents, instants are wall seconds, ``day`` is a date string.
    """

    question: Question
    by: tuple[str, ...]
    keys: tuple[str, ...]
    profile: Profile
    store_version: int
    as_of: int | None
    config_hash: str
    warnings: tuple[str, ...]
    frame: pl.DataFrame

    def stamp(self) -> dict[str, Any]:
        """The head of the JSON of the command-line contract."""
        period = self.question.period
        return {
            "period": {
                "from": str(clock.date_of(period.first_day)),
                "to": str(clock.date_of(period.last_day)),
            },
            "by": list(self.by),
            "profile": self.profile.id,
            "clock": self.profile.clock,
            "attribution": self.question.attribution,
            "lookup": self.profile.lookup,
            "store_version": self.store_version,
            "as_of": clock.iso(self.as_of) if self.as_of is not None else None,
            "cslog_version": __version__,
            "config_hash": self.config_hash,
            "warnings": list(self.warnings),
        }
