"""From what a file states to canonical rows: who is shop, agent and buyer, the class of each message,
and the keys by which copies from overlapping exports are recognised (kpi-spec I1-I3, M1, M2).

Everything here looks at one file alone; what needs the messages of other files (inferred agents)
happens when a report is computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from cslog.scan.addresses import Rows

_LONG_NAMES = ("cntaobao", "cnalichn")
_SEPARATOR = "\x1f"
_NO_REJECTS = pl.DataFrame(schema=schema.REJECTS)


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
    from cslog.scan import hashing, rows
    from cslog.scan.columns import rows_of

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
    raw = (
        batch.messages
        if batch.messages["line"].is_sorted()
        else batch.messages.sort("line", maintain_order=True)
    )
    found = coded.Names()
    exporter = found.number(names.short(plain_account(batch.exporter)) if batch.exporter else None)
    people, looks = _people(raw, names, found), _looks(raw["text"], names)
    side = _sides(raw["side"], people, looks)
    rejects = _NO_REJECTS
    if (side == _NOBODY).any():
        reason = pl.lit("sender is neither the buyer nor an account of the shop").alias("reason")
        rejects = raw.filter(pl.Series(side == _NOBODY)).select("line", reason, "text")
        raw = raw.filter(pl.Series(side != _NOBODY))
        people, looks = _people(raw, names, found), _looks(raw["text"], names)
        side = side[side != _NOBODY]

    transfer = (looks.handed >= 0) & ((side == _BUYER) | (side == _SYSTEM))
    decided = _decisions(people, looks, side, transfer, raw["auto"].to_numpy())
    message_class = _CLASSES[decided]
    asked = message_class == _CLASS_OF_BUYERS
    staff = (side == _AGENT) | (side == _ROBOT)
    stated = _stated(
        raw, people, names, found, exporter, (side == _AGENT) & (message_class != _CLASS_OF_SYSTEM)
    )
    agent = np.where(staff, people.account, np.where(asked, stated, NOBODY))
    handed = np.where(transfer & ~people.own, looks.handed, -1)
    sent_at = raw["sent_at"].to_numpy()
    columns = {
        "month": _months(sent_at, found),
        "platform": np.full(raw.height, found.number(batch.platform), np.int32),
        "shop": np.full(raw.height, found.number(shop), np.int32),
        "buyer": people.buyer,
        "sent_at": sent_at,
        "message_class": message_class,
        "kind": looks.kind,
        "agent": agent,
        # Only a message without a stated agent can ever need the exporter (I3).
        "exporter": np.where(asked & (agent == NOBODY), np.int32(exporter), NOBODY),
        "transfer_from": found.numbers(looks.handed_from)[handed],
        "transfer_to": found.numbers(looks.handed_to)[handed],
        "sender": people.sender,
        "rule": found.numbers(_RULES)[decided],
        "refines": np.zeros(raw.height, np.bool_),
        "source_file": np.full(raw.height, found.number(source_file), np.int32),
        "source_line": raw["line"].to_numpy(),
    }
    every = found.all()
    where = rows_of(every)
    columns["buyer_key"] = hashing.xxh3(where, _person(batch.platform, shop, "").encode())[people.buyer]
    columns["message_key"], columns["characters"] = classify.keys_and_characters(
        looks.rows, looks.kind, np.where(staff, people.account, NOBODY), where
    )
    columns["rank"], columns["occurrence"] = rows.equal_before(
        columns["buyer_key"], sent_at, columns["message_key"]
    )
    return Coded(every, columns, looks.text), rejects


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
    names = coded.Names()
    months = _months(raw["created_at"].to_numpy(), names)
    people = [_person(batch.platform, *pair) for pair in raw.select("shop", "buyer").iter_rows()]
    return raw.with_columns(
        month=names.all()[months],
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

    def odd(self, found: pl.Series) -> list[int]:
        """Which names (their places) may be other than ordinary nicks: of the shop, of its staff or robots, or
        written with the site or blanks. They begin like one that is.
        """
        from cslog.scan import columns, texts

        rows = columns.rows_of(found)
        looks_like = texts.that_look_like(rows.addresses, rows.lengths, *_looks_of(self))
        return np.flatnonzero(looks_like).tolist()

    def openings(self) -> list[str]:
        """How names begin that are other than ordinary nicks."""
        known = [*self.robots, *self.assistants, *self.staff, *self.internal]
        return [*_LONG_NAMES, *self._mains, "jimi_vender_", *known, *BLANKS]

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


@lru_cache(maxsize=64)  # a shop has many files
def _looks_of(names: _Names) -> tuple[np.ndarray, ...]:
    from cslog.scan import texts

    return (
        *texts.openings([word.encode() for word in names.openings()]),
        *texts.closings([blank.encode() for blank in BLANKS]),
    )


def _shop_among(senders: pl.Series) -> str | None:
    number, found = distinct(senders)
    counts: Counter[str] = Counter()
    for name, count in zip(found, np.bincount(number, minlength=len(found)), strict=True):
        prefix, colon, _ = plain_account(name or "").partition(":")
        if prefix and colon:
            counts[prefix] += int(count)
    return min(counts, key=lambda prefix: (-counts[prefix], prefix)) if counts else None


_NOBODY, _BUYER, _AGENT, _ROBOT, _SYSTEM = np.arange(-1, 4, dtype=np.int8)
"""Sides of a message."""

_OF_SHOP, _OWN, _NEUTRAL, _IS_ROBOT, _ASSISTS = (np.uint8(1 << bit) for bit in range(5))
"""Marks of a name: an account of the shop; one of its own people; the main account, which owns no conversation, or
nobody; a robot; one that assists.
"""


@dataclass(frozen=True)
class _People:
    """Who speaks to whom in every row, by the numbers of their names; ``account``: the sender's without the shop."""

    buyer: np.ndarray
    sender: np.ndarray
    account: np.ndarray
    own: np.ndarray  # the buyer is one of the shop's own people
    of_shop: np.ndarray  # this and the next three: of the sender
    neutral: np.ndarray
    robot: np.ndarray
    assistant: np.ndarray


