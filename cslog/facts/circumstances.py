"""What facts depend on beside messages and orders: the way of counting, the configuration, and what only all
buyers together can tell. Plain data, so that any engine can carry it.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cslog.config import Config
from cslog.names import Names
from cslog.profile import Profile


@dataclass(frozen=True, eq=False)
class Duty:
    """Who is on duty when (definitions 42): frames of the rostered and of the worked time.

    ``rostered`` and ``worked``: shop, agent, begin, end, disjoint and ascending per agent. ``agents``: shop,
    agent of all whom a roster names; the others are always on duty.
    """

    agents: pl.DataFrame
    rostered: pl.DataFrame
    worked: pl.DataFrame


@dataclass(frozen=True, eq=False)
class Circumstances:
    """``rule``: attribution. ``data_ends``: last second known per shop. ``names``: every account that may occur.
    ``duty``: None under the clocks wall and window. ``automatic``: shop, day, message_key of what statistics call
    an automatic reply (definitions 49).
    """

    profile: Profile
    rule: str
    data_ends: dict[str, int]
    config: Config
    names: Names
    duty: Duty | None = None
    automatic: pl.DataFrame | None = None
