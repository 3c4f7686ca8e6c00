"""A sheet for the eye: a rich table whose headings wrap, so that values never do."""

from __future__ import annotations

import io
import os
import sys

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cslog.report.sheet import Column, Language, Sheet, shown_text

_WIDTH_ELSEWHERE = 100  # cron mail and pipes have no width of their own
_WIDEST_TEXT = 60


def render(sheet: Sheet, language: Language, colour: bool = False) -> str:
    """The table as text, at most as wide as its values need."""
    columns = sheet.visible()
    rows = [
        [shown_text(value, column.unit) for value, column in zip(row, columns, strict=True)]
        for row in sheet.rows.select(column.key for column in columns).iter_rows()
    ]
    table = Table(title=sheet.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for position, column in enumerate(columns):
        widest = max((cell_len(row[position]) for row in rows), default=0)
        table.add_column(
            _wrapped(column, language, widest),
            justify="right" if column.unit else "left",
            no_wrap=widest <= _WIDEST_TEXT,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    buffer = io.StringIO()
    console = Console(
        file=buffer, width=_width(), force_terminal=colour, no_color=not colour, highlight=False, markup=False
    )
    console.print(table if rows else Text(f"{sheet.title}\n(no rows)"))
    for name, value in sheet.stamp:
        console.print(Text(f"{name}: {value}", style="dim"), overflow="fold")
    return "\n".join(line.rstrip() for line in buffer.getvalue().rstrip().split("\n")) + "\n"


def _width() -> int:
    if os.environ.get("COLUMNS", "").isdigit():
        return int(os.environ["COLUMNS"])
    if sys.stdout.isatty():
        return max(_WIDTH_ELSEWHERE, os.get_terminal_size(sys.stdout.fileno()).columns)
    return _WIDTH_ELSEWHERE


def _wrapped(column: Column, language: Language, value_width: int) -> Text:
    """The heading in lines that are hardly wider than the values below."""
    width = max(value_width, 8)
    pieces = column.title(language).split(" ") if language == "en" else list(column.title(language))
    joint = " " if language == "en" else ""
    lines: list[str] = []
    for piece in pieces:
        if lines and cell_len(lines[-1] + joint + piece) <= width:
            lines[-1] += joint + piece
        else:
            lines.append(piece)
    return Text("\n".join(lines))
