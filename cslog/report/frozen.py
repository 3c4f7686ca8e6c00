"""Frozen months and their corrections as sheets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from cslog import clock
from cslog.metrics import BY_KEY
from cslog.report.figures import KEY_COLUMNS, SHOWN
from cslog.report.sheet import INSTANTS, Column, Language, Sheet, plain_value, shown_text

if TYPE_CHECKING:
    from cslog.corrections import Cause, Correction, Corrections
    from cslog.freeze import Outcome
    from cslog.frozen import Freeze, Part

_LIST = (
    Column("id", "编号"),
    Column("month", "月份"),
    Column("profile", "口径"),
    Column("attribution", "绩效判定"),
    Column("shops", "店铺"),
    Column("frozen_at", "冻结时间"),
    Column("as_of", "数据截止"),
    Column("store_version", "数据版本"),
    Column("config_hash", "配置"),
    Column("cslog_version", "程序版本"),
    Column("rows", "行数", "rows"),
)


def of_freezes(known: Sequence[Freeze]) -> Sheet:
    """What is frozen, oldest first."""
    title = "1 freeze (冻结)" if len(known) == 1 else f"{len(known)} freezes (冻结)"
    return _listing("frozen", title, known, {})


def of_outcome(outcome: Outcome) -> Sheet:
    """What `cslog freeze` did."""
    month, at = outcome.freeze.scope.month, f"{clock.moment_of(outcome.freeze.at):%Y-%m-%d %H:%M}"
    title = (
        f"{month} is frozen (已冻结)"
        if outcome.added
        else f"{month} is frozen since {at} and no figure differs: nothing added"
    )
    return _listing("freeze", title, [outcome.freeze], {"added": outcome.added}, outcome.warnings)


def of_rows(freeze: Freeze, part: Part, rows: pl.DataFrame) -> Sheet:
    """Frozen figures as they were: the sheet of `cslog kpi`, stamped."""
    dimensions = [name for name in rows.columns if name in KEY_COLUMNS and name not in part.figures]
    columns = tuple(KEY_COLUMNS[name] for name in dimensions) + tuple(
        Column(key, what["zh"], what["unit"], SHOWN.get(key, "")) for key, what in part.figures.items()
    )
    shops = rows["shop"].unique().sort().to_list()
    one_shop = len(shops) == 1 and len(dimensions) > 1
    head, was = part.stamp, msgspec.json.decode(freeze.profile_content)
    dates = f"{head['period']['from']} – {head['period']['to']}"
    return Sheet(
        name="frozen",
        title=f"{shops[0]}  {dates}" if one_shop else dates,
        columns=(*columns, Column("immature", "未定稿")),
        rows=rows,
        document={**head, "frozen": _facts(freeze), "rows": ...},
        shown=tuple(name for name in dimensions if not (one_shop and name == "shop")) + tuple(SHOWN),
        stamp=(
            ("frozen 已冻结", f"{clock.iso(freeze.at)}, freeze {freeze.id}"),
            ("profile 口径", f"{was['id']} ({was.get('title_zh', was['id'])})"),
            ("attribution 绩效判定", head["attribution"]),
            ("data until 数据截止", head["as_of"] or "no data"),
            (
                "made by",
                f"cslog {head['cslog_version']}, store version {head['store_version']}, config {head['config_hash']}",
            ),
        ),
        warnings=tuple(head["warnings"]),
        hides_empty=True,
    )


def of_corrections(found: Corrections, language: Language) -> Sheet:
    """One row per cell that differs from what was frozen, with its cause."""
    scope = found.scope
    columns = (
        Column("shop", "店铺"),
        Column("agent", "客服"),
        Column("metric", "指标"),
        Column("name", "名称"),
        Column("unit", "单位"),
        Column("frozen_text", "冻结值", short="frozen"),
        Column("now_text", "现值", short="now"),
        Column("change", "变化"),
        Column("frozen", "冻结数值", "value"),
        Column("now", "现在数值", "value"),
        Column("difference", "差额", "value"),
        Column("on", "日期"),
        Column("cause", "原因"),
        Column("days", "有差异的日期"),
        Column("files", "文件"),
        Column("freeze", "冻结编号"),
    )
    folder = _folder(found)
    rows = [_correction(row, folder) for row in found.rows]
    types = {column.key: pl.Float64() if column.unit else pl.String() for column in columns}
    frame = pl.DataFrame(
        [{column.key: row[column.key] for column in columns} for row in rows],
        schema=types | dict.fromkeys(("days", "files"), pl.List(pl.String())),
    )
    shops = {row.cell.shop for row in found.rows}
    one_shop = f"{next(iter(shops))}  " if len(shops) == 1 else ""
    count = "no corrections (无更正)" if not rows else f"{len(rows)} corrections (更正)"
    dates = ", ".join(
        f"{clock.moment_of(freeze.at):%Y-%m-%d %H:%M} ({freeze.id})" for freeze in found.freezes
    )
    return Sheet(
        name="corrections",
        title=f"{one_shop}{scope.month}: {count}",
        columns=columns,
        rows=frame,
        document={
            "month": scope.month,
            "profile": scope.profile,
            "attribution": scope.attribution,
            "store_version": found.store_version,
            "config_hash": found.config_hash,
            "freezes": [_facts(freeze) for freeze in found.freezes],
            "corrections": [row["document"] for row in rows],
        },
        shown=(
            *(() if one_shop else ("shop",)),
            "agent",
            "name" if language == "zh" else "metric",
            "frozen_text",
            "now_text",
            "change",
            "on",
            "cause",
        ),
        stamp=(
            ("frozen 冻结", dates),
            ("profile 口径", scope.profile),
            ("attribution 绩效判定", scope.attribution),
            *((("files below 文件夹", folder),) if folder else ()),
            ("now 现在", f"store version {found.store_version}, config {found.config_hash}"),
            *((("agent –", "the row of the shop (全店)"),) if None in frame["agent"].to_list() else ()),
        ),
    )


def _listing(
    name: str, title: str, known: Sequence[Freeze], more: dict[str, Any], warnings: tuple[str, ...] = ()
) -> Sheet:
    records = [_facts(freeze) for freeze in known]
    types: dict[str, pl.DataType] = {column.key: pl.String() for column in _LIST}
    types |= {"store_version": pl.Int64(), "rows": pl.Int64(), "shops": pl.List(pl.String())}
    frame = pl.DataFrame(records, schema=types)
    shown = tuple(column.key for column in _LIST if column.key not in ("as_of", "cslog_version"))
    return Sheet(name, title, _LIST, frame, {**more, "freezes": ...}, shown, warnings=warnings)


def _facts(freeze: Freeze) -> dict[str, Any]:
    """What names a freeze and what it was made from."""
    stamps = [part.stamp for part in freeze.parts.values()]
    return {
        "id": freeze.id,
        "month": freeze.scope.month,
        "profile": freeze.scope.profile,
        "attribution": freeze.scope.attribution,
        "shops": list(freeze.scope.shops),
        "frozen_at": clock.iso(freeze.at),
        "as_of": stamps[0]["as_of"],
        "store_version": freeze.store_version,
        "config_hash": freeze.config_hash,
        "cslog_version": freeze.cslog_version,
        "rows": sum(part.height for part in freeze.parts.values()),
    }


def _folder(found: Corrections) -> str:
    """Where all files that are named lie, so that a table can name them without it; else nothing."""
    paths = {PurePath(file.path).parent for row in found.rows for cause in row.causes for file in cause.files}
    try:
        common = os.path.commonpath(paths) if paths else ""
    except ValueError:  # several drives, or absolute and relative paths
        return ""
    return "" if common == PurePath(common).anchor else common


def _days(days: Sequence[str]) -> str:
    short = [day[5:] for day in days]
    return ", ".join(short) if len(days) < 4 else f"{short[0]} … {short[-1]} ({len(days)})"


def _correction(row: Correction, folder: str) -> dict[str, Any]:
    """A correction in the columns of the sheet, and as the JSON has it."""
    cell, metric = row.cell, BY_KEY[row.cell.metric]
    unit = metric.unit
    numbers = cell.frozen is not None and cell.now is not None
    more = cell.now - cell.frozen if numbers else None
    texts = [_text(value, unit) for value in (cell.frozen, cell.now)]
    if texts[0] == texts[1]:
        texts = [str(plain_value(value, unit)) for value in (cell.frozen, cell.now)]
    change = "" if more is None else f"{'↑' if more > 0 else '↓'} {_amount(abs(more), unit)}"
    cause = "; ".join(_cause(one, unit, folder, len(row.causes) > 1) for one in row.causes)
    same = {
        "shop": cell.shop,
        "agent": cell.agent,
        "metric": cell.metric,
        "name": metric.zh,
        "unit": unit,
        "days": list(row.days),
        "cause": cause,
        "freeze": row.freeze.id,
    }
    values = {"frozen": cell.frozen, "now": cell.now}
    document = same | {name: plain_value(value, unit) for name, value in values.items()}
    document["difference"] = more if unit in INSTANTS else plain_value(more, unit)
    document["causes"] = [
        {
            "kind": one.kind,
            "text": one.text,
            "before": plain_value(one.before, unit),
            "after": plain_value(one.after, unit),
            "certain": one.sure,
            "files": [
                {
                    "path": file.path,
                    "ingested_at": file.at,
                    "messages": file.messages,
                    "orders": file.orders,
                }
                for file in one.files
            ],
        }
        for one in row.causes
    ]
    columns = same | {name: _number(value, unit) for name, value in values.items()}
    columns["difference"] = None if more is None else float(more) / (100 if unit == "CNY" else 1)
    return columns | {
        "frozen_text": texts[0],
        "now_text": texts[1],
        "change": change,
        "on": _days(row.days),
        "files": list(dict.fromkeys(file.path for one in row.causes for file in one.files)),
        "document": document,
    }


def _number(value: Any, unit: str) -> float | None:
    """For spreadsheets: yuan, seconds, counts; an instant is no number."""
    return None if value is None or unit in INSTANTS else float(plain_value(value, unit))


def _text(value: Any, unit: str) -> str:
    """A figure with two decimals more than a report needs: here it is about what differs."""
    if value is None:
        return "–"
    if unit == "fraction":
        return f"{value:.2%}"
    if unit == "instant":
        return shown_text(value, "second")
    return f"{value:,.2f}" if isinstance(value, float) else shown_text(value, unit)


def _amount(more: Any, unit: str) -> str:
    return f"{more:,} s" if unit in INSTANTS else _text(more, unit)


def _cause(cause: Cause, unit: str, folder: str, several: bool) -> str:
    text = cause.text
    if cause.kind == "files":
        shares = [
            f"{PurePath(file.path).relative_to(folder) if folder else file.path} ("
            + ", ".join(
                f"{count} {what}{'' if count == 1 else 's'}"
                for count, what in ((file.messages, "message"), (file.orders, "order"))
                if count
            )
            + ")"
            for file in cause.files
        ]
        label = "files" if cause.sure else "files (some of these)"
        text = f"{label}: {', '.join(shares) or 'not found'}"
    if several:
        text += f" [{_text(cause.before, unit)} → {_text(cause.after, unit)}]"
    return text
