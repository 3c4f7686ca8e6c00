"""Who works when (排班): shifts of the configuration and of roster sheets as plain data.

Rostered time is what definitions.md 42 measures waits by; labels are the shift of a fact (45).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from cslog import clock, roster_sheets
from cslog.clock import DAY_SECONDS
from cslog.config import Config, Duty, Season, Shift, Shop
from cslog.errors import UsageError
from cslog.readers.head import Head

_HOURS = 'several spans have breaks between them: ["09:00-12:00", "13:00-18:00"]'
_LEAP_YEAR = 2024  # 02-29 is a day of a season, too

Spans = tuple[tuple[int, int], ...]
"""Intervals [begin, end) in order, in seconds after a midnight or wall seconds."""

_INTERVAL = {"begin": pl.Int64, "end": pl.Int64}
_AGENT = {"shop": pl.String, "agent": pl.String}
RANGES = {**_AGENT, **_INTERVAL}
SHIFTS = {**_AGENT, "shift": pl.String, **_INTERVAL}
SHOP_LABELS = {"shop": pl.String, "shift": pl.String, **_INTERVAL}

_Named = tuple[str, Spans]  # a shift, with hours of its own or none


@dataclass(frozen=True)
class Work:
    """One shift of one agent. ``spans``: wall seconds [begin, end) without breaks, in order."""

    shop: str
    agent: str
    day: int  # number of the day that it is rostered for
    shift: str
    spans: Spans

    @property
    def begin(self) -> int:
        """First second of the shift."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """The second after its last."""
        return self.spans[-1][1]


@dataclass(frozen=True)
class Roster:
    """Rostered time of the shops' agents; all instants are wall seconds, all intervals [begin, end).

    ``ranges`` (RANGES): the time an agent is rostered for, breaks left out; disjoint and not touching.
    ``shifts`` (SHIFTS): whole shifts from first to last second, breaks included; they may overlap.
    ``labels`` (SHIFTS): the same, disjoint per agent: of shifts that cover an instant the one that
    began first, then by name (definitions.md 45). ``shop_labels`` (SHOP_LABELS): that over all agents
    of a shop. ``agents``: shop and agent of everybody whom an entry of any date names, off days included.
    Rows are sorted by shop, agent, begin, shift.
    """

    ranges: pl.DataFrame
    shifts: pl.DataFrame
    labels: pl.DataFrame
    shop_labels: pl.DataFrame
    agents: pl.DataFrame


def load(config: Config, first_day: int, last_day: int) -> Roster:
    """The shifts rostered for the days (day numbers) ``first_day`` to ``last_day``, both included.

    Everything configured is checked, whatever its date. Raises UsageError that names the key path, or
    the cell of the sheet.
    """
    works, agents = worked(config, first_day, last_day)
    spans = [(work.shop, work.agent, begin, end) for work in works for begin, end in work.spans]
    whole = [(work.shop, work.agent, work.shift, work.begin, work.end) for work in works]
    shifts = pl.DataFrame(whole, schema=SHIFTS, orient="row").unique()
    return Roster(
        ranges=united(pl.DataFrame(spans, schema=RANGES, orient="row")),
        shifts=shifts.sort("shop", "agent", "begin", "shift", "end"),
        labels=_disjoint(shifts, ["shop", "agent"]).select(*SHIFTS),
        shop_labels=_disjoint(shifts, ["shop"]).select(*SHOP_LABELS),
        agents=pl.DataFrame(sorted(agents), schema=_AGENT, orient="row"),
    )


def needed(config: Config, first_day: int, last_day: int) -> Roster:
    """``load``, for what cannot do without: UsageError when no shop has a roster."""
    if not config.rosters:
        raise UsageError(
            "no roster (排班) is configured", 'add shifts and a roster under [shops."…"] to cslog.toml'
        )
    return load(config, first_day, last_day)


def shift_at(rows: pl.DataFrame, at: str, labels: pl.DataFrame) -> pl.Series:
    """The shift of each row at its instant ``at``, null off shift.

    ``labels``: columns of ``rows`` that say whose (shop, agent), then shift, begin, end, disjoint for each of them.
    """
    whose = [name for name in labels.columns if name not in ("shift", "begin", "end")]
    found = (
        rows.select(*whose, at)
        .with_row_index("row")
        .sort(at)
        .join_asof(
            labels.sort("begin"),
            left_on=at,
            right_on="begin",
            by=whose,
            strategy="backward",
            check_sortedness=False,
        )
        .sort("row")
    )
    return found.select(pl.when(pl.col(at) < pl.col("end")).then(pl.col("shift")).alias("shift")).to_series()


def worked(config: Config, first_day: int, last_day: int) -> tuple[list[Work], set[tuple[str, str]]]:
    """The shifts of these days, sorted and each once, and (shop, agent) of everybody the roster names."""
    works: set[Work] = set()
    agents: set[tuple[str, str]] = set()
    for name, shop in config.shops.items():
        hours = _Hours(name, shop.shifts)
        for number, duty in enumerate(shop.roster):
            path = f"{_path(name)}.roster[{number}]"
            _check_duty(duty, shop, path)
            who = [_agent_of(agent, name, shop) for agent in duty.agents]
            agents.update((name, agent) for agent in who)
            for day in _days(duty, first_day, last_day):
                spans = hours.on(duty.shift, clock.date_of(day))
                works.update(Work(name, agent, day, duty.shift, spans) for agent in who)
        people = {roster_sheets.key_of(person): agent for person, agent in shop.people.items()}
        for entry, parts in _sheet_entries(config, name, hours):
            agent = _person(entry.names, people, name, config)
            if agent is None:
                continue
            agents.add((name, agent))
            day = clock.day_number(entry.date)
            for shift, own in parts:
                spans = _moved(own, day) if own else hours.on(shift, entry.date)
                if first_day <= day <= last_day:
                    works.add(Work(name, agent, day, shift, spans))
    return sorted(works, key=lambda work: (work.shop, work.agent, work.begin, work.shift, work.end)), agents


class _Hours:
    """The hours of one shop's shifts, by name and date; all of them are checked at once."""

    def __init__(self, shop: str, shifts: Mapping[str, Shift]) -> None:
        self.by_key = {roster_sheets.key_of(name): name for name in shifts}
        self.usual = {}
        self.seasons: dict[str, list[tuple[tuple[int, int], tuple[int, int], Spans]]] = {}
        for name, shift in shifts.items():
            path = f'{_path(shop)}.shifts."{name}"'
            self.usual[name] = _spans(shift.hours, f"{path}.hours")
            self.seasons[name] = [
                _season(season, f"{path}.seasons[{number}]") for number, season in enumerate(shift.seasons)
            ]

    def on(self, shift: str, date: datetime.date) -> Spans:
        """Wall seconds of the shift that begins on ``date``; the first season that holds the date wins."""
        today = (date.month, date.day)
        spans = self.usual[shift]
        for first, last, others in self.seasons[shift]:
            within = first <= today <= last if first <= last else today >= first or today <= last
            if within:
                spans = others
                break
        return _moved(spans, clock.day_number(date))


