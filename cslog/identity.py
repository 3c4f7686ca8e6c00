"""From what a file states to canonical rows: who is shop, agent and buyer, the class of each message,
and the keys by which copies from overlapping exports are recognised (kpi-spec I1-I3, M1, M2).

Everything here looks at one file alone; what needs the messages of other files (inferred agents)
happens when a report is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import xxhash

from cslog import classify, schema
from cslog.clock import DAY_SECONDS
from cslog.config import DEFAULT_ROBOTS
from cslog.errors import ReadError
from cslog.readers.base import Batch
from cslog.schema import MessageClass

_PREFIX = r"^\s*(?:cntaobao|cnalichn)"
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Accounts:
    """What is known about a shop's accounts before its file is looked at.

    ``shop`` is the name given by the user, which overrides the file's; ``aliases`` maps other names
    of shops to main accounts. By shop: ``robots`` are short names beside the usual ones, ``assistants`` short
    names of robots that assist, ``staff`` accounts that do not look like ``shop:agent``, ``internal`` nicks of
    its own people.
    """

    shop: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    robots: Mapping[str, frozenset[str]] = field(default_factory=dict)
    assistants: Mapping[str, frozenset[str]] = field(default_factory=dict)
    staff: Mapping[str, frozenset[str]] = field(default_factory=dict)
    internal: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def canonical_shop(self, name: str) -> str:
        """The name under which the shop is kept."""
        return self.aliases.get(name, name)


def plain_account(name: pl.Expr) -> pl.Expr:
    """An account name without ``cntaobao``, ``cnalichn`` and outer blanks (I1)."""
    return name.str.replace(_PREFIX, "").str.strip_chars()


def is_masked(buyer: pl.Expr) -> pl.Expr:
    """Whether the nick is masked (``t**1``) and therefore not unique (I1)."""
    return buyer.str.contains("*", literal=True)


def canonical_messages(
    batch: Batch, accounts: Accounts, source_file: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Messages of one file as schema.MESSAGES, and schema.REJECTS of those whose sender has no place.

    Raises ReadError when the file's shop is unknown.
    """
    assert batch.messages is not None
    raw = batch.messages.with_columns(
        plain_account(pl.col("buyer")), plain_account(pl.col("sender")), plain_account(pl.col("agent"))
    )
    file_shop = batch.shop or _shop_among(raw["sender"]) or accounts.shop
    if file_shop is None:
        raise ReadError(
            f"{source_file}: the file does not say which shop it is from", "give it by --shop NAME"
        )
    shop = accounts.canonical_shop(accounts.shop or file_shop)
    names = _Names(
        file_shop,
        shop,
        DEFAULT_ROBOTS | accounts.robots.get(shop, frozenset()),
        accounts.assistants.get(shop, frozenset()),
        accounts.staff.get(shop, frozenset()),
    )
    exporter = names.short(batch.exporter) if batch.exporter else None

    frame = _with_sides(raw, names)
    misplaced = frame["side"].is_null()
    rejects = frame.filter(misplaced).select(
        "line",
        pl.lit("sender is neither the buyer nor an account of the shop").alias("reason"),
        "text",
    )
    frame = _with_class(frame.filter(~misplaced), names, accounts.internal.get(shop, frozenset()))
    frame = _with_owner(frame, names, exporter)
    frame = _with_keys(frame, batch.platform, shop)
    return (
        frame.with_columns(
            month=_month(pl.col("sent_at")),
            platform=pl.lit(batch.platform),
            shop=pl.lit(shop),
            # Only a message without a stated agent can ever need the exporter (I3).
            exporter=pl.when(_undecided()).then(pl.lit(exporter, pl.String)),
            refines=pl.lit(False),
            source_file=pl.lit(source_file),
            source_line=pl.col("line"),
        ).select(pl.col(name).cast(dtype) for name, dtype in schema.MESSAGES.items()),
        rejects.select(pl.col(name).cast(dtype) for name, dtype in schema.REJECTS.items()),
    )


