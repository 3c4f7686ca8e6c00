"""Written times to wall seconds: everything formats 4, 5.3 and 8.1 show, one column at a time.

Most columns hold one well-formed pattern and are read by polars at once; what is left is read
value by value, each different value once.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from itertools import pairwise

import polars as pl

from cslog.clock import DAY_SECONDS, ZONE_NAME, moment_of, seconds_of, zone
from cslog.errors import ReadError

_FIRST = seconds_of(datetime.datetime(2000, 1, 1))
_LAST = seconds_of(datetime.datetime(2100, 1, 1))
_SERIAL_OF_1970 = 25_569  # Excel counts days from 1899-12-30

_MOMENT = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})(?:日?[T ]\s*|日)(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,]\d+)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?"
)
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ]+0{1,2}:00(?::00)?(?:\.0+)?)?")
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_TIME_OF_DAY = re.compile(r"(?:(?:1899-12-3[01]|1900-01-0[01]) )?(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DATE_IN_NAME = re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?:[_ T](\d{1,2})-(\d{2})(?![\d-]))?(?!\d)")

_BACKWARD_STEP = 12 * 3600  # larger than any disorder of an export, smaller than a night


def wall_seconds(column: pl.Series, zone_name: str = ZONE_NAME) -> pl.Series:
    """Wall seconds (Int64) of a String column; null where no date with a time can be read.

    Read are ISO-like moments with ``-``, ``/`` or ``.``, padded or not, with ``T``, ``Z`` or an offset,
    ``YYYYMMDDHHMMSS``, epoch seconds, milliseconds and microseconds, and Excel's serial dates.
    ``zone_name`` is the zone of moments that name none.
    """
    text = column.str.strip_chars()
    moments = text.str.replace_all("/", "-", literal=True).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
    seconds = plausible(in_shanghai(moments, zone_name))
    left = text.filter(seconds.is_null() & text.is_not_null()).unique()
    if left.is_empty():
        return seconds
    by_text = {value: _moment(value, zone_name) for value in left}
    return seconds.fill_null(text.replace_strict(by_text, default=None, return_dtype=pl.Int64))


def in_shanghai(moments: pl.Series, zone_name: str) -> pl.Series:
    """Wall seconds in Shanghai of naive datetimes of another zone; times that do not exist there are null."""
    if zone_name != ZONE_NAME:
        moments = (
            moments.dt.replace_time_zone(zone_name, ambiguous="earliest", non_existent="null")
            .dt.convert_time_zone(ZONE_NAME)
            .dt.replace_time_zone(None)
        )
    return moments.dt.epoch("s").cast(pl.Int64)


def plausible(seconds: pl.Series) -> pl.Series:
    """The same, with null for instants outside 2000 to 2099: no chat and no order is from there."""
    return seconds.set((seconds < _FIRST) | (seconds >= _LAST), None)


def days(column: pl.Series) -> pl.Series:
    """Day numbers of written dates, ``YYYYMMDD`` or Excel's serial days; null where there is none."""
    return each(column, _day)


def times_of_day(column: pl.Series) -> pl.Series:
    """Seconds since midnight of ``HH:MM[:SS]``, of Excel's time cells and fractions of a day."""
    return each(column, _time_of_day)


def each(column: pl.Series, read: Callable[[str], int | None]) -> pl.Series:
    """``read`` of every value of a String column, as Int64; each different value is read once."""
    text = column.str.strip_chars()
    by_text = {value: read(value) for value in text.drop_nulls().unique()}
    if not by_text:
        return pl.Series(column.name, [None] * column.len(), dtype=pl.Int64)
    return text.replace_strict(by_text, default=None, return_dtype=pl.Int64)


def seconds_in(moment: datetime.datetime, zone_name: str) -> int:
    """Shanghai wall seconds of a moment; a naive one is of ``zone_name``."""
    if moment.tzinfo is None and zone_name != ZONE_NAME:
        moment = moment.replace(tzinfo=zone(zone_name))
    return seconds_of(moment)


