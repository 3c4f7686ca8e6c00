"""What all commands share: the common options, the store and configuration they name, and the way out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cslog.errors import UsageError

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


StoreOption = Annotated[
    str | None, typer.Option("--store", metavar="DIR", help="The store folder (数据仓); else $CSLOG_STORE.")
]
ConfigOption = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="cslog.toml (配置); else $CSLOG_CONFIG.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks (静默).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Short for --format json.")]
FormatOption = Annotated[Format | None, typer.Option("--format", help="How to write the result (输出格式).")]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to a file; its ending names the format."),
]
LanguageOption = Annotated[
    Tongue | None, typer.Option("--language", help="Headings in English or Chinese (语言).")
]


@dataclass(frozen=True)
class Session:
    """One run of a command."""

    store_option: str | None = None
    config_option: str | None = None
    quiet: bool = False
    json: bool = False
    format: Format | None = None
    output: Path | None = None
    language_option: Tongue | None = None

    def config(self) -> Config:
        """The configuration."""
        from cslog import config

        return config.load(self.config_option)

    def store(self, config: Config) -> Store:
        """The store that options, environment and configuration name."""
        from cslog.config import store_folder
        from cslog.store import Store

        return Store(store_folder(self.store_option, config))

    def language(self, config: Config) -> Language:
        """``--language``, else the configuration's, else Chinese where the user's locale is."""
        if self.language_option:
            return self.language_option.value
        if config.language:
            return config.language
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
        if self.output:
            ending = self.output.suffix.lower().lstrip(".")
            if ending not in Format.__members__ or ending == "table":
                raise UsageError(
                    f"{self.output}: the ending names no format",
                    "end it in .json .csv .xlsx .parquet .html, or --format",
                )
            return Format(ending)
        return Format.table

    def say(self, message: str) -> None:
        """A remark on stderr, unless quiet."""
        if not self.quiet:
            print(message, file=sys.stderr)

    def show(self, sheet: Sheet, config: Config) -> None:
        """Write a sheet to stdout or ``--output``; warnings go to stderr."""
        wanted, language = self.wanted_format(), self.language(config)
        if wanted in (Format.xlsx, Format.parquet) and self.output is None and sys.stdout.isatty():
            raise UsageError(f"{wanted} is not for the terminal", f"add --output {sheet.name}.{wanted}")
        content = _render(sheet, wanted, language, colour=self.output is None and sys.stdout.isatty())
        for warning in sheet.warnings:
            self.say(f"warning: {warning}")
        self.write(content)

    def write(self, content: bytes) -> None:
        """Bytes to stdout or ``--output``, replacing the file only when all of it is written."""
        if self.output is None:
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
            return
        partial = self.output.with_name(f".{self.output.name}.partial")
        try:
            self.output.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(self.output)
        except OSError as error:
            raise UsageError(f"{self.output}: {error.strerror}", "give another --output") from error
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


def _render(sheet: Sheet, wanted: Format, language: Language, colour: bool) -> bytes:
    from cslog.report import files, page, terminal

    match wanted:
        case Format.table:
            return terminal.render(sheet, language, colour).encode(
                sys.stdout.encoding or "utf-8", errors="replace"
            )
        case Format.json:
            return files.to_json(sheet)
        case Format.csv:
            return files.to_csv(sheet, language)
        case Format.xlsx:
            return files.to_xlsx(sheet, language)
        case Format.parquet:
            return files.to_parquet(sheet)
        case Format.html:
            return page.render(sheet, language)
