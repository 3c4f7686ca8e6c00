"""What differs from a frozen month, and what brought it: files, settings, the profile, the program itself, or a
forgetting.

From the frozen figures to those of now there are steps, each of which changes one thing: the program, then
the settings, then the profile, all still on the frozen version of the store; then the store. What a step
changes in a cell, that step has caused. The files of the last step are found by the facts behind the cell
(cslog.explain): whoever's facts differ between the two versions, the files that said more of him brought it.

What was forgotten since (cslog.privacy.forget) is missing in the frozen version too: with the program and the
settings of then, whatever is still not as it was frozen has that cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import polars as pl

from cslog import __version__, cautions, clock, explain, kpi
from cslog.answer import Answer, Question
from cslog.config import Config, Retention, Run
from cslog.errors import UsageError
from cslog.freeze import Difference, differences, differing, plain_profile
from cslog.frozen import MONTH_ROWS, Counting, Freeze, Rows, Scope, counting, freezes, rows_of
from cslog.metrics import BY_KEY
from cslog.profile import Profile
from cslog.snapshot import Snapshot
from cslog.store import Store

Kind = Literal["program", "settings", "profile", "files", "forgotten"]

_FACT = ("buyer", "fact", "agent", "at", "numerator", "denominator")
_OF_CHATS = frozenset(
    ("turns", "questions", "nights", "units", "messages", "autos", "sessions", "concurrent", "staff")
)
_ROWS_EXPLAINED = 100  # further rows name all files of their shop: to look into each would take hours
_NAMED = 6  # differing keys that a cause spells out


@dataclass(frozen=True)
class FileShare:
    """A file, when it was ingested, and how much of it is about the buyers whose facts differ."""

    path: str
    at: str
    messages: int
    orders: int


@dataclass(frozen=True)
class Cause:
    """A step that changed a cell from ``before`` to ``after``. ``sure``: these very files, not some of them."""

    kind: Kind
    text: str
    before: Any
    after: Any
    files: tuple[FileShare, ...] = ()
    sure: bool = True


@dataclass(frozen=True)
class Correction:
    """A cell of a frozen month that has another value now; ``days`` are those that differ in this figure."""

    cell: Difference
    freeze: Freeze
    days: tuple[str, ...]
    causes: tuple[Cause, ...]


@dataclass(frozen=True)
class Corrections:
    """All of a month, with the freezes compared and what the figures of now were computed from."""

    scope: Scope
    store_version: int
    config_hash: str
    freezes: tuple[Freeze, ...]
    rows: tuple[Correction, ...]


@dataclass(frozen=True)
class _Step:
    """One thing changed; ``rows`` are the month's rows after it, by grouping."""

    kind: Kind
    text: str
    rows: Mapping[tuple[str, ...], Rows]


@dataclass
class _Present:
    """The store, the settings and the profile of now; reports once made are kept."""

    scope: Scope
    store: Store
    config: Config
    way: Profile
    snapshot: Snapshot
    on_done: Callable[[int, int], None]
    made: dict[Any, Answer] = field(default_factory=dict)

    def answer(
        self,
        old: Freeze,
        by: tuple[str, ...],
        version: int,
        way: Profile | None = None,
        config: Config | None = None,
    ) -> Answer:
        """The question of a freeze, asked of a version of the store; else in the settings and the profile of now."""
        question = old.scope.question(by, old.asked_as_of, version)
        way, config = way or self.way, config or self.config
        key = question, msgspec.json.encode([way, config])
        if key not in self.made:
            self.made[key] = kpi.report(question, self.store, way, config, self.on_done)
        return self.made[key]

    def month(
        self, old: Freeze, version: int, way: Profile | None = None, config: Config | None = None
    ) -> dict[tuple[str, ...], Rows]:
        """The rows of the month by agent and by shop."""
        return {by: rows_of(self.answer(old, by, version, way, config).frame, by) for by in MONTH_ROWS}