def _path(shop: str) -> str:
    return f'cslog.toml: shops."{shop}"'


def _moved(spans: Spans, day: int) -> Spans:
    return tuple((begin + day * DAY_SECONDS, end + day * DAY_SECONDS) for begin, end in spans)


def _spans(hours: tuple[str, ...], where: str, hint: str = _HOURS) -> Spans:
    try:
        return clock.parse_spans(hours)
    except ValueError as error:
        raise UsageError(f"{where}: {error}", hint) from error


def _season(season: Season, path: str) -> tuple[tuple[int, int], tuple[int, int], Spans]:
    first, last = _month_day(season.first, f"{path}.from"), _month_day(season.last, f"{path}.to")
    return first, last, _spans(season.hours, f"{path}.hours")


def _month_day(text: str, where: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text)
    try:
        if not found:
            raise ValueError
        date = datetime.date(_LEAP_YEAR, int(found[1]), int(found[2]))
    except ValueError:
        raise UsageError(
            f"{where}: {text!r} is not a day of the year", "write month and day, like 05-01"
        ) from None
    return date.month, date.day


def _check_duty(duty: Duty, shop: Shop, path: str) -> None:
    if duty.shift not in shop.shifts:
        known = ", ".join(shop.shifts)
        hint = f"use one of: {known}" if known else f'add shifts."{duty.shift}" with its hours'
        raise UsageError(f"{path}.shift: no shift {duty.shift!r}", hint)
    if duty.last < duty.first:
        raise UsageError(f"{path}: from {duty.first} is after to {duty.last}", "swap them")


