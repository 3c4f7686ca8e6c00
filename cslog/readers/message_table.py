"""``message-table``: one message per row, CSV or workbook, columns found by synonyms (formats 4.2-4.4).

No official export of this kind exists; every file comes from a userscript, an RPA tool or another
program, so the columns are a table of synonyms and who speaks is worked out from what there is.
"""

from __future__ import annotations

import polars as pl

from cslog import classify, schema
from cslog.clock import DAY_SECONDS
from cslog.errors import ReadError
from cslog.readers import decode, instants, tabular
from cslog.readers.base import Batch, Options
from cslog.readers.conversation import NO_CUSTOMER, blocks, customers_of_sessions, only_shop, shop_prefix
from cslog.readers.head import Head
from cslog.readers.tabular import LINE, Table, header_key

# What people call the columns; the first synonym that a file has is taken. Compared by header_key.
_SYNONYM_WORDS = {
    "time": """
        发送时间 消息时间 聊天时间 发言时间 对话时间 时间 send_time sent_at msg_time message_time chat_time
        svrtime timestamp datetime time create_time created_at""",
    "date": "发送日期 消息日期 聊天日期 日期 send_date chat_date date day",
    "text": """
        消息内容 发送内容 聊天内容 发言内容 对话内容 消息 内容 文本 message_content message content text msg
        body chat""",
    "sender": """
        发送者 发送人 发送方 发送账号 发送者昵称 发话者 发言人 发言者 说话人 昵称 账号 sender_nick sender_name
        sender from_nick from_id from speaker author name""",
    "role": """
        账号类型 发送方类型 发送者类型 发送者角色 发送人类型 角色 身份 方向 sender_role sender_type role
        direction""",
    "counterpart": "对象 聊天对象",  # who the row is of: 客户/客服 (formats 4.3), or the buyer's nick
    "buyer": """
        买家昵称 买家会员名 买家旺旺 买家账号 买家ID 买家名 客户昵称 客户名 客户ID 客户账号 顾客昵称 用户昵称
        买家 客户 顾客 访客 用户 buyer_nick buyer_name buyer_id buyer customer_nick customer_name customer_id
        customer user_nick user_name user_id user uid""",
    "agent": """
        客服昵称 客服账号 客服名 客服ID 接待客服 子账号 客服 agent_nick agent_name agent_id agent staff waiter
        servicer seller_nick seller""",
    "receiver": """
        接收者 接收人 接收方 接收账号 接收者昵称 receiver_nick receiver_name receiver to_nick to_id to""",
    "session": """
        会话ID 会话编号 对话ID 会话 session_id conversation_id chat_id ccode cid sid session""",
    "shop": "店铺名称 店铺名 店铺 主账号 shop_name shop",
    "type": "消息类型 内容类型 消息状态 类型 message_type msg_type type status",
}
SYNONYMS = {name: tuple(header_key(word) for word in words.split()) for name, words in _SYNONYM_WORDS.items()}

_ROLE_WORDS = {
    "buyer": "客户 买家 顾客 访客 用户 消费者 buyer user customer client visitor 1",
    # 0 is the TOP API's direction from the shop (formats 5.1).
    "agent": "客服 卖家 商家 店铺 人工 人工客服 坐席 agent staff seller mall_cs waiter service shop 0 2",
    "robot": "机器人 智能客服 店小蜜 robot bot",
    "system": "系统 系统消息 系统提示 平台 system",
}
ROLES = {word: side for side, words in _ROLE_WORDS.items() for word in words.split()}

_AUTO_TYPE = "自动回复|(?i:auto)"
_SYSTEM_TYPE = "^(?:系统|系统消息|系统提示|(?i:system))$"
_RICH_TYPE = "^(图片|语音|视频|文件|卡片|链接|位置|表情)(?:消息)?$"
_PREFIX = "^(?:cntaobao|cnalichn)"


def columns_of(titles: list[str]) -> dict[str, str] | None:
    """Field → column key for the header of a message table; None when it is no such header.

    Needed are a time, a text, who spoke, and a way to the buyer.
    """
    keys = {header_key(title) for title in titles}
    found: dict[str, str] = {}
    for name, words in SYNONYMS.items():
        column = next((key for key in words if key in keys), None)
        if column is not None:
            found[name] = column
    if "time" not in found and "date" in found:
        found["time"] = found.pop("date")  # 日期 may hold the whole moment
    who = found.keys() & {"sender", "role", "counterpart"}
    buyer = found.keys() & {"buyer", "counterpart"} or (
        "sender" in found and found.keys() & {"session", "receiver"}
    )
    return found if {"time", "text"} <= found.keys() and who and buyer else None