def canonical_orders(batch: Batch, accounts: Accounts, source_file: str) -> pl.DataFrame:
    """Orders of one file as schema.ORDERS. Raises ReadError when a row's shop is unknown."""
    assert batch.orders is not None
    raw = batch.orders.with_columns(plain_account(pl.col("buyer")).fill_null(""))
    given = (
        pl.lit(accounts.shop) if accounts.shop else pl.col("shop").fill_null(pl.lit(batch.shop, pl.String))
    )
    raw = raw.with_columns(shop=given.str.strip_chars())
    nameless = raw.filter(pl.col("shop").is_null() | (pl.col("shop") == ""))
    if nameless.height:
        raise ReadError(
            f"{source_file}, line {nameless['line'][0]}: no 店铺名称 (shop name)",
            "give the shop by --shop NAME",
        )
    aliases = dict(accounts.aliases)
    raw = raw.with_columns(pl.col("shop").replace(aliases) if aliases else pl.col("shop"))
    content = [name for name in schema.RAW_ORDERS if name != "line"]
    written = raw.select(
        pl.concat_str([pl.col(c).cast(pl.String).fill_null("\x00") for c in content], separator=_SEPARATOR)
    )
    return raw.with_columns(
        month=_month(pl.col("created_at")),
        platform=pl.lit(batch.platform),
        buyer_key=_buyer_keys(raw, batch.platform),
        joinable=~is_masked(pl.col("buyer")) & (pl.col("buyer") != ""),
        content_key=_hashes(written.to_series()),
        source_file=pl.lit(source_file),
        source_line=pl.col("line"),
    ).select(pl.col(name).cast(dtype) for name, dtype in schema.ORDERS.items())


@dataclass(frozen=True)
class _Names:
    """Account names of one file: ``file_shop`` as its accounts are written, ``shop`` as it is kept."""

    file_shop: str
    shop: str
    robots: frozenset[str]
    assistants: frozenset[str]
    staff: frozenset[str]

    def short(self, name: str) -> str:
        """The agent's name without the shop; the main account is named like the shop."""
        frame = pl.DataFrame({"name": [name]}).select(self.short_of(plain_account(pl.col("name"))))
        return str(frame.item())

    def short_of(self, name: pl.Expr) -> pl.Expr:
        main = (name == self.file_shop) | (name == self.shop)
        bare = name.str.strip_prefix(f"{self.file_shop}:").str.strip_prefix(f"{self.shop}:")
        return pl.when(main).then(pl.lit(self.shop)).otherwise(bare)

    def is_account(self, name: pl.Expr) -> pl.Expr:
        return (
            name.str.starts_with(f"{self.file_shop}:")
            | name.str.starts_with(f"{self.shop}:")
            | name.is_in([self.file_shop, self.shop, *sorted(self.staff)])
        ).fill_null(False)

    def is_robot(self, short: pl.Expr) -> pl.Expr:
        return (short.is_in(sorted(self.robots)) | short.str.starts_with("jimi_vender_")).fill_null(False)


def _shop_among(senders: pl.Series) -> str | None:
    prefixes = senders.str.extract(r"^([^:]+):", 1).drop_nulls()
    if prefixes.is_empty():
        return None
    counts = prefixes.value_counts().sort(["count", prefixes.name], descending=[True, False])
    return str(counts[prefixes.name][0])


def _with_sides(raw: pl.DataFrame, names: _Names) -> pl.DataFrame:
    sender, stated = pl.col("sender"), pl.col("side")
    side = (
        pl.when(stated.is_not_null())
        .then(stated)
        .when(classify.is_system(pl.col("text")))
        .then(pl.lit("system"))
        .when(sender == pl.col("buyer"))
        .then(pl.lit("buyer"))
        .when(names.is_account(sender))
        .then(pl.lit("agent"))
    )
    frame = raw.with_columns(side=side, account=names.short_of(sender))
    robot = (pl.col("side") == "agent") & names.is_robot(pl.col("account"))
    return frame.with_columns(
        side=pl.when(robot).then(pl.lit("robot")).otherwise(pl.col("side")),
        agent=names.short_of(pl.col("agent")),
        own=names.is_account(pl.col("buyer")),
    )


def _with_class(frame: pl.DataFrame, names: _Names, internal: frozenset[str]) -> pl.DataFrame:
    text, side = pl.col("text"), pl.col("side")
    marked = pl.col("auto") | classify.has_auto_marker(text)
    handed_from, handed_to = classify.transfer_parties(text)
    transfer = handed_from.is_not_null() & side.is_in(["buyer", "system"])
    own = pl.col("own") | pl.col("buyer").is_in(sorted(internal))
    decisions: list[tuple[pl.Expr, MessageClass, str]] = [
        (own, MessageClass.INTERNAL, "internal account"),
        (transfer, MessageClass.TRANSFER, "transfer line"),
        (side == "system", MessageClass.SYSTEM, "system line"),
        (classify.is_system(text) & ~marked, MessageClass.SYSTEM, "system line"),
        (side == "buyer", MessageClass.BUYER, "sender"),
        (side == "robot", MessageClass.AUTO, "robot account"),
        (marked, MessageClass.AUTO, "marker"),
        (pl.col("account").is_in(sorted(names.assistants)), MessageClass.ASSIST, "assisting robot"),
    ]
    message_class: Any = pl.when(decisions[0][0]).then(pl.lit(int(decisions[0][1]), pl.Int8))
    rule: Any = pl.when(decisions[0][0]).then(pl.lit(decisions[0][2]))
    for condition, code, name in decisions[1:]:
        message_class = message_class.when(condition).then(pl.lit(int(code), pl.Int8))
        rule = rule.when(condition).then(pl.lit(name))
    plain = classify.without_auto_marker(text)
    return frame.with_columns(
        message_class=message_class.otherwise(pl.lit(int(MessageClass.HUMAN), pl.Int8)),
        rule=rule.otherwise(pl.lit("sender")),
        text=plain,
        kind=classify.kind(plain),
        transfer_from=pl.when(transfer & ~own).then(names.short_of(plain_account(handed_from))),
        transfer_to=pl.when(transfer & ~own).then(names.short_of(plain_account(handed_to))),
    ).with_columns(characters=classify.characters(pl.col("text"), pl.col("kind")))


