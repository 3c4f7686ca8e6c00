"""A sheet as a file: CSV, XLSX, Parquet, JSON. The same rows and the same numbers in each."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any
from unicodedata import east_asian_width

import msgspec
import polars as pl

from cslog.errors import UsageError
from cslog.report import formulas
from cslog.report.sheet import INSTANTS, Column, Language, Sheet, moment, plain_value, records

_FORMATS = {
    "CNY": "#,##0.00",
    "fraction": "0.0%",
    "s": "0.0",
    "ratio": "0.00",
    **dict.fromkeys(INSTANTS, "yyyy-mm-dd hh:mm:ss"),
}
_WIDEST = 60  # characters; what is longer is wrapped
_MOST_FROZEN = 4


def to_json(sheet: Sheet) -> bytes:
    """The document of the command-line contract; money with two decimals, one line feed at the end."""
    document = {
        name: records(sheet) if value is Ellipsis else value for name, value in sheet.document.items()
    }
    encoded = msgspec.json.Encoder(decimal_format="number").encode(document)
    return msgspec.json.format(encoded, indent=2) + b"\n"


def to_csv(sheet: Sheet, language: Language) -> bytes:
    """UTF-8 with a byte-order mark and CRLF, as Excel and WPS open it; lists joined by blanks."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([column.heading(language) for column in sheet.columns])
    for row in sheet.rows.select(column.key for column in sheet.columns).iter_rows():
        writer.writerow([csv_cell(value, column) for value, column in zip(row, sheet.columns, strict=True)])
    return buffer.getvalue().encode("utf-8-sig")


def csv_cell(value: Any, column: Column) -> Any:
    """A value as CSV holds it; a text that a spreadsheet would compute has an apostrophe in front."""
    if value is None:
        return ""
    if column.unit in INSTANTS:
        return moment(value).isoformat(sep=" ")
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if isinstance(value, str):
        return formulas.csv_text(value)
    return plain_value(value, column.unit)


def to_parquet(sheet: Sheet) -> bytes:
    """Columns by key; money as Decimal yuan, instants as naive Shanghai timestamps."""
    frame = typed(sheet.rows, sheet.columns)
    buffer = io.BytesIO()
    frame.write_parquet(buffer, metadata={"cslog": msgspec.json.encode(dict(sheet.stamp)).decode()})
    return buffer.getvalue()


def typed(rows: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """Columns by key: money as Decimal yuan, instants as naive Shanghai timestamps."""
    return rows.select(column.key for column in columns).with_columns(
        [
            # A quotient has the scale of its dividend, so that must have the two decimals already.
            (pl.col(c.key).cast(pl.Decimal(20, 2)) / 100).cast(pl.Decimal(18, 2))
            if c.unit == "CNY"
            else pl.from_epoch(pl.col(c.key), time_unit="s").alias(c.key)
            for c in columns
            if c.unit == "CNY" or c.unit in INSTANTS
        ]
    )


def to_xlsx(sheets: Sheet | Sequence[Sheet], language: Language) -> bytes:
    """A page per sheet with frozen headings and filters, and a last one that says what they were computed from.

    Raises UsageError for more rows than Excel has.
    """
    given = (sheets,) if isinstance(sheets, Sheet) else sheets
    for sheet in given:
        if sheet.rows.height >= formulas.EXCEL_ROWS:
            raise UsageError(
                f"{sheet.rows.height:,} rows are more than a sheet of Excel has",
                "write .csv or .parquet, or ask for a shorter period",
            )
    buffer = io.BytesIO()
    import xlsxwriter

    book = xlsxwriter.Workbook(
        buffer,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
    formats = {
        unit: book.add_format({"num_format": code, "valign": "top"}) for unit, code in _FORMATS.items()
    }
    plain = book.add_format({"valign": "top"})
    wrapped = book.add_format({"valign": "top", "text_wrap": True})
    # As if typed with an apostrophe in front: a text stays one also when its cell is edited.
    quoted = {
        wraps: book.add_format({"valign": "top", "text_wrap": wraps, "quote_prefix": True})
        for wraps in (False, True)
    }
    for sheet in given:
        page = book.add_worksheet(sheet.page(language)[:31])
        page.freeze_panes(1, _frozen(sheet))
        data = sheet.rows.select(column.key for column in sheet.columns)
        widths = [_width(column, data[column.key], language) for column in sheet.columns]
        for position, (column, width) in enumerate(zip(sheet.columns, widths, strict=True)):
            page.write_string(0, position, column.heading(language), head)
            page.set_column(position, position, min(width, _WIDEST))
        styles = [
            formats.get(column.unit, wrapped if width > _WIDEST else plain)
            for column, width in zip(sheet.columns, widths, strict=True)
        ]
        for number, row in enumerate(data.iter_rows(), start=1):
            for position, (value, column, style) in enumerate(zip(row, sheet.columns, styles, strict=True)):
                if isinstance(value, list):
                    value = " ".join(map(str, value))
                if isinstance(value, str) and formulas.is_formula(value):
                    style = quoted[style is wrapped]
                _write_cell(page, number, position, value, column, style)
        page.autofilter(0, 0, max(data.height, 1), len(sheet.columns) - 1)
    _write_about(book, given, language, wrapped)
    book.close()
    return buffer.getvalue()


def _write_about(book: Any, sheets: Sequence[Sheet], language: Language, wrapped: Any) -> None:
    """What each page is, its stamp and its warnings; what holds for all pages once."""
    about = book.add_worksheet("说明" if language == "zh" else "about")
    about.set_column(0, 0, 22)
    about.set_column(1, 1, 90, wrapped)
    single = len(sheets) == 1
    stamps = [("report" if single else sheet.page(language), sheet.title) for sheet in sheets]
    stamps += dict.fromkeys(line for sheet in sheets for line in sheet.stamp)
    warnings = dict.fromkeys(("warning", warning) for sheet in sheets for warning in sheet.warnings)
    lines = [*stamps, *([("", "")] if warnings else []), *warnings]
    for number, line in enumerate(lines):
        for position, text in enumerate(line):
            about.write_string(number, position, text)


def _frozen(sheet: Sheet) -> int:
    """How many columns stay in sight: those that name the row, up to the first figure."""
    named = [not column.unit for column in sheet.columns]
    return min(named.index(False) if False in named else 1, _MOST_FROZEN)


def _width(column: Column, values: pl.Series, language: Language) -> int:
    """Characters that the column needs; more than _WIDEST where its texts must be wrapped."""
    if column.unit in INSTANTS:
        return 19
    if column.unit or values.dtype != pl.String:
        return 11
    lines = (line for text in values.drop_nulls() for line in text.split("\n"))
    longest = max((_cells(line) for line in lines), default=0) + 2
    several = values.str.contains("\n", literal=True).any()
    return max(longest, min(_cells(column.heading(language)) + 2, 18), _WIDEST + 1 if several else 8)


def _cells(text: str) -> int:
    """How many narrow characters a text is as wide as."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _write_cell(page: Any, row: int, position: int, value: Any, column: Column, cell_format: Any) -> None:
    if value is None:
        return
    if column.unit in INSTANTS:
        page.write_datetime(row, position, moment(value), cell_format)
    elif isinstance(value, str):
        page.write_string(row, position, formulas.excel_text(value), cell_format)
    elif isinstance(value, bool):
        page.write_boolean(row, position, value, cell_format)
    else:
        page.write_number(row, position, float(plain_value(value, column.unit)), cell_format)
