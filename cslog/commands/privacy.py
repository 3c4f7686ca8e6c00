"""`cslog forget`: people out of the store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cslog.commands import app
from cslog.commands.session import Session, with_session
from cslog.errors import UsageError

if TYPE_CHECKING:
    from cslog.config import Config


@app.command()
@with_session
def forget(
    session: Session,
    buyer: Annotated[
        list[str] | None,
        typer.Option("--buyer", metavar="NICK", help="The buyer's nick (买家昵称); repeatable."),
    ] = None,
    buyer_file: Annotated[
        Path | None,
        typer.Option(
            "--buyer-file", metavar="FILE", help="A file with a nick per line (昵称清单), UTF-8; - for stdin."
        ),
    ] = None,
    shop: Annotated[
        list[str] | None,
        typer.Option("--shop", help="Only of this shop (店铺); repeatable; none: of all shops."),
    ] = None,
    expired: Annotated[
        bool,
        typer.Option(
            "--expired", help="Whatever is older than [retention] of cslog.toml says (超过保存期限)."
        ),
    ] = False,
    before: Annotated[
        str | None,
        typer.Option(
            "--before",
            metavar="YYYY-MM",
            help="Whatever no figure of this month or a later one needs (保存起始月份).",
        ),
    ] = None,
    text_only: Annotated[
        bool,
        typer.Option("--text-only", help="With --before: only what was said (仅删除原文); figures stay."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed (试运行).")
    ] = False,
) -> None:
    """Remove buyers from the store (遗忘买家), or what is older than it should keep, in every version, for good.

    Of a buyer go messages, orders and rejected lines. The history says when and how much, not who. Older files that are read again bring nothing of them back. Killed
    half-way, nothing or all is done; type the same again. Backups, reports and the exports themselves are yours to
    clean (docs/privacy.md).
    """
    from cslog import forget as library
    from cslog.report import privacy as sheets

    session.wanted_format()
    settings = session.settings()
    by_age, by_nick = expired or before is not None, bool(buyer or buyer_file)
    if (by_age and (by_nick or shop)) or (expired and before is not None):
        raise UsageError("--buyer, --expired and --before contradict each other", "give one of them")
    if text_only and before is None:
        raise UsageError(
            "--text-only goes with --before", "give --before YYYY-MM, or text_months in cslog.toml"
        )
    if by_age:
        _forget_by_age(session, settings, before, text_only, dry_run)
        return
    nicks = library.plain_nicks([*(buyer or ()), *(_lines(buyer_file) if buyer_file else ())])
    with session.progress("forgetting") as on_done:
        found = library.forget(
            nicks,
            session.open_store(settings),
            settings,
            shops=shop or (),
            dry_run=dry_run,
            on_done=on_done,
        )
    session.show(sheets.forgotten(found), settings)


def _forget_by_age(
    session: Session, settings: Config, before: str | None, text_only: bool, dry_run: bool
) -> None:
    from cslog import clock, retention
    from cslog.report import privacy as sheets

    limits = retention.limits_of(settings, clock.today())
    if before is not None:
        month = clock.month_label(clock.Period.of(month=before).first_day)
        limits = retention.Limits(None, month) if text_only else retention.Limits(month)
    with session.progress("forgetting") as on_done:
        found = retention.expire(
            limits, session.open_store(settings), settings, dry_run=dry_run, on_done=on_done
        )
    session.show(sheets.expired(found), settings)


def _lines(file: Path) -> list[str]:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", "give the list by --buyer-file FILE") from error
    except UnicodeDecodeError:
        raise UsageError(f"{file}: is not UTF-8", "save it as UTF-8, a nick per line") from None
