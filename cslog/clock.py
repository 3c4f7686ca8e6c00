"""Wall time of Asia/Shanghai, business days and report periods. The only file that knows a time zone.

Instants are seconds since 1970-01-01 00:00 on the Shanghai wall clock (kpi-spec T1); days are
numbers of such days (``seconds // 86400``).
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from cslog.errors import UsageError

ZONE_NAME = "Asia/Shanghai"
DAY_SECONDS = 86_400
HOUR_SECONDS = 3_600
RELATIVE_PERIODS = ("yesterday", "this_week", "last_week", "this_month", "last_month")
_YEARS = range(1971, 9999)  # further out, the days around a day overflow
_EPOCH = datetime.date(1970, 1, 1)
_EPOCH_INSTANT = datetime.datetime(1970, 1, 1)


@functools.cache
def zone(name: str = ZONE_NAME) -> ZoneInfo:
    """The time zone ``name``; UsageError when the machine does not know it."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UsageError(f"unknown time zone {name!r}", "write it like Asia/Shanghai") from error


def seconds_of(moment: datetime.datetime) -> int:
    """Wall seconds of ``moment``; an aware one is converted to Shanghai, a naive one is taken as it is."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(zone()).replace(tzinfo=None)
    return (moment - _EPOCH_INSTANT) // datetime.timedelta(seconds=1)


def moment_of(seconds: int) -> datetime.datetime:
    """The naive Shanghai wall time of ``seconds``."""
    return _EPOCH_INSTANT + datetime.timedelta(seconds=seconds)


def iso(seconds: int) -> str:
    """``2024-12-06T09:00:00+08:00``."""
    return moment_of(seconds).replace(tzinfo=zone()).isoformat()


def now() -> int:
    """The present second on the Shanghai wall clock."""
    return seconds_of(datetime.datetime.now(tz=datetime.UTC))


def today() -> int:
    """The present day in Shanghai, as a day number."""
    return now() // DAY_SECONDS


def parse_day(text: str, option: str) -> int:
    """The day number of ``2024-11-11``; UsageError for anything else."""
    return day_number(_parse(text, option, "2024-11-11"))


def spans_of_days(days: Iterable[int]) -> str:
    """Days for people, neighbours put together: ``2024-11-03, 2024-11-05 – 2024-11-07``."""
    spans: list[tuple[int, int]] = []
    for day in sorted(set(days)):
        if spans and day == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return ", ".join(
        str(date_of(first)) if first == last else f"{date_of(first)} – {date_of(last)}"
        for first, last in spans
    )


def day_number(day: datetime.date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


def date_of(day: int) -> datetime.date:
    """The date of a day number."""
    return _EPOCH + datetime.timedelta(days=day)


@functools.lru_cache(maxsize=1 << 12)
def month_label(day: int) -> str:
    """``2024-11``, the store's partition and the ``month`` of a report."""
    return f"{date_of(day):%Y-%m}"


def week_label(day: int) -> str:
    """The ISO week, ``2024-W45``."""
    year, week, _ = date_of(day).isocalendar()
    return f"{year}-W{week:02d}"


