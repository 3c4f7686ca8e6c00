"""From what a file states to canonical rows: who is shop, agent and buyer, the class of each message,
and the keys by which copies from overlapping exports are recognised (kpi-spec I1-I3, M1, M2).

Everything here looks at one file alone; what needs the messages of other files (inferred agents)
happens when a report is computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from cslog import classify, coded, keys, schema
from cslog.classify import BLANKS, WHITE_SPACE
from cslog.clock import DAY_SECONDS, month_label
from cslog.coded import NOBODY, Coded, distinct
from cslog.config import DEFAULT_ROBOTS
from cslog.errors import ReadError
from cslog.readers.base import Batch
from cslog.schema import Kind, MessageClass

_LONG_NAMES = ("cntaobao", "cnalichn")
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


def plain_account(name: str) -> str:
    """An account name without ``cntaobao``, ``cnalichn`` and outer blanks (I1)."""
    name = name.strip(WHITE_SPACE)
    return name[8:].strip(WHITE_SPACE) if name.startswith(_LONG_NAMES) else name


def is_masked(buyer: pl.Expr) -> pl.Expr:
    """Whether the nick is masked (``t**1``) and therefore not unique (I1)."""
    return buyer.str.contains("*", literal=True)


def canonical_messages(
    batch: Batch, accounts: Accounts, source_file: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """``coded_messages`` as a frame of schema.MESSAGES, and the rejects."""
    messages, rejects = coded_messages(batch, accounts, source_file)
    return messages.frame(), rejects


def coded_messages(batch: Batch, accounts: Accounts, source_file: str) -> tuple[Coded, pl.DataFrame]:
    """Messages of one file, and schema.REJECTS of those whose sender has no place.

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
    exporter = names.short(plain_account(batch.exporter)) if batch.exporter else None

    raw = (
        batch.messages
        if batch.messages["line"].is_sorted()
        else batch.messages.sort("line", maintain_order=True)
    )
    people, looks = _people(raw, names, batch.platform), _looks(raw["text"], names)
    side = _sides(raw["side"], people, looks)
    rejects = pl.DataFrame(schema=schema.REJECTS)
    if (side == _NOBODY).any():
        reason = pl.lit("sender is neither the buyer nor an account of the shop").alias("reason")
        rejects = raw.filter(pl.Series(side == _NOBODY)).select("line", reason, "text")
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
        looks.text,
        looks.kind,
        np.where(staff, people.account, -1),
        people.accounts,
    )
    buyer_key, sent_at = people.buyer_key, raw["sent_at"]
    rank, occurrence = rows.equal_before(buyer_key, sent_at.to_numpy(), message_key)
    handed = np.where(transfer & ~own, looks.handed, -1)
    months, month = _months(sent_at.to_numpy())
    found = coded.Names()
    whom = found.add(people.names)
    constant = found.add(pl.Series([batch.platform, shop, source_file, exporter], dtype=pl.String))
    columns = {
        "month": found.add(months)[month],
        "platform": np.full(raw.height, constant[0]),
        "shop": np.full(raw.height, constant[1]),
        "buyer": whom[people.buyer],
        "buyer_key": buyer_key,
        "sent_at": sent_at.to_numpy(),
        "rank": rank,
        "message_class": message_class,
        "kind": looks.kind,
        "agent": found.add(agents)[agent],
        # Only a message without a stated agent can ever need the exporter (I3).
        "exporter": np.where(asked & (agent < 0), constant[3], np.int32(NOBODY)),
        "transfer_from": found.add(looks.handed_from)[handed],
        "transfer_to": found.add(looks.handed_to)[handed],
        "characters": characters,
        "sender": whom[people.sender],
        "rule": found.add(pl.Series(_RULES))[decided],
        "message_key": message_key,
        "occurrence": occurrence,
        "refines": np.zeros(raw.height, np.bool_),
        "source_file": np.full(raw.height, constant[2]),
        "source_line": raw["line"].to_numpy(),
    }
    return Coded(found.all(), columns, looks.text), rejects


