"""`cslog run` and `cslog schedule`: every night by itself."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cslog.commands import app, workbook
from cslog.commands.options import NoText, counted_by, keeps_text
from cslog.commands.session import Format, Session, format_of, render, replace_file, with_session
from cslog.errors import UsageError

if TYPE_CHECKING:
    from cslog.clock import Period
    from cslog.config import Config, RunReport
    from cslog.routine import Round, Write
    from cslog.store import Store


class Scheduler(StrEnum):
    """What starts programs at a time of day."""

    cron = "cron"
    systemd = "systemd"
    windows = "windows"


Inbox = Annotated[
    str | None,
    typer.Argument(metavar="INBOX", help="The folder with new exports (收件夹); else as configured."),
]


@app.command()
@with_session
def run(
    session: Session,
    inbox: Inbox = None,
    done: Annotated[
        str | None,
        typer.Option("--done", metavar="DIR", help="Where read files go (已处理); else INBOX/done."),
    ] = None,
    failed: Annotated[
        str | None,
        typer.Option("--failed", metavar="DIR", help="Where unreadable files go (失败); else INBOX/failed."),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(
            "--log", metavar="FILE", help="One line of JSON per run (日志); else INBOX/cslog-run.log."
        ),
    ] = None,
    report: Annotated[
        list[str] | None,
        typer.Option(
            "--report",
            metavar="PERIOD=FILE",
            help="Write this report (报表) instead of the configured ones, e.g. last_month=kpi-{period}.xlsx; "
            "PERIOD: yesterday, this_week, last_week, this_month, last_month; repeatable.",
        ),
    ] = None,
    wait: Annotated[
        int | None,
        typer.Option(
            "--wait", metavar="SECONDS", min=0, help="How long to wait for another run (等待); else 600."
        ),
    ] = None,
    no_text: NoText = False,
    today: Annotated[
        str | None,
        typer.Option("--today", metavar="YYYY-MM-DD", help="Go by this day (日期) instead of today."),
    ] = None,
) -> None:
    """Take in what lies in the inbox, move it aside, write the reports (定时运行): for cron, once a night.

    Exit status: 0 done, 1 a file or a report failed, 2 wrong usage or configuration, 75 another run is at work. With
    --quiet, only what needs attention is said.
    """
    from cslog import clock, routine
    from cslog.report import runs

    wanted = session.wanted_format()
    settings = session.settings()
    plan = routine.plan_of(
        settings,
        inbox_folder=inbox,
        done=done,
        failed=failed,
        log=log,
        wait_s=wait,
        reports=[_parsed(one) for one in report or ()],
        today=clock.parse_day(today, "--today") if today else None,
        keep_text=keeps_text(session, settings, no_text),
    )
    store = session.open_store(settings)
    with session.progress("reading") as progress:
        found = routine.run(
            plan,
            store,
            settings,
            _writer(session, settings, store),
            on_file=lambda done, total, path: progress(done, total),
        )
    _tell(session, found)
    if not session.quiet or wanted != Format.table or session.output:
        session.show(runs.sheet_of(found), settings)
    if found.exit_status:
        raise typer.Exit(found.exit_status)


@app.command()
@with_session
def schedule(
    session: Session,
    inbox: Inbox = None,
    at: Annotated[
        str, typer.Option("--at", metavar="HH:MM", help="When, every day, by this machine's clock (时刻).")
    ] = "03:20",
    only: Annotated[
        Scheduler | None,
        typer.Option(
            "--for", help="Only this: cron (Linux, macOS), systemd (Linux), windows (任务计划程序)."
        ),
    ] = None,
) -> None:
    """Print what lets `cslog run` start every night (定时任务), for this configuration: crontab, systemd, Windows.

    The lines name everything by absolute paths and need nothing of the environment. Nothing is installed.
    """
    from cslog import clock, routine
    from cslog import schedule as library
    from cslog.report import runs

    wanted = session.wanted_format()
    settings = session.settings()
    try:
        second = clock.parse_time_of_day(at) % clock.DAY_SECONDS
    except ValueError as error:
        raise UsageError(f"--at: {error}") from None
    plan = routine.plan_of(settings, inbox_folder=inbox)
    words = library.words(
        store=session.open_store(settings).folder,
        config=session.configuration(),
        inbox=plan.folders.inbox if inbox else None,
        chinese=session.headings(settings) == "zh" and not settings.language,
    )
    parts = library.parts(words, second, only)
    if wanted == Format.table:
        session.write("\n".join(f"# {part.where}\n{part.text}\n" for part in parts).encode())
    else:
        session.show(runs.schedule(parts), settings)


def _parsed(written: str) -> RunReport:
    import msgspec

    from cslog.clock import RELATIVE_PERIODS
    from cslog.config import RunReport

    period, sign, output = written.partition("=")
    if period not in RELATIVE_PERIODS or not sign or not output:
        raise UsageError(
            f"--report {written} is not PERIOD=FILE",
            f"as in last_month=kpi-{{period}}.xlsx; periods: {', '.join(RELATIVE_PERIODS)}",
        )
    return msgspec.convert({"period": period, "output": output}, RunReport)


def _writer(session: Session, settings: Config, store: Store) -> Write:
    """How the run writes one report: as `cslog kpi` or `cslog report` with the same words would."""

    def write(report: RunReport, output: Path, period: Period, missing: Sequence[str]) -> Sequence[str]:
        from dataclasses import replace

        from cslog import answer
        from cslog import kpi as library
        from cslog.report import figures
        from cslog.report import files as writing

        wanted, language = format_of(output), session.headings(settings)
        question = answer.Question(
            period, by=report.by, attribution=report.attribution, shops=tuple(report.shops)
        )
        profile = counted_by(report.profile, None, None, settings, period)
        if report.what == "report":
            if wanted != Format.xlsx:
                raise UsageError(f"{output}: a report is an Excel workbook", "let its output end in .xlsx")
            sheets = workbook.pages(question, profile, store, settings, language, missing)
            warnings = dict.fromkeys(warning for sheet in sheets for warning in sheet.warnings)
            replace_file(output, writing.to_xlsx(sheets, language))
            return list(warnings)
        result = library.report(question, store, profile, settings)
        result = replace(result, warnings=(*missing, *result.warnings))
        replace_file(output, render(figures.sheet_of(result, language), wanted, language))
        return result.warnings

    return write


def _tell(session: Session, found: Round) -> None:
    """On stderr: what needs attention, quiet or not, since cron mails it; the rest unless quiet."""
    for file in found.files:
        for error in file.errors:
            session.complain(f"{file.path}: {error}")
        if file.problem:
            session.complain(f"{file.path}: {file.problem}")
        elif file.errors:
            session.complain(f"{file.path}: moved to {file.moved_to}")
    for warning in found.warnings:
        session.complain(f"warning: {warning}")
    for left in found.left:
        if not left.old:
            session.say(f"{left.path}: left for the next run: {left.reason}")
    for report in found.reports:
        if report.error:
            session.complain(f"{report.output}: {report.error}")
            continue
        for warning in report.warnings:
            session.say(f"{report.output}: warning: {warning}")
        session.say(f"wrote {report.output}")
    if found.error:
        session.complain(f"cslog: {found.error}")