def months_between(first_second: int, last_second: int) -> list[str]:
    """Labels of all calendar months that the closed interval of seconds touches."""
    day, last = date_of(first_second // DAY_SECONDS), date_of(last_second // DAY_SECONDS)
    labels = []
    while (day.year, day.month) <= (last.year, last.month):
        labels.append(f"{day:%Y-%m}")
        day = (day.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)
    return labels


def earlier_month(day: int, count: int) -> str:
    """The label of the month ``count`` months before that of ``day``."""
    date = date_of(day)
    months = date.year * 12 + date.month - 1 - count
    return f"{months // 12:04}-{months % 12 + 1:02}"


def months_around(first_day: int, last_day: int) -> list[str]:
    """Labels of the months of these days, and of the month before and the one behind: what their figures look at."""
    begin, _ = month_seconds(month_label(first_day))
    _, end = month_seconds(month_label(last_day))
    return months_between(begin - 1, end + 1)


def month_seconds(label: str) -> tuple[int, int]:
    """First and last second of the calendar month ``2024-11``."""
    start = datetime.date.fromisoformat(f"{label}-01")
    following = (start + datetime.timedelta(days=32)).replace(day=1)
    return day_number(start) * DAY_SECONDS, day_number(following) * DAY_SECONDS - 1


@dataclass(frozen=True)
class Period:
    """A closed range of days, as day numbers."""

    first_day: int
    last_day: int

    def __post_init__(self) -> None:
        if self.last_day < self.first_day:
            raise UsageError(
                f"the period ends ({date_of(self.last_day)}) before it begins ({date_of(self.first_day)})",
                "swap --from and --to",
            )

    @property
    def days(self) -> range:
        """All day numbers of the period."""
        return range(self.first_day, self.last_day + 1)

    @property
    def label(self) -> str:
        """The period in a file name: ``2024-11``, ``2024-W45``, ``2024-11-11``, else both ends."""
        first, last = date_of(self.first_day), date_of(self.last_day)
        if first == last:
            return str(first)
        if first.day == 1 and month_label(self.last_day + 1) != month_label(self.first_day) == month_label(
            self.last_day
        ):
            return month_label(self.first_day)
        if first.isoweekday() == 1 and self.last_day == self.first_day + 6:
            return week_label(self.first_day)
        return f"{first}_{last}"

    @classmethod
    def relative(cls, name: str, day: int) -> Period:
        """One of RELATIVE_PERIODS as seen on ``day``: whole days, weeks and months of the calendar.

        ``this_month`` and ``this_week`` are those of yesterday, the newest day that is over: so their last day is
        still looked at on the morning after it.
        """
        match name:
            case "yesterday":
                return cls(day - 1, day - 1)
            case "this_week" | "last_week":
                inside = day - 1 if name == "this_week" else day - 7
                monday = inside - (date_of(inside).isoweekday() - 1)
                return cls(monday, monday + 6)
            case "this_month" | "last_month":
                first_of_month = day - (date_of(day).day - 1)
                inside = day - 1 if name == "this_month" else first_of_month - 1
                return cls.of(month=month_label(inside))
        raise UsageError(f"no period {name!r}", f"use one of: {', '.join(RELATIVE_PERIODS)}")

    @classmethod
    def of(
        cls,
        month: str | None = None,
        day: str | None = None,
        first: str | None = None,
        last: str | None = None,
    ) -> Period:
        """The period of ``--month``, ``--day``, or ``--from`` and ``--to``; exactly one of the three."""
        given = [month is not None, day is not None, first is not None or last is not None]
        if sum(given) != 1:
            raise UsageError(
                "no period given" if not any(given) else "more than one period given",
                "use one of --month 2024-11, --day 2024-11-11, or --from 2024-11-01 --to 2024-11-10",
            )
        if month is not None:
            return cls.of_month(month)
        if day is not None:
            number = day_number(_parse(day, "--day", "2024-11-11"))
            return cls(number, number)
        if first is None or last is None:
            raise UsageError("--from and --to belong together", "give both days, for example --to 2024-11-30")
        return cls(
            day_number(_parse(first, "--from", "2024-11-01")), day_number(_parse(last, "--to", "2024-11-30"))
        )

    @classmethod
    def of_month(cls, month: str, option: str = "--month") -> Period:
        """The month of ``2024-11``, which was given by ``option``."""
        start = _parse(month + "-01", option, "2024-11", expected=month)
        following = (start + datetime.timedelta(days=32)).replace(day=1)
        return cls(day_number(start), day_number(following) - 1)


def _parse(text: str, option: str, example: str, expected: str | None = None) -> datetime.date:
    try:
        if len(text) != len("2024-11-01"):
            raise ValueError
        day = datetime.date.fromisoformat(text)
        if day.year not in _YEARS:
            raise ValueError
        return day
    except ValueError:
        raise UsageError(f"{option} {expected or text} is not a date", f"write it like {example}") from None


def parse_time_of_day(text: str) -> int:
    """Seconds after midnight of ``08:30``; ``24:00`` is the day's end. ValueError for anything else."""
    found = re.fullmatch(r"(\d{1,2}):([0-5]\d)", text.strip())
    seconds = int(found[1]) * HOUR_SECONDS + int(found[2]) * 60 if found else DAY_SECONDS + 1
    if seconds > DAY_SECONDS:
        raise ValueError(f"{text!r} is not a time of day, write it like 08:30")
    return seconds


def parse_hours(text: str) -> tuple[int, int]:
    """Seconds of ``09:00-18:00``; ``17:00-01:00`` ends on the next day, at 90 000. ValueError otherwise."""
    first, dash, last = text.partition("-")
    if not dash:
        raise ValueError(f"{text!r} is not a time span, write it like 09:00-18:00")
    begin, end = parse_time_of_day(first), parse_time_of_day(last)
    return begin, end if end > begin else end + DAY_SECONDS


def parse_spans(texts: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Seconds of the spans of one shift, in order; ValueError for what is no shift.

    What begins before the span in front of it ends lies on the next day: ``20:00-24:00``,
    ``00:30-04:00`` ends at 100 800. From begin to end a shift lasts at most 24 hours.
    """
    spans: list[tuple[int, int]] = []
    for text in texts:
        begin, end = parse_hours(text)
        if spans and begin < spans[-1][1]:
            begin, end = begin + DAY_SECONDS, end + DAY_SECONDS
        first = spans[0][0] if spans else begin
        if (spans and begin < spans[-1][1]) or end - first > DAY_SECONDS:
            raise ValueError(f"{text!r} overlaps the hours before it, or the shift lasts more than 24 hours")
        spans.append((begin, end))
    if not spans:
        raise ValueError("there are no hours, write them like 09:00-18:00")
    return tuple(spans)


def parse_instant(text: str, option: str) -> int:
    """Wall seconds of an ISO date or instant; without an offset it is Shanghai time.

    A bare date means the end of that day (its last second), as a supervisor says "as of the 5th".
    """
    try:
        moment = datetime.datetime.fromisoformat(text)
        if moment.year not in _YEARS:
            raise ValueError
    except ValueError:
        raise UsageError(
            f"{option} {text} is not an instant", "write it like 2024-12-06 or 2024-12-06T09:00"
        ) from None
    seconds = seconds_of(moment)
    return seconds + DAY_SECONDS - 1 if len(text) <= len("2024-12-06") else seconds
