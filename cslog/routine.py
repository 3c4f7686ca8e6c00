"""One run of `cslog run` (定时运行): lock, inbox, missing days, reports, one line of the log. Never prints.

Whatever stops it half-way costs nothing: the store has one commit, files are moved after it, reports replace the old
ones when they are whole, and the next run does the rest.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from cslog import __version__, clock, gaps
from cslog.clock import Period
from cslog.config import Config, RunReport
from cslog.errors import CslogError, UsageError, steps_of
from cslog.inbox import Folders, Left, Taken, take_in
from cslog.privacy import retention
from cslog.store import Store

BUSY = 75
"""Exit status when another run has the inbox: sysexits.h calls it a temporary failure, try again later."""

LOG_NAME = "cslog-run.log"
_SPARE_FILES = 16
"""So many files more than needed a month may lie in: each run adds one, and sorting them anew keeps the old ones."""
_LOCK_NAME = ".cslog-run.lock"
_CLOCKS_FROM = clock.day_number(datetime.date(2010, 1, 1))
"""A computer that lost its clock believes itself to be in 1970 or in the year it was built."""

Status = Literal["done", "failed", "busy", "crashed"]


@dataclass(frozen=True)
class Plan:
    """What a run is to do, with absolute paths. ``today``: the day number it goes by."""

    folders: Folders
    log: Path
    wait_s: int
    settle_s: int
    today: int
    keep_text: bool
    reports: tuple[RunReport, ...]
    base: Path  # relative outputs of reports count from here
    days_behind: int
    closed_days: frozenset[int]
    retired_shops: frozenset[str]

    def output_of(self, report: RunReport) -> Path:
        """The file that a report is written to."""
        period = Period.relative(report.period, self.today)
        first, last = clock.date_of(period.first_day), clock.date_of(period.last_day)
        named = {"period": period.label, "from": first, "to": last, "today": clock.date_of(self.today)}
        try:
            return self.base / Path(report.output.format(**named)).expanduser()
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            names = ", ".join(f"{{{name}}}" for name in named)
            raise UsageError(
                f"the output {report.output!r} of a report cannot be named", f"use {names}"
            ) from error

    @property
    def expected(self) -> Period:
        """The days that should be in the store by now: from the first of last month to the newest expected one."""
        first = Period.relative("last_month", self.today).first_day
        return Period(first, max(first, self.today - self.days_behind))


@dataclass
class Written:
    """A report of the run, or why there is none."""

    period: str
    output: str
    warnings: list[str] = field(default_factory=list)
    error: str | None = None


@dataclass
class Round:
    """What one run did: the line of the log. No field holds what anybody wrote in a chat."""

    at: str
    inbox: str
    status: Status = "done"
    exit_status: int = 0
    duration_s: float = 0.0
    store: str = ""
    store_version: int | None = None
    files: list[Taken] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    missing_days: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    reports: list[Written] = field(default_factory=list)
    expired: dict[str, Any] | None = None  # what was removed for being older than the store keeps
    sorted_months: list[str] = field(default_factory=list)  # as `cslog compact` does it
    error: str | None = None
    cslog_version: str = __version__

    def failed(self, exit_status: int = 1) -> None:
        """Note that something went wrong; wrong settings (2) weigh more than wrong input (1)."""
        self.status = "failed"
        self.exit_status = max(self.exit_status, exit_status)

    def as_dict(self) -> dict[str, Any]:
        """The JSON of `cslog run --json` and of the log."""
        return asdict(self) | {"files": [file.as_dict() for file in self.files]}


def plan_of(
    config: Config,
    *,
    inbox_folder: str | None = None,
    done: str | None = None,
    failed: str | None = None,
    log: str | None = None,
    wait_s: int | None = None,
    reports: Sequence[RunReport] = (),
    today: int | None = None,
    keep_text: bool = True,
) -> Plan:
    """The run that ``[run]`` of the configuration describes; what is given besides it overrides it.

    Paths of the configuration are relative to its folder, others to the present one. Raises UsageError when there is
    no inbox, or when a setting cannot be meant.
    """
    settings = config.run
    day = clock.today() if today is None else today
    if today is None and day < _CLOCKS_FROM:
        raise UsageError(
            f"the clock of this computer says {clock.date_of(day)}",
            "set it: the periods of reports go by it (nothing was done, the next run takes the files)",
        )

    def path(given: str | None, configured: str | None, default: Path | None) -> Path:
        if given is not None:
            return Path(given).expanduser().resolve()
        if configured is not None:
            return config.beside(configured).resolve()
        if default is None:
            raise UsageError(
                "no inbox (收件夹) is named", "type cslog run FOLDER, or set inbox under [run] of cslog.toml"
            )
        return default

    folder = path(inbox_folder, settings.inbox, None)
    plan = Plan(
        folders=Folders(
            folder,
            path(done, settings.done, folder / "done"),
            path(failed, settings.failed, folder / "failed"),
        ),
        log=path(log, settings.log, folder / LOG_NAME),
        wait_s=settings.wait_s if wait_s is None else wait_s,
        settle_s=settings.settle_s,
        today=day,
        keep_text=keep_text,
        reports=tuple(reports or settings.reports),
        base=Path.cwd() if reports else Path(config.folder).resolve(),
        days_behind=settings.days_behind,
        closed_days=frozenset(map(clock.day_number, settings.closed_days)),
        retired_shops=frozenset(map(config.canonical_shop, settings.retired_shops)),
    )
    for report in plan.reports:
        plan.output_of(report)
    return plan


Write = Callable[[RunReport, Path, Period, Sequence[str]], Sequence[str]]
"""Writes one report to a path with these warnings about missing days; returns the warnings of the report."""


def run(
    plan: Plan,
    store: Store,
    config: Config,
    write: Write,
    on_file: Callable[[int, int, str], None] = lambda done, total, path: None,
) -> Round:
    """Do what ``plan`` says. Expected failures are in the result, whose line is in the log before this returns."""
    begun = time.monotonic()
    found = Round(clock.iso(clock.now()), str(plan.folders.inbox), store=str(store.folder))
    try:
        with _alone(plan):
            _take_in(found, plan, store, config, on_file)
            _expire(found, plan, store, config)
            _look_for_gaps(found, plan, store)
            _sort(found, store)
            _report(found, plan, config, write)
    except _BusyError as error:
        found.status, found.exit_status, found.error = "busy", BUSY, str(error)
    except CslogError as error:
        found.error = str(error)
        found.failed(error.exit_status)
    except BaseException as error:
        found.status, found.exit_status, found.error = "crashed", 1, type(error).__name__
        raise
    finally:
        found.duration_s = round(time.monotonic() - begun, 3)
        _append(plan.log, found)
    return found


class _BusyError(CslogError):
    pass


@contextlib.contextmanager
def _alone(plan: Plan) -> Iterator[None]:
    """Hold the inbox; the system frees it when the process dies, however it dies."""
    folder = plan.folders.inbox
    try:
        lock = FileLock(folder / _LOCK_NAME, timeout=plan.wait_s)
        lock.acquire()
    except Timeout as error:
        raise _BusyError(
            f"another cslog run works on {folder}; waited {plan.wait_s} s, nothing was done",
            "the next run takes what is left",
        ) from error
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}", "cslog run must be allowed to write there") from error
    try:
        yield
    finally:
        lock.release()


def _take_in(
    found: Round, plan: Plan, store: Store, config: Config, on_file: Callable[[int, int, str], None]
) -> None:
    day = str(clock.date_of(plan.today))
    outcome = take_in(
        plan.folders,
        store,
        config,
        day=day,
        settle_s=plan.settle_s,
        keep_text=plan.keep_text,
        on_file=on_file,
    )
    found.store_version, found.files, found.left = outcome.store_version, outcome.taken, outcome.left
    if any(file.errors or file.problem for file in outcome.taken):
        found.failed()
    for file in outcome.taken:
        found.warnings += [f"{file.path}: {line}" for one in file.reports for line in one.warnings]
    found.warnings += [
        f"{file.path}: waits for more than a day: {file.reason}" for file in outcome.left if file.old
    ]


def _expire(found: Round, plan: Plan, store: Store, config: Config) -> None:
    """Remove what is older than ``[retention]`` says; after the ingest, which may have brought such things."""
    limits = retention.limits_of(config, plan.today)
    if limits == retention.Limits():
        return
    gone = retention.expire(limits, store, config)
    found.store_version = gone.store_version
    found.warnings += gone.warnings
    if gone.messages or gone.orders or gone.texts:
        found.expired = {
            "complete_from": gone.complete_from,
            "texts_from": gone.texts_from,
            "messages": gone.messages,
            "orders": gone.orders,
            "texts": gone.texts,
        }


def _sort(found: Round, store: Store) -> None:
    """Sort months anew that many runs have scattered, since nobody is there to type `cslog compact`."""
    try:
        with store.reading():  # it reads columns that no report does
            found.sorted_months = store.compact(spare=_SPARE_FILES)
    except CslogError as error:  # the reports take longer without it, and are the same
        found.warnings.append(f"the store could not be sorted: {error}")
    # Even without a month to sort it takes over what a killed ingest has left, and that is a version.
    found.store_version = store.snapshot().store_version


def _look_for_gaps(found: Round, plan: Plan, store: Store) -> None:
    with store.reading():
        missing = gaps.missing_days(store.snapshot(), plan.expected, plan.closed_days, plan.retired_shops)
    found.missing_days = {shop: [str(clock.date_of(day)) for day in days] for shop, days in missing.items()}
    found.warnings[:0] = gaps.warnings_of(missing)  # before whatever the files have to say


def _report(found: Round, plan: Plan, config: Config, write: Write) -> None:
    for report in plan.reports:
        period = Period.relative(report.period, plan.today)
        output = plan.output_of(report)
        written = Written(report.period, str(output))
        found.reports.append(written)
        days = {str(clock.date_of(day)): day for day in period.days}
        shops = {config.canonical_shop(name) for name in report.shops} or set(found.missing_days)
        missing = {
            shop: inside
            for shop, gap in found.missing_days.items()
            if shop in shops and (inside := [days[day] for day in gap if day in days])
        }
        try:
            written.warnings = list(write(report, output, period, list(gaps.warnings_of(missing))))
        except CslogError as error:
            written.error = str(error)
            found.failed(error.exit_status)
        except Exception as error:
            # A defect of ours must not cost the other reports.
            written.error = (
                f"cslog failed on it ({type(error).__name__}, {steps_of(error)[-1]}); please report this"
            )
            found.failed()


def _append(log: Path, found: Round) -> None:
    """One line, in one write, so that lines of two runs never mix."""
    line = json.dumps(found.as_dict(), ensure_ascii=False, separators=(",", ":")) + "\n"
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode(errors="replace"))
        finally:
            os.close(descriptor)
    except OSError as error:
        found.warnings.append(f"the log {log} cannot be written: {error.strerror}")
        found.failed()
