"""Which row of the report a fact counts in, as one number: rows are found by integers and named at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from cslog import clock
from cslog.kernels import sums
from cslog.names import Names
from cslog.split import Split

_STAFF = ("agent", "team", "shift")
_DATES: dict[str, Callable[[int], int | str]] = {
    "day": int,
    "week": clock.week_label,
    "month": clock.month_label,
}
"""What a day is called by each of these."""


@dataclass(frozen=True, eq=False)
class RowKeys:
    """Numbers of the rows of ``split``, built of the codes of shop, agent, team, date, hour and shift in that order.

    Facts outside the period, and in rows by agent those of nobody, have -1.
    """

    split: Split
    names: Names

    def without_staff(self) -> RowKeys:
        """Keys of the same rows without who did it, for what the shop as a whole was paid."""
        return self._only(lambda name: name not in _STAFF)

    def without_time(self) -> RowKeys:
        """Keys of the same rows without when it was."""
        return self._only(lambda name: name in _STAFF)

    def _only(self, kept: Callable[[str], bool]) -> RowKeys:
        dimensions = tuple(name for name in self.split.dimensions if kept(name))
        return replace(self, split=replace(self.split, dimensions=dimensions))

    def of_days(
        self, shop: np.ndarray, agent: np.ndarray, day: np.ndarray, agents: frozenset[str] | None = None
    ) -> np.ndarray:
        """Keys by shop, agent and day, still without hour and shift; ``agents`` leaves all others out."""
        return sums.row_keys(
            shop,
            agent,
            day,
            self.agent_wanted(agents),
            self._team_of,
            self._label_of_day,
            self.split.period.first_day,
            len(self.names.accounts),
            len(self._teams),
            len(self._labels),
            self.split.by_agent,
            self.split.by_team,
        )

    def agent_wanted(self, agents: frozenset[str] | None) -> np.ndarray:
        """1 per account code (the last: nobody) that is one of ``agents`` and may have a row; int8."""
        if agents is None:
            wanted = np.ones(len(self.names.accounts) + 1, np.int8)
        else:
            wanted = np.zeros(len(self.names.accounts) + 1, np.int8)
            listed = self.names.codes_of(pl.Series(sorted(agents), dtype=pl.String))
            wanted[listed[listed >= 0]] = 1
        if self.split.by_agent:
            wanted[-1] = 0
        return wanted

    def at(
        self, keys: np.ndarray, shop: np.ndarray, agent: np.ndarray | None, instant: np.ndarray
    ) -> np.ndarray:
        """``keys`` of ``of_days`` with hour and shift of the instants; without ``agent`` the shop's shifts count."""
        known = keys >= 0
        if self.by_hour:
            keys = np.where(known, keys * 24 + instant // clock.HOUR_SECONDS % 24, -1)
        if self.split.by_shift:
            keys = np.where(known, keys * (len(self._shifts) + 1) + self._shift(shop, agent, instant) + 1, -1)
        return keys

    def frame(self, keys: np.ndarray) -> pl.DataFrame:
        """The key columns of ``split`` (Split.keys) by what the rows are called."""
        columns: dict[str, pl.Series] = {}
        rest = keys
        if self.split.by_shift:
            rest, code = np.divmod(rest, len(self._shifts) + 1)
            columns["by_shift"] = _named(self._shifts, code - 1)
        if self.by_hour:
            rest, hour = np.divmod(rest, 24)
            columns["by_hour"] = pl.Series(hour, dtype=pl.Int64)
        rest, label = np.divmod(rest, len(self._labels))
        for position, name in enumerate(self._dates):
            columns[f"by_{name}"] = pl.Series([of_day[position] for of_day in self._labels])[label]
        if self.split.by_team:
            rest, code = np.divmod(rest, len(self._teams) + 1)
            columns["by_team"] = _named(self._teams, code - 1)
        if self.split.by_agent:
            rest, code = np.divmod(rest, len(self.names.accounts) + 1)
            columns["by_agent"] = self.names.agents(code - 1)
        columns["by_shop"] = self.names.shop_names(rest)
        return pl.DataFrame({name: columns[name].rename(name) for name in self.split.keys})

    @property
    def by_hour(self) -> bool:
        """Whether rows are split by the hour of the day."""
        return "hour" in self.split.dimensions

    @property
    def by_moment(self) -> bool:
        """Whether the day of a fact does not tell its row, since rows are split by hour or shift."""
        return self.by_hour or self.split.by_shift

    @property
    def _dates(self) -> list[str]:
        """By which of day, week and month the rows are split."""
        return [name for name in self.split.dimensions if name in _DATES]

    @cached_property
    def _of_days(self) -> list[tuple[int | str, ...]]:
        """What each day of the period is called by ``_dates``."""
        return [tuple(_DATES[name](day) for name in self._dates) for day in self.split.period.days]

    @cached_property
    def _labels(self) -> list[tuple[int | str, ...]]:
        """The same, each once."""
        return list(dict.fromkeys(self._of_days))

    @cached_property
    def _label_of_day(self) -> np.ndarray:
        number_of = {label: number for number, label in enumerate(self._labels)}
        return np.array([number_of[label] for label in self._of_days], np.int64)

    @cached_property
    def _teams(self) -> pl.Series:
        if self.split.teams is None or not self.split.by_team:
            return pl.Series(dtype=pl.String)
        return self.split.teams["team"].unique().sort()

    @cached_property
    def _team_of(self) -> np.ndarray:
        """Team code by shop and agent, -1 for none; int32, flat."""
        shops, accounts = len(self.names.shops), len(self.names.accounts)
        if self.split.teams is None or not self.split.by_team:
            return np.zeros(0, np.int32)
        found = np.full((shops, accounts), -1, np.int32)
        teams = self.split.teams
        shop, agent = self.names.shop_codes(teams["shop"]), self.names.codes_of(teams["agent"])
        number = {name: code for code, name in enumerate(self._teams)}
        code = np.array([number[name] for name in teams["team"]], np.int32)
        known = (shop >= 0) & (agent >= 0)
        found[shop[known], agent[known]] = code[known]
        return found.ravel()

    def team_of(self, shop: np.ndarray, agent: np.ndarray) -> np.ndarray:
        """Team codes of shops' agents, -1 for none; int32."""
        if not self.split.by_team:
            return np.full(shop.size, -1, np.int32)
        return np.where(
            agent >= 0, self._team_of[shop * len(self.names.accounts) + agent], np.int32(-1)
        ).astype(np.int32)

    @cached_property
    def _shifts(self) -> pl.Series:
        if self.split.shifts is None or self.split.shop_shifts is None:
            return pl.Series(dtype=pl.String)
        return pl.concat([self.split.shifts["shift"], self.split.shop_shifts["shift"]]).unique().sort()

    def _shift(self, shop: np.ndarray, agent: np.ndarray | None, instant: np.ndarray) -> np.ndarray:
        from cslog import roster

        assert self.split.shifts is not None and self.split.shop_shifts is not None
        rows = pl.DataFrame({"shop": self.names.shop_names(shop), "at": pl.Series(instant, dtype=pl.Int64)})
        labels = self.split.shop_shifts
        if agent is not None:
            rows, labels = rows.with_columns(agent=self.names.agents(agent)), self.split.shifts
        found = roster.shift_at(rows, "at", labels)
        codes = pl.int_range(len(self._shifts), dtype=pl.Int64, eager=True)
        if not len(self._shifts):
            return np.full(instant.size, -1, np.int64)
        return (
            found.replace_strict(self._shifts, codes, default=-1, return_dtype=pl.Int64)
            .fill_null(-1)
            .to_numpy()
        )


def _named(names: pl.Series, codes: np.ndarray) -> pl.Series:
    positions = pl.Series(codes, dtype=pl.Int64)
    if not len(names):
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(positions))
    return names.gather(positions.set(positions < 0, None))