def _people(raw: pl.DataFrame, names: _Names, found: coded.Names) -> _People:
    number, written = distinct(pl.concat([raw["buyer"], raw["sender"].alias("buyer")]))
    # A name is looked at once, however often it stands in the file, and hardly any is other than an ordinary nick:
    # that is the account, and nobody of the shop.
    plain = written.to_list()
    odd = set()
    for at in names.odd(written):
        plain[at] = plain_account(plain[at])
        odd.add(plain[at])
    odd.discard("")  # nobody's name, even when a setting lists it
    person = found.numbers(plain)[number]
    marks, account = np.zeros(len(found), np.uint8), np.arange(len(found), dtype=np.int32)
    marks[NOBODY] = _NEUTRAL
    for name in odd:
        of_shop = names.is_account(name)
        short = names.short(name) if of_shop else name
        at = found.number(name)
        account[at] = found.number(short)
        marks[at] = (
            of_shop * _OF_SHOP
            | (of_shop or name in names.internal) * _OWN
            | (short == names.shop) * _NEUTRAL
            | names.is_robot(short) * _IS_ROBOT
            | (short in names.assistants) * _ASSISTS
        )
    buyer, sender = person[: raw.height], person[raw.height :]
    of_sender = marks[sender]
    return _People(
        buyer=buyer,
        sender=sender,
        account=account[sender],
        own=(marks[buyer] & _OWN) != 0,
        of_shop=(of_sender & _OF_SHOP) != 0,
        neutral=(of_sender & _NEUTRAL) != 0,
        robot=(of_sender & _IS_ROBOT) != 0,
        assistant=(of_sender & _ASSISTS) != 0,
    )


def _person(platform: str, shop: str, buyer: str) -> str:
    """What a buyer's key is the hash of."""
    return f"{platform}{_SEPARATOR}{shop}{_SEPARATOR}{buyer}"


@dataclass(frozen=True)
class _Looks:
    """What the texts tell. ``text``: without its mark, ``rows``: where that is; ``handed`` numbers the names in
    ``handed_from`` and ``handed_to`` that a transfer line tells, -1 for other texts.
    """

    text: pl.Series
    rows: Rows
    system: np.ndarray
    marked: np.ndarray
    kind: np.ndarray
    handed: np.ndarray
    handed_from: list[str]
    handed_to: list[str]


