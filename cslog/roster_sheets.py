"""Roster sheets (排班表), as DingTalk (钉钉排班) exports them: who has which cell on which date.

Two layouts, in workbooks and delimited text: *wide*, a row per person and a column per date, and
*long*, a row per person and date. What a shift is, cslog.roster knows; here are only dates, names
and cells, each with its place for messages.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cslog import limits
from cslog.errors import ReadError, UsageError
from cslog.readers import tabular
from cslog.readers.head import Head

_TOP = 20  # the header stands in these first rows
_YEARS = range(1971, 9999)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NAMES = _words(
    "姓名 客服 员工 账号 帐号 昵称 人员 旺旺 子账号 客服姓名 员工姓名 客服昵称 客服账号 旺旺号 name agent"
)
_DATES = _words("日期 排班日期 考勤日期 上班日期 date")
_SHIFTS = _words("班次 班次名称 排班 排班班次 shift")
_NOBODY = re.compile(r"合计|总计|小计|汇总|备注|说明|注(?:$|[:：])")
"""First cells of rows below the people."""

_OFF = _words(
    "休 休息 空 公休 轮休 调休 补休 未排班 不排班 无 off 请假 年假 事假 病假 婚假 产假 丧假 - -- — —— / ×"
)

_WEEKDAY = r"(?:星期|周|礼拜)?[一二三四五六日天]|(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?"
_BEHIND = rf"日?(?:\s+00:00(?::00)?)?\s*\(?(?:{_WEEKDAY})?\)?"
_WHOLE_DATE = re.compile(rf"(\d{{4}})\s*[-/.年]\s*(\d{{1,2}})\s*[-/.月]\s*(\d{{1,2}}){_BEHIND}", re.I)
_SOLID_DATE = re.compile(rf"(20\d\d)(\d\d)(\d\d){_BEHIND}", re.I)
_MONTH_DAY = re.compile(rf"(\d{{1,2}})\s*[-/.月]\s*(\d{{1,2}})号?{_BEHIND}", re.I)
_DAY = re.compile(rf"(\d{{1,2}})号?{_BEHIND}", re.I)

# A month that a title, a sheet or a file is named by; one with a day behind it may be the day of printing.
_MONTHS = (
    re.compile(r"(?P<year>20\d\d)\s*年\s*(?P<month>\d{1,2})\s*月(?!\s*\d)"),
    re.compile(r"(?<!\d)(?P<year>20\d\d)[-/._]?(?P<month>0[1-9]|1[0-2]|[1-9](?=\D|$))(?![-/._]?\d)"),
    re.compile(r"(?<!\d)(?P<month>\d{1,2})\s*月(?!\s*\d)"),
    re.compile(r"(?<!\d)(?P<year>20\d\d)\s*[-/._年]?\s*(?P<month>\d{1,2})\s*[-/._月]?\s*\d{1,2}(?!\d)"),
    re.compile(r"(?<!\d)(?P<month>\d{1,2})\s*月\s*\d{1,2}"),
)
_YEAR = re.compile(r"(?<!\d)(20\d\d)(?!\d)")

_SPAN = re.compile(
    r"(\d{1,2}:[0-5]\d)(?::00)?\s*(?:[-~–—−〜至到]|--)(?:次日|第二天|翌日|凌晨|\s)*(\d{1,2}:[0-5]\d)(?::00)?"
)
_BETWEEN = re.compile(r"[、/\n,;+]")


@dataclass(frozen=True)
class Entry:
    """A cell, perhaps a blank one: ``names`` of the person, most telling column first; ``where`` as messages say it."""

    names: tuple[str, ...]
    date: datetime.date
    cell: str
    where: str


@dataclass(frozen=True)
class Part:
    """One shift of a cell: its name, and hours when the cell holds them, ready for clock.parse_spans."""

    name: str
    hours: tuple[str, ...] = ()


def key_of(name: str) -> str:
    """A name of a person or a shift without what sheets vary: blanks, case, full-width forms."""
    return tabular.header_key(name)


def parts(cell: str, known: frozenset[str] = frozenset()) -> list[Part]:
    """The shifts of a cell, none when it is off; ``known`` are keys (key_of) of shifts that are not taken apart.

    ``白班、晚班`` are two shifts, ``白班 09:00-12:00/13:00-18:00`` is one: hours without a name belong to
    the shift in front of them.
    """
    plain = unicodedata.normalize("NFKC", cell)
    found: list[Part] = []
    for piece in [plain] if key_of(plain) in known or _is_off(plain) else _BETWEEN.split(plain):
        if key_of(piece) in known:
            found.append(Part(piece.strip()))
            continue
        if _is_off(piece):
            continue
        hours = tuple(f"{begin}-{end}" for begin, end in _SPAN.findall(piece))
        name = re.sub(r"\(\s*\)|\[\s*\]|【\s*】", "", _SPAN.sub(" ", piece)).strip(" :-.|·")
        if name or not found:
            found.append(Part(name or " ".join(hours), hours))
        else:
            before = found.pop()
            unnamed = before.name == " ".join(before.hours)
            hours = before.hours + hours
            found.append(Part(" ".join(hours) if unnamed else before.name, hours))
    return found


def _is_off(text: str) -> bool:
    bare = re.sub(r"\s", "", text).casefold()
    return not bare or bare in _OFF


def read(head: Head) -> list[Entry]:
    """All cells of a roster sheet; UsageError when there is no table in it or a date is wrong.

    Sheets of a workbook without a header are passed over, if another has one.
    """
    if head.container not in ("text", "workbook"):
        raise UsageError(f"{head.path}: is no table", "export the roster (排班表) as .xlsx or .csv")
    if len(head.data) > limits.ROSTER_BYTES:
        size = limits.shown(limits.ROSTER_BYTES)
        raise UsageError(f"{head.path}: is larger than {size}, which no roster is", "keep one year in a file")
    try:
        tables = list(tabular.grids(head))
    except ReadError as error:
        raise UsageError(error.message, error.hint) from error
    tables = [(sheet, [[_single_blanks(cell) for cell in row] for row in rows]) for sheet, rows in tables]
    found = [entries for sheet, rows in tables if (entries := _entries(head, sheet, rows)) is not None]
    if not found:
        raise UsageError(
            f"{head.path}: no row has a name (姓名) and dates",
            "head the columns 姓名 and one date each, or 日期, 姓名 and 班次",
        )
    return [entry for entries in found for entry in entries]


def quoted(cell: str) -> str:
    """The beginning of a cell for a message, in quotes and without numbers that could be a phone's."""
    return repr(shown(cell))