def date_in_name(name: str, seconds: list[int]) -> int:
    """The day number that a file name states for times without a date (formats 4.4).

    ``seconds`` are all times of day in the file. Raises ReadError when the name states no date or
    several, or when a time is later than the moment of the export that the name states.
    """
    hint = "put the date into the file name (YYYY-MM-DD) or into a column"
    found = {match.group(0): match for match in _DATE_IN_NAME.finditer(name)}
    dates = {_date_number(*(int(part) for part in match.groups()[:3])) for match in found.values()} - {None}
    if len(dates) != 1:
        problem = "several dates" if dates else "no date"
        raise ReadError(f"{name}: its times have no date, and the file name holds {problem}", hint)
    for match in found.values():
        if match.group(4) is not None:
            limit = int(match.group(4)) * 3600 + int(match.group(5)) * 60 + 59
            if seconds and max(seconds) > limit:
                raise ReadError(
                    f"{name}: its times have no date, and some are later than the export's own time,"
                    " so they are from an earlier day",
                    hint,
                )
    (day,) = dates
    assert day is not None
    return day


def passes_midnight(seconds: list[int]) -> bool:
    """Whether times of day in file order run over midnight, so that one date cannot be right for all."""
    return any(before - after > _BACKWARD_STEP for before, after in pairwise(seconds))


def _moment(text: str, zone_name: str) -> int | None:
    seconds = _number_moment(text) if _NUMBER.fullmatch(text) else _written_moment(text, zone_name)
    return seconds if seconds is not None and _FIRST <= seconds < _LAST else None


def _written_moment(text: str, zone_name: str) -> int | None:
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    *numbers, second, offset = match.groups()
    try:
        year, month, day, hour, minute = map(int, numbers)
        moment = datetime.datetime(year, month, day, hour, minute, int(second or 0))
        if offset:
            moment = datetime.datetime.fromisoformat(f"{moment.isoformat()}{offset}")
    except ValueError:
        return None
    return seconds_in(moment, zone_name)


def _number_moment(text: str) -> int | None:
    whole = text.partition(".")[0]
    if len(whole) == 5:
        return round((float(text) - _SERIAL_OF_1970) * DAY_SECONDS)
    if len(whole) == 14:  # YYYYMMDDHHMMSS
        try:
            return seconds_of(datetime.datetime.fromisoformat(f"{whole[:8]}T{whole[8:]}"))
        except ValueError:
            return None
    for digits, unit in ((10, 1), (13, 1_000), (16, 1_000_000)):  # formats 5.3
        if digits - 1 <= len(whole) <= digits:
            return seconds_of(datetime.datetime.fromtimestamp(int(whole) // unit, tz=datetime.UTC))
    return None


def _day(text: str) -> int | None:
    if match := _DATE.fullmatch(text) or _COMPACT_DATE.fullmatch(text):
        return _date_number(*(int(part) for part in match.groups()))
    if _NUMBER.fullmatch(text) and len(text.partition(".")[0]) == 5:
        return int(float(text)) - _SERIAL_OF_1970
    return None


def _date_number(year: int, month: int, day: int) -> int | None:
    try:
        seconds = seconds_of(datetime.datetime(year, month, day))
    except ValueError:
        return None
    return seconds // DAY_SECONDS if _FIRST <= seconds < _LAST else None


def _time_of_day(text: str) -> int | None:
    if match := _TIME_OF_DAY.fullmatch(text):
        hour, minute, second = (int(part or 0) for part in match.groups())
        return hour * 3600 + minute * 60 + second if hour < 24 and minute < 60 and second < 60 else None
    if _NUMBER.fullmatch(text) and float(text) < 1 and text.startswith("0"):
        return round(float(text) * DAY_SECONDS) % DAY_SECONDS
    return None


def date_label(day: int) -> str:
    """``2026-09-01`` of a day number, for warnings."""
    return f"{moment_of(day * DAY_SECONDS):%Y-%m-%d}"
