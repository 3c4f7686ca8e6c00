"""`cslog status`, `history`, `compact`: what the store holds, what was done to it, and how it lies on the disk."""

from __future__ import annotations

from cslog.commands import app
from cslog.commands.session import Session, with_session


@app.command()
@with_session
def status(
    session: Session,
) -> None:
    """What the store holds (数据概况): shops, days covered and missing, files, rows, rejects, version."""
    from cslog import status as library
    from cslog.report import tables

    settings = session.settings()
    session.show(tables.status(library.status(session.open_store(settings))), settings)


@app.command()
@with_session
def history(
    session: Session,
) -> None:
    """What was done to the store (操作历史): files read, months frozen, and what was removed when, not of whom."""
    from cslog.report import tables

    settings = session.settings()
    store = session.open_store(settings)
    with store.reading():
        ledger = store.snapshot().ledger()
    session.show(tables.history(ledger), settings)


@app.command()
@with_session
def compact(
    session: Session,
) -> None:
    """Sort the store anew (整理数据仓) so that reports are fast; figures and old versions stay as they are."""
    from cslog.report import tables

    session.wanted_format()
    settings = session.settings()
    store = session.open_store(settings)
    with session.progress("sorting") as on_done:
        months = store.compact(on_done)
    session.show(tables.compacted(months, store.snapshot().store_version), settings)