def shown(cell: str) -> str:
    """The same without quotes."""
    return re.sub(r"\d{7,}", "…", cell)[:20]


def _single_blanks(cell: str) -> str:
    """A cell without runs of blanks and blank lines: the patterns here would be tried at each blank of a run."""
    return "\n".join(filter(None, (" ".join(line.split()) for line in cell.split("\n"))))


def _entries(head: Head, sheet: str | None, rows: list[list[str]]) -> list[Entry] | None:
    place = f"{head.path}, sheet {sheet}" if sheet and len(head.sheets) > 1 else head.path
    for top, row in enumerate(rows[:_TOP]):
        names = _columns(row, _NAMES)
        if not names:
            continue
        month = _month([*(cell for line in rows[:top] for cell in line), sheet or "", head.name])
        dates, shifts = _columns(row, _DATES), _columns(row, _SHIFTS)
        if dates and shifts:
            return list(_long(rows, top, names, dates[0], shifts[0], month, place))
        for line in (top, top + 1, top - 1):
            if 0 <= line < len(rows) and _heads_dates(rows[line], None if line == top else names[0]):
                days = _days(rows[line], line, month, place)
                return list(_wide(rows, max(top, line) + 1, names, days, place))
    return None


def _heads_dates(row: Sequence[str], names: int | None) -> bool:
    """Whether the row holds the dates; ``names`` is the column of names when another row heads that.

    Names may be headed in the row of the weekdays, with the dates above it, or in a merged cell. A
    person's row with a number in it is no such row.
    """
    dates = sum(map(_looks_like_date, row))
    if names is None:
        return dates > 0
    beside = key_of(_cell(row, names))
    return dates > 1 and (not beside or beside in _DATES)


def _columns(row: Sequence[str], titles: frozenset[str]) -> list[int]:
    return [position for position, cell in enumerate(row) if key_of(cell) in titles]


def _long(
    rows: list[list[str]],
    top: int,
    names: list[int],
    date: int,
    shift: int,
    month: tuple[int | None, int | None],
    place: str,
) -> Iterator[Entry]:
    for number, row in enumerate(rows[top + 1 :], start=top + 1):
        people, when, cell = _people(row, names), _cell(row, date), _cell(row, shift)
        if (not cell and not (people and when)) or _is_note(row):
            continue
        line = f"{place}, row {number + 1}"
        if not people or not when:
            raise UsageError(
                f"{line}: a shift without a {'date (日期)' if people else 'name (姓名)'}",
                "write both into every row, also where cells are merged",
            )
        found = _date(when, month, f"{line}, column {_letters(date)}")
        if found is None:
            raise UsageError(
                f"{line}, column {_letters(date)}: {quoted(when)} is not a date", "write it like 2024-11-01"
            )
        yield Entry(people, found, cell, f"{line}, column {_letters(shift)} ({found})")


def _wide(
    rows: list[list[str]], below: int, names: list[int], days: dict[int, datetime.date], place: str
) -> Iterator[Entry]:
    for number, row in enumerate(rows[below:], start=below):
        people = _people(row, names)
        cells = {position: _cell(row, position) for position in days}
        filled = [cell for cell in cells.values() if cell]
        # Without any cell it is a remark, or somebody who is not rostered at all.
        if not filled or _is_note(row):
            continue
        if all(re.fullmatch(_WEEKDAY, cell, re.IGNORECASE) for cell in filled):
            for position, date in days.items():
                _check_weekday(
                    cells[position], date, f"{place}, row {number + 1}, column {_letters(position)}"
                )
            continue
        if not people:
            raise UsageError(
                f"{place}, row {number + 1}: shifts without a name in column {_letters(names[0])}",
                "write the name (姓名) into every row, also where cells are merged",
            )
        for position, date in days.items():
            where = f"{place}, row {number + 1}, column {_letters(position)} ({date})"
            yield Entry(people, date, cells[position], where)


