"""Sheets of everything that is not a figure: files read, store, metrics, readers, profiles, rejects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import polars as pl

from cslog.metrics import METRICS
from cslog.profile import Profile
from cslog.report.sheet import Column, Sheet

if TYPE_CHECKING:
    from cslog.readers.base import Reader


class IngestReport(Protocol):
    """What `cslog ingest` has to say."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON of the command-line contract."""
        ...


def ingested(report: IngestReport, dry_run: bool) -> Sheet:
    """What became of each file."""
    document = report.as_dict()
    totals = document["totals"]
    columns = (
        Column("path", "文件"),
        Column("status", "状态"),
        Column("reader", "格式"),
        Column("encoding", "编码"),
        Column("messages_read", "读取消息", "messages"),
        Column("messages_new", "新消息", "messages"),
        Column("orders_read", "读取订单", "orders"),
        Column("orders_new", "新订单", "orders"),
        Column("orders_changed", "变更订单", "orders"),
        Column("rejects", "未识别行", "lines"),
        Column("replaced_characters", "替换字符", "characters"),
        Column("messages_forgotten", "已遗忘消息", "messages"),
        Column("orders_forgotten", "已遗忘订单", "orders"),
        Column("messages_expired", "过期消息", "messages"),
        Column("orders_expired", "过期订单", "orders"),
    )
    rows = pl.DataFrame(
        [{column.key: file[column.key] for column in columns} for file in document["files"]],
        schema={column.key: pl.Int64 if column.unit else pl.String for column in columns},
    )
    title = (
        f"{totals['ingested']} ingested, {totals['duplicate']} already there, {totals['failed']} failed: "
        f"{totals['messages_new']:,} new messages, {totals['orders_new']:,} new orders, {totals['rejects']} rejects"
    )
    kept_out = totals["messages_forgotten"] + totals["orders_forgotten"]
    if kept_out:
        title += f"; forgotten (已遗忘，不再导入): {kept_out} rows"
    expired = totals["messages_expired"] + totals["orders_expired"]
    if expired:
        title += f"; beyond retention (超过保存期限，不再导入): {expired} rows"
    version = "kept nothing (--dry-run)" if dry_run else str(document["store_version"])
    shown = ("path", "status", "reader", "messages_new", "orders_new", "orders_changed", "rejects")
    return Sheet("ingest", title, columns, rows, document, shown=shown, stamp=(("store version", version),))


def status(status: Any) -> Sheet:
    """What the store holds."""
    document = status.as_dict()
    columns = (
        Column("shop", "店铺"),
        Column("messages", "消息数", "messages"),
        Column("buyers", "买家数", "people"),
        Column("first_message_at", "最早消息", "instant"),
        Column("last_message_at", "最晚消息", "instant"),
        Column("days_covered", "有数据天数", "days"),
        Column("days_missing", "缺失日期"),
        Column("inferred_agents_rate", "推断客服占比", "fraction", "inferred agents"),
        Column("orders", "订单数", "orders"),
        Column("orders_with_chat", "可关联订单", "orders"),
        Column("orders_masked", "昵称打码订单", "orders"),
    )
    title = f"{status.store}: version {status.store_version}, {status.files} files, {status.rejects} rejected lines"
    return Sheet("status", title, columns, status.shops, document)


def compacted(months: list[str], store_version: int) -> Sheet:
    """The months whose messages were sorted anew."""
    columns = (Column("month", "月份"),)
    rows = pl.DataFrame({"month": months}, schema={"month": pl.String})
    title = f"{len(months)} months sorted anew" if months else "nothing to do: every month is sorted already"
    document = {"store_version": store_version, "months": months}
    return Sheet("compact", title, columns, rows, document, stamp=(("store version", str(store_version)),))


def history(ledger: pl.DataFrame) -> Sheet:
    """What has been done to the store."""
    columns = (
        Column("at", "时间"),
        Column("action", "操作"),
        Column("what", "对象"),
        Column("messages", "消息", "messages"),
        Column("orders", "订单", "orders"),
        Column("texts", "原文", "messages"),
        Column("buyers", "买家", "people"),
        Column("rejects", "未识别行", "lines"),
        Column("months", "月份"),
        Column("path", "文件"),
        Column("cslog_version", "程序版本"),
    )
    removed = pl.col("removed").struct
    of_texts = (removed.field("what") == "texts").fill_null(False)  # the messages themselves stay
    rows = ledger.select(
        "at",
        "action",
        what=removed.field("what"),
        messages=pl.col("messages_new").fill_null(pl.when(~of_texts).then(-removed.field("messages"))),
        orders=pl.col("orders_new").fill_null(-removed.field("orders")),
        texts=pl.when(of_texts).then(-removed.field("messages")),
        buyers=-removed.field("buyers"),
        rejects=pl.col("rejects").fill_null(-removed.field("rejects")),
        months=removed.field("months"),
        path=pl.coalesce("path", pl.when(pl.col("action") == "freeze").then("fingerprint")),
        cslog_version="cslog_version",
    )
    title = f"{rows.height} steps, oldest first; negative numbers were removed"
    shown = ("at", "action", "what", "messages", "orders", "texts", "buyers", "months", "path")
    return Sheet("history", title, columns, rows, {"history": ...}, shown)


def metrics() -> Sheet:
    """The metrics table."""
    columns = (
        Column("key", "指标"),
        Column("zh", "名称"),
        Column("unit", "单位"),
        Column("what", "定义"),
        Column("final", "定稿"),
        Column("source", "来源"),
    )
    final = {None: "", "same_day": "day + 1", "next_day": "day + 2", "payment": "day + 5"}
    rows = [
        {
            "key": metric.key,
            "zh": metric.zh,
            "unit": metric.unit,
            "what": metric.what + (f" (needs a {metric.needs})" if metric.needs else ""),
            "final": final[metric.final],
            "source": metric.source,
        }
        for metric in METRICS
    ]
    return _of_records("metrics", "Figures (指标)", columns, rows, shown=("key", "zh", "unit", "what"))


def readers(known: Iterable[Reader]) -> Sheet:
    """The file formats."""
    columns = (
        Column("id", "格式"),
        Column("title", "名称"),
        Column("title_zh", "中文名称"),
        Column("sign", "识别依据"),
    )
    rows = [{column.key: getattr(reader, column.key) for column in columns} for reader in known]
    return _of_records("readers", "File formats (支持的格式)", columns, rows)


def profiles(known: Iterable[Profile]) -> Sheet:
    """The ways of counting, one row per switch."""
    columns = (Column("profile", "口径"), Column("switch", "开关"), Column("value", "值"))
    rows = [
        {"profile": profile.id, "switch": name, "value": str(value)}
        for profile in known
        for name, value in msgspec.structs.asdict(profile).items()
        if name != "id"
    ]
    return _of_records("profiles", "Ways of counting (口径)", columns, rows)


def rejects(lines: pl.DataFrame) -> Sheet:
    """Lines that no reader could place."""
    columns = (
        Column("source_file", "文件"),
        Column("line", "行号"),
        Column("reason", "原因"),
        Column("text", "内容"),
    )
    rows = lines.select(column.key for column in columns)
    return Sheet("rejects", f"{rows.height} lines without a place", columns, rows, {"rejects": ...})


def _of_records(
    name: str,
    title: str,
    columns: tuple[Column, ...],
    rows: list[dict[str, Any]],
    shown: tuple[str, ...] = (),
) -> Sheet:
    frame = pl.DataFrame(rows, schema={column.key: pl.String for column in columns})
    return Sheet(name, title, columns, frame, {name: ...}, shown)
