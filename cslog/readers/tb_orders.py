"""``tb-orders``: 已卖出的宝贝 → 批量导出, ExportOrderList of every generation (formats 8.1).

Columns are found by name, never by position: 2019 files shifted them, 2021 files renamed them.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

import polars as pl

from cslog import schema
from cslog.errors import ReadError
from cslog.readers import decode, instants, tabular
from cslog.readers.base import Batch, Options
from cslog.readers.head import Head
from cslog.readers.tabular import LINE, Table, header_key
from cslog.schema import OrderState

# The first synonym that a file has is taken; a file with both ids has 主订单编号 for the whole order.
_SYNONYM_WORDS = {
    "order_id": "主订单编号 主订单号 订单编号 订单号",
    "buyer": "买家会员名 买家昵称 买家旺旺 买家旺旺号 买家账号 买家会员名称 会员名",
    "created": "订单创建时间 买家下单时间 下单时间 创建时间",
    "paid": "订单付款时间 买家付款时间 付款时间 支付时间",
    "shipped": "发货时间 卖家发货时间",
    "state": "订单状态 交易状态",
    "amount": "买家实际支付金额 买家实付金额 实际支付金额 实付金额",
    "post_fee": "买家应付邮费 买家应付运费 邮费 运费",
    "refund": "退款金额",
    "items": "宝贝总数量 宝贝数量 购买数量 商品总数量 商品数量",
    "memo": "订单备注 商家备忘 商家备注 卖家备注 卖家备忘",
    "flag": "旗帜 商家备注旗帜 备注旗帜 卖家旗帜 卖家备注旗帜 订单旗帜 备忘旗帜 插旗",
    "shop": "店铺名称 店铺名 店铺",
    "close_reason": "订单关闭原因 关闭原因",
}
SYNONYMS = {name: tuple(header_key(word) for word in words.split()) for name, words in _SYNONYM_WORDS.items()}
_NEEDED = {"order_id", "buyer", "created", "state", "amount"}

_STATES: dict[OrderState, str] = {
    OrderState.WAIT_PAY: "等待买家付款 待付款 WAIT_BUYER_PAY TRADE_NO_CREATE_PAY PAY_PENDING",
    OrderState.PAID: "买家已付款,等待卖家发货 买家已付款 等待卖家发货 待发货 WAIT_SELLER_SEND_GOODS",
    OrderState.PARTLY_SHIPPED: "部分发货 卖家部分发货 部分发货中 SELLER_CONSIGNED_PART",
    OrderState.SHIPPED: """
        卖家已发货,等待买家确认 卖家已发货,等待买家确认收货 卖家已发货 等待买家确认收货 已发货 待收货
        WAIT_BUYER_CONFIRM_GOODS TRADE_BUYER_SIGNED""",
    OrderState.FINISHED: "交易成功 TRADE_FINISHED",
    OrderState.CLOSED: """
        交易关闭 交易已关闭 TRADE_CLOSED TRADE_CLOSED_BY_TAOBAO 付款以前,卖家或买家主动关闭交易
        付款以后用户退款成功,交易自动关闭""",
}
STATES = {word: int(state) for state, words in _STATES.items() for word in words.split()}

_ORDER_ID = r"^[0-9A-Za-z][0-9A-Za-z_-]{5,39}$"
_SHOWN_ID = re.compile(r"\d{14,}")  # longer than a phone number, which a shifted row has in its place
_NOTHING = ("-", "--", "null", "NULL", "0000-00-00 00:00:00", "无")
_AMOUNT = re.compile(r"-?\d+(?:\.\d+)?")


def columns_of(titles: list[str]) -> dict[str, str] | None:
    """Field → column key for the header of an order export; None when it is no such header."""
    keys = tabular.header_keys(titles)
    found: dict[str, str] = {}
    for name, words in SYNONYMS.items():
        # 退款金额 may carry a unit or a remark in brackets: 退款金额(元).
        column = next(
            (key for word in words for key in keys if key == word or key.startswith(f"{word}(")), None
        )
        if column is not None:
            found[name] = column
    return found if found.keys() >= _NEEDED else None


class TbOrders:
    """Order reports of Taobao and Tmall."""

    id = "tb-orders"
    title = "Taobao/Tmall order report (ExportOrderList, CSV or workbook)"
    title_zh = "淘宝/天猫订单报表"
    sign = (
        "a header with 订单编号, 买家会员名, 订单创建时间, 订单状态, 买家实际支付金额, or their later names"
    )

    def identify(self, head: Head) -> bool:
        """Whether the header, or that of any sheet, has the needed columns and no 子订单编号."""
        if head.container == "workbook":
            return any(columns_of(titles) and not is_item_table(titles) for titles in head.sheets.values())
        titles = head.table_header
        return columns_of(titles) is not None and not is_item_table(titles)

    def read(self, head: Head, options: Options) -> Batch:
        """Read all orders. ReadError when Excel has rounded the order numbers, or no row can be read."""
        batch = Batch()
        tables: list[Table | None] = []
        if head.container == "workbook":
            wanted = [sheet for sheet, titles in head.sheets.items() if columns_of(titles)]
            tables = [tabular.sheet_table(head, sheet) for sheet in wanted]
            if len(wanted) < len(head.sheets):
                batch.warnings.append(f"{len(head.sheets) - len(wanted)} sheets without orders were skipped")
        else:
            decoded = decode.decode(head.data)
            batch.encoding, batch.replaced_characters = decoded.encoding, decoded.replaced
            tables = [tabular.text_table(decoded)]
        rejects: list[tuple[int, str, str]] = []
        frames = [_orders(head, table, rejects) for table in tables if table is not None]
        if not frames:
            raise ReadError(f"{head.path}: holds no table of orders", "export 订单报表 again")
        batch.orders = pl.concat(frames)
        if batch.orders.is_empty() and rejects:
            line, reason, _ = rejects[0]
            raise ReadError(
                f"{head.path}: none of {len(rejects)} rows could be read; line {line}: {reason}",
                "export 订单报表 again",
            )
        batch.rejects = tabular.rejects_frame(rejects)
        return batch


def is_item_table(titles: list[str]) -> bool:
    """Whether rows are items, not orders (宝贝报表, formats 8.2): amounts of a row are not the order's."""
    keys = set(tabular.header_keys(titles))
    if "子订单编号" in keys:
        return True
    return "订单编号" in keys and {"标题", "价格", "购买数量"} <= keys


