"""`cslog status`: what the store holds."""

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
