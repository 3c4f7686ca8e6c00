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

from cslog import classify, keys, schema
from cslog.clock import DAY_SECONDS
from cslog.config import DEFAULT_ROBOTS
from cslog.errors import ReadError
from cslog.readers.base import Batch
from cslog.schema import Kind, MessageClass

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
    raw = batch.messages
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
        accounts.internal.get(shop, frozenset()),
    )
    exporter = names.short(batch.exporter) if batch.exporter else None

    frame = _with_sides(_with_looks(_with_names(raw, names, batch.platform), names))
    misplaced = frame["side"].is_null()
    rejects = frame.filter(misplaced).select(
        "line",
        pl.lit("sender is neither the buyer nor an account of the shop").alias("reason"),
        "text",
    )
    if misplaced.any():
        frame = frame.filter(~misplaced)
    if not frame["line"].is_sorted():
        frame = frame.sort("line", maintain_order=True)
    frame = _with_keys(_with_owner(_with_class(frame), names, exporter))
    return (
        frame.select(
            month=_months(frame["sent_at"]),
            platform=pl.lit(batch.platform),
            shop=pl.lit(shop),
            buyer="buyer",
            buyer_key="buyer_key",
            sent_at="sent_at",
            rank="rank",
            message_class="message_class",
            kind="kind",
            agent="agent",
            # Only a message without a stated agent can ever need the exporter (I3).
            exporter=pl.when(_undecided()).then(pl.lit(exporter, pl.String)),
            transfer_from="transfer_from",
            transfer_to="transfer_to",
            characters="characters",
            sender="sender",
            text="text",
            rule="rule",
            message_key="message_key",
            occurrence="occurrence",
            refines=pl.lit(False),
            source_file=pl.lit(source_file),
            source_line="line",
        ),
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
        month=_months(raw["created_at"]),
        platform=pl.lit(batch.platform),
        buyer_key=_people(raw, batch.platform),
        joinable=~is_masked(pl.col("buyer")) & (pl.col("buyer") != ""),
        content_key=keys.hashes(written.to_series()),
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
    internal: frozenset[str]

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
    plain = senders.to_frame("sender").select(plain_account(pl.col("sender"))).to_series()
    prefixes = plain.str.extract(r"^([^:]+):", 1).drop_nulls()
    if prefixes.is_empty():
        return None
    counts = prefixes.value_counts().sort(["count", prefixes.name], descending=[True, False])
    return str(counts[prefixes.name][0])


def _distinct(strings: pl.Series) -> tuple[np.ndarray, pl.Series]:
    """A number per row, equal for equal strings, and the strings numbered."""
    from cslog.scan import columns, hashing, rows

    hashes = hashing.xxh3(*columns.bytes_of(strings))
    if strings.null_count():
        hashes = np.where(strings.is_null().to_numpy(), 0, hashes)
    codes, first = rows.distinct(hashes)
    return codes, strings.gather(first)


def _with_names(raw: pl.DataFrame, names: _Names, platform: str) -> pl.DataFrame:
    """Names without the site, and what they tell; a name is looked at once, however often it stands in the file."""
    plain = plain_account(pl.col("name"))
    codes, found = _distinct(raw["buyer"])
    buyers = found.alias("name").to_frame().select(buyer=plain)
    buyers = buyers.with_columns(
        own=names.is_account(pl.col("buyer")) | pl.col("buyer").is_in(sorted(names.internal)),
        buyer_key=_people(buyers.with_columns(shop=pl.lit(names.shop)), platform),
    )[codes]
    codes, found = _distinct(raw["sender"])
    senders = found.alias("name").to_frame().select(sender=plain)
    senders = senders.with_columns(account=names.short_of(pl.col("sender")))
    senders = senders.with_columns(
        of_shop=names.is_account(pl.col("sender")),
        robot=names.is_robot(pl.col("account")),
        assistant=pl.col("account").is_in(sorted(names.assistants)).fill_null(False),
    )[codes]
    agent = raw["agent"]
    if agent.null_count() < len(agent):
        codes, found = _distinct(agent)
        agent = found.alias("name").to_frame().select(agent=names.short_of(plain))["agent"].gather(codes)
    return raw.with_columns(agent, *buyers, *senders)


def _with_looks(frame: pl.DataFrame, names: _Names) -> pl.DataFrame:
    """What the texts tell: ``system``, ``marked``, who was ``handed_from`` and ``handed_to``, ``kind``, and the
    text ``bare`` of its mark where it has one.
    """
    looked = classify.worth_a_look(frame["text"])
    text = pl.col("text")
    handed_from, handed_to = classify.transfer_parties(text)
    looks = (
        frame.filter(pl.Series(looked))
        .select(
            system=classify.is_system(text),
            marked=classify.has_auto_marker(text),
            handed_from=names.short_of(plain_account(handed_from)),
            handed_to=names.short_of(plain_account(handed_to)),
            bare=classify.without_auto_marker(text),
        )
        .with_columns(kind=classify.kind(pl.col("bare")))
    )
    plain = pl.DataFrame(
        {"system": [False], "marked": [False], "kind": [int(Kind.TEXT)]}, schema_overrides={"kind": pl.Int8}
    )
    row = np.full(frame.height, looks.height)
    row[looked] = np.arange(looks.height)
    return frame.with_columns(*pl.concat([looks, plain], how="diagonal")[row])


def _with_sides(frame: pl.DataFrame) -> pl.DataFrame:
    stated = pl.col("side")
    side = (
        pl.when(stated.is_not_null())
        .then(stated)
        .when("system")
        .then(pl.lit("system"))
        .when(pl.col("sender") == pl.col("buyer"))
        .then(pl.lit("buyer"))
        .when("of_shop")
        .then(pl.lit("agent"))
    )
    frame = frame.with_columns(side=side)
    robot = (pl.col("side") == "agent") & pl.col("robot")
    return frame.with_columns(side=pl.when(robot).then(pl.lit("robot")).otherwise(pl.col("side")))


def _with_class(frame: pl.DataFrame) -> pl.DataFrame:
    side = pl.col("side")
    marked = pl.col("auto") | pl.col("marked")
    transfer = pl.col("handed_from").is_not_null() & side.is_in(["buyer", "system"])
    decisions: list[tuple[pl.Expr, MessageClass, str]] = [
        (pl.col("own"), MessageClass.INTERNAL, "internal account"),
        (transfer, MessageClass.TRANSFER, "transfer line"),
        (side == "system", MessageClass.SYSTEM, "system line"),
        (pl.col("system") & ~marked, MessageClass.SYSTEM, "system line"),
        (side == "buyer", MessageClass.BUYER, "sender"),
        (side == "robot", MessageClass.AUTO, "robot account"),
        (marked, MessageClass.AUTO, "marker"),
        (pl.col("assistant"), MessageClass.ASSIST, "assisting robot"),
        (pl.lit(True), MessageClass.HUMAN, "sender"),
    ]
    first: Any = pl
    for number, (condition, _, _) in enumerate(decisions):
        first = first.when(condition).then(pl.lit(number, pl.Int8))
    outcomes = pl.DataFrame(
        {
            "message_class": [int(code) for _, code, _ in decisions],
            "rule": [name for _, _, name in decisions],
        },
        schema={"message_class": pl.Int8, "rule": pl.String},
    )
    handed = transfer & ~pl.col("own")
    decided = frame.select(number=first)["number"]
    frame = frame.with_columns(
        *outcomes[decided],
        text=pl.coalesce("bare", "text"),
        transfer_from=pl.when(handed).then("handed_from"),
        transfer_to=pl.when(handed).then("handed_to"),
    )
    characters, comparable = classify.words(frame["text"])
    is_text = pl.col("kind") == int(Kind.TEXT)
    return frame.with_columns(
        characters=pl.when(is_text).then(characters).otherwise(pl.lit(0, pl.Int32)),
        comparable=pl.when(is_text).then(comparable).otherwise(pl.lit("")),
    )


def _with_owner(frame: pl.DataFrame, names: _Names, exporter: str | None) -> pl.DataFrame:
    """The agent of each row: the sender's account for staff, the stated agent for the buyer (I3)."""
    from cslog.scan import rows

    blocks, _ = rows.distinct(frame["block"].to_numpy())
    accounts, found = _distinct(frame["account"])
    speaks = (
        frame.select(
            (pl.col("side") == "agent")
            & (pl.col("message_class") != int(MessageClass.SYSTEM))
            & (pl.col("account") != names.shop)  # the main account is neutral
        )
        .to_series()
        .fill_null(False)
        .to_numpy()
    )
    count = blocks.max(initial=-1) + 1
    lowest, highest = np.full(count, len(found)), np.full(count, -1)
    np.minimum.at(lowest, blocks[speaks], accounts[speaks])
    np.maximum.at(highest, blocks[speaks], accounts[speaks])
    # Nobody spoke: the exporter is stated; one account: it is; several: none is.
    speaker = np.where(highest < 0, len(found), np.where(lowest == highest, highest, len(found) + 1))
    of_block = pl.concat([found, pl.Series([exporter, None], dtype=pl.String)]).gather(speaker)
    stated = pl.coalesce("agent", of_block.gather(blocks))
    staff = pl.col("side").is_in(["agent", "robot"])
    buyer = pl.col("message_class") == int(MessageClass.BUYER)
    return frame.with_columns(agent=pl.when(staff).then("account").when(buyer).then(stated))


def _undecided() -> pl.Expr:
    return pl.col("agent").is_null() & (pl.col("message_class") == int(MessageClass.BUYER))


def _with_keys(frame: pl.DataFrame) -> pl.DataFrame:
    from cslog.scan import rows

    speaker = pl.when(pl.col("side").is_in(["agent", "robot"])).then("account").otherwise(pl.lit(""))
    kind = pl.Series([str(int(kind)) for kind in Kind]).gather(frame["kind"])
    written = frame.select(pl.concat_str([speaker, kind, "comparable"], separator=_SEPARATOR)).to_series()
    frame = frame.with_columns(message_key=keys.hashes(written))
    identity = [frame[name].to_numpy() for name in ("buyer_key", "sent_at", "message_key")]
    rank, occurrence = rows.equal_before(*identity)
    return frame.with_columns(rank=pl.Series(rank), occurrence=pl.Series(occurrence))


def _people(frame: pl.DataFrame, platform: str) -> pl.Series:
    """Keys of (platform, shop, buyer)."""
    return keys.hashes(
        frame.select(pl.concat_str([pl.lit(platform), "shop", "buyer"], separator=_SEPARATOR)).to_series()
    )


def _months(seconds: pl.Series) -> pl.Series:
    """``YYYY-MM`` of every second; a day is written once."""
    from cslog.scan import rows

    codes, first = rows.distinct((seconds // DAY_SECONDS).to_numpy())
    days = pl.from_epoch(seconds.gather(first), time_unit="s")
    return days.dt.strftime("%Y-%m").gather(codes)