def _orders(head: Head, table: Table, rejects: list[tuple[int, str, str]]) -> pl.DataFrame:
    """schema.RAW_ORDERS of one table; rows that cannot be read are added to ``rejects``."""
    columns = columns_of(table.titles)
    if columns is None:  # a CR ends a line of a table, and not that of what is shown of it at first
        raise ReadError(
            f"{head.path}: the header of the table is cut in two by a line end", "export 订单报表 again"
        )
    tabular.refuse_damaged_numbers(head, table, columns["order_id"])
    # Only the order number of a bad row is kept: the rest are phones and addresses.
    id_position = table.frame.columns.index(columns["order_id"]) - 1
    rejects += [
        (line, reason, _shown_id(cells[id_position] if id_position < len(cells) else ""))
        for line, reason, cells in table.rejects
    ]
    written = table.frame.select(
        LINE,
        *(
            tabular.cleaned(columns[name]).alias(name)
            if name in columns
            else pl.lit(None, pl.String).alias(name)
            for name in SYNONYMS
        ),
    ).filter(pl.any_horizontal(pl.exclude(LINE).is_not_null()))
    # Excel shows whole numbers of a numeric column as 12.0 in some re-saves.
    written = written.with_columns(pl.col("order_id").str.replace(r"^(\d+)\.0$", "$1"))
    plain_state = pl.col("state").str.replace_all("，", ",", literal=True).str.replace_all(r"\s", "")
    rows = written.with_columns(
        created_at=instants.wall_seconds(written["created"]),
        paid_at=instants.wall_seconds(written["paid"]),
        shipped_at=instants.wall_seconds(written["shipped"]),
        amount_cents=_cents(written["amount"]),
        post_fee_cents=_cents(written["post_fee"]),
        refund_cents=_cents(written["refund"]),
        items=pl.col("items").str.extract(r"^([0-9]{1,9})(?:\.0+)?$", 1).cast(pl.Int64),
        rank=_state(plain_state),
    )
    reason = (
        pl.when(~pl.col("order_id").str.contains(_ORDER_ID).fill_null(False))
        .then(pl.lit("order number is not readable"))
        .when(pl.col("created_at").is_null())
        .then(pl.lit("creation time is not readable"))
        .when(pl.col("paid_at").is_null() & _stated("paid"))
        .then(pl.lit("payment time is not readable"))
        .when(pl.col("amount_cents").is_null())
        .then(pl.lit("amount is not readable"))
        .when(pl.col("post_fee_cents").is_null() & _has_digits("post_fee"))
        .then(pl.lit("postage is not readable"))
        .when(pl.col("refund_cents").is_null() & _has_digits("refund"))
        .then(pl.lit("refund is not readable"))
        .when(pl.col("rank").is_null())
        .then(pl.lit("order state is not known"))
    )
    rows = rows.with_columns(reason=reason)
    bad = rows.filter(pl.col("reason").is_not_null())
    rejects += [
        (line, why, _shown_id(number or ""))
        for line, why, number in bad.select(LINE, "reason", "order_id").rows()
    ]
    good = rows.filter(pl.col("reason").is_null()).with_columns(
        pl.col("rank").alias("state"), pl.col(LINE).alias("line")
    )
    return good.select(pl.col(name).cast(dtype) for name, dtype in schema.RAW_ORDERS.items())


