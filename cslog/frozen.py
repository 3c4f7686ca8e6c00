"""Frozen months as the store keeps them: what a freeze consists of, and its way into rows and back.

Every row and figure is kept exactly, as Arrow IPC, with what the report said of itself and what its figures
were called, so that a freeze can be opened as it was by any later program. Nothing is computed here.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec
import polars as pl

from cslog.answer import Answer, Question
from cslog.clock import Period
from cslog.errors import StoreError
from cslog.metrics import BY_KEY
from cslog.snapshot import FROZEN, Snapshot
from cslog.store import Store

GROUPINGS: tuple[tuple[str, ...], ...] = (("agent",), ("shop",), ("agent", "day"), ("day",))
"""The rows that a freeze keeps; the days are there so that a correction can name them."""

MONTH_ROWS = GROUPINGS[:2]
"""Of these the rows that pay: corrections are about their cells."""

Rows = Mapping[tuple[Any, ...], Mapping[str, Any]]
"""A report's rows by their keys: the shop, then the other dimensions in order."""

_SAME = (
    "id",
    "at",
    "store_version",
    "config_hash",
    "cslog_version",
    "profile_content",
    "settings",
    "asked_as_of",
)
"""Columns of FROZEN that are fields of Freeze under the same name."""


@dataclass(frozen=True)
class Scope:
    """What is frozen: a month, by one way of counting; no shops: all."""

    month: str
    profile: str
    attribution: str
    shops: tuple[str, ...] = ()

    @property
    def period(self) -> Period:
        """The days of the month."""
        return Period.of(month=self.month)

    def question(self, by: tuple[str, ...], as_of: int | None, version: int) -> Question:
        """The question whose answer is kept, or compared with what is kept."""
        return Question(
            self.period, by, attribution=self.attribution, shops=self.shops, as_of=as_of, version=version
        )

    def same_way(self, other: Scope) -> bool:
        """Whether both are the same month by the same way of counting, whatever the shops."""
        return replace(self, shops=()) == replace(other, shops=())

    def __str__(self) -> str:
        """The options that name it on the command line."""
        words = ["--month", self.month]
        if self.profile != "chitu":
            words += ["--profile", self.profile]
        if self.attribution != "order_first":
            words += ["--attribution", self.attribution]
        for shop in self.shops:
            words += ["--shop", shop]
        return " ".join(words)


@dataclass(frozen=True)
class Part:
    """One report of a freeze: its head, what its figures were called then, and its rows."""

    by: tuple[str, ...]
    stamp: dict[str, Any]
    figures: dict[str, dict[str, str]]
    height: int
    content: bytes

    @classmethod
    def of(cls, by: tuple[str, ...], answer: Answer) -> Part:
        """A report as it is kept."""
        buffer = io.BytesIO()
        answer.frame.write_ipc(buffer, compression="zstd", compat_level=pl.CompatLevel.oldest())
        figures = {
            key: {name: getattr(BY_KEY[key], name) for name in ("zh", "unit", "needs")} for key in answer.keys
        }
        return cls(by, answer.stamp(), figures, answer.frame.height, buffer.getvalue())

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The rows as they were computed: same types, same bits."""
        return pl.read_ipc(io.BytesIO(self.content))

    def comparable(self) -> list[str]:
        """Metrics that had data then and have now: one that is new, or gone, or lacked its data, corrects nothing."""
        return [
            key
            for key, what in self.figures.items()
            if not what["needs"] and key in BY_KEY and not BY_KEY[key].needs
        ]


@dataclass(frozen=True)
class Freeze:
    """A month as it was frozen ``at`` (wall seconds); ``asked_as_of`` is the user's --as-of, if any."""

    id: str
    at: int
    scope: Scope
    asked_as_of: int | None
    store_version: int
    config_hash: str
    cslog_version: str
    profile_content: str
    settings: str
    parts: dict[tuple[str, ...], Part]

    def sealed(self) -> Freeze:
        """The same, named by twelve hex digits over all of it: the proof that it is whole."""
        content = [getattr(self, name) for name in _SAME if name != "id"]
        content += [self.scope.month, self.scope.profile, self.scope.attribution, self.scope.shops]
        content += [(part.by, part.stamp, part.figures, part.content) for part in self.parts.values()]
        encoded = msgspec.json.encode(content, order="deterministic")
        return replace(self, id=hashlib.blake2b(encoded, digest_size=6).hexdigest())

    def holds(self, shop: str) -> bool:
        """Whether ``shop`` is in its scope."""
        return not self.scope.shops or shop in self.scope.shops

    def to_rows(self) -> pl.DataFrame:
        """As rows of the store's table."""
        common = {name: getattr(self, name) for name in _SAME}
        common |= {name: getattr(self.scope, name) for name in ("month", "profile", "attribution")}
        rows = [
            common
            | {
                "shops": list(self.scope.shops),
                "by": ",".join(part.by),
                "stamp": msgspec.json.encode(part.stamp).decode(),
                "figures": msgspec.json.encode(part.figures).decode(),
                "rows": part.height,
                "content": part.content,
            }
            for part in self.parts.values()
        ]
        return pl.DataFrame(rows, schema=FROZEN)


