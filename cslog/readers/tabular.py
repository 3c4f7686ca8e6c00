"""Delimited text and workbook sheets as all-String polars frames with normalised headers.

What Excel, back offices and userscripts do to cells and rows is undone here, once, for every
reader of tables (formats 8.1, 8.2, 4.3, 4.4).
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import polars as pl

from cslog import limits, schema
from cslog.errors import ReadError
from cslog.readers.decode import Decoded, decode

if TYPE_CHECKING:
    from cslog.readers.head import Head

LINE = "#line"
"""Column of the 1-based line (text: where the record starts) or row (workbook); header_keys gives it to no header."""

BLANKS = " \t\r\n\x03\x0b\x0c\u00a0\u2002\u2003\u2009\u200b\u200e\u200f\u3000\ufeff"

LARGEST_EXACT = 2**53  # a double holds all whole numbers up to here, and a workbook holds doubles

_VARYING = re.compile(rf"[{re.escape(BLANKS)}\s=\"'_]")  # in headers
_DELIMITERS = ",\t;"
_LONGEST_RECORD = 2_000  # lines; a quote that is still open after so many was never meant to be one
_IN_VAIN = 20  # times the lines of a file that may be read again behind stray quotes
_SCIENTIFIC = r"^\d(?:\.\d+)?[Ee]\+\d\d$"  # as Excel writes it; 1e5 can be a nick


@dataclass
class Table:
    """One table: ``frame`` has ``LINE`` and one String column per header, cells as written.

    Columns are named by ``header_key``; ``titles`` are the headers as written, in the same order.
    ``rejects`` are (line, reason, cells) of rows that do not fit the header.
    """

    frame: pl.DataFrame
    titles: list[str]
    rejects: list[tuple[int, str, list[str]]] = field(default_factory=list)
    sheet: str | None = None


def header_key(title: str) -> str:
    """A header without what exports vary: blanks, ``=``, quotes, ``_``, case, full-width forms."""
    return _VARYING.sub("", unicodedata.normalize("NFKC", title).casefold())


def header_keys(titles: list[str]) -> list[str]:
    """Unique column names for a header row; nameless and repeated headers get names nobody asks for."""
    keys: list[str] = []
    taken = {LINE}
    for position, title in enumerate(titles):
        key = header_key(title)
        if not key or key in taken:
            key = f"#{position}{key}"
        while key in taken:
            key = f"#{key}"
        taken.add(key)
        keys.append(key)
    return keys


def cleaned(column: str) -> pl.Expr:
    r"""The cells of a column without ``="…"``, a leading tab or apostrophe, and outer blanks; "" is null."""
    bare = pl.col(column).str.strip_chars(BLANKS).str.replace(r'(?s)^="(.*)"$', "$1")
    bare = bare.str.strip_chars(BLANKS).str.replace("^'+", "").str.strip_chars(BLANKS)
    return pl.when(bare != "").then(bare)


def prose(column: str) -> pl.Expr:
    """The cells of a column of messages: only outer blanks and the ``="…"`` of Excel are taken off."""
    return pl.col(column).fill_null("").str.strip_chars(BLANKS).str.replace(r'(?s)^="(.*)"$', "$1")


def text_table(decoded: Decoded, delimiter: str | None = None) -> Table | None:
    """The table of a delimited text; None when the text is blank.

    The delimiter is the most frequent of comma, tab and semicolon in the header. A quote that is
    opened and never closed costs its own line, not the rest of the file.
    """
    text = decoded.text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    start = next((number for number, line in enumerate(lines) if line.strip(BLANKS)), None)
    if start is None:
        return None
    delimiter = delimiter or max(_DELIMITERS, key=lines[start].count)
    try:
        titles = next(csv.reader([lines[start]], delimiter=delimiter))
    except csv.Error as error:
        raise ReadError("the header of the table cannot be read", "see `cslog readers`") from error
    if len(titles) > limits.COLUMNS:
        raise ReadError(
            f"the table has {len(titles):,} columns, more than {limits.COLUMNS:,}", "see `cslog readers`"
        )
    while titles and not titles[-1].strip(BLANKS):
        titles.pop()
    width = len(titles)

    kept: list[list[str]] = []
    numbers: list[int] = []
    rejects: list[tuple[int, str, list[str]]] = []
    for number, cells, fits in _records(lines, start + 1, delimiter, width):
        if not cells[0] and not any(cell.strip(BLANKS) for cell in cells):
            continue
        if fits:
            kept.append(cells if len(cells) == width else cells[:width])
            numbers.append(number)
        else:
            reason = "a quote is never closed"
            if len(cells) != width:
                reason = f"{len(cells)} cells instead of {width}"
            rejects.append((number, reason, cells))
    columns = zip(*kept, strict=True) if kept else [[] for _ in titles]
    data = {
        key: pl.Series(key, values, dtype=pl.String)
        for key, values in zip(header_keys(titles), columns, strict=True)
    }
    return Table(pl.DataFrame({LINE: pl.Series(numbers, dtype=pl.Int64), **data}), titles, rejects)


class _Feed:
    """Lines for a csv reader; notices when a record runs off the end or over too many lines."""

    def __init__(self, lines: list[str], start: int, longest: int) -> None:
        self.lines = lines
        self.next = self.record = start
        self.longest = longest
        self.ended = False

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if self.next >= len(self.lines):
            self.ended = True
            raise StopIteration
        if self.next - self.record > self.longest:
            raise csv.Error("record too long")
        self.next += 1
        return self.lines[self.next - 1] + "\n"


def _records(
    lines: list[str], start: int, delimiter: str, width: int
) -> Iterator[tuple[int, list[str], bool]]:
    # Each record with the 1-based number of its first line, and whether it fits the header.
    spent = 0  # lines read in vain
    while start < len(lines):
        # A file whose every line opens a quote must not be read two thousand times over.
        feed = _Feed(
            lines, start, _LONGEST_RECORD if spent < _IN_VAIN * (len(lines) + _LONGEST_RECORD) else 0
        )
        reader = csv.reader(feed, delimiter=delimiter)
        while True:
            first = feed.record = feed.next
            try:
                cells = next(reader, None)
            except csv.Error:
                cells = []
            if cells is None:
                return
            fits = len(cells) == width or (
                len(cells) > width and not any(cell.strip(BLANKS) for cell in cells[width:])
            )
            if fits and not feed.ended:
                yield first + 1, cells, True
            elif cells and feed.next - first == 1 and not feed.ended:
                yield first + 1, cells, False
            elif lines[first].strip(BLANKS):
                # Several lines in one record and not a row: a stray quote swallowed its neighbours.
                yield first + 1, lines[first].split(delimiter), False
                spent += feed.next - first
                start = first + 1
                break


def grids(head: Head) -> Iterator[tuple[str | None, list[list[str]]]]:
    """Every sheet of a workbook, or the one table of a text, with its name: all rows as stripped cells.

    Nothing is taken as a header, blank rows stay, and the cells of a row are as many as it has, so
    that position + 1 is the row and column that a spreadsheet shows.
    """
    if head.container == "workbook":
        for sheet in head.workbook.sheet_names:
            rows = _load(head, sheet, "string").iter_rows()
            yield sheet, [[(cell or "").strip(BLANKS) for cell in row] for row in rows]
        return
    text = decode(head.data).text.replace("\r\n", "\n").replace("\r", "\n")
    delimiter = max(_DELIMITERS, key=text.count)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise ReadError(f"{head.path}: a quote is never closed", "save the file as .xlsx") from error
    yield None, [[cell.strip(BLANKS) for cell in cells] for cells in lines]


def sheet_table(head: Head, sheet: str) -> Table | None:
    """One sheet of a workbook; its first row that is not blank is the header. None for a blank sheet."""
    frame = _load(head, sheet, "string")
    filled = frame.with_row_index(LINE).filter(pl.any_horizontal(pl.exclude(LINE).is_not_null()))
    if frame.width == 0 or filled.is_empty():
        return None
    top = filled[LINE][0]
    titles = ["" if cell is None else str(cell) for cell in frame.row(top)]
    body = filled.slice(1).with_columns(pl.col(LINE).cast(pl.Int64) + 1)
    body.columns = [LINE, *header_keys(titles)]
    return Table(body, titles, sheet=sheet)


def _load(head: Head, sheet: str, dtype: Literal["string", "boolean"]) -> pl.DataFrame:
    # skip_rows=0 keeps blank rows at the top, which would shift the row numbers.
    return head.sheet(sheet, skip_rows=0, dtypes=dtype)


def refuse_damaged_numbers(head: Head, table: Table, column: str) -> None:
    """Raise ReadError when Excel has rounded numbers of an id column (formats 8.1, dependencies 2).

    Found are ``3.51531E+15``, numeric workbook cells of 2^53 and more, and long digits that all end
    in the zeros of a number with 15 digits. One such file must not be joined by its ids at all.
    """
    values = table.frame.select(pl.col(LINE), cleaned(column).alias("value")).drop_nulls()
    damaged = values.filter(pl.col("value").str.contains(_SCIENTIFIC))
    long = values.filter(pl.col("value").str.contains(r"^[0-9]{16,300}$"))  # a double has 308 at most
    rounded = long.filter(pl.col("value").str.slice(15).str.contains(r"^0{2,}$"))
    if damaged.is_empty() and rounded.height == long.height > 2:
        damaged = rounded
    if damaged.is_empty() and table.sheet is not None:
        numbers = ((line, int(value)) for line, value in long.iter_rows())
        suspects = [line for line, value in numbers if value >= LARGEST_EXACT and int(float(value)) == value]
        if suspects:
            position = table.frame.columns.index(column) - 1
            # Loaded as booleans, numeric cells are true and text cells null: the only way to tell them apart.
            numeric = _load(head, table.sheet, "boolean").to_series(position)
            damaged = values.filter(pl.col(LINE).is_in([line for line in suspects if numeric[line - 1]]))
    if damaged.height:
        # What stands in brackets behind the name of a column may be anything.
        title = re.split(r"[(（]", table.titles[table.frame.columns.index(column) - 1])[0].strip(BLANKS)
        raise ReadError(
            f"{head.path}, line {damaged[LINE][0]}: Excel has rounded the numbers in column {title}",
            "export the file again and do not save it with Excel, or set the column to text first",
        )


def rejects_frame(rows: list[tuple[int, str, str]]) -> pl.DataFrame:
    """schema.REJECTS of (line, reason, text), in file order."""
    return pl.DataFrame(rows, schema=schema.REJECTS, orient="row").sort("line", maintain_order=True)