def _days(duty: Duty, first_day: int, last_day: int) -> Iterator[int]:
    off = {clock.day_number(date) for date in duty.off}
    begin, end = clock.day_number(duty.first), clock.day_number(duty.last)
    for day in range(max(begin, first_day), min(end, last_day) + 1):
        if day not in off and clock.date_of(day).isoweekday() in duty.weekdays:
            yield day


def _agent_of(account: str, name: str, shop: Shop) -> str:
    """An account as the store names its agent: without the shop, the main account like the shop."""
    account = account.strip()
    if account in (name, *shop.aliases):
        return name
    prefix, colon, rest = account.replace("：", ":").partition(":")
    return rest.strip() if colon and prefix.strip() in (name, *shop.aliases) else account


def _person(names: tuple[str, ...], people: Mapping[str, str], name: str, config: Config) -> str | None:
    """The agent whom a sheet calls by these names (``people`` by key_of); None for another shop's account."""
    shop = config.shops[name]
    mapped = next((people[key] for key in map(roster_sheets.key_of, names) if key in people), None)
    if mapped is not None:
        return _agent_of(mapped, name, shop)
    prefix, colon, _ = names[0].replace("：", ":").partition(":")
    if colon and config.canonical_shop(prefix.strip()) in config.shops.keys() - {name}:
        return None  # one sheet may roster the people of several shops
    return _agent_of(names[0], name, shop)


def _sheet_entries(
    config: Config, name: str, hours: _Hours
) -> Iterator[tuple[roster_sheets.Entry, list[_Named]]]:
    """Each cell of the shop's sheets with its shifts, by name and with own hours where it has any.

    Hours of a shift that the configuration defines are the configuration's: they know breaks and seasons.
    """
    known = frozenset(hours.by_key)
    for number, file in enumerate(config.shops[name].roster_files):
        path = config.beside(file)
        try:
            head = Head(str(path), path.read_bytes())
        except OSError as error:
            raise UsageError(
                f"{_path(name)}.roster_files[{number}]: {path}: {error.strerror}",
                "write the path from the folder of cslog.toml",
            ) from error
        for entry in roster_sheets.read(head):
            shifts: list[_Named] = []
            for part in roster_sheets.parts(entry.cell, known):
                defined = hours.by_key.get(roster_sheets.key_of(part.name))
                if defined is None and not part.hours:
                    raise UsageError(
                        f"{entry.where}: no shift {roster_sheets.quoted(part.name)}",
                        f'add [shops."{name}".shifts."{roster_sheets.shown(part.name)}"] with hours = ["09:00-18:00"] to cslog.toml,'
                        " or write the hours behind it",
                    )
                shifts.append(
                    (defined, ())
                    if defined
                    else (part.name, _spans(part.hours, entry.where, "correct the cell"))
                )
            yield entry, shifts


def united(spans: pl.DataFrame) -> pl.DataFrame:
    """The union of intervals per agent: disjoint, touching ones made one."""
    agent = ["shop", "agent"]
    ordered = spans.sort(*agent, "begin")
    reached = pl.col("end").cum_max().shift(1).over(agent)
    island = (pl.col("begin") > reached).fill_null(True).cum_sum()
    united = ordered.group_by(*agent, island.alias("island")).agg(pl.col("begin").min(), pl.col("end").max())
    return united.select(*RANGES).sort(*agent, "begin")


def _disjoint(shifts: pl.DataFrame, whose: list[str]) -> pl.DataFrame:
    """Shifts cut so that each instant has the one that began first, then by name.

    All that comes before a shift in this order has begun by then, so what they cover of it is the part
    up to their latest end, without a gap: what is left is one piece, at the shift's own end.
    """
    longest = shifts.group_by(*whose, "shift", "begin").agg(pl.col("end").max())
    ordered = longest.sort(*whose, "begin", "shift")
    reached = pl.col("end").cum_max().shift(1).over(whose)
    cut = ordered.with_columns(begin=pl.max_horizontal("begin", reached))
    return cut.filter(pl.col("begin") < pl.col("end")).sort(*whose, "begin")
