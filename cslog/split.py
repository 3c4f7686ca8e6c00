"""The rows of a report: which dimensions they are split by, and to which of them a fact belongs."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cslog import clock
from cslog.clock import Period

DIMENSIONS = ("shop", "agent", "day", "hour", "week", "month")
"""What a report can be split by; the shop always is."""


@dataclass(frozen=True)
class Split:
    """The rows of a report: the dimensions beside the shop, in order, over the days of a period."""

    dimensions: tuple[str, ...]
    period: Period
    day_cut_s: int

    @property
    def by_agent(self) -> bool:
        """Whether rows are split by agent; only then are people counted once per agent."""
        return "agent" in self.dimensions

    @property
    def keys(self) -> list[str]:
        """Grouping columns, named ``by_shop``, ``by_agent`` …"""
        return ["by_shop", *(f"by_{name}" for name in self.dimensions)]

    @property
    def time_keys(self) -> list[str]:
        """Grouping columns without the agent."""
        return [key for key in self.keys if key != "by_agent"]

    def keyed(self, frame: pl.DataFrame, day: pl.Expr, at: pl.Expr) -> pl.DataFrame:
        """``frame`` with the key columns; rows outside the period, or of no agent when split by agent, left out."""
        frame = frame.with_columns(by_shop=pl.col("shop"), _day=day).filter(
            pl.col("_day").is_between(self.period.first_day, self.period.last_day)
        )
        columns: dict[str, pl.Expr] = {}
        for name in self.dimensions:
            if name == "agent":
                columns["by_agent"] = pl.col("agent") if "agent" in frame.columns else pl.lit(None, pl.String)
            elif name == "day":
                columns["by_day"] = pl.col("_day")
            elif name == "hour":
                columns["by_hour"] = at.floordiv(clock.HOUR_SECONDS) % 24
            else:
                label = clock.week_label if name == "week" else clock.month_label
                columns[f"by_{name}"] = pl.col("_day").replace_strict(
                    list(self.period.days), [label(d) for d in self.period.days], return_dtype=pl.String
                )
        return frame.with_columns(**columns)

    def business_day(self, at: str) -> pl.Expr:
        """The business day of an instant column (kpi-spec T2)."""
        return (pl.col(at) - self.day_cut_s).floordiv(clock.DAY_SECONDS)
