"""Buyers out of the store (`cslog forget --buyer`): what of it is theirs, and what is left of them afterwards.

Theirs are all messages of their conversations, whoever wrote them, and all versions of orders of which any version
names them. A copy of a line that could not be placed does not say whose it was: the texts of all such lines are
removed that came out of files which may have held one of the buyers. Nicks that others mention are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import polars as pl

from cslog import clock, freeze, frozen, kpi, mentions, refused, schema
from cslog.config import Config
from cslog.errors import CslogError, UsageError
from cslog.frozen import Freeze, counting, freezes
from cslog.identity import plain_account
from cslog.privacy import erasure
from cslog.refused import Refused
from cslog.snapshot import Snapshot
from cslog.store import Store
from cslog.table_history import Logged

_ORDER = list(schema.ORDER_ID)
_SPOKEN = {
    "messages": ("text", "source_file"),
    "orders": ("memo", "flag", "close_reason", "source_file"),
    "rejects": ("text", "source_file"),
    "ledger": ("path",),
}
"""Columns in which a nick can stand that is not the row's own."""


@dataclass(frozen=True)
class Touched:
    """A frozen month that removed rows may have been part of. ``differing``: how many of its figures are other ones
    now; None when nothing was removed yet, or when they cannot be computed any more.
    """

    month: str
    id: str
    options: str
    differing: int | None = None


@dataclass(frozen=True)
class Forgotten:
    """What was removed, or would be. ``months``: a row per month with month, messages, orders. ``mentions``: rows of
    others in which a nick was replaced. ``files``: exports that hold the buyers still, wherever they are kept.
    ``masked_messages``, ``masked_orders``: rows of masked nicks that may be theirs and stay. ``completed``: an earlier
    run was interrupted and its old files are gone now. ``left``: old folders that could not be deleted yet.
    """

    store_version: int
    dry_run: bool
    asked: int
    buyers: int
    messages: int
    orders: int
    rejects: int
    mentions: int
    months: pl.DataFrame
    files: tuple[str, ...]
    frozen: tuple[Touched, ...] = ()
    masked_messages: int = 0
    masked_orders: int = 0
    completed: bool = False
    left: int = 0
    warnings: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """The JSON of `cslog forget`; it names nobody."""
        return asdict(self) | {"months": self.months.to_dicts(), "warnings": list(self.warnings)}


def plain_nicks(written: Iterable[str]) -> list[str]:
    """Nicks as the store has them, without ``cntaobao`` and blanks. UsageError when there is none."""
    nicks = sorted({plain_account(nick) for nick in written} - {""})
    if not nicks:
        raise UsageError("no buyer is named", "give nicks (买家昵称) by --buyer or --buyer-file")
    return nicks


