"""Messages and orders of a period out of the store (`cslog export`), a batch at a time; pseudonymised if wanted.

Pseudonymised rows say the same of everything that figures are made of: who wrote to whom when, and how much; but not
who that was. Nicks, order numbers and, if wanted, agents are replaced wherever they stand as what they are, nicks and
order numbers that the store knows in texts too; what else identifies people in texts is masked (cslog.privacy.masking).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from cslog import mentions
from cslog.clock import DAY_SECONDS, Period
from cslog.order_versions import fold_orders
from cslog.privacy import masking
from cslog.privacy.pseudonyms import Pseudonyms
from cslog.schema import Kind, MessageClass, OrderState
from cslog.snapshot import Snapshot

_BATCH = 200_000  # messages at a time
_SHORTEST_OWN = 2  # letters of a nick that is replaced in the texts of its own conversation

MESSAGES = (
    "sent_at", "platform", "shop", "buyer", "agent", "speaker", "kind", "characters", "text", "transfer_from",
    "transfer_to", "source_file", "source_line",
)  # fmt: skip
ORDERS = (
    "order_id", "platform", "shop", "buyer", "created_at", "paid_at", "shipped_at", "state", "amount",
    "post_fee", "refund", "items", "memo", "flag", "close_reason", "source_file", "source_line",
)  # fmt: skip

_MONEY = ("amount", "post_fee", "refund")  # in cents, as units say
_NAMES = ("agent", "transfer_from", "transfer_to")


@dataclass(frozen=True)
class Disguise:
    """How rows are pseudonymised. ``agents``: these too."""

    pseudonyms: Pseudonyms
    agents: bool = False


@dataclass(frozen=True)
class Selection:
    """Which rows: a period (both ends included), shops (none: all), and whether with texts and memos."""

    period: Period
    shops: tuple[str, ...] = ()
    texts: bool = True


def messages(
    snapshot: Snapshot, chosen: Selection, disguise: Disguise | None = None
) -> Iterator[pl.DataFrame]:
    """Columns MESSAGES of the messages of a period, in the order of the store: by buyer and time."""
    first = chosen.period.first_day * DAY_SECONDS
    last = (chosen.period.last_day + 1) * DAY_SECONDS - 1
    disguised = _Disguised(snapshot, disguise) if disguise else None
    columns = [name for name in MESSAGES if name != "speaker"] + ["message_class"]
    count = max(1, -(-snapshot.count(first, last) // _BATCH))
    for low, high in itertools.pairwise(snapshot.cuts(first, last, count)):
        rows = snapshot.messages(first, last, columns, (low, high - 1))
        if chosen.shops:
            rows = rows.filter(pl.col("shop").is_in(list(chosen.shops)))
        frame = rows.collect().with_columns(
            speaker=_named(MessageClass, "message_class"), kind=_named(Kind, "kind")
        )
        if not chosen.texts:
            frame = frame.with_columns(text=pl.lit(None, pl.String))
        if disguised:
            frame = disguised.messages(frame)
        yield frame.select(_left(MESSAGES, disguise))


def orders(snapshot: Snapshot, chosen: Selection, disguise: Disguise | None = None) -> Iterator[pl.DataFrame]:
    """Columns ORDERS of the orders created in a period, each as it is now."""
    first, last = chosen.period.first_day * DAY_SECONDS, (chosen.period.last_day + 1) * DAY_SECONDS - 1
    stored = [f"{name}_cents" if name in _MONEY else name for name in ORDERS]
    frame = fold_orders(snapshot.order_versions(), None, stored).rename(
        {f"{name}_cents": name for name in _MONEY}
    )
    frame = frame.filter(pl.col("created_at").is_between(first, last)).sort("created_at", "order_id")
    if chosen.shops:
        frame = frame.filter(pl.col("shop").is_in(list(chosen.shops)))
    frame = frame.with_columns(state=_named(OrderState, "state"))
    if not chosen.texts:
        frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in ("memo", "close_reason"))
    if disguise:
        frame = _Disguised(snapshot, disguise).orders(frame)
    for begin in range(0, max(frame.height, 1), _BATCH):
        yield frame.slice(begin, _BATCH).select(_left(ORDERS, disguise))


def columns_of(names: Sequence[str], disguise: Disguise | None) -> tuple[str, ...]:
    """The columns that rows have: without places in files, whose names can be anybody's, when pseudonymised."""
    return tuple(_left(names, disguise))


