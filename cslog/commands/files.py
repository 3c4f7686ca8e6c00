"""`cslog ingest`, `readers`, `rejects`: files on their way in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cslog.commands import app
from cslog.commands.options import NoText, keeps_text
from cslog.commands.session import Session, with_session
from cslog.errors import UsageError


@app.command()
@with_session
def ingest(
    session: Session,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Files, folders or zip files (文件、文件夹、压缩包)."),
    ],
    shop: Annotated[
        str | None,
        typer.Option("--shop", help="The shop (店铺主账号) of all these files, whatever they say."),
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option("--reader", help="Read all files by this reader (格式); see `cslog readers`."),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--mapping", metavar="FILE.toml", help="Read foreign logs (其他格式) by this description."
        ),
    ] = None,
    no_text: NoText = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and compare, keep nothing (试读).")
    ] = False,
) -> None:
    """Read chat logs and order exports into the store (导入). What is already there is not counted twice."""
    import hashlib

    from cslog import ingest as library
    from cslog.readers import mapping as mappings
    from cslog.readers import registry
    from cslog.report import tables

    session.wanted_format()
    if reader and mapping:
        raise UsageError("--reader and --mapping contradict each other", "give one of them")
    settings = session.settings()
    chosen = mappings.load_mapping(mapping) if mapping else registry.reader_by_id(reader) if reader else None
    fingerprint = hashlib.sha256(mapping.read_bytes()).hexdigest() if mapping else ""
    with session.progress("reading") as progress:
        report = library.ingest(
            paths,
            session.open_store(settings),
            settings,
            shop=shop,
            reader=chosen,
            options_fingerprint=fingerprint,
            keep_text=keeps_text(session, settings, no_text),
            dry_run=dry_run,
            on_file=lambda done, total, path: progress(done, total),
        )
    for file in report.files:
        if file.error:
            session.complain(f"{file.path}: {file.error}")
        for warning in file.warnings:
            session.say(f"{file.path}: warning: {warning}")
    session.show(tables.ingested(report, dry_run), settings)
    if any(file.status == "failed" for file in report.files):
        raise typer.Exit(1)


@app.command()
@with_session
def readers(
    session: Session,
) -> None:
    """The file formats that cslog reads (支持的格式)."""
    from cslog.readers import registry
    from cslog.report import tables

    session.show(tables.readers(registry.all_readers()), session.settings())


@app.command()
@with_session
def rejects(
    session: Session,
) -> None:
    """Lines of ingested files that could not be placed (未能识别的行), with the reason."""
    from cslog.report import tables

    settings = session.settings()
    store = session.open_store(settings)
    with store.reading():
        lines = store.snapshot().rejects()
    session.show(tables.rejects(lines), settings)