def corrections(
    scope: Scope,
    store: Store,
    config: Config,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> Corrections:
    """Every cell in which the month differs from its freezes. UsageError when it was never frozen."""
    with store.reading():
        snapshot = store.snapshot()
    found = list(counting(freezes(store, scope, snapshot), scope.shops))
    missing = [shop for shop in scope.shops if not any(old.freeze.holds(shop) for old in found)]
    if not found or missing:
        of = f" of {', '.join(missing)}" if missing else ""
        raise UsageError(
            f"{scope.month}{of} was never frozen with profile {scope.profile} and attribution {scope.attribution}",
            "`cslog frozen` lists what was",
        )
    present = _Present(scope, store, config, plain_profile(scope, config), snapshot, on_done)
    rows = [correction for old in found for correction in _of_freeze(old, present)]
    return Corrections(
        scope=scope,
        store_version=snapshot.store_version,
        config_hash=config.hash(present.way),
        freezes=tuple(old.freeze for old in found),
        rows=tuple(rows),
    )


def _of_freeze(old: Counting, present: _Present) -> list[Correction]:
    version = present.snapshot.store_version
    cells = differences(old, {by: present.answer(old.freeze, by, version) for by in MONTH_ROWS})
    cells.sort(key=lambda cell: (cell.shop, cell.agent is not None, cell.agent))  # the figures in their order
    if not cells:
        return []
    with present.store.reading():
        then = present.store.snapshot(old.freeze.store_version)
    causes: dict[Difference, list[Cause]] = {cell: [] for cell in cells}
    value = {cell: cell.frozen for cell in cells}
    for step in _steps(old.freeze, then, cells, present):
        changed = [cell for cell in cells if _value(step.rows, cell) != value[cell]]
        shares = _Files(old.freeze, then, present).of(changed) if step.kind == "files" else {}
        for cell in changed:
            after = _value(step.rows, cell)
            files, sure = shares.get(cell, ((), True))
            causes[cell].append(Cause(step.kind, step.text, value[cell], after, files, sure))
            value[cell] = after
    days = _days(old.freeze, present)
    return [
        Correction(cell, old.freeze, tuple(days.get((cell.row, cell.metric), ())), tuple(causes[cell]))
        for cell in cells
    ]


def _value(rows: Mapping[tuple[str, ...], Rows], cell: Difference) -> Any:
    row = rows[cell.by].get(cell.row)
    return row.get(cell.metric) if row else None


def _days(old: Freeze, present: _Present) -> dict[tuple[tuple[str, ...], str], list[str]]:
    """The days that differ, by row and metric."""
    days: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for by, part in old.parts.items():
        if "day" in by:
            answer = present.answer(old, by, present.snapshot.store_version)
            keys = [key for key in part.comparable() if key in answer.keys]
            for row, key, _, _ in differing(rows_of(part.frame, by), rows_of(answer.frame, by), keys):
                days.setdefault((row[:-1], key), []).append(row[-1])
    return days


def _steps(old: Freeze, then: Snapshot, cells: Sequence[Difference], present: _Present) -> Iterable[_Step]:
    """What happened between the freeze and now, one thing at a time."""
    before = present.month(old, then.store_version)
    if any(_value(before, cell) != cell.frozen for cell in cells):
        yield from _steps_of_the_way(old, then, before, present)
    if any(
        then.versions.get(table) != present.snapshot.versions.get(table) for table in ("messages", "orders")
    ):
        yield _Step("files", "files", present.month(old, present.snapshot.store_version))


def _steps_of_the_way(
    old: Freeze, then: Snapshot, last: dict[tuple[str, ...], Rows], present: _Present
) -> Iterable[_Step]:
    """Program and forgettings, settings, profile, in this order, on the frozen version; ``last`` are the rows after
    all of them.
    """
    upgraded = old.cslog_version != __version__
    program = f"cslog {old.cslog_version} → {__version__}"
    hashes = f"settings: config hash {old.config_hash} → {present.config.hash(present.way)}"
    forgotten = cautions.removals(then, old.scope.period, present.config)
    try:
        way, config = _then(old, present)
        rows = present.month(old, old.store_version, way, config)
    except (UsageError, msgspec.ValidationError):  # an unknown key, or a roster that is gone
        cannot = f"{hashes}; those of then cannot be used any more"
        text = "; ".join([*([program] if upgraded else []), *([forgotten] if forgotten else []), cannot])
        yield _Step("forgotten" if forgotten else "program" if upgraded else "settings", text, last)
        return
    same_hash = config.hash(way) == old.config_hash
    roster = f"{hashes} (a file that the settings name, such as a roster 排班表)"
    if forgotten:
        # The data are gone, and with them the means to tell one from the other.
        others = [*([program] if upgraded else []), *([] if same_hash else [roster])]
        yield _Step("forgotten", " or ".join([forgotten, *others]), rows)
    else:
        text = (
            program if upgraded else f"cslog itself (both are called {__version__})" if same_hash else roster
        )
        yield _Step("program" if upgraded or same_hash else "settings", text, rows)
    settings = _changes(_counted(config), _counted(present.config))
    if settings:
        names = _listed([name for name, _, _ in settings])
        yield _Step("settings", f"{hashes} ({names})", present.month(old, old.store_version, way))
    switches = _changes(way, present.way)
    if switches:
        names = _listed([f"{name} {before} → {after}" for name, before, after in switches])
        yield _Step("profile", f"profile {present.way.id} changed: {names}", last)


def _then(old: Freeze, present: _Present) -> tuple[Profile, Config]:
    """Profile and settings of the freeze; switches that did not exist yet are as they are now."""
    now: dict[str, Any] = msgspec.to_builtins(present.way)
    kept = {name: value for name, value in msgspec.json.decode(old.profile_content).items() if name in now}
    way = msgspec.convert(now | kept, Profile)
    config = msgspec.json.decode(old.settings, type=Config)
    if not _changes(_counted(config), _counted(present.config)):
        return way, present.config
    return way, msgspec.structs.replace(config, folder=present.config.folder)


def _counted(config: Config) -> Config:
    """The settings without those that change no figure; own profiles are compared as profiles."""
    return msgspec.structs.replace(
        config,
        store=None,
        keep_text=True,
        language=None,
        folder="",
        profiles=(),
        run=Run(),
        retention=Retention(),
    )


def _changes(one: Any, other: Any) -> list[tuple[str, Any, Any]]:
    """(dotted name, before, after) of everything that differs between two structs."""

    def walk(name: str, before: Any, after: Any) -> Iterable[tuple[str, Any, Any]]:
        if isinstance(before, dict) and isinstance(after, dict):
            for key in dict.fromkeys([*before, *after]):
                yield from walk(f"{name}.{key}" if name else str(key), before.get(key), after.get(key))
        elif before != after:
            yield name, before, after

    return list(walk("", msgspec.to_builtins(one), msgspec.to_builtins(other)))


def _listed(names: Sequence[str]) -> str:
    more = [f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return ", ".join([*names[:_NAMED], *more])


class _Files:
    """Finds the files behind the cells that the store's growth since a freeze has changed."""

    def __init__(self, old: Freeze, then: Snapshot, present: _Present) -> None:
        self._old, self._then, self._present = old, then, present
        self._ingested = present.snapshot.files_since(then)
        # How far a month looks: chats before an order, orders and payments after a chat.
        way, period = present.way, old.scope.period
        before = way.after_sale_days + 1 + -(-way.lookback_s // clock.DAY_SECONDS)
        self._low = (period.first_day - before) * clock.DAY_SECONDS
        self._high = (period.last_day + 3 + way.order_days + way.unpaid_days) * clock.DAY_SECONDS
        end = max([self._high, *present.snapshot.data_ends().values()])
        self._messages = present.snapshot.messages_since(then, self._low, end)
        self._orders = present.snapshot.orders_since(then)

    def of(self, cells: Iterable[Difference]) -> dict[Difference, tuple[tuple[FileShare, ...], bool]]:
        """Per cell its files, the one that says most first, and whether it is certain that it was these."""
        rows: dict[tuple[str, ...], list[Difference]] = {}
        for cell in cells:
            rows.setdefault(cell.row, []).append(cell)
        found = {}
        for number, group in enumerate(rows.values()):
            facts = self._changed_facts(group) if number < _ROWS_EXPLAINED else {}
            for cell in group:
                changed = facts.get(cell.metric, frozenset())
                buyers = frozenset(buyer for buyer, _ in changed if buyer)
                # Who was received, and how fast, is a matter of chats; whoever waits for payments waits for orders.
                only_chats = BY_KEY[cell.metric].final is None and {fact for _, fact in changed} <= _OF_CHATS
                found[cell] = self._named(cell.shop, buyers, orders=not (changed and only_chats))
        return found

    def _changed_facts(self, group: Sequence[Difference]) -> dict[str, frozenset[tuple[str | None, str]]]:
        """Per metric of one row: (buyer, kind) of the facts behind the cell that are not the same at both versions."""
        before, after = (
            self._facts(group, version)
            for version in (self._then.store_version, self._present.snapshot.store_version)
        )
        different = {
            key: ((before[key] - after[key]) + (after[key] - before[key])).keys() for key in before | after
        }
        return {key: frozenset(fact[:2] for fact in facts) for key, facts in different.items()}

    def _facts(self, group: Sequence[Difference], version: int) -> dict[str, Counter[tuple[Any, ...]]]:
        """Facts by metric."""
        keys, cell, now = [one.metric for one in group], group[0], self._present
        question = Question(
            self._old.scope.period,
            attribution=self._old.scope.attribution,
            shops=(cell.shop,),
            agents=(cell.agent,) if cell.agent is not None else (),
            as_of=self._old.asked_as_of,
            version=version,
        )
        try:
            found = explain.explain(keys, question, {}, now.store, now.way, now.config)
        except UsageError:  # there was no such row, or not even the shop
            return {key: Counter() for key in keys}
        return {one.metric.key: Counter(one.rows.select(_FACT).rows()) for one in found}

    def _named(self, shop: str, buyers: frozenset[str], orders: bool) -> tuple[tuple[FileShare, ...], bool]:
        """Files that said something new of these buyers within the month's reach; else, less certain, of the shop."""
        for people in (buyers, None):
            if people is None or people:
                for reach in (True, False):
                    shares = self._shares(shop, people, reach, orders)
                    if shares:
                        return shares, people is not None
        return (), False

    def _shares(
        self, shop: str, buyers: frozenset[str] | None, reach: bool, orders: bool
    ) -> tuple[FileShare, ...]:
        mine = pl.col("shop") == shop
        if buyers is not None:
            mine &= pl.col("buyer").is_in(sorted(buyers))
        dates = pl.col("created_at", "paid_at").is_between(self._low, self._high)
        near = pl.any_horizontal(dates) if reach else pl.lit(True)
        said = self._messages.filter(mine, pl.col("sent_at") < self._high if reach else pl.lit(True))
        bought = self._orders.filter(mine, near, pl.lit(orders))
        messages, versions = (dict(rows.group_by("source_file").len().iter_rows()) for rows in (said, bought))
        shares = [
            FileShare(path, self._ingested.get(path, ""), messages.get(path, 0), versions.get(path, 0))
            for path in messages.keys() | versions.keys()
        ]
        return tuple(sorted(shares, key=lambda file: (-file.messages - file.orders, file.path)))
