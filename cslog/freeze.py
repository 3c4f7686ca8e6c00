"""Closing a month (冻结): its figures are kept as they are now, and a later report says when they differ.

A freeze is added, never rewritten; of several of one month the newest counts. What brought a difference is
the question of cslog.corrections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl

from cslog import cautions, clock, kpi, profile
from cslog.answer import Answer, Question
from cslog.clock import Period
from cslog.config import Config
from cslog.errors import UsageError
from cslog.frozen import (
    GROUPINGS,
    MONTH_ROWS,
    Counting,
    Freeze,
    Part,
    Rows,
    Scope,
    counting,
    freezes,
    rows_of,
)
from cslog.metrics import days_to_final
from cslog.profile import Profile
from cslog.snapshot import LEDGER
from cslog.store import Store, ledger_row


@dataclass(frozen=True)
class Outcome:
    """What `cslog freeze` did: the freeze that counts now, and whether this run added it."""

    added: bool
    freeze: Freeze
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """A cell that is not what it was; ``agent`` is None in the row of the shop."""

    shop: str
    agent: str | None
    metric: str
    frozen: Any
    now: Any

    @property
    def row(self) -> tuple[str, ...]:
        """The key of its row."""
        return (self.shop,) if self.agent is None else (self.shop, self.agent)

    @property
    def by(self) -> tuple[str, ...]:
        """The grouping its row belongs to."""
        return ("shop",) if self.agent is None else ("agent",)


def scope_of(month: str, profile_id: str, attribution: str, shops: Iterable[str], config: Config) -> Scope:
    """A scope with the month checked and the shops under their own names."""
    names = sorted({config.canonical_shop(name) for name in shops})
    label = clock.month_label(Period.of(month=month).first_day)
    return Scope(label, profile_id, attribution, tuple(names))


def plain_profile(scope: Scope, config: Config) -> Profile:
    """The profile of a scope as it is configured now, without any option that changes it."""
    return profile.load(scope.profile, config.profiles, clock.date_of(scope.period.first_day))


def freeze(
    scope: Scope,
    store: Store,
    config: Config,
    *,
    as_of: int | None = None,
    again: bool = False,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Keep the figures of ``scope`` as the store has them now.

    UsageError when the month is empty or not final, or was frozen with other figures and not ``again``. When
    nothing differs nothing is added, unless ``again`` and there are figures that the freeze did not know.
    """
    if as_of is not None and as_of > clock.now():
        raise UsageError(f"--as-of {clock.iso(as_of)} is still to come", "wait until the month is final")
    way = plain_profile(scope, config)
    with store.reading():
        snapshot = store.snapshot()
        version, complete_from = snapshot.store_version, cautions.complete_since(snapshot)
    if scope.month < complete_from:
        raise UsageError(
            f"{scope.month} cannot be frozen: what is older than the store keeps (保存期限) was removed",
            f"the first month that is complete is {complete_from}",
        )
    answers = {
        by: kpi.report(scope.question(by, as_of, version), store, way, config, on_done) for by in GROUPINGS
    }
    _refuse_unfinished(scope, as_of, answers, store, way, config)
    warnings = tuple(dict.fromkeys(text for by in MONTH_ROWS for text in answers[by].warnings))
    made = Freeze(
        id="",
        at=clock.now(),
        scope=scope,
        asked_as_of=as_of,
        store_version=version,
        config_hash=answers[MONTH_ROWS[0]].config_hash,
        cslog_version=answers[MONTH_ROWS[0]].stamp()["cslog_version"],
        profile_content=msgspec.json.encode(way, order="deterministic").decode(),
        settings=msgspec.json.encode(config, order="deterministic").decode(),
        parts={by: Part.of(by, answer) for by, answer in answers.items()},
    ).sealed()
    with store.writer() as writer:  # nobody else freezes between the comparison and the commit
        found = list(counting(freezes(store, scope), scope.shops))
        cells = [cell for one in found for cell in differences(one, answers)]
        if cells and not again:
            raise UsageError(
                f"{scope.month} was frozen on {_dates(found)}; {_figures(len(cells))} now",
                f"see `cslog corrections {scope}`; `cslog freeze {scope} --again` freezes it anew and keeps the old one",
            )
        if not cells and _covered(found, scope) and not (again and _knows_more(made, found)):
            return Outcome(False, found[0].freeze, warnings)
        writer.append_frozen(made.to_rows())
        writer.commit(pl.DataFrame([ledger_row(action="freeze", fingerprint=made.id)], schema=LEDGER))
    return Outcome(True, made, warnings)


def differences(old: Counting, answers: Mapping[tuple[str, ...], Answer]) -> list[Difference]:
    """Cells of the month, for the shops for which ``old`` counts, where ``answers`` have another value."""
    found = []
    for by in MONTH_ROWS:
        if by in answers:
            part, answer = old.freeze.parts[by], answers[by]
            keys = [key for key in part.comparable() if key in answer.keys]
            cells = differing(rows_of(part.frame, by), rows_of(answer.frame, by), keys)
            found += [
                Difference(row[0], row[1] if len(row) > 1 else None, key, before, after)
                for row, key, before, after in cells
                if old.counts(row[0])
            ]
    return found


def differing(
    frozen: Rows, now: Rows, keys: Sequence[str]
) -> Iterator[tuple[tuple[Any, ...], str, Any, Any]]:
    """(row, metric, value before, value now) of cells that differ; one that is not final now does not.

    A row that is not there counts nothing: its counts are 0.
    """
    for row in sorted(frozen.keys() | now.keys(), key=lambda key: [str(part) for part in key]):
        before, after = frozen.get(row), now.get(row)
        for key in keys:
            if after and key in (after.get("immature") or ()):
                continue
            one, other = before[key] if before else None, after[key] if after else None
            absent = (before is None and _nothing(other)) or (after is None and _nothing(one))
            if one != other and not absent:
                yield row, key, one, other