def _state(plain: pl.Expr) -> pl.Expr:
    return (
        plain.replace_strict(STATES, default=None, return_dtype=pl.Int8)
        .fill_null(
            pl.when(plain.str.contains("部分发货")).then(pl.lit(int(OrderState.PARTLY_SHIPPED), pl.Int8))
        )
        .fill_null(
            pl.when(plain.str.contains("交易.{0,2}关闭")).then(pl.lit(int(OrderState.CLOSED), pl.Int8))
        )
    )


def _stated(name: str) -> pl.Expr:
    return pl.col(name).is_not_null() & ~pl.col(name).is_in(_NOTHING)


def _has_digits(name: str) -> pl.Expr:
    # 无退款申请 and the like mean that there is no amount.
    return pl.col(name).str.contains(r"\d").fill_null(False)


def _cents(column: pl.Series) -> pl.Series:
    """Exact cents of written amounts; null where there is none or one finer than a cent."""
    by_text = {value: cents(value) for value in column.drop_nulls().unique()}
    if not by_text:
        return pl.Series(column.name, [None] * column.len(), dtype=pl.Int64)
    return column.replace_strict(by_text, default=None, return_dtype=pl.Int64)


def cents(amount: str) -> int | None:
    """Hundredths of a yuan of ``201.12``, ``¥1,299.00``, ``12.00元``; None when it is no exact amount."""
    plain = re.sub(r"[¥￥,，\s元]|(?i:CNY|RMB)", "", amount)
    if not _AMOUNT.fullmatch(plain):
        return None
    try:
        exact = Decimal(plain) * 100
    except InvalidOperation:
        return None
    return int(exact) if exact == exact.to_integral_value() and abs(exact) < 10**16 else None


def _shown_id(cell: str) -> str:
    match = _SHOWN_ID.search(cell)
    return match.group(0) if match else ""