class MessageTable:
    """Userscript, RPA and tool dumps with one message per row."""

    id = "message-table"
    title = "Table with one message per row (CSV or workbook)"
    title_zh = "逐条消息表格（CSV / Excel）"
    sign = "a header with time, text, sender or role, and buyer or session"

    def identify(self, head: Head) -> bool:
        """Whether the header, or that of any sheet, has the needed columns."""
        if head.container == "workbook":
            return any(columns_of(titles) for titles in head.sheets.values())
        return head.container == "text" and columns_of(head.table_header) is not None

    def read(self, head: Head, options: Options) -> Batch:
        """Read all matching tables. ReadError when no row of them can be placed, or ids are rounded."""
        batch = Batch()
        tables: list[Table] = []
        if head.container == "workbook":
            skipped = 0
            for sheet, titles in head.sheets.items():
                table = tabular.sheet_table(head, sheet) if columns_of(titles) else None
                if table is None:
                    skipped += 1
                else:
                    tables.append(table)
            if skipped:
                # Not by name: some tools name a sheet by the buyer.
                batch.warnings.append(f"{skipped} sheets without messages were skipped")
        else:
            decoded = decode.decode(head.data)
            batch.encoding, batch.replaced_characters = decoded.encoding, decoded.replaced
            table = tabular.text_table(decoded)
            tables = [table] if table is not None else []
        if not tables:
            raise ReadError(f"{head.path}: holds no table of messages", "see `cslog readers` for the formats")
        rejects = [
            (line, reason, "\t".join(cells)) for table in tables for line, reason, cells in table.rejects
        ]
        rows = pl.concat(_rows(head, table) for table in tables)
        _place(rows, rejects, batch, head, options)
        return batch


def _rows(head: Head, table: Table) -> pl.DataFrame:
    """The fields of a table as String columns, null where it has no such column, with ``sent_at``."""
    columns = columns_of(table.titles)
    if columns is None:  # a CR ends a line of a table, and not that of what is shown of it at first
        raise ReadError(
            f"{head.path}: the header of the table is cut in two by a line end", "export it again"
        )
    for name in ("buyer", "session"):
        if name in columns:
            tabular.refuse_damaged_numbers(head, table, columns[name])
    fields = [
        tabular.cleaned(columns[name]).alias(name) if name in columns else pl.lit(None, pl.String).alias(name)
        for name in SYNONYMS
        if name != "text"
    ]
    rows = table.frame.select(LINE, *fields, tabular.prose(columns["text"]).alias("text"))
    return rows.with_columns(pl.lit(table.sheet, pl.String).alias("sheet"))


def _place(
    rows: pl.DataFrame, rejects: list[tuple[int, str, str]], batch: Batch, head: Head, options: Options
) -> None:
    """Fill the batch with messages and rejects."""
    rows = _with_roles(rows)
    batch.shop = only_shop(rows["shop"], options.shop, head.path)
    if batch.shop is None:
        # The agent column knows the shop even where only buyers speak.
        batch.shop = shop_prefix(rows["agent"])
    rows = rows.with_columns(sent_at=_sent_at(rows, head, batch))
    rows = _with_speakers(rows, batch.shop, options)
    reason = (
        pl.when(pl.col("sent_at").is_null())
        .then(pl.lit("time is not readable"))
        .when(pl.col("sender").is_null())
        .then(pl.lit("no sender"))
        .when(pl.col("buyer").is_null() & pl.col("session").is_not_null())
        .then(pl.lit(NO_CUSTOMER))
        .when(pl.col("buyer").is_null())
        .then(pl.lit("no buyer"))
    )
    rows = rows.with_columns(reason=reason)
    misplaced = rows.filter(pl.col("reason").is_not_null())
    rejects += misplaced.select(LINE, "reason", "text").rows()
    rows = rows.filter(pl.col("reason").is_null())
    if rows.is_empty() and rejects:
        raise ReadError(
            f"{head.path}: none of {len(rejects)} rows could be read; line {rejects[0][0]}: {rejects[0][1]}",
            "for other columns give --mapping FILE.toml",
        )
    batch.rejects = tabular.rejects_frame(rejects)
    batch.messages = _messages(rows)


def _with_roles(rows: pl.DataFrame) -> pl.DataFrame:
    """``side`` from the role column, from roles written in other columns, and from the type column."""

    def role_of(name: str) -> pl.Expr:
        plain = pl.col(name).str.to_lowercase().str.strip_chars("[]【】()（）")
        return plain.replace_strict(ROLES, default=None, return_dtype=pl.String)

    counterpart = rows.filter(pl.col("counterpart").is_not_null())
    if counterpart.select(role_of("counterpart").is_not_null().all()).item():
        rows = rows.with_columns(role=pl.coalesce("role", "counterpart"))
    else:
        rows = rows.with_columns(buyer=pl.coalesce("buyer", "counterpart"))
    # 发送方 holds nicks in some files and 买家/客服 in others; a buyer may be called 用户.
    is_nick = (pl.col("sender") == pl.col("buyer")).fill_null(False)
    named_role = pl.when(pl.col("role").is_null() & ~is_nick).then(role_of("sender"))
    return rows.with_columns(
        side=pl.coalesce(role_of("role"), named_role),
        sender=pl.when(named_role.is_null()).then(pl.col("sender")),
        role=pl.coalesce("role", pl.when(named_role.is_not_null()).then(pl.col("sender"))),
    ).with_columns(
        side=pl.when(pl.col("side").is_null() & pl.col("type").str.contains(_SYSTEM_TYPE))
        .then(pl.lit("system"))
        .otherwise(pl.col("side"))
    )


