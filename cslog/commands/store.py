"""`cslog status`: what the store holds."""

from __future__ import annotations

from cslog.commands import app
from cslog.commands.session import (
    ConfigOption,
    FormatOption,
    JsonOption,
    LanguageOption,
    OutputOption,
    QuietOption,
    Session,
    StoreOption,
)


@app.command()
def status(
    store: StoreOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
    format: FormatOption = None,
    output: OutputOption = None,
    language: LanguageOption = None,
) -> None:
    """What the store holds (数据概况): shops, days covered and missing, files, rows, rejects, version."""
    from cslog import status as library
    from cslog.report import tables

    session = Session(store, config, quiet, json, format, output, language)
    settings = session.config()
    session.show(tables.status(library.status(session.store(settings))), settings)