def reopen(
    scope: Scope | None, by: Sequence[str], freeze_id: str | None, store: Store
) -> tuple[Freeze, Part, pl.DataFrame]:
    """The freeze called ``freeze_id``, else the one that counts for ``scope``, and its rows by ``by``.

    UsageError when there is none, when there are several, or when it does not keep such rows.
    """
    dimensions = {name for name in by if name != "shop"}
    kept = [one for one in GROUPINGS if set(one) - {"shop"} == dimensions]
    if not kept:
        raise UsageError(
            f"a freeze keeps no rows by {', '.join(by)}",
            f"it has them by: {'; '.join(','.join(one) for one in GROUPINGS)}",
        )
    if freeze_id is not None:
        found = [old for old in freezes(store) if old.id == freeze_id]
    else:
        found = [old.freeze for old in counting(freezes(store, scope), scope.shops if scope else ())]
    if not found:
        what = freeze_id or str(scope)
        raise UsageError(f"there is no freeze {what}", "`cslog frozen` lists what there is")
    if len(found) > 1:
        names = ", ".join(f"{old.id} ({' '.join(old.scope.shops) or 'all shops'})" for old in found)
        raise UsageError(f"several freezes hold what you ask for: {names}", "give one by --id")
    part = found[0].parts[kept[0]]
    shops = scope.shops if scope else ()
    rows = part.frame.filter(pl.col("shop").is_in(list(shops))) if shops else part.frame
    return found[0], part, rows


def remarks(answer: Answer, store: Store, config: Config) -> tuple[str, ...]:
    """What the reader of a month's report must know of its freezes: that figures differ from the frozen ones.

    Only for whole months by agent or by shop as the store is now, with the profile as it is configured.
    """
    asked = answer.question
    by = tuple(name for name in dict.fromkeys(asked.by) if name != "shop") or ("shop",)
    month = clock.month_label(asked.period.first_day)
    plain = Question(Period.of(month=month), asked.by, asked.attribution, asked.shops, metrics=asked.metrics)
    if by not in MONTH_ROWS or asked != plain:
        return ()
    scope = scope_of(month, answer.profile.id, asked.attribution, asked.shops, config)
    present = freezes(store, scope)
    if not present or plain_profile(scope, config) != answer.profile:
        return ()
    found = [old for old in counting(present, scope.shops) if old.freeze.asked_as_of is None]
    cells = {old.freeze.id: differences(old, {by: answer}) for old in found}
    count = sum(map(len, cells.values()))
    if not count:
        return ()
    dates = _dates(old for old in found if cells[old.freeze.id])
    return (f"{month} was frozen (冻结) on {dates}; {_figures(count)} now, see `cslog corrections {scope}`",)


def _nothing(value: Any) -> bool:
    return value is None or (isinstance(value, int) and value == 0)


def _figures(count: int) -> str:
    return "1 figure differs" if count == 1 else f"{count} figures differ"


def _dates(found: Iterable[Counting]) -> str:
    return ", ".join(dict.fromkeys(f"{clock.moment_of(old.freeze.at):%Y-%m-%d}" for old in found))


def _covered(found: Sequence[Counting], scope: Scope) -> bool:
    """Whether the freezes together hold all that ``scope`` holds."""
    if scope.shops:
        return all(any(old.freeze.holds(shop) for old in found) for shop in scope.shops)
    return any(not old.freeze.scope.shops for old in found)


def _knows_more(made: Freeze, found: Sequence[Counting]) -> bool:
    return any(
        set(made.parts[by].comparable()) - set(old.freeze.parts[by].comparable())
        for old in found
        for by in MONTH_ROWS
    )


def _refuse_unfinished(
    scope: Scope,
    as_of: int | None,
    answers: Mapping[tuple[str, ...], Answer],
    store: Store,
    way: Profile,
    config: Config,
) -> None:
    """UsageError when the month is empty, or when something of it may still change (kpi-spec 4.8)."""
    shops = {shop for by in MONTH_ROWS for shop in answers[by].frame["shop"]}
    if not shops:
        raise UsageError(
            f"nothing to freeze: the store holds nothing of {scope.month}",
            "`cslog status` shows the days it covers",
        )
    final = clock.date_of(scope.period.last_day + days_to_final(way)["payment"])
    wrong = f"{scope.month} cannot be frozen before it is final on {final} (延迟统计)"
    hint = f"ingest messages up to {final}; where none will come, freeze with --as-of {final}"
    waiting = {key for answer in answers.values() for keys in answer.frame["immature"] for key in keys}
    if waiting:
        raise UsageError(f"{wrong}: {len(waiting)} figures of it are not", hint)
    with store.reading():
        snapshot = store.snapshot(answers[MONTH_ROWS[0]].store_version)
        tasks = kpi.plan(scope.question(("shop",), as_of, snapshot.store_version), snapshot, way, config)
    ends = {
        shop: end for task in tasks for shop, end in task.circumstances.data_ends.items() if shop in shops
    }
    last, shop = min((end, shop) for shop, end in ends.items())
    if last < (scope.period.last_day + 1) * clock.DAY_SECONDS + way.day_cut_s:
        raise UsageError(
            f"{wrong}: what the store knows of {shop} ends {clock.moment_of(last):%Y-%m-%d %H:%M}", hint
        )
