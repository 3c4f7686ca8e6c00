"""How long the store keeps things (保存期限): whole months out of all its versions, or their texts alone.

Months are removed so that no figure of a later month changes. A month looks back: at orders paid before a question, at
chats before an order. So the months before the first complete one stay as far as that reaches, and so do the chats
around an order that was created long before it was paid in a month that stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import msgspec
import polars as pl

from cslog import clock, profile, refused, schema
from cslog.config import Config
from cslog.errors import UsageError
from cslog.frozen import freezes
from cslog.privacy import erasure
from cslog.refused import Refused
from cslog.snapshot import Snapshot
from cslog.store import Store
from cslog.table_history import Logged

_ORDER = list(schema.ORDER_ID)
_SETTLED_DAYS = 4  # chats into and out of a day, and hours past midnight (compute.py)


@dataclass(frozen=True)
class Limits:
    """``complete_from``: the first month (2024-11) whose figures stay complete; ``texts_from``: whose texts stay."""

    complete_from: str | None = None
    texts_from: str | None = None


@dataclass(frozen=True)
class Expired:
    """What was removed, or would be. ``months``: a row per month with month, messages, orders, texts. ``frozen``:
    frozen months that cannot be computed again.
    """

    store_version: int
    dry_run: bool
    complete_from: str | None
    texts_from: str | None
    messages: int
    orders: int
    texts: int
    rejects: int
    months: pl.DataFrame
    frozen: tuple[str, ...] = ()
    completed: bool = False
    left: int = 0
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The JSON of `cslog forget`."""
        return asdict(self) | {"months": self.months.to_dicts(), "warnings": list(self.warnings)}


def limits_of(config: Config, today: int) -> Limits:
    """What ``[retention]`` of the configuration says on the day number ``today``."""
    told = config.retention
    return Limits(
        *(None if n is None else clock.earlier_month(today, n) for n in (told.months, told.text_months))
    )


