"""`cslog forget` and `cslog export`: people out of the store, and rows without people."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cslog.commands import app
from cslog.commands.options import Day, First, Last, Month, Shops, Version
from cslog.commands.session import Format, Session, with_session
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

    Of a buyer go messages, orders and rejected lines. The history says when and how much, not who. Older files that
    are read again bring nothing of them back. Killed half-way, nothing or all is done; type the same again. Backups, reports and the exports themselves are yours to
    clean (docs/privacy.md).
    """
    from cslog.privacy import forget as library
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


class What(StrEnum):
    """What is exported."""

    messages = "messages"
    orders = "orders"


@app.command()
@with_session
def export(
    session: Session,
    month: Month = None,
    day: Day = None,
    first: First = None,
    last: Last = None,
    what: Annotated[
        What, typer.Option("--what", help="Messages (消息), or orders as they are now (订单) by creation.")
    ] = What.messages,
    shop: Shops = None,
    version: Version = None,
    pseudonymise: Annotated[
        bool,
        typer.Option(
            "--pseudonymise",
            help="Replace nicks and order numbers by keyed pseudonyms (假名), mask phones, addresses, cards and the "
            "like in texts (脱敏): best effort, read before you pass it on.",
        ),
    ] = False,
    agents: Annotated[bool, typer.Option("--agents", help="With --pseudonymise: agents (客服) too.")] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            help="The key of the pseudonyms (密钥); else one in the store. Another key: other pseudonyms.",
        ),
    ] = None,
    no_text: Annotated[
        bool, typer.Option("--no-text", help="Leave texts and memos empty (不含原文).")
    ] = False,
) -> None:
    """Write messages or orders of a period to a file (导出): --output FILE.parquet, .csv or .jsonl.

    Without --pseudonymise the file holds nicks and texts as they are. Nobody else may read it (0600).
    """
    from cslog import clock
    from cslog.privacy import export as library
    from cslog.privacy.pseudonyms import Pseudonyms, key_of
    from cslog.report import privacy as sheets
    from cslog.report import streams

    if session.output is None:
        raise UsageError("no file is named", f"give --output FILE, ending in {' '.join(streams.ENDINGS)}")
    if session.format not in (None, Format.json, Format.table):
        raise UsageError("the ending of --output says how rows are written", "leave --format out")
    if (agents or key_file) and not pseudonymise:
        raise UsageError("--agents and --key-file go with --pseudonymise", "add it")
    settings = session.settings()
    store = session.open_store(settings)
    shops = tuple(sorted({settings.canonical_shop(name) for name in shop or ()}))
    chosen = library.Selection(clock.Period.of(month, day, first, last), shops, texts=not no_text)
    with store.reading():
        snapshot = store.snapshot(version)
        disguise = None
        if pseudonymise and snapshot.store_version:
            disguise = library.Disguise(Pseudonyms(key_of(key_file, store.folder)), agents)
        rows = library.messages if what == What.messages else library.orders
        known = sheets.MESSAGE_COLUMNS if what == What.messages else sheets.ORDER_COLUMNS
        names = library.columns_of([column.key for column in known], disguise)
        count = streams.write(
            session.output,
            rows(snapshot, chosen, disguise),
            [column for column in known if column.key in names],
            session.headings(settings),
        )
    sheet = sheets.exported(what.value, session.output, count, disguise is not None, snapshot.store_version)
    replace(session, output=None).show(sheet, settings)


def _forget_by_age(
    session: Session, settings: Config, before: str | None, text_only: bool, dry_run: bool
) -> None:
    from cslog import clock
    from cslog.privacy import retention
    from cslog.report import privacy as sheets

    limits = retention.limits_of(settings, clock.today())
    if before is not None:
        month = clock.month_label(clock.Period.of_month(before, "--before").first_day)
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
