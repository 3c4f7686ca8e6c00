"""What every list is asked for, and what it finds its rows in: plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from cslog.answer import Question
from cslog.clock import DAY_SECONDS
from cslog.compute import Task
from cslog.config import Config
from cslog.facts import Facts
from cslog.profile import Profile
from cslog.snapshot import Snapshot
from cslog.store import Store


@dataclass(frozen=True)
class Request:
    """A question with the choices of single lists. ``question.as_of`` is the instant as of which they look."""

    question: Question
    profile: Profile
    config: Config
    night: bool = False  # silent: only orders of the profile's night
    shift: str | None = None  # silent: only orders of this shift
    limit: int = 300  # overload: buyers received a day
    after_sale_limit: int = 150  # overload: after-sale buyers a day
    minutes: int = 10  # idle: how long a buyer must have waited
    away: int = 120  # idle: minutes without any sign of life after which an agent is not online


@dataclass(frozen=True)
class Source:
    """The store that a list looks into. ``ends``: last second known per shop."""

    store: Store
    snapshot: Snapshot
    ends: dict[str, int]


@dataclass(frozen=True)
class Finder:
    """How a list is found: ``keep`` what it needs of the facts of one task, then ``finish`` the rows of all.

    ``who`` is the column that --agent chooses by.
    """

    keep: Callable[[Facts, Task, Request], pl.DataFrame]
    finish: Callable[[pl.DataFrame, Request, Source], pl.DataFrame]
    who: str | None = "agent"


def begin_of(day: pl.Expr, profile: Profile) -> pl.Expr:
    """First second of a business day."""
    return day * DAY_SECONDS + profile.day_cut_s


def dated(day: str = "day") -> pl.Expr:
    """A day number as ``YYYY-MM-DD``, as reports name days."""
    return pl.from_epoch(pl.col(day), time_unit="d").dt.strftime("%Y-%m-%d").alias(day)


def data_end(ends: dict[str, int]) -> pl.Expr:
    """Last second known of a row's shop."""
    return pl.col("shop").replace_strict(ends, default=None, return_dtype=pl.Int64)