def _cell(row: Sequence[str], position: int) -> str:
    return row[position] if position < len(row) else ""


def _people(row: Sequence[str], columns: Iterable[int]) -> tuple[str, ...]:
    return tuple(cell for position in columns if (cell := _cell(row, position)))


def _is_note(row: Sequence[str]) -> bool:
    """Whether a row below the table counts or explains: 合计, 备注."""
    return bool(_NOBODY.match(next(filter(None, row), "")))


def _looks_like_date(cell: str) -> bool:
    plain = unicodedata.normalize("NFKC", cell)
    return any(pattern.fullmatch(plain) for pattern in (_WHOLE_DATE, _SOLID_DATE, _MONTH_DAY, _DAY))


def _days(
    row: Sequence[str], line: int, month: tuple[int | None, int | None], place: str
) -> dict[int, datetime.date]:
    """The date of each date column. Dates without a month go on into the next one: 26 … 31, 1 … 25."""
    days: dict[int, datetime.date] = {}
    latest: datetime.date | None = None
    for position, cell in enumerate(row):
        if not _looks_like_date(cell):
            continue
        where = f"{place}, row {line + 1}, column {_letters(position)}"
        date = _date(cell, month, where, latest)
        if date is None:
            continue
        if date in days.values():
            raise UsageError(
                f"{where}: a second column for {date}", "write each date once; Excel makes 11.1 of 11.10"
            )
        if re.search(r"星期|周|礼拜", cell):
            _check_weekday(cell, date, where)
        days[position] = latest = date
    return days


def _check_weekday(cell: str, date: datetime.date, where: str) -> None:
    """Refuse a weekday that is not that of the date: the year or month was taken from a wrong place."""
    found = re.search(r"([一二三四五六日天])\)?$", unicodedata.normalize("NFKC", cell))
    if found and "一二三四五六日".index(found[1].replace("天", "日")) != date.weekday():
        raise UsageError(
            f"{where}: {date} is 周{'一二三四五六日'[date.weekday()]}, the sheet says {cell[-3:]}",
            "correct the year and month above the table, or the weekdays",
        )


def _date(
    cell: str, month: tuple[int | None, int | None], where: str, latest: datetime.date | None = None
) -> datetime.date | None:
    """The date of a cell, completed by ``month`` (year, month) or by the date in front of it; None for no date."""
    plain = unicodedata.normalize("NFKC", cell).strip()
    year, number = month
    if whole := _WHOLE_DATE.fullmatch(plain) or _SOLID_DATE.fullmatch(plain):
        return _valid(int(whole[1]), int(whole[2]), int(whole[3]), cell, where)
    if part := _MONTH_DAY.fullmatch(plain):
        number, day = int(part[1]), int(part[2])
        if latest:
            year = latest.year + (number < latest.month)
        lacks = "year" if year is None else ""
    elif part := _DAY.fullmatch(plain):
        day = int(part[1])
        if latest:
            following = (latest.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)
            year, number = (
                (following.year, following.month) if day < latest.day else (latest.year, latest.month)
            )
        lacks = " and ".join(name for name, value in (("year", year), ("month", number)) if value is None)
    else:
        return None
    if year is None or number is None:
        raise UsageError(
            f"{where}: {quoted(cell)} is a date without {lacks}",
            "write the month, like 2024年11月, above the table or into the name of the sheet or file",
        )
    return _valid(year, number, day, cell, where)


def _valid(year: int, month: int, day: int, cell: str, where: str) -> datetime.date:
    try:
        if year not in _YEARS:
            raise ValueError
        return datetime.date(year, month, day)
    except ValueError:
        raise UsageError(
            f"{where}: {quoted(cell)} is not a date of {year}-{month:02d}",
            "correct it, or the month above the table",
        ) from None


def _month(texts: Iterable[str]) -> tuple[int | None, int | None]:
    """Year and month that titles, sheet name and file name tell, those without a day first."""
    plain = [unicodedata.normalize("NFKC", text) for text in texts if text]
    for patterns in (_MONTHS[:3], _MONTHS[3:]):
        for text in plain:
            for pattern in patterns:
                found = pattern.search(text)
                if found and 1 <= int(found["month"]) <= 12:
                    groups = found.groupdict()
                    year = groups.get("year") or next(
                        (match[1] for other in plain if (match := _YEAR.search(other))), None
                    )
                    return int(year) if year else None, int(found["month"])
    years = [match[1] for text in plain if (match := _YEAR.search(text))]
    return int(years[0]) if years else None, None


def _letters(position: int) -> str:
    """The column as a spreadsheet names it: A, B, …, AA."""
    name = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
