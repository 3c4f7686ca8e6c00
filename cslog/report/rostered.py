"""The roster as a sheet: one row per shift of an agent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import polars as pl

from cslog import clock
from cslog.clock import DAY_SECONDS, Period
from cslog.report.sheet import Column, Sheet

if TYPE_CHECKING:
    from cslog.roster import Work

_COLUMNS = (
    Column("date", "日期"),
    Column("weekday", "星期"),
    Column("shop", "店铺"),
    Column("agent", "客服"),
    Column("shift", "班次"),
    Column("hours", "时段"),
    Column("minutes", "排班分钟", "minutes"),
    Column("begin", "开始", "instant"),
    Column("end", "结束", "instant"),
)
_WEEKDAYS = ("Mon 周一", "Tue 周二", "Wed 周三", "Thu 周四", "Fri 周五", "Sat 周六", "Sun 周日")


def sheet_of(works: Sequence[Work], named: Collection[str], agents: Sequence[str], period: Period) -> Sheet:
    """The sheet of these shifts. ``named``: everybody on the roster; ``agents``: whom the user asked for."""
    ordered = sorted(works, key=lambda work: (work.shop, work.day, work.begin, work.agent, work.shift))
    rows = pl.DataFrame(
        [
            {
                "date": clock.date_of(work.day).isoformat(),
                "weekday": _WEEKDAYS[clock.date_of(work.day).weekday()],
                "shop": work.shop,
                "agent": work.agent,
                "shift": work.shift,
                "hours": " ".join(f"{_time(begin, begin)}-{_time(end, begin)}" for begin, end in work.spans),
                "minutes": sum(end - begin for begin, end in work.spans) // 60,
                "begin": work.begin,
                "end": work.end,
            }
            for work in ordered
        ],
        schema={column.key: pl.Int64 if column.unit else pl.String for column in _COLUMNS},
    )
    shops = rows["shop"].unique().to_list()
    dates = f"{clock.date_of(period.first_day)} – {clock.date_of(period.last_day)}"
    title = f"{shops[0]}  {dates}" if len(shops) == 1 else dates
    hidden = {"begin", "end", *(["shop"] if len(shops) == 1 else [])}
    total = rows["minutes"].sum()
    return Sheet(
        name="roster",
        title=title,
        columns=_COLUMNS,
        rows=rows,
        document={
            "period": {
                "from": clock.date_of(period.first_day).isoformat(),
                "to": clock.date_of(period.last_day).isoformat(),
            },
            "rows": ...,
        },
        shown=tuple(column.key for column in _COLUMNS if column.key not in hidden),
        stamp=(("in all 合计", f"{rows.height} shifts, {total // 60} h {total % 60:02d} min"),),
        warnings=_warnings(named, agents),
    )


def _warnings(named: Collection[str], agents: Sequence[str]) -> tuple[str, ...]:
    if not named:
        return ("nobody is rostered; docs/configuration.md describes roster and roster_files",)
    missing = [name for name in agents if name not in named]
    if missing:
        return (f"the roster names no {', '.join(missing)}; names are written without the shop",)
    return ()


def _time(second: int, begin: int) -> str:
    """The time of day; the midnight at which a span ends is 24:00."""
    seconds = second % DAY_SECONDS
    if not seconds and second > begin:
        seconds = DAY_SECONDS
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