def expire(
    limits: Limits,
    store: Store,
    config: Config,
    *,
    dry_run: bool = False,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> Expired:
    """Remove from every version what is older than ``limits``. UsageError when these say nothing, or too much."""
    if limits == Limits():
        raise UsageError(
            "nothing says how long things are kept (保存期限)",
            "set months or text_months under [retention] of cslog.toml, or give --before YYYY-MM",
        )
    this_month = clock.month_label(clock.today())
    for month in (limits.complete_from, limits.texts_from):
        if month is not None and month > this_month:
            raise UsageError(f"{month} is still to come", "give a month up to the present one")
    if not store.exists:
        return _Search(store.snapshot(), limits, config).outcome(dry_run=dry_run)
    if dry_run:
        with store.reading():
            return _Search(store.snapshot(), limits, config).outcome(dry_run=True)
    with erasure.alone(store) as (named, completed):
        found = _Search(named, limits, config)
        outcome = found.outcome(dry_run=False)
        done = erasure.Erased(named.store_version, 0)
        if found.anything:
            on_done(1, 2)
            done = erasure.erase(
                store, named, found.change, found.refusing, found.removed(), noted_anew=False
            )
        on_done(2, 2)
    return replace(outcome, store_version=done.store_version, completed=completed, left=done.left)


class _Search:
    """What of a version, and of all before it, is older than the limits."""

    def __init__(self, snapshot: Snapshot, limits: Limits, config: Config) -> None:
        self._snapshot, self._config = snapshot, config
        self._old = (refused.load(snapshot.folder) if snapshot.store_version else None) or refused.made()
        told = self._old.texts_from
        known = None if told is None else clock.month_label(told // clock.DAY_SECONDS)
        # What was removed once does not come back with a longer limit.
        self.limits = Limits(
            _later(limits.complete_from, self._old.complete_from), _later(limits.texts_from, known)
        )

    @cached_property
    def refusing(self) -> Refused:
        """What must not come back from now on."""
        complete, texts = self.limits.complete_from, self.limits.texts_from
        new = msgspec.structs.replace(
            self._old,
            complete_from=complete,
            texts_from=None if texts is None else clock.month_seconds(texts)[0],
        )
        if complete is None:
            return new
        begin = clock.month_seconds(complete)[0]
        kept_from = clock.month_seconds(clock.month_label((begin // clock.DAY_SECONDS) - self._reach_days))[0]
        return msgspec.structs.replace(new, messages_from=kept_from, orders_from=kept_from)

    @property
    def anything(self) -> bool:
        """Whether the limits are other ones than before; nothing older can have come since."""
        return self.refusing != self._old

    @cached_property
    def _ways(self) -> list[profile.Profile]:
        return profile.available(self._config.profiles)

    @property
    def _reach_days(self) -> int:
        """How many days before a month its figures look at most, whatever the profile."""
        return max(
            max(
                way.after_sale_days + 2,
                way.unpaid_days + -(-way.lookback_s // clock.DAY_SECONDS) + 2 * _SETTLED_DAYS,
            )
            for way in self._ways
        )

    def _scan(self, table: str) -> pl.LazyFrame:
        return erasure.scan(self._snapshot, table)

    @cached_property
    def _orders(self) -> pl.DataFrame:
        """Orders of which every version is older in all its dates."""
        if self.refusing.orders_from is None or not self._snapshot.store_version:
            return pl.DataFrame(schema=dict.fromkeys(_ORDER, pl.String))
        last = pl.max_horizontal("created_at", "paid_at", "shipped_at").max()
        ends = self._scan("orders").group_by(_ORDER).agg(last=last)
        return ends.filter(pl.col("last") < self.refusing.orders_from).select(_ORDER).collect()

    @cached_property
    def _needed(self) -> pl.DataFrame:
        """Spans of old chats (buyer_key, low, high) that the orders of complete months look at."""
        assert self.limits.complete_from is not None
        begin = clock.month_seconds(self.limits.complete_from)[0]
        back = max(way.lookback_s for way in self._ways) + _SETTLED_DAYS * clock.DAY_SECONDS
        sold = self._scan("orders").filter(pl.col("paid_at") >= begin - clock.DAY_SECONDS)
        spans = sold.select("buyer_key", low=pl.min_horizontal("created_at", "paid_at") - back)
        first = spans.group_by("buyer_key").agg(pl.col("low").min())
        return first.filter(pl.col("low") < self.refusing.messages_from).collect()

    def _stays(self, messages: pl.LazyFrame) -> pl.LazyFrame:
        """Those of old messages that must stay."""
        spans = self._needed.lazy()
        return (
            messages.join(spans, on="buyer_key", maintain_order="left")
            .filter(pl.col("sent_at") >= pl.col("low"))
            .drop("low")
        )

    @cached_property
    def _old_files(self) -> list[str]:
        """Paths of files that were read before the texts, or everything, of their time expired."""
        ledger = self._snapshot.ledger().filter(pl.col("action") == "ingest")
        limit = max(one for one in (self.limits.complete_from, self.limits.texts_from) if one is not None)
        return ledger.filter(pl.col("at").str.head(7) < limit)["path"].drop_nulls().to_list()

    def change(self, table: str, file: Logged) -> pl.DataFrame | None:
        """The rows of a file that stay (erasure.Erase)."""
        match table:
            case "messages":
                return self._messages(file)
            case "orders":
                here = pl.scan_parquet(file.path, hive_partitioning=False)
                theirs = self._orders.lazy()
                if not here.join(theirs, on=_ORDER, how="semi").select(pl.len()).collect().item():
                    return None
                return here.join(theirs, on=_ORDER, how="anti", maintain_order="left").collect()
            case "rejects":
                frame = erasure.frame_of(file)
                old = pl.col("source_file").is_in(self._old_files) & pl.col("text").is_not_null()
                if not frame.select(old.any()).item():
                    return None
                return frame.with_columns(text=pl.when(~old).then("text"))
        return None

    def _messages(self, file: Logged) -> pl.DataFrame | None:
        month = _month_of(file)
        expired = self._is_expired(month)
        texts = self.limits.texts_from is not None and month < self.limits.texts_from
        if not expired and not texts:
            return None
        here = pl.scan_parquet(file.path, hive_partitioning=False)
        if expired:
            here = self._stays(here)
        frame = here.collect()
        if texts:
            if not expired and frame["text"].null_count() == frame.height:
                return None
            frame = frame.with_columns(text=pl.lit(None, pl.String))
        return frame

    def _is_expired(self, month: str) -> bool:
        first = self.refusing.messages_from
        return first is not None and clock.month_seconds(month)[1] < first

    def _counted(self) -> pl.DataFrame:
        """Rows of the newest version that go, by month: messages, orders, texts."""
        empty = {"month": pl.String, "messages": pl.Int64, "orders": pl.Int64, "texts": pl.Int64}
        if not self._snapshot.store_version:
            return pl.DataFrame(schema=empty)
        messages = self._snapshot.rows("messages").filter(~pl.col("refines"))
        month, first = pl.col("month"), self.refusing.messages_from
        counts = []
        if first is not None:
            old = messages.filter(month < clock.month_label(first // clock.DAY_SECONDS))
            stay = self._stays(old.select("month", "buyer_key", "sent_at"))
            rows = [one.group_by("month").len("messages").collect() for one in (old, stay)]
            less = pl.concat(
                [rows[0], rows[1].with_columns(-pl.col("messages").cast(pl.Int64))], how="vertical_relaxed"
            )
            counts.append(less.group_by("month").agg(pl.col("messages").sum()))
            gone = self._snapshot.rows("orders").join(self._orders.lazy(), on=_ORDER, how="semi")
            counts.append(gone.unique(_ORDER, keep="first").group_by("month").len("orders").collect())
        if self.limits.texts_from is not None:
            silent = messages.filter(month < self.limits.texts_from, pl.col("text").is_not_null())
            counts.append(silent.group_by("month").len("texts").collect())
        found = pl.concat([pl.DataFrame(schema=empty), *counts], how="diagonal_relaxed")
        sums = found.group_by("month").agg(pl.col("messages", "orders", "texts").sum().cast(pl.Int64))
        return sums.filter(pl.sum_horizontal("messages", "orders", "texts") > 0).sort("month")

    @cached_property
    def months(self) -> pl.DataFrame:
        """See Expired."""
        return (
            self._counted()
            if self.anything
            else pl.DataFrame(
                schema={"month": pl.String, "messages": pl.Int64, "orders": pl.Int64, "texts": pl.Int64}
            )
        )

    @cached_property
    def _rejects(self) -> int:
        if not self.anything or not self._snapshot.store_version:
            return 0
        old = pl.col("source_file").is_in(self._old_files) & pl.col("text").is_not_null()
        return int(self._snapshot.rejects().select(old.sum()).item())

    def removed(self) -> list[dict[str, Any]]:
        """For the history."""
        rows = []
        sums = {name: int(self.months[name].sum()) for name in ("messages", "orders", "texts")}
        named = pl.col("messages") + pl.col("orders") > 0
        if self.refusing.complete_from != self._old.complete_from:
            rows.append(
                _row("months", sums["messages"], sums["orders"], 0, self.months.filter(named)["month"])
            )
        if self.refusing.texts_from != self._old.texts_from:
            texts = self.months.filter(pl.col("texts") > 0)["month"]
            rows.append(_row("texts", sums["texts"], 0, self._rejects, texts))
        return rows

    def outcome(self, *, dry_run: bool) -> Expired:
        """What the search has found."""
        frozen: list[str] = []
        if self.limits.complete_from is not None and self._snapshot.store_version:
            months = {old.scope.month for old in freezes(Store(self._snapshot.folder, self._snapshot.folder))}
            frozen = sorted(month for month in months if month < self.limits.complete_from)
        return Expired(
            store_version=self._snapshot.store_version,
            dry_run=dry_run,
            complete_from=self.limits.complete_from,
            texts_from=self.limits.texts_from,
            messages=int(self.months["messages"].sum()),
            orders=int(self.months["orders"].sum()),
            texts=int(self.months["texts"].sum()),
            rejects=self._rejects,
            months=self.months,
            frozen=tuple(frozen),
            warnings=tuple(self._warnings()),
        )

    def _warnings(self) -> Iterable[str]:
        if self.limits.texts_from is not None and self._config.text_rules:
            yield (
                f"without texts {', '.join(self._config.text_rules)} of cslog.toml cannot find anything: figures of "
                f"months before {self.limits.texts_from} can change"
            )


def _row(what: str, messages: int, orders: int, rejects: int, months: pl.Series) -> dict[str, Any]:
    return {
        "what": what,
        "buyers": None,
        "messages": messages,
        "orders": orders,
        "rejects": rejects,
        "months": months.to_list(),
    }


def _later(one: str | None, other: str | None) -> str | None:
    return max((month for month in (one, other) if month is not None), default=None)


def _month_of(file: Logged) -> str:
    return file.name.partition("/")[0].removeprefix("month=")
