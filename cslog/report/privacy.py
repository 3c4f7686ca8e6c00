"""What was removed from the store, as a sheet; and what of it goes into files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from cslog.report.sheet import Column, Sheet

if TYPE_CHECKING:
    from cslog.privacy.forget import Forgotten
    from cslog.privacy.retention import Expired


MESSAGE_COLUMNS = (
    Column("sent_at", "发送时间", "second"),
    Column("platform", "平台"),
    Column("shop", "店铺"),
    Column("buyer", "买家"),
    Column("agent", "客服"),
    Column("speaker", "发言方"),
    Column("kind", "消息类型"),
    Column("characters", "字数", "characters"),
    Column("text", "内容"),
    Column("transfer_from", "转出客服"),
    Column("transfer_to", "转入客服"),
    Column("source_file", "来源文件"),
    Column("source_line", "行号"),
)
ORDER_COLUMNS = (
    Column("order_id", "订单编号"),
    Column("platform", "平台"),
    Column("shop", "店铺"),
    Column("buyer", "买家"),
    Column("created_at", "创建时间", "second"),
    Column("paid_at", "付款时间", "second"),
    Column("shipped_at", "发货时间", "second"),
    Column("state", "状态"),
    Column("amount", "实付金额", "CNY"),
    Column("post_fee", "邮费", "CNY"),
    Column("refund", "退款金额", "CNY"),
    Column("items", "件数", "items"),
    Column("memo", "卖家备注"),
    Column("flag", "旗帜"),
    Column("close_reason", "关闭原因"),
    Column("source_file", "来源文件"),
    Column("source_line", "行号"),
)


def exported(what: str, file: Path, rows: int, pseudonymised: bool, store_version: int) -> Sheet:
    """What was written where."""
    columns = (Column("file", "文件"), Column("what", "内容"), Column("rows", "行数", "rows"))
    document = {
        "file": str(file),
        "what": what,
        "rows": rows,
        "pseudonymised": pseudonymised,
        "store_version": store_version,
    }
    frame = pl.DataFrame([{column.key: document[column.key] for column in columns}])
    title = f"{rows:,} {what} exported" + (", pseudonymised (假名化)" if pseudonymised else "")
    return Sheet("export", title, columns, frame, document, stamp=(("store version", str(store_version)),))


def forgotten(found: Forgotten) -> Sheet:
    """One row per month; of whom it was, the sheet does not say."""
    columns = (
        Column("month", "月份"),
        Column("messages", "消息", "messages"),
        Column("orders", "订单", "orders"),
    )
    did = "would forget" if found.dry_run else "forgot"
    title = (
        f"{did} {found.buyers} of {found.asked} buyers (遗忘买家): {found.messages:,} messages, {found.orders:,} orders, "
        f"the texts of {found.rejects} rejected lines, {found.mentions} mentions by others"
    )
    return _removal(found, title, columns, [], _remarks(found))


def expired(found: Expired) -> Sheet:
    """What was older than the store keeps: one row per month."""
    columns = (
        Column("month", "月份"),
        Column("messages", "消息", "messages"),
        Column("orders", "订单", "orders"),
        Column("texts", "原文", "messages"),
    )
    did = "would remove" if found.dry_run else "removed"
    title = (
        f"{did} what is beyond retention (保存期限): {found.messages:,} messages, {found.orders:,} orders, "
        f"{found.texts:,} texts, the texts of {found.rejects} rejected lines"
    )
    warnings = [*_left_behind(found), *found.warnings]
    if found.frozen:
        warnings.append(
            f"{', '.join(found.frozen)} stay as they were frozen (冻结) and cannot be computed again"
        )
    stamp = [("figures complete from 完整月份", found.complete_from or "the beginning")]
    if found.texts_from:
        stamp.append(("texts kept from 原文起始", found.texts_from))
    return _removal(found, title, columns, stamp, warnings)


def _removal(
    found: Forgotten | Expired,
    title: str,
    columns: tuple[Column, ...],
    stamp: Iterable[tuple[str, str]],
    warnings: Iterable[str],
) -> Sheet:
    version = f"{found.store_version}, unchanged (--dry-run)" if found.dry_run else str(found.store_version)
    stamps = (*stamp, ("store version", version))
    return Sheet(
        "forget", title, columns, found.months, found.as_dict(), stamp=stamps, warnings=tuple(warnings)
    )


def _left_behind(found: Forgotten | Expired) -> Iterator[str]:
    if found.completed:
        yield "an earlier run was interrupted; the files that it had left behind are deleted now"
    if found.left:
        yield (
            f"{found.left} folders with old files are still open in another program: they are deleted by the next "
            "command that writes, or by the same again"
        )


def _remarks(found: Forgotten) -> Iterator[str]:
    yield from _left_behind(found)
    unknown = found.asked - found.buyers
    if unknown > 0:
        yield (
            f"{unknown} of the nicks {'is' if unknown == 1 else 'are'} not in the store: write a nick as the export "
            "does, upper and lower case apart"
        )
    for one in found.frozen:
        if found.dry_run or one.differing is None:
            yield f"{one.month} is frozen (冻结, {one.id}): its figures may differ afterwards"
        elif one.differing:
            count = "1 figure differs" if one.differing == 1 else f"{one.differing} figures differ"
            yield f"{one.month} was frozen (冻结, {one.id}); {count} now, see `cslog corrections {one.options}`"
    if found.masked_messages or found.masked_orders:
        yield (
            f"{found.masked_messages} messages and {found.masked_orders} orders of masked nicks (打码昵称) could be "
            "theirs as well as others'; they stay unless you name the masked nick"
        )
    yield from found.warnings
    for path in found.files:
        yield f"the file itself still holds them, delete it where you keep it: {path}"
