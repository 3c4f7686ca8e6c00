"""What a run of `cslog run` did, and what `cslog schedule` has to say, as sheets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from cslog.report.sheet import Column, Sheet

if TYPE_CHECKING:
    from cslog.routine import Round
    from cslog.schedule import Part

_COUNTS = ("messages_new", "orders_new", "orders_changed", "rejects")


def sheet_of(found: Round) -> Sheet:
    """One row per file of the inbox."""
    columns = (
        Column("path", "文件"),
        Column("status", "状态"),
        Column("messages_new", "新消息", "messages"),
        Column("orders_new", "新订单", "orders"),
        Column("orders_changed", "变更订单", "orders"),
        Column("rejects", "未识别行", "lines"),
        Column("moved_to", "移至"),
        Column("reason", "原因"),
    )
    rows = []
    for file in found.files:
        states = {one.status for one in file.reports}
        counts = {name: sum(getattr(one, name) for one in file.reports) for name in _COUNTS}
        rows.append(
            {
                "path": file.path,
                "status": "failed" if file.errors else "ingested" if "ingested" in states else "duplicate",
                **counts,
                "moved_to": file.moved_to,
                "reason": file.problem or "; ".join(file.errors) or None,
            }
        )
    rows += [
        {
            "path": left.path,
            "status": "left",
            **dict.fromkeys(_COUNTS),
            "moved_to": None,
            "reason": left.reason,
        }
        for left in found.left
    ]
    frame = pl.DataFrame(rows, schema={c.key: pl.Int64 if c.unit else pl.String for c in columns})
    every = frame["status"].to_list()
    title = ", ".join(f"{every.count(one)} {one}" for one in ("ingested", "duplicate", "failed", "left"))
    stamp = (
        ("status", f"{found.status} ({found.exit_status}), {found.duration_s:.1f} s"),
        ("store version", str(found.store_version if found.store_version is not None else "–")),
        *(
            [
                (
                    "beyond retention 超过保存期限",
                    "{messages} messages, {orders} orders, {texts} texts removed".format(**found.expired),
                )
            ]
            if found.expired
            else []
        ),
        *([("sorted anew 已整理", ", ".join(found.sorted_months))] if found.sorted_months else []),
        *(
            ("report 报表", f"{one.output}: {one.error}" if one.error else one.output)
            for one in found.reports
        ),
    )
    shown = ("path", "status", "messages_new", "orders_new", "rejects", "reason")
    return Sheet("run", f"{found.inbox}: {title}", columns, frame, found.as_dict(), shown=shown, stamp=stamp)


def schedule(parts: Sequence[Part]) -> Sheet:
    """What `cslog schedule` prints, a row per file or line to be put somewhere."""
    columns = (Column("part", "部分"), Column("where", "放在哪里"), Column("text", "内容"))
    rows = [{column.key: getattr(part, column.key) for column in columns} for part in parts]
    frame = pl.DataFrame(rows, schema={column.key: pl.String for column in columns})
    return Sheet("schedule", "schedule (定时任务)", columns, frame, {"schedule": ...})