def _looks(texts: pl.Series, names: _Names) -> _Looks:
    from cslog.scan import columns, hashing
    from cslog.scan import rows as loops

    places = columns.rows_of(texts)
    size = len(texts)
    system, marked, handed = np.zeros(size, bool), np.zeros(size, bool), np.full(size, -1, np.int32)
    kind = np.full(size, int(Kind.TEXT), np.int8)
    rows = np.flatnonzero(classify.worth_a_look(places))
    number, first = loops.distinct(hashing.xxh3(places.only(rows)))
    found = texts[rows[first]].to_list()
    looks = [classify.look(text) for text in found]
    system[rows] = np.array([look.system for look in looks], bool)[number]
    marked[rows] = np.array([look.marked for look in looks], bool)[number]
    kind[rows] = np.array([int(look.kind) for look in looks], np.int8)[number]
    over = [at for at, look in enumerate(looks) if look.hands_over]
    handed_from: list[str] = []
    handed_to: list[str] = []
    if over:
        party = np.full(len(found), -1, np.int32)
        for at, pair in zip(over, classify.parties([found[at] for at in over]), strict=True):
            if pair:
                party[at] = len(handed_from)
                handed_from.append(names.short(plain_account(pair[0])))
                handed_to.append(names.short(plain_account(pair[1])))
        handed[rows] = party[number]
    if marked.any():
        place = np.arange(size)
        place[rows] = np.where(marked[rows], size + number, rows)
        texts = pl.concat([texts, pl.Series([look.bare for look in looks])], rechunk=True)[place]
        places = columns.rows_of(texts)
    return _Looks(texts, places, system, marked, kind, handed, handed_from, handed_to)


def _sides(stated: pl.Series, people: _People, looks: _Looks) -> np.ndarray:
    side = np.where(people.of_shop, _AGENT, _NOBODY)
    side = np.where(people.buyer == people.sender, _BUYER, side)
    side = np.where(looks.system, _SYSTEM, side)
    if stated.null_count() < len(stated):
        sides = {"buyer": _BUYER, "agent": _AGENT, "robot": _ROBOT, "system": _SYSTEM}
        told = stated.replace_strict(sides, default=int(_NOBODY), return_dtype=pl.Int8).to_numpy()
        side = np.where(told == _NOBODY, side, told)
    return np.where((side == _AGENT) & people.robot, _ROBOT, side)


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
_CLASS_OF_BUYERS, _CLASS_OF_SYSTEM = int(MessageClass.BUYER), int(MessageClass.SYSTEM)
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
    decided = np.full(len(side), len(conditions), np.int8)
    for number in reversed(range(len(conditions))):
        decided[conditions[number]] = number
    return decided


def _stated(
    raw: pl.DataFrame,
    people: _People,
    names: _Names,
    found: coded.Names,
    exporter: int,
    speaks: np.ndarray,
) -> np.ndarray:
    """The agent (number of the name) with whom each row says its conversation is (I3). ``speaks``: who may own it."""
    from cslog.scan import rows

    blocks, _ = rows.distinct(raw["block"].to_numpy())
    of_block = rows.only_one(blocks, np.where(speaks & ~people.neutral, people.account, rows.NONE))
    of_block = np.where(of_block == rows.NONE, exporter, of_block)
    stated = np.where(of_block == rows.SEVERAL, NOBODY, of_block)[blocks]
    agent = raw["agent"]
    if agent.null_count() < len(agent):
        number, written = distinct(agent)
        short = [None if name is None else names.short(plain_account(name)) for name in written]
        stated = np.where(agent.is_null().to_numpy(), stated, found.numbers(short)[number])
    return stated


def _months(seconds: np.ndarray, found: coded.Names) -> np.ndarray:
    """Numbers of the month of every second, written ``YYYY-MM``."""
    from cslog.scan import rows

    day, first = rows.distinct(seconds // DAY_SECONDS)
    return found.numbers([month_label(int(second) // DAY_SECONDS) for second in seconds[first]])[day]
