"""Time on duty as the kernels take it (cslog.kernels.duty)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from cslog.facts.arrays import array
from cslog.facts.circumstances import Duty
from cslog.names import Names


@dataclass(frozen=True)
class DutyArrays:
    """Roster numbers by shop and account code (-1: the wall clock), and the ranges of each roster."""

    number: np.ndarray
    ranges: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def rostered(cls, duty: Duty | None, names: Names) -> DutyArrays:
        """Rostered time; without ``duty`` everybody keeps the wall clock."""
        return cls._of(duty, duty.rostered if duty else None, names)

    @classmethod
    def worked(cls, duty: Duty | None, names: Names) -> DutyArrays:
        """Rostered time with its extensions."""
        return cls._of(duty, duty.worked if duty else None, names)

    @classmethod
    def _of(cls, duty: Duty | None, ranges: pl.DataFrame | None, names: Names) -> DutyArrays:
        number = np.full((len(names.shops), len(names.accounts)), -1, np.int32)
        if duty is None or ranges is None:
            nothing = np.zeros(0, np.int64)
            return cls(number, (np.zeros(1, np.int64), nothing, nothing, nothing))
        listed = duty.agents.sort("shop", "agent").with_row_index("roster")
        shop, agent = names.shop_codes(listed["shop"]), names.codes_of(listed["agent"])
        known = (shop >= 0) & (agent >= 0)
        number[shop[known], agent[known]] = listed["roster"].to_numpy()[known]
        joined = ranges.join(listed, on=["shop", "agent"]).sort("roster", "begin")
        begin, end = array(joined, "begin", np.int64), array(joined, "end", np.int64)
        starts = np.searchsorted(joined["roster"].to_numpy(), np.arange(listed.height + 1)).astype(np.int64)
        passed = np.concatenate([[0], np.cumsum(end - begin)])
        before = passed[:-1] - np.repeat(passed[starts[:-1]], np.diff(starts))
        return cls(number, (starts, begin, end, before.astype(np.int64)))

    def of(self, shop: np.ndarray, agent: np.ndarray) -> np.ndarray:
        """Roster numbers of shops' agents; -1 for nobody and for whom no roster names; int32."""
        if not self.ranges[1].size and self.ranges[0].size == 1:
            return np.full(shop.size, -1, np.int32)
        return np.where(agent >= 0, self.number[shop, agent], np.int32(-1)).astype(np.int32)

    def elapsed(self, number: np.ndarray, instant: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
        """Seconds on duty until the instants, per roster number; the wall second itself for number -1.

        ``times``: how many of the instants, one after another, each number is for; else one each.
        """
        if not self.ranges[1].size and self.ranges[0].size == 1:
            return instant  # no roster at all: spare a copy of every instant
        from cslog.kernels import duty

        return duty.elapsed(number if times is None else np.repeat(number, times), instant, self.ranges)