def _with_owner(frame: pl.DataFrame, names: _Names, exporter: str | None) -> pl.DataFrame:
    """The agent of each row: the sender's account for staff, the stated agent for the buyer (I3)."""
    speaking = (
        frame.filter((pl.col("side") == "agent") & (pl.col("message_class") != int(MessageClass.SYSTEM)))
        .filter(pl.col("account") != names.shop)  # the main account is neutral
        .group_by("block")
        .agg(speaker=pl.col("account").min(), speakers=pl.col("account").n_unique())
    )
    joined = frame.join(speaking, on="block", how="left", maintain_order="left")
    stated = (
        pl.when(pl.col("agent").is_not_null())
        .then(pl.col("agent"))
        .when(pl.col("speakers").is_null())
        .then(pl.lit(exporter, pl.String))
        .when(pl.col("speakers") == 1)
        .then(pl.col("speaker"))
    )
    staff = pl.col("side").is_in(["agent", "robot"])
    buyer = pl.col("message_class") == int(MessageClass.BUYER)
    return joined.with_columns(agent=pl.when(staff).then(pl.col("account")).when(buyer).then(stated))


def _undecided() -> pl.Expr:
    return pl.col("agent").is_null() & (pl.col("message_class") == int(MessageClass.BUYER))


def _with_keys(frame: pl.DataFrame, platform: str, shop: str) -> pl.DataFrame:
    frame = frame.with_columns(shop=pl.lit(shop)).sort("line", maintain_order=True)
    speaker = pl.when(pl.col("side").is_in(["agent", "robot"])).then(pl.col("account")).otherwise(pl.lit(""))
    written = frame.select(
        pl.concat_str(
            [speaker, pl.col("kind").cast(pl.String), classify.comparable(pl.col("text"), pl.col("kind"))],
            separator=_SEPARATOR,
        )
    )
    frame = frame.with_columns(
        message_key=_hashes(written.to_series()), buyer_key=_buyer_keys(frame, platform)
    )
    return frame.with_columns(
        rank=_equal_before(frame, "buyer_key", "sent_at"),
        occurrence=_equal_before(frame, "buyer_key", "sent_at", "message_key"),
    )


def _equal_before(frame: pl.DataFrame, *columns: str) -> pl.Series:
    """For each row, how many rows before it are equal in ``columns``."""
    # By one sort: a Polars window over groups of one or two rows costs twenty times as much.
    keys = [frame[name].to_numpy() for name in columns]
    order = np.lexsort(keys[::-1])
    changes = np.zeros(order.size, dtype=bool)
    for key in keys:
        changes[1:] |= key[order][1:] != key[order][:-1]
    position = np.arange(order.size)
    group_start = np.maximum.accumulate(np.where(changes, position, 0))
    before = np.empty(order.size, dtype=np.int32)
    before[order] = position - group_start
    return pl.Series(before)


def _buyer_keys(frame: pl.DataFrame, platform: str) -> pl.Series:
    """Keys of (platform, shop, buyer); only distinct buyers are hashed."""
    people = frame.select("shop", "buyer").unique()
    written = people.select(
        pl.concat_str([pl.lit(platform), "shop", "buyer"], separator=_SEPARATOR)
    ).to_series()
    keyed = people.with_columns(buyer_key=_hashes(written))
    return frame.select("shop", "buyer").join(keyed, on=["shop", "buyer"], how="left", maintain_order="left")[
        "buyer_key"
    ]


def _hashes(texts: pl.Series) -> pl.Series:
    """64-bit hashes, the same in every release and on every machine (Polars' own are not)."""
    digest = xxhash.xxh3_64_intdigest
    values = np.fromiter((digest(text.encode()) for text in texts), dtype=np.uint64, count=len(texts))
    return pl.Series("hash", values.view(np.int64))


def _month(seconds: pl.Expr) -> pl.Expr:
    return pl.from_epoch(seconds.floordiv(DAY_SECONDS) * DAY_SECONDS, time_unit="s").dt.strftime("%Y-%m")
