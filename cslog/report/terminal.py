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

from cslog.report.sheet import Column, Language, Sheet, shown_rows

_WIDTH_ELSEWHERE = 100  # cron mail and pipes have no width of their own
_LONG = 40  # texts longer than this may be folded; figures and names never are
_LEAST = 24  # room for a folded text
_CONTROLS = dict.fromkeys((*range(10), *range(11, 32), *range(127, 160)), " ")
"""Characters that move the cursor or change the terminal; names and messages may hold any."""
_NOTHING = {"–", "0", "0.00"}


def render(sheet: Sheet, language: Language, colour: bool = False) -> str:
    """The table as text, as wide as its values need."""
    columns = sheet.visible()
    rows, silent = [], []
    for cells in ([cell.translate(_CONTROLS) for cell in row] for row in shown_rows(sheet, columns)):
        figures = {cell for cell, column in zip(cells, columns, strict=True) if column.unit}
        if sheet.hides_empty and figures <= _NOTHING:
            silent.append(
                " ".join(cell for cell, column in zip(cells, columns, strict=True) if not column.unit)
            )
        else:
            rows.append(cells)
    table, needed = _table(rows, columns, language, tight=False)
    if needed > _width():
        table, needed = _table(rows, columns, language, tight=True)
    for cells in rows:
        table.add_row(*(Text(cell) for cell in cells))
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=max(_width(), needed),
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        markup=False,
    )
    console.print(Text(sheet.title.translate(_CONTROLS), style="bold"), overflow="fold")
    console.print(table if rows else Text("(no rows)"))
    notes = list(sheet.stamp)
    if any("…" in cells for cells in rows):
        notes.insert(0, ("… not final yet 延迟统计", "see the warning"))
    if silent:
        notes.insert(0, ("rows with nothing to show 无数据", ", ".join(silent)))
    for name, value in notes:
        console.print(Text(f"{name}: {value}", style="dim"), overflow="fold")
    return "\n".join(line.rstrip() for line in buffer.getvalue().rstrip().split("\n")) + "\n"


def _table(
    rows: list[list[str]], columns: tuple[Column, ...], language: Language, tight: bool
) -> tuple[Table, int]:
    """The table without its rows, and the width it needs to show every value whole."""
    gap = 0 if tight else 1
    least = 6 if tight or language == "en" else 8
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap, 0, 0))
    needed = 1
    for position, column in enumerate(columns):
        widest = max((cell_len(row[position]) for row in rows), default=0)
        heading = _wrapped(column.title(language), max(widest, least), " " if language == "en" else "")
        width = max(widest, *(cell_len(line) for line in heading.split("\n")))
        folds = not column.unit and widest > _LONG
        needed += (_LEAST if folds else width) + 1 + gap  # divider and padding
        table.add_column(
            Text(heading),
            justify="right" if column.unit else "left",
            width=None if folds else width,
            min_width=_LEAST if folds else None,
            no_wrap=not folds,
            overflow="fold",
        )
    return table, needed


def _width() -> int:
    if os.environ.get("COLUMNS", "").isdigit():
        return int(os.environ["COLUMNS"])
    if sys.stdout.isatty():
        return os.get_terminal_size(sys.stdout.fileno()).columns
    return _WIDTH_ELSEWHERE


def _wrapped(title: str, width: int, joint: str) -> str:
    """The title in lines of at most ``width`` cells where its pieces allow it."""
    lines: list[str] = []
    for piece in title.split(joint) if joint else list(title):
        if lines and cell_len(lines[-1] + joint + piece) <= width:
            lines[-1] += joint + piece
        else:
            lines.append(piece)
    return "\n".join(lines)
