"""What a store holds, as of one version: messages, orders, rejects, files and freezes, read and never written."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cslog import clock, contacts, copies, keys, schema
from cslog.coded import Coded
from cslog.tables import Layout, Part, Table, exists

LEDGER: schema.Schema = {
    "at": pl.String(),  # UTC instant of the commit
    "action": pl.String(),  # ingest | freeze | compact | contents | forget
    "path": pl.String(),
    "sha256": pl.String(),
    "fingerprint": pl.String(),  # sha256 and the options the file was read with; of a freeze: its id; of a forgetting: any
    "reader": pl.String(),
    "encoding": pl.String(),
    "messages_read": pl.Int64(),
    "messages_new": pl.Int64(),
    "orders_read": pl.Int64(),
    "orders_new": pl.Int64(),
    "orders_changed": pl.Int64(),
    "rejects": pl.Int64(),
    "replaced_characters": pl.Int64(),
    "messages_version": pl.Int64(),
    "orders_version": pl.Int64(),
    "rejects_version": pl.Int64(),
    "frozen_version": pl.Int64(),  # null in rows of schema 1
    "schema_version": pl.Int64(),
    "cslog_version": pl.String(),
    # Rows of action contents, one per commit that brought messages: what is in them, so that no report has to
    # look through all messages for it.
    "shops": pl.List(pl.Struct({"shop": pl.String(), "first_at": pl.Int64(), "last_at": pl.Int64()})),
    "accounts": pl.List(pl.String()),  # names of agents and exporters
    # Rows of action forget, and not of whom (cslog.privacy.forget); null in rows of earlier programs.
    "removed": pl.Struct(
        {
            "what": pl.String(),  # buyers | months | texts
            "buyers": pl.Int64(),
            "messages": pl.Int64(),
            "orders": pl.Int64(),
            "rejects": pl.Int64(),
            "months": pl.List(pl.String()),
        }
    ),
}

_CONTENTS = {name: LEDGER[name] for name in ("shops", "accounts")}

FROZEN: schema.Schema = {
    # One row per freeze and grouping; what the parts mean is cslog.freeze's.
    "id": pl.String(),
    "at": pl.Int64(),  # instant of freezing, wall seconds
    "month": pl.String(),
    "profile": pl.String(),
    "attribution": pl.String(),
    "shops": pl.List(pl.String()),  # empty: all
    "asked_as_of": pl.Int64(),  # --as-of of the freeze
    "store_version": pl.Int64(),  # what the figures were computed from
    "config_hash": pl.String(),
    "cslog_version": pl.String(),
    "profile_content": pl.String(),  # JSON
    "settings": pl.String(),  # JSON of the configuration
    "by": pl.String(),  # grouping, as in --by
    "stamp": pl.String(),  # JSON head of the report
    "figures": pl.String(),  # JSON: key, zh, unit … of its metrics
    "rows": pl.Int64(),
    "content": pl.Binary(),  # the rows as Arrow IPC, every dtype and bit as computed
}

STORED_MESSAGES: schema.Schema = schema.MESSAGES | dict.fromkeys(keys.ACCOUNT_KEYS, pl.Int64())
"""Messages as they are kept: schema.MESSAGES, and the keys of their accounts."""

LAYOUTS: dict[str, Layout] = {
    "messages": Layout(
        STORED_MESSAGES,
        partition="month",
        loose=("buyer_key", "sent_at", "rank", "message_class", "kind", "characters", *keys.ACCOUNT_KEYS),
        plain=("sent_at", "message_key", "text"),
        stepping=("source_line",),
        bounds=("buyer_key", "sent_at"),
        notes={contacts.NOTE: contacts.note_of},
    ),
    "orders": Layout(schema.ORDERS, partition="month", bounds=("created_at",)),
    "rejects": Layout(schema.STORED_REJECTS),
    "frozen": Layout(FROZEN),
    "ledger": Layout(LEDGER),
}
DATA = ("messages", "orders", "rejects", "frozen")
ALL_BUYERS = (-(2**63), 2**63 - 1)
"""The range of all buyer keys."""
REFINEMENTS = "refined"  # prefix of the files that hold refinements


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The store as of one version. ``versions`` maps each table to its Delta version; one that the store did
    not have then is missing. ``schema_version``: of the newest cslog that wrote any of it, 0 when nothing did.
    """

    folder: Path
    store_version: int
    versions: dict[str, int]
    schema_version: int = 0
    _opened: dict[str, Table] = field(default_factory=dict, repr=False, compare=False)

    def messages(
        self,
        first_at: int,
        last_at: int,
        columns: list[str] | None = None,
        buyer_keys: tuple[int, int] = ALL_BUYERS,
    ) -> pl.LazyFrame:
        """Messages with ``first_at`` ≤ sent_at ≤ ``last_at`` of the buyers whose key lies in the closed range
        ``buyer_keys``, one row each, as schema.MESSAGES; ``columns`` may also name those of STORED_MESSAGES.

        Rows come file by file, in each by (buyer_key, sent_at, rank). Only files that may hold such rows are
        opened, and only ``columns`` are read of what was never refined.
        """
        wanted = columns or list(schema.MESSAGES)
        limits = {"sent_at": (first_at, last_at), "buyer_key": buyer_keys}
        parts = self._meeting(limits, clock.months_between(first_at, last_at))
        refined = [part for part in parts if _refines(part)]
        first = [part for part in parts if not _refines(part)]
        if not refined:
            return self._limited(first, limits, wanted)
        key = list(schema.MESSAGE_ID)
        further = self._limited(refined, limits, list(schema.MESSAGES)).collect()
        known = further.lazy().select(key).unique()
        whole = self._limited(first, limits, list(dict.fromkeys([*wanted, *key]))).join(
            known, on=key, how="anti", maintain_order="left"
        )
        copied = self._limited(first, limits, list(schema.MESSAGES)).join(known, on=key, how="semi")
        folded = copies.fold(pl.concat([copied, further.lazy()])).collect()
        folded = keys.with_account_keys(folded.select(list(schema.MESSAGES)).sort(schema.MESSAGE_ORDER))
        return pl.concat([whole.select(wanted), folded.lazy().select(wanted)])

    def contacts(self, first_at: int, last_at: int, buyer_keys: tuple[int, int]) -> Iterator[np.ndarray]:
        """Digests (cslog.contacts) of files that, together, know every message of staff between the two seconds to
        the buyers whose key lies in the closed range.
        """
        limits = {"sent_at": (first_at, last_at), "buyer_key": buyer_keys}
        for part in self._meeting(limits, clock.months_between(first_at, last_at)):
            note = part.note(contacts.NOTE)
            if note is not None:
                yield contacts.noted(note)
            else:
                frame = self._limited([part], limits, list(contacts.COLUMNS)).collect()
                yield contacts.digest_of({name: frame[name].to_numpy() for name in contacts.COLUMNS})

    def months(self, first_at: int, last_at: int) -> list[str]:
        """Months, in order, of which a file may hold a message between the two seconds."""
        parts = self._meeting({"sent_at": (first_at, last_at)}, clock.months_between(first_at, last_at))
        return sorted({part.partition for part in parts if part.partition})

    def count(self, first_at: int, last_at: int) -> int:
        """At most how many messages were sent between the two seconds, by what is noted of the files."""
        months = clock.months_between(first_at, last_at)
        return sum(part.rows for part in self._meeting({"sent_at": (first_at, last_at)}, months))

    def cuts(self, first_at: int, last_at: int, count: int) -> list[int]:
        """Ascending keys, from the least to one past the greatest, that divide the buyers into about ``count`` ranges
        of as many messages between the two seconds. A compacted month is cut where its files are.
        """
        parts = self._meeting({"sent_at": (first_at, last_at)}, clock.months_between(first_at, last_at))
        months = {part.partition for part in parts}
        largest = max(months, key=lambda m: sum(p.rows for p in parts if p.partition == m), default=None)
        run = sorted(
            (part for part in parts if part.partition == largest), key=lambda part: part.bounds["buyer_key"]
        )
        if 2 * len(run) <= count or not is_one_run(run):
            return [-(2**63) + (2**64 * i) // count for i in range(count + 1)]  # keys are uniform
        share = sum(part.rows for part in run) / count
        inner: list[int] = []
        rows = 0
        for part, following in itertools.pairwise(run):
            rows += part.rows
            if rows + part.rows / 2 > share * (len(inner) + 1):  # the next file's end would be farther off
                inner.append(following.bounds["buyer_key"][0])
        return [-(2**63), *inner, 2**63]

    def _meeting(self, limits: dict[str, tuple[int, int]], months: list[str]) -> list[Part]:
        """Files of messages that may hold any within all ``limits``."""
        wanted = set(months)
        found = [
            part
            for part in self.parts("messages")
            if part.partition in wanted and all(part.meets(name, *span) for name, span in limits.items())
        ]
        # A buyer's messages of several ingests need no sorting when the files come in the order of time.
        return sorted(found, key=lambda part: part.bounds.get("sent_at", (0, 0)))

    def _limited(
        self, parts: list[Part], limits: dict[str, tuple[int, int]], columns: list[str]
    ) -> pl.LazyFrame:
        """``columns`` of ``parts``; whole files are not filtered, which would cost as much as reading them."""
        inside = [part for part in parts if all(part.within(name, *span) for name, span in limits.items())]
        across = [part for part in parts if part not in inside]
        if not parts:
            return pl.LazyFrame(schema={name: STORED_MESSAGES[name] for name in columns})
        table = self._table("messages")
        here = [name for name in columns if name in table.columns]
        derived = set(columns) - set(here)  # a version before schema 3 has the names alone
        if derived:
            here = list(dict.fromkeys([*here, *keys.ACCOUNT_KEYS.values()]))
        frames = [table.scan(inside)] if inside else []
        if across:
            conditions = [
                pl.col(name).is_between(*span) for name, span in limits.items() if _is_limit(name, span)
            ]
            frames.append(table.scan(across).filter(*conditions))
        found = pl.concat([frame.select(here) for frame in frames])
        return keys.with_account_keys(found.collect()).lazy().select(columns) if derived else found

    def bounds(self) -> pl.DataFrame:
        """Per shop: first and last second, messages, days with messages, buyers; how many buyer messages there are
        (``asked``) and for how many of them no export states the agent (``inferred``).
        """
        return (
            self._scan("messages")
            .group_by("shop")
            .agg(
                first_at=pl.col("sent_at").min(),
                last_at=pl.col("sent_at").max(),
                days=(pl.col("sent_at") // clock.DAY_SECONDS).unique().sort(),
                messages=(~pl.col("refines")).sum(),
                buyers=pl.col("buyer_key").n_unique(),
                inferred=(
                    pl.col("agent").is_null() & (pl.col("message_class") == int(schema.MessageClass.BUYER))
                ).sum(),
                asked=(pl.col("message_class") == int(schema.MessageClass.BUYER)).sum(),
            )
            .sort("shop")
            .collect()
        )

    def buyers(self) -> pl.DataFrame:
        """Distinct shop and buyer_key of all messages."""
        return self._scan("messages").select("shop", "buyer_key").unique().collect()

    def keys_of_buyer(self, buyer: str) -> pl.DataFrame:
        """Shops and keys of everybody with the nick ``buyer``: columns shop, buyer_key."""
        found = [
            self._scan(table).filter(pl.col("buyer") == buyer).select("shop", "buyer_key").unique()
            for table in ("messages", "orders")
        ]
        return pl.concat(found).unique().sort("shop").collect()

    def data_ends(self) -> dict[str, int]:
        """The last message second of every shop (kpi-spec 2, Data end)."""
        ends = self._contents.select(pl.col("shops").explode()).unnest("shops").drop_nulls("shop")
        last = ends.group_by("shop").agg(pl.col("last_at").max())
        return dict(zip(last["shop"], last["last_at"], strict=True))

    def accounts(self) -> pl.Series:
        """Names of all agents and exporters of messages, and of all shops, sorted."""
        contents = self._contents
        shops = contents["shops"].explode().struct.field("shop").rename("accounts")
        return pl.concat([contents["accounts"].explode(), shops]).drop_nulls().unique().sort()

    @cached_property
    def _contents(self) -> pl.DataFrame:
        """Shops and accounts, a row per commit; of a version before schema 3, which did not note them, one row."""
        ledger = self._scan("ledger")
        if self.store_version and "shops" not in self._table("ledger").columns:
            return pl.DataFrame([contents_of(self._table("messages").scan())], schema=_CONTENTS)
        return ledger.filter(pl.col("action") == "contents").select(list(_CONTENTS)).collect()

    def order_ends(self) -> dict[str, int]:
        """The last second at which an order of each shop was created or paid."""
        last = pl.max_horizontal(pl.col("created_at").max(), pl.col("paid_at").max())
        ends = self.order_versions().group_by("shop").agg(last=last).collect()
        return dict(zip(ends["shop"], ends["last"], strict=True))

    def range_until(self, last_at: int) -> tuple[int, int]:
        """The first message second of all shops, and ``last_at`` or that first one when it is later."""
        starts = self._contents.select(pl.col("shops").explode()).unnest("shops")
        first = starts["first_at"].min()
        return (last_at, last_at) if first is None else (int(first), max(int(first), last_at))  # type: ignore[arg-type]

    def order_versions(self) -> pl.LazyFrame:
        """All distinct versions of all orders, as schema.ORDERS."""
        return self._scan("orders")

    def rejects(self) -> pl.DataFrame:
        """Lines that no reader could place, as schema.STORED_REJECTS."""
        return self._scan("rejects").sort("source_file", "line", "reason").collect()

    def ledger(self) -> pl.DataFrame:
        """One row per ingested file, freeze, compaction and forgetting, in the order of their commits."""
        ledger = self._scan("ledger").filter(pl.col("action") != "contents").collect()
        # Versions only ever grow; the clock, which may be set back, decides only between commits that added nothing.
        versions = [f"{table}_version" for table in DATA if f"{table}_version" in ledger.columns]
        ledger = ledger.sort(*versions, "at", "path", nulls_last=False)
        later = {name: dtype for name, dtype in LEDGER.items() if name not in ledger.columns}
        return ledger.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in later.items())

    def removed_since(self, months: list[str]) -> pl.DataFrame:
        """What `cslog forget` has removed of ``months`` after this version was made, and out of it too.

        Columns at, what, buyers, messages, orders, months; oldest first.
        """
        shown = ["at", "what", "buyers", "messages", "orders", "months"]
        ledger = self.folder / "ledger"
        newest = Table(ledger, LAYOUTS["ledger"]) if exists(ledger) else None
        if newest is None or "removed" not in newest.columns:
            return pl.DataFrame(schema=dict.fromkeys(shown, pl.Null()))
        forgetting = pl.col("action") == "forget"
        then = self._scan("ledger").filter(forgetting).select("fingerprint")
        later = newest.scan().filter(forgetting).join(then, on="fingerprint", how="anti").sort("at")
        found = later.select("at", pl.col("removed").struct.unnest()).select(shown)
        return found.filter(pl.col("months").list.set_intersection(months).list.len() > 0).collect()

    def frozen(self, month: str | None = None) -> pl.DataFrame:
        """All freezes (of ``month``) as FROZEN, in the order in which they were made."""
        if not self.versions.get("frozen"):
            return pl.DataFrame(schema=FROZEN)
        committed = (
            self._scan("ledger").filter(pl.col("action") == "freeze").select(id="fingerprint").collect()
        )
        frozen = self._scan("frozen")
        if month is not None:
            frozen = frozen.filter(pl.col("month") == month)
        order = ["store_version", "at", "id", "by"]  # a clock may be set back, a version never
        return frozen.join(committed.lazy(), on="id", how="semi").sort(order).collect()

    def messages_since(self, older: Snapshot, first_at: int, last_at: int) -> pl.DataFrame:
        """Rows of messages with ``first_at`` ≤ sent_at ≤ ``last_at`` that ``older`` lacks, unfolded.

        Columns shop, buyer, sent_at, source_file; a copy of a known message that knows more is one as well.
        """
        known = [*schema.MESSAGE_ID, "rank", "message_class", "characters", "agent", "exporter"]
        months = clock.months_between(first_at, last_at)
        mine, theirs = (
            snapshot._scan("messages").filter(
                pl.col("month").is_in(months), pl.col("sent_at").is_between(first_at, last_at)
            )
            for snapshot in (self, older)
        )
        return (
            mine.join(theirs.select(known), on=known, how="anti", nulls_equal=True)
            .select("shop", "buyer", "sent_at", "source_file")
            .collect()
        )

    def orders_since(self, older: Snapshot) -> pl.DataFrame:
        """Versions of orders that ``older`` lacks, as schema.ORDERS."""
        key = [*schema.ORDER_ID, "content_key"]
        theirs = older._scan("orders").select(key)
        return self._scan("orders").join(theirs, on=key, how="anti").collect()

    def files_since(self, older: Snapshot) -> dict[str, str]:
        """Paths of the files ingested after ``older``, with the UTC instant of the last ingest of each."""
        key = ["at", "path", "fingerprint"]
        later = self.ledger().join(
            older.ledger(), on=key, how="anti", nulls_equal=True, maintain_order="left"
        )
        ingested = later.filter(pl.col("action") == "ingest")
        return dict(zip(ingested["path"], ingested["at"], strict=True))

    def _scan(self, table: str) -> pl.LazyFrame:
        if self.store_version == 0:
            return pl.LazyFrame(schema=LAYOUTS[table].columns)
        return self._table(table).scan()

    def rows(self, table: str) -> pl.LazyFrame:
        """All rows of a table, with the columns that it has."""
        return self._scan(table)

    def files(self, table: str, paths: list[Path]) -> pl.LazyFrame:
        """Rows of files of a table, whichever versions name them."""
        return self._table(table).scan_files(paths)

    def parts(self, table: str) -> list[Part]:
        """The files of a table."""
        return [] if self.store_version == 0 else self._table(table).parts

    def _table(self, table: str) -> Table:
        if table not in self._opened:
            self._opened[table] = Table(self.folder / table, LAYOUTS[table], self.versions[table])
        return self._opened[table]


_SPAN = {"first_at": pl.col("sent_at").min(), "last_at": pl.col("sent_at").max()}
_ACCOUNTS = ("agent", "exporter", "transfer_from", "transfer_to")


def contents_of(messages: pl.LazyFrame) -> dict[str, Any]:
    """What reports would have to look through all ``messages`` for: columns shops and accounts of LEDGER."""
    shops = messages.group_by("shop").agg(**_SPAN)
    named = [messages.select(pl.col(name).alias("name")).unique() for name in _ACCOUNTS]
    accounts = pl.concat(named).unique().drop_nulls()
    found_shops, found_accounts = pl.collect_all([shops.sort("shop"), accounts.sort("name")])
    return {"shops": found_shops.to_dicts(), "accounts": found_accounts["name"].to_list()}


def contents_of_batch(messages: Coded) -> dict[str, Any]:
    """The same of messages at hand."""
    rows = pl.DataFrame({"shop": messages["shop"], "sent_at": messages["sent_at"]})
    shops = rows.group_by("shop").agg(**_SPAN)
    shops = shops.with_columns(shop=messages.names[shops["shop"].to_numpy()])
    accounts = {name for column in _ACCOUNTS for name in messages.occurring(column)}
    return {"shops": shops.to_dicts(), "accounts": list(accounts)}


def contents_together(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The contents of all messages out of those of some of them each."""
    spans: dict[str, dict[str, Any]] = {}
    accounts: set[str] = set()
    for contents in found:
        accounts.update(contents["accounts"])
        for shop in contents["shops"]:
            span = spans.setdefault(shop["shop"], shop)
            first_at, last_at = min(span["first_at"], shop["first_at"]), max(span["last_at"], shop["last_at"])
            spans[shop["shop"]] = {"shop": shop["shop"], "first_at": first_at, "last_at": last_at}
    return {"shops": [spans[name] for name in sorted(spans)], "accounts": sorted(accounts)}


def is_one_run(parts: list[Part]) -> bool:
    """Whether the files of a month follow one another by buyer, and none refines another."""
    spans = sorted(part.bounds["buyer_key"] for part in parts)
    follow = all(before[1] < after[0] for before, after in itertools.pairwise(spans))
    return follow and not any(_refines(part) for part in parts)


def _refines(part: Part) -> bool:
    return part.path.name.startswith(f"{REFINEMENTS}-")


def _is_limit(name: str, span: tuple[int, int]) -> bool:
    return name != "buyer_key" or span != ALL_BUYERS
