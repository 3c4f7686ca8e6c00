"""The canonical frames that every layer exchanges: names, dtypes, units, enumerations. No I/O.

Suffixes: ``_at`` seconds since 1970-01-01 00:00 on the Asia/Shanghai wall clock (kpi-spec T1),
``_s`` seconds, ``_cents`` hundredths of a yuan, ``_key`` 64-bit hashes.
"""

from __future__ import annotations

from enum import IntEnum

import polars as pl

from cslog.errors import ReadError


class MessageClass(IntEnum):
    """Who speaks, for the figures (kpi-spec M1). Stored as these codes."""

    BUYER = 0
    HUMAN = 1
    ASSIST = 2
    AUTO = 3
    SYSTEM = 4
    TRANSFER = 5
    INTERNAL = 6


class Kind(IntEnum):
    """What a message consists of. Stored as these codes."""

    TEXT = 0
    IMAGE = 1
    CARD = 2
    VOICE = 3
    VIDEO = 4
    FILE = 5
    LINK = 6
    LOCATION = 7
    STICKER = 8
    RECALL = 9
    UNKNOWN = 10


class OrderState(IntEnum):
    """Rank of an order's state; a later state refines an earlier one (kpi-spec 4.6)."""

    WAIT_PAY = 0
    PAID = 1
    PARTLY_SHIPPED = 2
    SHIPPED = 3
    FINISHED = 4
    CLOSED = 5


Schema = dict[str, pl.DataType]

RAW_MESSAGES: Schema = {
    # What a reader returns: as the file says it, nothing decided yet.
    "line": pl.Int64(),  # 1-based line or row in the file
    "block": pl.Int64(),  # contact block / session within the file, see readers.base
    "buyer": pl.String(),  # the customer this message was exchanged with
    "sender": pl.String(),  # as written in the file
    "side": pl.String(),  # buyer | agent | robot | system when the export says so, else null
    "agent": pl.String(),  # the agent an own column states for this message, else null
    "sent_at": pl.Int64(),
    "text": pl.String(),
    "auto": pl.Boolean(),  # the export marks this message as an auto reply
}
"""Messages as a reader returns them, in file order."""

MESSAGES: Schema = {
    "month": pl.String(),  # YYYY-MM of sent_at; partition of the store
    "platform": pl.String(),
    "shop": pl.String(),
    "buyer": pl.String(),
    "buyer_key": pl.Int64(),  # hash of platform, shop, buyer
    "sent_at": pl.Int64(),
    "rank": pl.Int32(),  # position among the buyer's messages of that second
    "message_class": pl.Int8(),  # MessageClass
    "kind": pl.Int8(),  # Kind
    "agent": pl.String(),  # sender's account for staff; stated agent for the buyer, null = infer
    "exporter": pl.String(),  # login whose export holds a buyer message without stated agent, else null
    "transfer_from": pl.String(),  # transfer markers only
    "transfer_to": pl.String(),
    "characters": pl.Int32(),  # code points without white space, text messages only
    "sender": pl.String(),
    "text": pl.String(),
    "rule": pl.String(),  # what decided the class: sender, marker, prefix, text, phrase …
    "message_key": pl.Int64(),  # hash of sender, kind, normalised text
    "occurrence": pl.Int32(),  # 0, 1, 2… for equal messages inside one file (I2)
    "refines": pl.Boolean(),  # a further copy of a stored message that knows more, see cslog.store
    "source_file": pl.String(),
    "source_line": pl.Int64(),
}

MESSAGE_ID = ("buyer_key", "sent_at", "message_key", "occurrence")
"""Columns that make two rows copies of one message (I2)."""

ORDER_ID = ("platform", "shop", "order_id")
"""Columns that make two rows versions of one order."""

MESSAGE_ORDER = ("buyer_key", "sent_at", "rank", "message_key", "occurrence")
"""Order of rows in the files of the store; what it means inside one rank, reports decide (definitions 2)."""

ROWS_PER_GROUP = 131_072
"""So many rows lie together in the files of the store, and are read together."""

RAW_ORDERS: Schema = {
    "line": pl.Int64(),
    "order_id": pl.String(),
    "shop": pl.String(),  # null when the file does not say
    "buyer": pl.String(),
    "created_at": pl.Int64(),
    "paid_at": pl.Int64(),  # null: not paid
    "shipped_at": pl.Int64(),
    "state": pl.Int8(),  # OrderState
    "amount_cents": pl.Int64(),  # 买家实际支付金额
    "post_fee_cents": pl.Int64(),  # 买家应付邮费
    "refund_cents": pl.Int64(),  # 退款金额
    "items": pl.Int64(),  # 宝贝总数量
    "memo": pl.String(),  # 订单备注 / 商家备忘
    "flag": pl.String(),  # 旗帜
    "close_reason": pl.String(),  # 订单关闭原因
}
"""Orders as a reader returns them; one row is one version of one order."""

ORDERS: Schema = {
    "month": pl.String(),  # YYYY-MM of created_at; partition of the store
    "platform": pl.String(),
    **{name: dtype for name, dtype in RAW_ORDERS.items() if name != "line"},
    "buyer_key": pl.Int64(),
    "joinable": pl.Boolean(),  # false for masked buyer nicks (I1)
    "content_key": pl.Int64(),  # hash of everything the export says about the order
    "source_file": pl.String(),
    "source_line": pl.Int64(),
}

REJECTS: Schema = {
    "line": pl.Int64(),
    "reason": pl.String(),
    "text": pl.String(),
}
"""Lines that a reader could not place. ``text`` stays in the store, it is never logged."""

STORED_REJECTS: Schema = {"source_file": pl.String(), "sha256": pl.String(), **REJECTS}


def validate(frame: pl.DataFrame, schema: Schema, required: tuple[str, ...], where: str) -> pl.DataFrame:
    """Return ``frame`` when it has exactly the columns and dtypes of ``schema``.

    ``required`` columns must not hold nulls. ``where`` names the reader and the file.
    Raises ReadError naming the column and the first offending line.
    """
    if dict(frame.schema) != schema:
        wrong = [
            f"{name} is {frame.schema.get(name, 'missing')}, not {dtype}"
            for name, dtype in schema.items()
            if frame.schema.get(name) != dtype
        ]
        extra = [name for name in frame.columns if name not in schema]
        raise ReadError(f"{where}: {'; '.join(wrong + [f'{name} is not in the schema' for name in extra])}")
    for name in required:
        if frame[name].null_count():
            bad = frame.filter(pl.col(name).is_null())
            line = bad["line"][0] if "line" in bad.columns else "?"
            raise ReadError(f"{where}, line {line}: no {name}")
    return frame