def _left(names: Sequence[str], disguise: Disguise | None) -> list[str]:
    return [name for name in names if disguise is None or not name.startswith("source_")]


def _named(codes: type[MessageClass | Kind | OrderState], column: str) -> pl.Expr:
    names = {int(code): code.name.lower() for code in codes}
    return pl.col(column).replace_strict(names, default=None, return_dtype=pl.String)


class _Disguised:
    """Replaces names in rows and in their texts."""

    def __init__(self, snapshot: Snapshot, disguise: Disguise) -> None:
        self._snapshot, self._disguise = snapshot, disguise
        self._names = disguise.pseudonyms

    @cached_property
    def _known(self) -> tuple[list[str], list[str]]:
        """Names that are replaced wherever a text has them, the longest first, and what they are replaced by."""
        accounts = self._snapshot.accounts().to_list()
        nicks = [self._snapshot.rows(table).select("buyer").unique() for table in ("messages", "orders")]
        buyers = pl.concat(nicks).unique().collect()["buyer"]
        table = self._names.table("buyer", mentions.telling(buyers, accounts))
        numbers = self._snapshot.rows("orders").select("order_id").unique().collect()["order_id"]
        table |= self._names.table("order", numbers)
        if self._disguise.agents:
            shops = set(self._snapshot.data_ends())
            table |= self._names.table(
                "agent", (name for name in accounts if name not in shops and len(name) > 1)
            )
        ordered = sorted(table, key=lambda name: (-len(name), name))
        return ordered, [table[name] for name in ordered]

    def messages(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of messages."""
        nicks = frame["buyer"]
        frame = frame.with_columns(buyer=self._names.column("buyer", nicks))
        own = frame.select(nick=nicks, name="buyer", text="text")
        return self._agents(frame).with_columns(text=self._text(_without_own(own)))

    def orders(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of orders."""
        nicks = frame["buyer"]
        memos = frame.select(nick=nicks, name=self._names.column("buyer", nicks), text="memo")
        return frame.with_columns(
            buyer=memos["name"],
            order_id=self._names.column("order", frame["order_id"]),
            memo=self._text(_without_own(memos)),
            close_reason=self._text(frame["close_reason"]),
        )

    def _agents(self, frame: pl.DataFrame) -> pl.DataFrame:
        if not self._disguise.agents:
            return frame
        return frame.with_columns(self._names.column("agent", frame[name]).alias(name) for name in _NAMES)

    def _text(self, texts: pl.Series) -> pl.Series:
        names, others = self._known
        if names:
            told = texts.to_frame("text").select(
                pl.col("text").str.replace_many(names, others, leftmost=True)
            )
            texts = told.to_series()
        return masking.masked_texts(texts)


def _without_own(rows: pl.DataFrame) -> pl.Series:
    """Texts (text) in which the nick of their own row (nick) is replaced (name), however short it is."""
    nick = pl.col("nick")
    told = (
        (nick.str.len_chars() >= _SHORTEST_OWN) & pl.col("text").str.contains(nick, literal=True)
    ).fill_null(False)
    places = rows.select(told.arg_true()).to_series()
    if places.is_empty():
        return rows["text"]
    new = [
        text.replace(nick, name)
        for text, nick, name in rows[places].select("text", "nick", "name").iter_rows()
    ]
    return rows["text"].scatter(places, pl.Series(new, dtype=pl.String))
