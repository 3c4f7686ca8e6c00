"""`cslog forget`: people out of the store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cslog.commands import app
from cslog.commands.session import Session, with_session
from cslog.errors import UsageError


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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed (试运行).")
    ] = False,
) -> None:
    """Remove buyers from the store (遗忘买家): messages, orders, rejected lines, in every version, for good.

    The history says when and how much, not who. Older files that are read again bring nothing of them back. Killed
    half-way, nothing or all is done; type the same again. Backups, reports and the exports themselves are yours to
    clean (docs/privacy.md).
    """
    from cslog import forget as library
    from cslog.report import privacy as sheets

    session.wanted_format()
    settings = session.settings()
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


def _lines(file: Path) -> list[str]:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", "give the list by --buyer-file FILE") from error
    except UnicodeDecodeError:
        raise UsageError(f"{file}: is not UTF-8", "save it as UTF-8, a nick per line") from None
