"""What all commands share: the common options, the store and configuration they name, and the way out."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from cslog.errors import CslogError, StoreMovedError, UsageError, one_line

if TYPE_CHECKING:
    from cslog.config import Config
    from cslog.report.sheet import Language, Sheet
    from cslog.store import Store


class Format(StrEnum):
    """How a report is written."""

    table = "table"
    json = "json"
    csv = "csv"
    xlsx = "xlsx"
    parquet = "parquet"
    html = "html"


class Tongue(StrEnum):
    """Language of headings."""

    en = "en"
    zh = "zh"


@dataclass(frozen=True)
class Session:
    """One run of a command."""

    store: str | None = None
    config: str | None = None
    quiet: bool = False
    json: bool = False
    format: Format | None = None
    output: Path | None = None
    language: Tongue | None = None

    def settings(self) -> Config:
        """The configuration."""
        from cslog import config

        return config.load(self.config)

    def configuration(self) -> Path | None:
        """The file that the configuration is read from, absolute."""
        from cslog import config

        file = config.file_of(self.config)
        return file.absolute() if file else None

    def open_store(self, settings: Config) -> Store:
        """The store that options, environment and configuration name."""
        from cslog.config import store_folder
        from cslog.store import Store

        return Store(store_folder(self.store, settings))

    def headings(self, settings: Config) -> Language:
        """``--language``, else the configuration's, else Chinese where the user's locale is."""
        if self.language:
            return self.language.value
        if settings.language:
            return settings.language
        locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
        return "zh" if locale.lower().startswith("zh") else "en"

    def wanted_format(self) -> Format:
        """``--json``, ``--format``, else the ending of ``--output``, else a table."""
        if self.json and self.format not in (None, Format.json):
            raise UsageError(f"--json and --format {self.format} contradict each other", "give one of them")
        if self.json:
            return Format.json
        if self.format:
            return self.format
        return format_of(self.output) if self.output else Format.table

    def say(self, message: str) -> None:
        """A remark on stderr, unless quiet."""
        if not self.quiet:
            sys.stderr.write(f"{one_line(message)}\n")

    def complain(self, message: str) -> None:
        """What went wrong, on stderr, quiet or not: cron mails it."""
        sys.stderr.write(f"{one_line(message)}\n")

    def show(self, sheet: Sheet, settings: Config) -> None:
        """Write a sheet to stdout or ``--output``; warnings go to stderr."""
        wanted, language = self.wanted_format(), self.headings(settings)
        if self.output is None and sys.stdout is None:
            raise CslogError("there is no standard output to write to", "name a file with --output")
        if wanted in (Format.xlsx, Format.parquet) and self.output is None and sys.stdout.isatty():
            raise UsageError(f"{wanted} is not for the terminal", f"add --output {sheet.name}.{wanted}")
        content = render(sheet, wanted, language, colour=self.output is None and sys.stdout.isatty())
        for warning in sheet.warnings:
            self.say(f"warning: {warning}")
        self.write(content)

    def write(self, content: bytes) -> None:
        """Bytes to stdout or ``--output``, replacing the file only when all of it is written."""
        if self.output is None:
            try:
                sys.stdout.flush()
                sys.stdout.buffer.write(content)
                sys.stdout.buffer.flush()
            except BrokenPipeError:  # whoever reads has seen enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise SystemExit(0) from None
            except OSError as error:
                what = f"the output cannot be written: {error.strerror or type(error).__name__}"
                raise CslogError(what, "make room, or name another place with --output") from error
            return
        replace_file(self.output, content)
        self.say(f"wrote {self.output}")

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """A progress bar on stderr when that is a terminal; call the result with (done, total)."""
        if self.quiet or not sys.stderr.isatty():
            yield lambda done, total: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task(what, total=None)
            yield lambda done, total: progress.update(bar, completed=done, total=total)


_COMMON: dict[str, Any] = {
    "store": Annotated[
        str | None,
        typer.Option(
            "--store", metavar="DIR", help="The store folder (数据仓); else $CSLOG_STORE, else as configured."
        ),
    ],
    "config": Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="The configuration (配置); else $CSLOG_CONFIG, else ./cslog.toml.",
        ),
    ],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks (静默).")],
    "json": Annotated[bool, typer.Option("--json", help="Short for --format json.")],
    "format": Annotated[Format | None, typer.Option("--format", help="How to write the result (输出格式).")],
    "output": Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to a file; its ending names the format."),
    ],
    "language": Annotated[
        Tongue | None, typer.Option("--language", help="Headings in English or Chinese (报表语言).")
    ],
}
"""Options of every command (cli-contract)."""


def with_session(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose first parameter is a Session, as a Typer command that has the common options instead."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        defaults = {name: False if hint.__origin__ is bool else None for name, hint in _COMMON.items()}
        common = {name: options.pop(name, default) for name, default in defaults.items()}
        session = Session(**common)
        try:
            command(session, *arguments, **options)
        except StoreMovedError:  # nothing was shown or written yet
            command(session, *arguments, **options)

    signature = inspect.signature(command)
    hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(annotation=hints[name])
        for name, parameter in signature.parameters.items()
        if name != "session"
    ]
    shared = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if hint.__origin__ is bool else None,
            annotation=hint,
        )
        for name, hint in _COMMON.items()
    ]
    run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *shared]}
    del run.__wrapped__  # Typer would look through it at the inner signature
    return run


def format_of(file: Path) -> Format:
    """The format that the ending of a file names; UsageError when it names none."""
    ending = file.suffix.lower().lstrip(".")
    if ending not in Format.__members__ or ending == "table":
        raise UsageError(
            f"{file}: the ending names no format", "end it in .json .csv .xlsx .parquet .html, or --format"
        )
    return Format(ending)


def replace_file(file: Path, content: bytes) -> None:
    """Write a file, replacing an older one only when all of it is written."""
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(file)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise UsageError(f"{file}: {error.strerror}", "give another --output") from error


def render(sheet: Sheet, wanted: Format, language: Language, colour: bool = False) -> bytes:
    """A sheet in one format."""
    # Each format has its own library to load.
    if wanted is Format.html:
        from cslog.report import page

        return page.render(sheet, language)
    if wanted is Format.table:
        from cslog.report import terminal

        return terminal.render(sheet, language, colour).encode(
            sys.stdout.encoding or "utf-8", errors="replace"
        )
    from cslog.report import files

    match wanted:
        case Format.json:
            return files.to_json(sheet)
        case Format.csv:
            return files.to_csv(sheet, language)
        case Format.xlsx:
            return files.to_xlsx(sheet, language)
        case Format.parquet:
            return files.to_parquet(sheet)