def forget(
    nicks: Sequence[str],
    store: Store,
    config: Config,
    *,
    shops: Sequence[str] = (),
    dry_run: bool = False,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> Forgotten:
    """Remove the buyers ``nicks`` (of ``shops``; none: of all) from every version of the store."""
    names = tuple(sorted({config.canonical_shop(name) for name in shops}))
    if not store.exists:
        return Forgotten(0, dry_run, len(nicks), 0, 0, 0, 0, 0, _by_month([], []), ())
    if dry_run:
        with store.reading():
            found = _Search(store.snapshot(), nicks, names)
            return found.outcome(store, dry_run=True)
    with erasure.alone(store) as (named, completed):
        found = _Search(named, nicks, names)
        outcome = found.outcome(store, dry_run=False)
        if not found.anything:
            return replace(outcome, completed=completed)
        on_done(1, 3)
        done = erasure.erase(store, named, found.change, found.refusing(), [found.removed()])
        on_done(2, 3)
    touched = tuple(_recounted(one, store, config) for one in outcome.frozen)
    on_done(3, 3)
    return replace(
        outcome, store_version=done.store_version, frozen=touched, completed=completed, left=done.left
    )


class _Search:
    """Where in a version, and in all before it, the buyers are."""

    def __init__(self, snapshot: Snapshot, nicks: Sequence[str], shops: tuple[str, ...]) -> None:
        self._snapshot, self._nicks, self._shops = snapshot, list(nicks), shops
        self._telling = mentions.telling(nicks, snapshot.accounts())
        own = pl.col("buyer").is_in(self._nicks)
        self._own = own & pl.col("shop").is_in(list(shops)) if shops else own

    def _scan(self, table: str) -> pl.LazyFrame:
        """All rows of all versions, those of compacted months several times."""
        return erasure.scan(self._snapshot, table)

    @cached_property
    def messages(self) -> pl.DataFrame:
        """Distinct messages of the buyers."""
        columns = [*schema.MESSAGE_ID, "month", "shop", "buyer", "source_file", "refines"]
        found = self._scan("messages").filter(self._own).select(columns)
        return found.sort("refines").unique(schema.MESSAGE_ID, keep="first", maintain_order=True).collect()

    @cached_property
    def orders(self) -> pl.DataFrame:
        """Numbers of the orders of which a version names one of the buyers."""
        found = self._scan("orders").filter(self._own).select(*_ORDER, "buyer", month="month")
        return found.unique(_ORDER, keep="first", maintain_order=True).collect()

    @cached_property
    def _order_rows(self) -> pl.DataFrame:
        """Files of all versions of these orders."""
        return (
            self._scan("orders")
            .join(self._order_numbers, on=_ORDER, how="semi")
            .select("source_file")
            .collect()
        )

    @cached_property
    def sources(self) -> frozenset[str]:
        """Files that rows of the buyers came from."""
        every = self._scan("messages").filter(self._own).select("source_file").unique().collect()
        return frozenset([*every["source_file"], *self._order_rows["source_file"]])

    @cached_property
    def _suspected(self) -> frozenset[str]:
        """Files whose rejects may be the buyers': their sources, and files of which the store knew something before,
        which may have been about them.
        """
        ledger = self._snapshot.ledger().filter(pl.col("action") == "ingest")
        orders = pl.col("orders_new") + pl.col("orders_changed").fill_null(0)
        known = ledger.filter(
            (pl.col("messages_new") < pl.col("messages_read")) | (orders < pl.col("orders_read"))
        )
        return self.sources | frozenset(known["path"].drop_nulls())

    @cached_property
    def _blanked(self) -> pl.Expr:
        """The rejects whose text goes: those of suspected files, and all that mention a nick."""
        suspected = pl.col("source_file").is_in(sorted(self._suspected)) if self._mine else pl.lit(False)
        # As short as a nick may be: here it is the buyer rather than a word.
        nicks = mentions.mentioned(pl.col("text"), self._nicks)
        return pl.col("text").is_not_null() & (suspected | nicks)

    @cached_property
    def rejects(self) -> int:
        """How many rejected lines lose their text."""
        return int(self._scan("rejects").filter(self._blanked).select(pl.len()).collect().item())

    @cached_property
    def mentions(self) -> int:
        """Rows of others that mention a nick, those of several versions once."""
        text = mentions.mentioned(pl.col("text"), self._telling)
        told = self._scan("messages").filter(~self._own, text | self._signed)
        count = told.select(schema.MESSAGE_ID).unique().select(pl.len()).collect().item()
        spoken = [
            mentions.mentioned(pl.col(name), self._telling) for name in ("memo", "flag", "close_reason")
        ]
        rows = self._scan("orders").filter(~self._own, pl.any_horizontal(*spoken))
        return int(count) + int(rows.select(pl.len()).collect().item())

    @cached_property
    def _named(self) -> bool:
        """Whether a file is called like one of the buyers."""
        return bool(
            self._snapshot.ledger()
            .select(mentions.mentioned(pl.col("path"), self._telling).any())
            .to_series()
            .any()
        )

    @property
    def _signed(self) -> pl.Expr:
        return pl.col("sender").is_in(self._telling).fill_null(False)

    @property
    def _mine(self) -> bool:
        return bool(self.messages.height or self.orders.height)

    @property
    def anything(self) -> bool:
        """Whether there is anything to remove."""
        return self._mine or self._named or bool(self.rejects or self.mentions)

    def change(self, table: str, file: Logged) -> pl.DataFrame | None:
        """The rows of a file that stay (erasure.Erase)."""
        if table not in _SPOKEN:
            return None
        here = pl.scan_parquet(file.path, hive_partitioning=False)
        names = [name for name in _SPOKEN[table] if name in here.collect_schema().names()]
        touched = [mentions.mentioned(pl.col(name), self._telling) for name in names]
        match table:
            case "messages":
                touched += [self._own, self._signed]
            case "orders":
                theirs = here.join(self._order_numbers, on=_ORDER, how="semi").select(pl.len())
                touched.append(pl.lit(bool(theirs.collect().item())))
            case "rejects":
                touched.append(self._blanked)
        if not here.select(pl.any_horizontal(*touched).any()).collect().item():
            return None
        frame = erasure.frame_of(file)
        match table:
            case "messages":
                frame = frame.filter(~self._own).with_columns(
                    sender=pl.when(self._signed).then(pl.lit(mentions.GONE)).otherwise("sender")
                )
            case "orders":
                frame = frame.join(
                    self._order_numbers.collect(), on=_ORDER, how="anti", maintain_order="left"
                )
            case "rejects":
                frame = frame.with_columns(text=pl.when(~self._blanked).then("text"))
        return frame.with_columns(mentions.without(pl.col(name), self._telling) for name in names)

    @property
    def _order_numbers(self) -> pl.LazyFrame:
        return self.orders.lazy().select(_ORDER)

    def refusing(self) -> Refused:
        """What must not come back from now on."""
        old = refused.load(self._snapshot.folder) or refused.made()
        digests = [old.buyer(shop, nick) for nick in self._nicks for shop in self._shops or (None,)]
        orders = [old.order(*row) for row in self.orders.select(_ORDER).iter_rows()]
        return old.with_buyers(digests, clock.now(), orders)

    @cached_property
    def months(self) -> pl.DataFrame:
        """Messages and orders that are removed, by month."""
        return _by_month(self.messages["month"], self.orders["month"])

    @property
    def _buyers(self) -> int:
        return len({*self.messages["buyer"], *self.orders["buyer"]})

    def removed(self) -> dict[str, Any]:
        """For the history."""
        return {
            "what": "buyers",
            "buyers": self._buyers,
            "messages": self.messages.height,
            "orders": self.orders.height,
            "rejects": self.rejects,
            "months": self.months["month"].to_list(),
        }

    def outcome(self, store: Store, *, dry_run: bool) -> Forgotten:
        """What the search has found."""
        chats, orders = self._masked()
        return Forgotten(
            store_version=self._snapshot.store_version,
            dry_run=dry_run,
            asked=len(self._nicks),
            buyers=self._buyers,
            messages=self.messages.height,
            orders=self.orders.height,
            rejects=self.rejects,
            mentions=self.mentions,
            months=self.months,
            files=tuple(sorted(self.sources)),
            frozen=tuple(touched(store, self._snapshot, self.months["month"].to_list())),
            masked_messages=chats,
            masked_orders=orders,
            warnings=tuple(self._warnings()),
        )

    def _masked(self) -> tuple[int, int]:
        """Messages and orders of masked nicks that fit a nick and are not removed (docs/privacy.md)."""
        clear = [nick for nick in self._nicks if "*" not in nick]
        shops = pl.col("shop").is_in(list(self._shops)) if self._shops else pl.lit(True)
        counts = []
        for table in ("messages", "orders"):
            rows = self._snapshot.rows(table).filter(shops, pl.col("buyer").str.contains("*", literal=True))
            if table == "orders":
                rows = rows.join(self._order_numbers, on=_ORDER, how="anti")
            nicks = rows.group_by("buyer").len().collect()
            counts.append(sum(n for mask, n in nicks.iter_rows() if any(_fits(mask, one) for one in clear)))
        return counts[0], counts[1]

    def _warnings(self) -> Iterable[str]:
        ambiguous = len(self._nicks) - len(self._telling)
        if ambiguous and self._mine:
            yield (
                f"{ambiguous} of the nicks could be a word, a number or an account: where others mention them "
                "nothing was replaced"
            )
        if any("*" in nick for nick in self._nicks) and self._mine:
            yield "a masked nick (打码昵称) may stand for several buyers: all of them are meant"
        settings = self._snapshot.frozen()
        told = [mentions.mentioned(pl.col(name), self._telling) for name in ("settings", "stamp")]
        ids = settings.filter(pl.any_horizontal(*told))["id"].unique().sort().to_list()
        if ids:
            yield (
                f"the settings kept with the freezes {', '.join(ids)} name one of the buyers, as cslog.toml did: "
                "a freeze is never changed"
            )


def touched(store: Store, snapshot: Snapshot, months: Sequence[str]) -> Iterable[Touched]:
    """The freezes that count and whose month looks into one of ``months``."""
    present = freezes(store, snapshot=snapshot)
    for old in _counting(present):
        period = old.scope.period
        if set(clock.months_around(period.first_day, period.last_day)) & set(months):
            yield Touched(old.scope.month, old.id, str(old.scope))


def _counting(present: Sequence[Freeze]) -> list[Freeze]:
    """The newest freezes of every month and way of counting."""
    ways: dict[tuple[str, str, str], list[Freeze]] = {}
    for old in present:
        ways.setdefault((old.scope.month, old.scope.profile, old.scope.attribution), []).append(old)
    return [one.freeze for way in ways.values() for one in counting(way)]


def _recounted(one: Touched, store: Store, config: Config) -> Touched:
    """The same with the number of figures that differ now."""
    try:
        (old,) = [made for made in freezes(store) if made.id == one.id]
        way = freeze.plain_profile(old.scope, config)
        version = store.snapshot().store_version
        answers = {
            by: kpi.report(old.scope.question(by, old.asked_as_of, version), store, way, config)
            for by in frozen.MONTH_ROWS
        }
    except CslogError:  # a profile that is gone, an unknown shop
        return one
    counted = [other for other in counting(freezes(store, old.scope)) if other.freeze.id == old.id]
    return Touched(one.month, one.id, one.options, sum(len(freeze.differences(c, answers)) for c in counted))


def _fits(mask: str, nick: str) -> bool:
    pattern = ".*".join(map(re.escape, re.split(r"\*+", mask)))
    return re.fullmatch(pattern, nick, re.DOTALL) is not None


def _by_month(messages: Iterable[str], orders: Iterable[str]) -> pl.DataFrame:
    rows = [
        pl.DataFrame({"month": list(months)}, schema={"month": pl.String}).group_by("month").len(name)
        for months, name in ((messages, "messages"), (orders, "orders"))
    ]
    joined = rows[0].join(rows[1], on="month", how="full", coalesce=True).sort("month")
    return joined.with_columns(pl.col("messages", "orders").fill_null(0).cast(pl.Int64))
