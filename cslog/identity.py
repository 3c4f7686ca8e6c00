"""From what a file states to canonical rows: who is shop, agent and buyer, the class of each message,
and the keys by which copies from overlapping exports are recognised (kpi-spec I1-I3, M1, M2).

Everything here looks at one file alone; what needs the messages of other files (inferred agents)
happens when a report is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    from cslog.scan import rows

    assert batch.messages is not None
    file_shop = batch.shop or _shop_among(batch.messages["sender"]) or accounts.shop
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

    raw = (
        batch.messages
        if batch.messages["line"].is_sorted()
        else batch.messages.sort("line", maintain_order=True)
    )
    people, looks = _people(raw, names, batch.platform), _looks(raw["text"], names)
    side = _sides(raw["side"], people, looks)
    rejects = raw.filter(pl.Series(side == _NOBODY)).select(
        "line",
        pl.lit("sender is neither the buyer nor an account of the shop").alias("reason"),
        "text",
    )
    if rejects.height:
        raw = raw.filter(pl.Series(side != _NOBODY))
        people, looks = _people(raw, names, batch.platform), _looks(raw["text"], names)
        side = side[side != _NOBODY]

    own = people.own
    transfer = (looks.handed >= 0) & ((side == _BUYER) | (side == _SYSTEM))
    decided = _decisions(people, looks, side, transfer, raw["auto"].to_numpy())
    message_class = _CLASSES[decided]
    asked = message_class == int(MessageClass.BUYER)
    staff = (side == _AGENT) | (side == _ROBOT)
    agents, agent = _owners(raw, people, names, exporter, side, message_class)
    message_key, characters = classify.keys_and_characters(
        looks.text, looks.kind, np.where(staff, people.account, -1), people.accounts
    )
    buyer_key, sent_at = people.buyer_key, raw["sent_at"]
    rank, occurrence = rows.equal_before(buyer_key, sent_at.to_numpy(), message_key)
    handed = np.where(transfer & ~own, looks.handed, -1)
    columns = {
        "month": _months(sent_at),
        "buyer": _named(people.buyers, people.buyer),
        "buyer_key": buyer_key,
        "sent_at": sent_at,
        "rank": rank,
        "message_class": message_class,
        "kind": looks.kind,
        "agent": _named(agents, agent),
        # Only a message without a stated agent can ever need the exporter (I3).
        "exporter": _named(pl.Series([exporter], dtype=pl.String), np.where(asked & (agent < 0), 0, -1)),
        "transfer_from": _named(looks.handed_from, handed),
        "transfer_to": _named(looks.handed_to, handed),
        "characters": characters,
        "sender": _named(people.senders, people.sender),
        "text": looks.text,
        "rule": _named(_RULES, decided),
        "message_key": message_key,
        "occurrence": occurrence,
        "source_line": raw["line"],
    }
    constants = {
        "platform": pl.lit(batch.platform),
        "shop": pl.lit(shop),
        "refines": pl.lit(False),
        "source_file": pl.lit(source_file),
    }
    return (
        pl.DataFrame(columns).select(
            constants.get(name, pl.col(name)).alias(name) for name in schema.MESSAGES
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
        buyer_key=_buyer_keys(raw, batch.platform),
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
    from cslog.scan import rows

    hashes = keys.hashes(strings).to_numpy()
    if strings.null_count():
        hashes = np.where(strings.is_null().to_numpy(), 0, hashes)
    numbers, first = rows.distinct(hashes)
    return numbers, strings.gather(first)


def _named(names: pl.Series, numbers: np.ndarray) -> pl.Series:
    """The names with these numbers; null for -1."""
    nobody = numbers < 0
    if nobody.all():
        return pl.repeat(None, len(numbers), dtype=names.dtype, eager=True)
    if nobody.any():
        numbers = np.where(nobody, len(names), numbers)
        names = pl.concat([names, pl.Series([None], dtype=names.dtype)], rechunk=True)
    return names.gather(numbers.astype(np.uint32))


_NOBODY, _BUYER, _AGENT, _ROBOT, _SYSTEM = range(-1, 4)
"""Sides of a message."""


@dataclass(frozen=True)
class _People:
    """Who speaks to whom in every row: a name is looked at once, however often it stands in the file.

    ``buyer``, ``sender`` and ``account`` (the sender's, without the shop) are rows of the series ``buyers``,
    ``senders`` and ``accounts``.
    """

    buyers: pl.Series
    buyer: np.ndarray
    buyer_key: np.ndarray
    own: np.ndarray  # the buyer is one of the shop's own people
    senders: pl.Series
    sender: np.ndarray
    is_buyer: np.ndarray
    accounts: pl.Series
    account: np.ndarray
    of_shop: np.ndarray
    robot: np.ndarray
    assistant: np.ndarray


def _people(raw: pl.DataFrame, names: _Names, platform: str) -> _People:
    plain = plain_account(pl.col("name"))
    buyer, found = _distinct(raw["buyer"])
    buyers = found.alias("name").to_frame().select(buyer=plain, shop=pl.lit(names.shop))
    own = names.is_account(pl.col("buyer")) | pl.col("buyer").is_in(sorted(names.internal))
    sender, found = _distinct(raw["sender"])
    senders = found.alias("name").to_frame().select(sender=plain)
    senders = senders.with_columns(account=names.short_of(pl.col("sender"))).with_columns(
        of_shop=names.is_account(pl.col("sender")),
        robot=names.is_robot(pl.col("account")),
        assistant=pl.col("account").is_in(sorted(names.assistants)).fill_null(False),
    )
    account, accounts = _distinct(senders["account"])
    person, _ = _distinct(pl.concat([buyers["buyer"], senders["sender"]], rechunk=True))
    return _People(
        buyers=buyers["buyer"],
        buyer=buyer,
        buyer_key=_buyer_keys(buyers, platform).to_numpy()[buyer],
        own=buyers.select(own).to_series().to_numpy()[buyer],
        senders=senders["sender"],
        sender=sender,
        is_buyer=person[buyer] == person[buyers.height :][sender],
        accounts=accounts,
        account=account[sender],
        **{name: senders[name].to_numpy()[sender] for name in ("of_shop", "robot", "assistant")},
    )


@dataclass(frozen=True)
class _Looks:
    """What the texts tell. ``text``: without its mark; ``handed``: the row of ``handed_from`` and ``handed_to``
    that a transfer line tells of, else -1.
    """

    text: pl.Series
    system: np.ndarray
    marked: np.ndarray
    kind: np.ndarray
    handed: np.ndarray
    handed_from: pl.Series
    handed_to: pl.Series


def _looks(texts: pl.Series, names: _Names) -> _Looks:
    size = len(texts)
    looked = np.flatnonzero(classify.worth_a_look(texts))
    number, found = _distinct(texts.gather(looked))
    text = pl.col("text")
    handed_from, handed_to = classify.transfer_parties(text)
    looks = (
        found.alias("text")
        .to_frame()
        .select(
            system=classify.is_system(text),
            marked=classify.has_auto_marker(text),
            handed_from=names.short_of(plain_account(handed_from)),
            handed_to=names.short_of(plain_account(handed_to)),
            bare=classify.without_auto_marker(text),
        )
        .with_columns(kind=classify.kind(pl.col("bare")))
    )
    system, marked, handed = np.zeros(size, bool), np.zeros(size, bool), np.full(size, -1, np.int32)
    kind = np.full(size, int(Kind.TEXT), np.int8)
    system[looked], marked[looked] = looks["system"].to_numpy()[number], looks["marked"].to_numpy()[number]
    kind[looked] = looks["kind"].to_numpy()[number]
    handed[looked] = np.where(looks["handed_from"].is_not_null().to_numpy()[number], number, -1)
    if marked.any():
        place = np.arange(size, dtype=np.uint32)
        place[looked] = np.where(marked[looked], size + number, looked)
        texts = pl.concat([texts, looks["bare"]], rechunk=True).gather(place)
    return _Looks(texts, system, marked, kind, handed, looks["handed_from"], looks["handed_to"])


def _sides(stated: pl.Series, people: _People, looks: _Looks) -> np.ndarray:
    side = np.where(people.of_shop, _AGENT, _NOBODY)
    side[people.is_buyer] = _BUYER
    side[looks.system] = _SYSTEM
    if stated.null_count() < len(stated):
        sides = {"buyer": _BUYER, "agent": _AGENT, "robot": _ROBOT, "system": _SYSTEM}
        told = stated.replace_strict(sides, default=_NOBODY, return_dtype=pl.Int64).to_numpy()
        side = np.where(told == _NOBODY, side, told)
    side[(side == _AGENT) & people.robot] = _ROBOT
    return side


_DECISIONS = [
    (MessageClass.INTERNAL, "internal account"),
    (MessageClass.TRANSFER, "transfer line"),
    (MessageClass.SYSTEM, "system line"),
    (MessageClass.SYSTEM, "system line"),
    (MessageClass.BUYER, "sender"),
    (MessageClass.AUTO, "robot account"),
    (MessageClass.AUTO, "marker"),
    (MessageClass.ASSIST, "assisting robot"),
    (MessageClass.HUMAN, "sender"),
]
"""Class and rule by the first of the conditions of ``_decisions`` that holds, the last by none."""
_CLASSES = np.array([int(code) for code, _ in _DECISIONS], np.int8)
_RULES = pl.Series([rule for _, rule in _DECISIONS])


def _decisions(
    people: _People, looks: _Looks, side: np.ndarray, transfer: np.ndarray, auto: np.ndarray
) -> np.ndarray:
    """Which of ``_DECISIONS`` holds for each row."""
    marked = auto | looks.marked
    conditions = [
        people.own,
        transfer,
        side == _SYSTEM,
        looks.system & ~marked,
        side == _BUYER,
        side == _ROBOT,
        marked,
        people.assistant,
    ]
    return np.select(conditions, range(len(conditions)), len(conditions))


def _owners(
    raw: pl.DataFrame,
    people: _People,
    names: _Names,
    exporter: str | None,
    side: np.ndarray,
    message_class: np.ndarray,
) -> tuple[pl.Series, np.ndarray]:
    """Names, and the one that each row belongs to, -1 for none: the sender's account for staff, the stated agent
    for the buyer (I3).
    """
    from cslog.scan import rows

    # The main account is neutral; robots and system lines do not speak.
    neutral = (people.accounts == names.shop).fill_null(True).to_numpy()[people.account]
    speaks = (side == _AGENT) & (message_class != int(MessageClass.SYSTEM)) & ~neutral
    blocks, _ = rows.distinct(raw["block"].to_numpy())
    speaker = rows.only_one(blocks, np.where(speaks, people.account, -1))[blocks]
    exporting = -1 if exporter is None else len(people.accounts)
    stated = np.where(speaker == rows.SEVERAL, -1, np.where(speaker == rows.NONE, exporting, speaker))
    found = [people.accounts, pl.Series([exporter], dtype=pl.String)]
    agent = raw["agent"]
    if agent.null_count() < len(agent):
        number, written = _distinct(agent)
        short = names.short_of(plain_account(pl.col("name")))
        found.append(written.alias("name").to_frame().select(short).to_series())
        stated = np.where(agent.is_null().to_numpy(), stated, number + len(people.accounts) + 1)
    staff = (side == _AGENT) | (side == _ROBOT)
    asked = message_class == int(MessageClass.BUYER)
    return pl.concat(found, rechunk=True), np.where(staff, people.account, np.where(asked, stated, -1))


def _buyer_keys(frame: pl.DataFrame, platform: str) -> pl.Series:
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