@dataclass(frozen=True)
class Counting:
    """A freeze, and for which shops it counts: those of its scope that no newer freeze has."""

    freeze: Freeze
    newer: frozenset[str]
    asked: frozenset[str]

    def counts(self, shop: str) -> bool:
        """Whether this freeze is the one that says what the figures of ``shop`` were."""
        return self.freeze.holds(shop) and shop not in self.newer and (not self.asked or shop in self.asked)


def rows_of(frame: pl.DataFrame, by: Sequence[str]) -> Rows:
    """Rows of an answer or a freeze by their keys."""
    names = ["shop", *(name for name in by if name != "shop")]
    return {tuple(row[name] for name in names): row for row in frame.iter_rows(named=True)}


def freezes(store: Store, scope: Scope | None = None, snapshot: Snapshot | None = None) -> list[Freeze]:
    """All freezes, oldest first; or those of the month and way of counting of ``scope``, whatever their shops."""
    with store.reading():
        rows = (snapshot or store.snapshot()).frozen(scope.month if scope else None)
    parts = rows.partition_by("id", maintain_order=True) if rows.height else []
    found = [_of_rows(part, store) for part in parts]
    return [old for old in found if scope is None or old.scope.same_way(scope)]


def counting(present: Iterable[Freeze], shops: Sequence[str] = ()) -> Iterator[Counting]:
    """The freezes that count for ``shops`` (none: all), newest first. ``present`` comes oldest first."""
    asked, newer = frozenset(shops), frozenset[str]()
    for old in reversed(list(present)):
        own = frozenset(old.scope.shops)
        left = (own or asked) - newer
        if (own and not left) or (asked and not any(old.holds(shop) for shop in asked - newer)):
            continue
        yield Counting(old, newer, asked)
        if not own:
            return
        newer |= own


def _of_rows(rows: pl.DataFrame, store: Store) -> Freeze:
    """A freeze out of its rows; StoreError when they are not what was frozen."""
    row = rows.row(0, named=True)
    kept = {}
    for part in rows.iter_rows(named=True):
        by = tuple(part["by"].split(","))
        stamp, figures = msgspec.json.decode(part["stamp"]), msgspec.json.decode(part["figures"])
        kept[by] = Part(by, stamp, figures, part["rows"], part["content"])
    found = Freeze(
        scope=Scope(row["month"], row["profile"], row["attribution"], tuple(row["shops"])),
        parts={by: kept[by] for by in GROUPINGS if by in kept},
        **{name: row[name] for name in _SAME},
    )
    if found.sealed() != found:
        raise StoreError(
            f"the freeze {found.id} of {found.scope.month} in the store at {store.folder} is damaged",
            "restore the folder from a backup",
        )
    return found
