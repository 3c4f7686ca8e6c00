"""The rows of a report: which dimensions they are split by, and to which of them a fact belongs."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cslog import clock
from cslog.clock import Period

DIMENSIONS = ("shop", "agent", "team", "shift", "day", "hour", "week", "month")
"""What a report can be split by; the shop always is."""

_STAFF = ("agent", "team", "shift")


@dataclass(frozen=True, eq=False)
class Split:
    """The rows of a report: the dimensions beside the shop, in order, over the days of a period.

    ``teams``: shop, agent, team, one row per agent. ``shifts``: shop, agent, shift, begin, end, disjoint per
    agent; ``shop_shifts`` the same without agent, for what nobody did (definitions 45, 46).
    """

    dimensions: tuple[str, ...]
    period: Period
    day_cut_s: int
    teams: pl.DataFrame | None = None
    shifts: pl.DataFrame | None = None
    shop_shifts: pl.DataFrame | None = None

    @property
    def by_agent(self) -> bool:
        """Whether rows are split by agent; only then are people counted once per agent."""
        return "agent" in self.dimensions

    @property
    def by_team(self) -> bool:
        """Whether rows are split by team."""
        return "team" in self.dimensions

    @property
    def by_shift(self) -> bool:
        """Whether rows are split by shift."""
        return "shift" in self.dimensions

    @property
    def keys(self) -> list[str]:
        """Grouping columns, named ``by_shop``, ``by_agent`` …"""
        return ["by_shop", *(f"by_{name}" for name in self.dimensions)]

    @property
    def time_keys(self) -> list[str]:
        """Grouping columns without those that say who."""
        return [key for key in self.keys if key.removeprefix("by_") not in _STAFF]

    @property
    def staff_keys(self) -> list[str]:
        """The shop and the grouping columns that say who."""
        return ["by_shop", *(key for key in self.keys if key.removeprefix("by_") in _STAFF)]

    def by_time(self, frame: pl.DataFrame, day: pl.Expr, at: pl.Expr) -> pl.DataFrame:
        """``frame`` with the key columns that say when; rows outside the period are left out."""
        frame = frame.with_columns(_day=day).filter(self.inside(pl.col("_day")))
        columns: dict[str, pl.Expr] = {}
        for name in self.dimensions:
            if name == "day":
                columns["by_day"] = pl.col("_day")
            elif name == "hour":
                columns["by_hour"] = at.floordiv(clock.HOUR_SECONDS) % 24
            elif name not in _STAFF:
                label = clock.week_label if name == "week" else clock.month_label
                columns[f"by_{name}"] = pl.col("_day").replace_strict(
                    list(self.period.days), [label(d) for d in self.period.days], return_dtype=pl.String
                )
        return frame.with_columns(**columns)

    def inside(self, day: pl.Expr) -> pl.Expr:
        """Whether a day number lies in the period."""
        return day.is_between(self.period.first_day, self.period.last_day)

    def business_day(self, at: str) -> pl.Expr:
        """The business day of an instant column (kpi-spec T2)."""
        return (pl.col(at) - self.day_cut_s).floordiv(clock.DAY_SECONDS)