def canonical_orders(batch: Batch, accounts: Accounts, source_file: str) -> pl.DataFrame:
    """Orders of one file as schema.ORDERS. Raises ReadError when a row's shop is unknown."""
    assert batch.orders is not None
    number, found = distinct(batch.orders["buyer"])
    buyers = pl.Series("buyer", [plain_account(name or "") for name in found], dtype=pl.String)
    raw = batch.orders.with_columns(buyers[number])
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
    months, month = _months(raw["created_at"].to_numpy())
    people = [_person(batch.platform, *pair) for pair in raw.select("shop", "buyer").iter_rows()]
    return raw.with_columns(
        month=months[month],
        platform=pl.lit(batch.platform),
        buyer_key=keys.hashes(pl.Series(people, dtype=pl.String)),
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

    def odd(self, found: pl.Series) -> np.ndarray:
        """Which names (their places) may be other than ordinary nicks: of the shop, of its staff or robots, or
        written with the site or blanks. They begin like one that is.
        """
        from cslog.scan import columns, texts

        return np.flatnonzero(texts.that_look_like(*columns.rows_of(found)[:2], *self._looks))

    @cached_property
    def _looks(self) -> tuple[np.ndarray, ...]:
        from cslog.scan import texts

        known = [*self.robots, *self.assistants, *self.staff, *self.internal]
        openings = [*_LONG_NAMES, *self._mains, "jimi_vender_", *known, *BLANKS]
        return (
            *texts.openings([word.encode() for word in openings]),
            *texts.closings([blank.encode() for blank in BLANKS]),
        )

    @cached_property
    def _mains(self) -> frozenset[str]:
        return frozenset((self.file_shop, self.shop))

    @cached_property
    def _prefixes(self) -> tuple[str, str]:
        return f"{self.file_shop}:", f"{self.shop}:"

    def short(self, plain: str) -> str:
        """The agent's name without the shop; the main account is named like the shop."""
        if plain in self._mains:
            return self.shop
        return plain.removeprefix(self._prefixes[0]).removeprefix(self._prefixes[1])

    def is_account(self, plain: str) -> bool:
        """Whether somebody of that name, without the site, speaks for the shop."""
        return plain in self._mains or plain.startswith(self._prefixes) or plain in self.staff

    def is_robot(self, short: str) -> bool:
        """Whether the account is a robot's."""
        return short in self.robots or short.startswith("jimi_vender_")


def _shop_among(senders: pl.Series) -> str | None:
    number, found = distinct(senders)
    counts: Counter[str] = Counter()
    for name, count in zip(found, np.bincount(number, minlength=len(found)), strict=True):
        prefix, colon, _ = plain_account(name or "").partition(":")
        if prefix and colon:
            counts[prefix] += int(count)
    return min(counts, key=lambda prefix: (-counts[prefix], prefix)) if counts else None


_NOBODY, _BUYER, _AGENT, _ROBOT, _SYSTEM = range(-1, 4)
"""Sides of a message."""


@dataclass(frozen=True)
class _People:
    """Who speaks to whom in every row: a name is looked at once, however often it stands in the file.

    ``buyer`` and ``sender`` number ``names``, ``account`` (the sender's, without the shop) numbers ``accounts``.
    """

    names: pl.Series
    accounts: pl.Series
    buyer: np.ndarray
    sender: np.ndarray
    account: np.ndarray
    buyer_key: np.ndarray
    own: np.ndarray  # the buyer is one of the shop's own people
    of_shop: np.ndarray  # this and the next three: of the sender
    neutral: np.ndarray  # the main account, which owns no conversation, or nobody
    robot: np.ndarray
    assistant: np.ndarray


def _people(raw: pl.DataFrame, names: _Names, platform: str) -> _People:
    number, found = distinct(pl.concat([raw["buyer"], raw["sender"].alias("buyer")]))
    # Hardly any name is other than an ordinary nick: it is the account, and nobody of the shop.
    odd = names.odd(found)
    person, people = distinct(_with(found, odd, [plain_account(name) for name in found[odd]]))
    buyer, sender = person[number[: raw.height]], person[number[raw.height :]]
    own, of_shop, robot, assistant = np.zeros((4, len(people)), bool)
    neutral = people.is_null().to_numpy().copy() if people.null_count() else np.zeros(len(people), bool)
    odd = names.odd(people)
    short = []
    for at, name in zip(odd, people[odd], strict=True):
        of_shop[at] = names.is_account(name)
        own[at] = of_shop[at] or name in names.internal
        short.append(names.short(name) if of_shop[at] else name)
        neutral[at] = short[-1] == names.shop
        robot[at], assistant[at] = names.is_robot(short[-1]), short[-1] in names.assistants
    account, accounts = distinct(_with(people, odd, short))
    return _People(
        names=people,
        accounts=accounts,
        buyer=buyer,
        sender=sender,
        account=account[sender],
        buyer_key=keys.hashes(people, _person(platform, names.shop, "")).to_numpy()[buyer],
        own=own[buyer],
        of_shop=of_shop[sender],
        neutral=neutral[sender],
        robot=robot[sender],
        assistant=assistant[sender],
    )


def _with(strings: pl.Series, places: np.ndarray, others: list[str]) -> pl.Series:
    """The strings with ``others`` at these places."""
    if not others:
        return strings
    row = np.arange(len(strings))
    row[places] = len(strings) + np.arange(len(others))
    return pl.concat([strings, pl.Series(strings.name, others, dtype=pl.String)], rechunk=True)[row]


def _person(platform: str, shop: str, buyer: str) -> str:
    """What a buyer's key is the hash of."""
    return f"{platform}{_SEPARATOR}{shop}{_SEPARATOR}{buyer}"


@dataclass(frozen=True)
class _Looks:
    """What the texts tell. ``text``: without its mark; ``handed`` numbers the names in ``handed_from`` and
    ``handed_to`` that a transfer line tells, -1 for other texts.
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
    system, marked, handed = np.zeros(size, bool), np.zeros(size, bool), np.full(size, -1, np.int32)
    kind = np.full(size, int(Kind.TEXT), np.int8)
    rows = np.flatnonzero(classify.worth_a_look(texts))
    number, told = distinct(texts[rows])
    found = told.to_list()
    looks = [classify.look(text or "") for text in found]
    system[rows] = np.array([look.system for look in looks], bool)[number]
    marked[rows] = np.array([look.marked for look in looks], bool)[number]
    kind[rows] = np.array([int(look.kind) for look in looks], np.int8)[number]
    parties: list[tuple[str, str]] = []
    over = [at for at, look in enumerate(looks) if look.hands_over]
    if over:
        lines = pl.DataFrame({"text": [found[at] for at in over]})
        told_parties = lines.select(*map(pl.Expr.alias, classify.transfer_parties(pl.col("text")), "ab"))
        party = np.full(len(found), -1, np.int32)
        for at, pair in zip(over, told_parties.iter_rows(), strict=True):
            if pair[0] is not None:
                party[at] = len(parties)
                parties.append((names.short(plain_account(pair[0])), names.short(plain_account(pair[1]))))
        handed[rows] = party[number]
    if marked.any():
        place = np.arange(size)
        place[rows] = np.where(marked[rows], size + number, rows)
        texts = pl.concat([texts, pl.Series([look.bare for look in looks])], rechunk=True)[place]
    return _Looks(
        texts,
        system,
        marked,
        kind,
        handed,
        pl.Series([pair[0] for pair in parties], dtype=pl.String),
        pl.Series([pair[1] for pair in parties], dtype=pl.String),
    )


def _sides(stated: pl.Series, people: _People, looks: _Looks) -> np.ndarray:
    side = np.where(people.of_shop, _AGENT, _NOBODY)
    side[people.buyer == people.sender] = _BUYER
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
_RULES = [rule for _, rule in _DECISIONS]


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

    # Robots and system lines do not speak.
    speaks = (side == _AGENT) & (message_class != int(MessageClass.SYSTEM)) & ~people.neutral
    blocks, _ = rows.distinct(raw["block"].to_numpy())
    speaker = rows.only_one(blocks, np.where(speaks, people.account, -1))[blocks]
    exporting = -1 if exporter is None else len(people.accounts)
    stated = np.where(speaker == rows.SEVERAL, -1, np.where(speaker == rows.NONE, exporting, speaker))
    found = [people.accounts, pl.Series(people.accounts.name, [exporter], dtype=pl.String)]
    agent = raw["agent"]
    if agent.null_count() < len(agent):
        number, written = distinct(agent)
        stated = np.where(agent.is_null().to_numpy(), stated, number + len(people.accounts) + 1)
        short = [None if name is None else names.short(plain_account(name)) for name in written]
        found.append(pl.Series(people.accounts.name, short, dtype=pl.String))
    staff = (side == _AGENT) | (side == _ROBOT)
    asked = message_class == int(MessageClass.BUYER)
    return pl.concat(found, rechunk=True), np.where(staff, people.account, np.where(asked, stated, -1))


def _months(seconds: np.ndarray) -> tuple[pl.Series, np.ndarray]:
    """``YYYY-MM`` of every day that occurs, and the day of every second among them."""
    from cslog.scan import rows

    numbers, first = rows.distinct(seconds // DAY_SECONDS)
    labels = [month_label(int(second) // DAY_SECONDS) for second in seconds[first]]
    return pl.Series(labels, dtype=pl.String), numbers
