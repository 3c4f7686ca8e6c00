"""Small files of the tests: texts and workbooks."""

from __future__ import annotations

import datetime
import io
from typing import Any

import xlsxwriter

from cslog.readers.head import Head


def workbook(path: str, sheets: dict[str, list[list[Any]]]) -> Head:
    """An xlsx with the given rows; numbers become numeric cells, datetimes dates, times times."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    formats = {
        datetime.datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        datetime.date: book.add_format({"num_format": "yyyy-mm-dd"}),
        datetime.time: book.add_format({"num_format": "hh:mm:ss"}),
    }
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if isinstance(cell, str):
                    sheet.write_string(row, column, cell)
                elif type(cell) in formats:
                    sheet.write_datetime(row, column, cell, formats[type(cell)])
                elif cell is not None:
                    sheet.write_number(row, column, cell)
    book.close()
    return Head(path, buffer.getvalue())


def text_file(path: str, content: str, encoding: str = "utf-8") -> Head:
    """A text file."""
    return Head(path, content.encode(encoding))
