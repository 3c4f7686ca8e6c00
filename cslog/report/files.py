"""A sheet as a file: CSV, XLSX, Parquet, JSON. The same rows and the same numbers in each."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import polars as pl
import xlsxwriter

from cslog.report.sheet import INSTANTS, Column, Language, Sheet, moment, plain_value, records

_FORMATS = {
    "CNY": "#,##0.00",
    "fraction": "0.0%",
    "s": "0.0",
    "ratio": "0.00",
    **dict.fromkeys(INSTANTS, "yyyy-mm-dd hh:mm:ss"),
}
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


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
        writer.writerow([_csv_cell(value, column) for value, column in zip(row, sheet.columns, strict=True)])
    return buffer.getvalue().encode("utf-8-sig")


def _csv_cell(value: Any, column: Column) -> Any:
    if value is None:
        return ""
    if column.unit in INSTANTS:
        return moment(value).isoformat(sep=" ")
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, str) and value.startswith(_FORMULA_SIGNS):
        return "'" + value  # a nick must not become a formula in Excel
    return plain_value(value, column.unit)


def to_parquet(sheet: Sheet) -> bytes:
    """Columns by key; money as Decimal yuan, instants as naive Shanghai timestamps."""
    frame = sheet.rows.select(column.key for column in sheet.columns).with_columns(
        [
            # A quotient has the scale of its dividend, so that must have the two decimals already.
            (pl.col(c.key).cast(pl.Decimal(20, 2)) / 100).cast(pl.Decimal(18, 2))
            if c.unit == "CNY"
            else pl.from_epoch(pl.col(c.key), time_unit="s").alias(c.key)
            for c in sheet.columns
            if c.unit == "CNY" or c.unit in INSTANTS
        ]
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer, metadata={"cslog": msgspec.json.encode(dict(sheet.stamp)).decode()})
    return buffer.getvalue()


def to_xlsx(sheet: Sheet, language: Language) -> bytes:
    """One sheet with frozen headings and filters, and a second that says what it was computed from."""
    buffer = io.BytesIO()
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
    formats = {unit: book.add_format({"num_format": code}) for unit, code in _FORMATS.items()}
    page = book.add_worksheet(sheet.name[:31])
    page.freeze_panes(1, sum(1 for column in sheet.columns if not column.unit))
    for position, column in enumerate(sheet.columns):
        page.write_string(0, position, column.heading(language), head)
        page.set_column(position, position, 18 if not column.unit or column.unit in INSTANTS else 11)
    data = sheet.rows.select(column.key for column in sheet.columns)
    for number, row in enumerate(data.iter_rows(), start=1):
        for position, (value, column) in enumerate(zip(row, sheet.columns, strict=True)):
            _write_cell(page, number, position, value, column, formats.get(column.unit))
    page.autofilter(0, 0, max(data.height, 1), len(sheet.columns) - 1)
    about = book.add_worksheet("说明" if language == "zh" else "about")
    about.set_column(0, 0, 22)
    about.set_column(1, 1, 90)
    for number, (name, value) in enumerate([("report", sheet.title), *sheet.stamp]):
        about.write_string(number, 0, name)
        about.write_string(number, 1, value)
    for number, warning in enumerate(sheet.warnings, start=len(sheet.stamp) + 2):
        about.write_string(number, 0, "warning")
        about.write_string(number, 1, warning)
    book.close()
    return buffer.getvalue()


def _write_cell(page: Any, row: int, position: int, value: Any, column: Column, cell_format: Any) -> None:
    if value is None:
        return
    if column.unit in INSTANTS:
        page.write_datetime(row, position, moment(value), cell_format)
    elif isinstance(value, list):
        page.write_string(row, position, " ".join(map(str, value)))
    elif isinstance(value, str):
        page.write_string(row, position, value)
    else:
        page.write_number(row, position, float(plain_value(value, column.unit)), cell_format)