def _with_speakers(rows: pl.DataFrame, shop: str | None, options: Options) -> pl.DataFrame:
    """Sender, buyer and agent of every row; ``speaks`` is the side as names tell it, used for this alone."""
    known = shop_prefix(rows["agent"], rows["sender"], rows["receiver"])
    shops = [name for name in (shop, options.shop, known) if name]

    def plain(name: str) -> pl.Expr:
        return pl.col(name).str.replace(_PREFIX, "")

    def is_staff(name: str) -> pl.Expr:
        account = plain(name)
        of_shop = [account.str.starts_with(f"{shop}:") for shop in shops]
        return pl.any_horizontal(account.is_in([*shops, *sorted(options.staff)]), *of_shop).fill_null(False)

    is_agent = pl.col("side").is_in(["agent", "robot"])
    is_buyer = pl.col("side") == "buyer"
    written = pl.when(is_agent).then("agent").when(is_buyer).then("buyer").otherwise(pl.col("role"))
    rows = rows.with_columns(sender=pl.coalesce("sender", written, "role")).with_columns(
        # Names shop:agent stay undecided for cslog.identity, which knows the shop.
        side=pl.when(pl.col("side").is_null() & ~plain("sender").str.contains(":", literal=True))
        .then(
            pl.when(plain("sender") == plain("buyer"))
            .then(pl.lit("buyer"))
            .when(plain("sender") == plain("agent"))
            .then(pl.lit("agent"))
        )
        .otherwise(pl.col("side"))
    )
    rows = rows.with_columns(
        speaks=pl.when(pl.col("side").is_not_null())
        .then(pl.when(is_agent).then(pl.lit("agent")).otherwise(pl.col("side")))
        .when(is_staff("sender"))
        .then(pl.lit("agent"))
        .when(pl.col("receiver").is_not_null() & ~is_staff("receiver"))
        .then(pl.lit(None, pl.String))  # neither is known to be of the shop
        .when(pl.col("sender").is_not_null())
        .then(pl.lit("buyer"))
    )
    spoken = pl.col("speaks") == "buyer"
    answered = pl.col("speaks") == "agent"
    rows = rows.with_columns(
        buyer=pl.coalesce(
            "buyer",
            pl.when(pl.col("receiver").is_not_null() & spoken).then("sender").when(answered).then("receiver"),
        ),
        agent=pl.coalesce(
            "agent",
            pl.when(spoken).then("receiver"),
            pl.when(pl.col("receiver").is_not_null() & answered).then("sender"),
        ),
    )
    # A buyer row without any other hint is of the one who speaks.
    return rows.with_columns(
        buyer=pl.coalesce("buyer", customers_of_sessions(rows, single=True), pl.when(is_buyer).then("sender"))
    )


def _sent_at(rows: pl.DataFrame, head: Head, batch: Batch) -> pl.Series:
    seconds = instants.wall_seconds(rows["time"])
    if not seconds.null_count():
        return seconds.alias("sent_at")
    of_day = instants.times_of_day(rows["time"])
    days = instants.days(rows["date"])
    if seconds.null_count() == rows.height == rows["date"].null_count() and of_day.drop_nulls().len():
        # Not one date in the whole file (formats 4.4); a single row without one is a reject.
        day = instants.date_in_name(head.name, of_day.drop_nulls().to_list())
        grouped = rows.with_columns(of_day=of_day).drop_nulls("of_day")
        for _, group in grouped.group_by("sheet", "buyer", "session", maintain_order=True):
            if instants.passes_midnight(group["of_day"].to_list()):
                raise ReadError(
                    f"{head.path}: its times have no date and run past midnight",
                    "put the date into a column of the file",
                )
        batch.warnings.append(
            f"the times have no date; {instants.date_label(day)} is taken from the file name"
        )
        days = pl.Series([day] * rows.height, dtype=pl.Int64)
    return seconds.fill_null(days * DAY_SECONDS + of_day).alias("sent_at")


def _messages(rows: pl.DataFrame) -> pl.DataFrame:
    text, kind = pl.col("text"), pl.col("type")
    marked = classify.has_auto_marker(text)
    plain = classify.without_auto_marker(text)
    rich = kind.str.extract(_RICH_TYPE, 1)
    rows = rows.with_columns(
        # An exporter that states 图片 and leaves the text blank means the client's placeholder.
        text=pl.when((plain == "") & rich.is_not_null()).then(pl.format("[{}]", rich)).otherwise(plain),
        auto=marked | kind.str.contains(_AUTO_TYPE).fill_null(False),
    )
    keys = ["session", "buyer"]
    if rows.filter(pl.col("speaks") == "buyer")["agent"].null_count() == 0:
        # One column for the agent on every buyer row: conversations of two agents are two blocks.
        keys = keys if rows["session"].null_count() < rows.height else ["buyer", "agent"]
    return rows.with_columns(block=blocks(rows, keys), line=pl.col(LINE)).select(
        pl.col(name).cast(dtype) for name, dtype in schema.RAW_MESSAGES.items()
    )
