"""Frames of messages → the flat, sorted arrays that kernels run over, and agent codes back to names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from cslog.facts.circumstances import Duty
from cslog.profile import Profile
from cslog.schema import Kind, MessageClass


@dataclass(frozen=True)
class Names:
    """Agent names by code; codes ascend with the names, so that every order by code is one by name."""

    names: pl.Series

    def of(self, column: str) -> pl.Expr:
        """Names of a column of codes; null for negative ones."""
        codes = pl.col(column).cast(pl.Int64)
        return (
            pl.when(codes >= 0)
            .then(codes)
            .replace_strict(
                pl.int_range(len(self.names), eager=True), self.names, default=None, return_dtype=pl.String
            )
        )

    def code_of(self, column: str) -> pl.Expr:
        """Codes of a column of names; -1 for null."""
        codes = pl.int_range(len(self.names), dtype=pl.Int32, eager=True)
        return pl.col(column).replace_strict(self.names, codes, default=-1, return_dtype=pl.Int32)

    def to_series(self, codes: np.ndarray) -> pl.Series:
        """Names of an array of codes."""
        return pl.DataFrame({"code": codes}).select(self.of("code")).to_series()


@dataclass(frozen=True)
class People:
    """One row per buyer that wrote or ordered: position ``person``, shop, buyer_key; row offsets; shop codes."""

    frame: pl.DataFrame
    starts: np.ndarray
    shops: pl.Series
    shop_code: np.ndarray

    def columns(self, person: np.ndarray) -> dict[str, pl.Series]:
        """Shop and buyer_key of positions."""
        positions = pl.Series(person)
        return {name: self.frame[name].gather(positions) for name in ("shop", "buyer_key")}


@dataclass(frozen=True)
class DutyArrays:
    """Time on duty as the kernels take it (kernels.duty): roster numbers by shop and agent code, and ranges."""

    number: np.ndarray
    ranges: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def rostered(cls, duty: Duty | None, people: People, names: Names) -> DutyArrays:
        """Rostered time; without ``duty`` everybody keeps the wall clock."""
        return cls._of(duty, duty.rostered if duty else None, people, names)

    @classmethod
    def worked(cls, duty: Duty | None, people: People, names: Names) -> DutyArrays:
        """Rostered time with its extensions."""
        return cls._of(duty, duty.worked if duty else None, people, names)

    @classmethod
    def _of(cls, duty: Duty | None, ranges: pl.DataFrame | None, people: People, names: Names) -> DutyArrays:
        number = np.full((len(people.shops), len(names.names)), -1, np.int32)
        if duty is None or ranges is None:
            nothing = np.zeros(0, np.int64)
            return cls(number, (np.zeros(1, np.int64), nothing, nothing, nothing))
        shops = {name: code for code, name in enumerate(people.shops)}
        agents = {name: code for code, name in enumerate(names.names)}
        listed = duty.agents.sort("shop", "agent").with_row_index("roster")
        for roster, shop, agent in listed.select("roster", "shop", "agent").iter_rows():
            if shop in shops and agent in agents:
                number[shops[shop], agents[agent]] = roster
        joined = ranges.join(listed, on=["shop", "agent"]).sort("roster", "begin")
        begin, end = array(joined, "begin", np.int64), array(joined, "end", np.int64)
        starts = np.searchsorted(joined["roster"].to_numpy(), np.arange(listed.height + 1)).astype(np.int64)
        passed = np.concatenate([[0], np.cumsum(end - begin)])
        before = passed[:-1] - np.repeat(passed[starts[:-1]], np.diff(starts))
        return cls(number, (starts, begin, end, before.astype(np.int64)))

    def of(self, shop_code: np.ndarray, agent_code: np.ndarray) -> np.ndarray:
        """Roster numbers of shops' agents; -1 for nobody and for whom no roster names."""
        if not self.number.size:
            return np.full(shop_code.size, -1, np.int32)
        return np.where(agent_code >= 0, self.number[shop_code, agent_code], np.int32(-1)).astype(np.int32)

    def elapsed(self, number: np.ndarray, instant: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
        """Seconds on duty until the instants, per roster number; the wall second itself for number -1.

        ``times``: how many of the instants, one after another, each number is for; else one each.
        """
        if (
            not self.ranges[1].size and self.ranges[0].size == 1
        ):  # no roster at all: spare a copy of every instant
            return instant
        from cslog.kernels import duty

        return duty.elapsed(number if times is None else np.repeat(number, times), instant, self.ranges)


def coded(messages: pl.DataFrame, more_names: pl.Series) -> tuple[Names, pl.DataFrame]:
    """All agent names, ``more_names`` among them, and ``messages`` with ``*_code`` columns (Int32, -1: null) in place of the names."""
    columns = ["agent", "exporter", "transfer_from", "transfer_to"]
    written = [messages[c].unique() for c in columns]
    names = pl.concat([*written, more_names]).drop_nulls().unique().sort()
    codes = pl.int_range(len(names), dtype=pl.Int32, eager=True)
    columns_of_codes = {
        f"{c}_code": pl.col(c).replace_strict(names, codes, default=None, return_dtype=pl.Int32).fill_null(-1)
        for c in columns
    }
    main = pl.col("shop").replace_strict(names, codes, default=-2, return_dtype=pl.Int32)
    return Names(names), messages.with_columns(**columns_of_codes, main_code=main).drop(columns)


def kernel_rows(messages: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """Buyer and valid staff messages and transfer markers, in the kernels' order, with ``who`` 0, 1, 2."""
    valid = [int(MessageClass.HUMAN)] + ([int(MessageClass.ASSIST)] if profile.assist_valid else [])
    message_class = pl.col("message_class")
    return (
        messages.with_columns(
            who=pl.when(message_class == int(MessageClass.BUYER))
            .then(pl.lit(0, pl.Int8))
            .when(message_class.is_in(valid))
            .then(pl.lit(1, pl.Int8))
            .when(message_class == int(MessageClass.TRANSFER))
            .then(pl.lit(2, pl.Int8))
        )
        .filter(pl.col("who").is_not_null())
        .with_columns(
            visible=((pl.col("kind") != int(Kind.TEXT)) | (pl.col("characters") > 0)).cast(pl.Int8),
        )
        .sort(
            "buyer_key",
            "sent_at",
            "rank",
            # Equal ranks (definitions 2): buyer, marker, then staff by name, the main account first.
            pl.col("who").replace_strict({0: 0, 2: 1, 1: 2}, return_dtype=pl.Int8),
            (pl.col("agent_code") != pl.col("main_code")),
            "agent_code",
            # Markers alone can still differ; only with these is the order that of the content.
            "transfer_from_code",
            "transfer_to_code",
        )
    )


def people_of(rows: pl.DataFrame, orders: pl.DataFrame) -> People:
    """Everybody in ``rows`` (of kernel_rows) or with a joinable order, by buyer key."""
    wrote = rows.group_by("shop", "buyer_key").len("rows")
    ordered = orders.filter("joinable").select("shop", "buyer_key").unique()
    frame = (
        pl.concat([wrote.select("shop", "buyer_key"), ordered])
        .unique()
        .join(wrote, on=["shop", "buyer_key"], how="left")
        .with_columns(pl.col("rows").fill_null(0))
        .sort("buyer_key", "shop")
        .with_row_index("person")
    )
    starts = np.concatenate([[0], frame["rows"].cum_sum().to_numpy()]).astype(np.int64)
    shops = frame["shop"].unique().sort()
    code = frame["shop"].replace_strict(shops, pl.int_range(len(shops), dtype=pl.Int32, eager=True))
    codes = np.ascontiguousarray(code.to_numpy(), dtype=np.int32)
    return People(frame.with_columns(pl.col("person").cast(pl.Int64)), starts, shops, codes)


def array(frame: pl.DataFrame, name: str, dtype: type) -> np.ndarray:
    """A column without nulls as a contiguous array."""
    return np.ascontiguousarray(frame[name].to_numpy(), dtype=dtype)
