"""A file as readers see it: its bytes, and a look at its beginning that is taken once."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cslog.errors import ReadError
from cslog.readers import decode

if TYPE_CHECKING:
    import fastexcel

HEAD_BYTES = 64 * 1024

_MAGIC = {
    b"\x89PNG": "picture",
    b"\xff\xd8\xff": "picture",
    b"GIF8": "picture",
    b"%PDF": "pdf",
    b"Rar!": "rar",
    b"7z\xbc\xaf": "7z",
    b"SQLite format 3": "database",
}


@dataclass(frozen=True)
class Head:
    """One input file. ``path`` is how it is shown to the user (``logs.zip/a.txt`` inside a zip)."""

    path: str
    data: bytes

    @property
    def name(self) -> str:
        """The file's own name, without folders."""
        return self.path.replace("\\", "/").rsplit("/", 1)[-1]

    @cached_property
    def container(self) -> str:
        """``text``, ``workbook``, ``zip``, or the kind of binary file, by the first bytes."""
        data = self.data
        if data.startswith(b"PK\x03\x04"):
            return "workbook" if self._is_workbook() else "zip"
        if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
            return "workbook"
        for magic, kind in _MAGIC.items():
            if data.startswith(magic):
                return kind
        # Two letters are not enough: a shop may be called BM… or RIFF….
        if (data.startswith(b"BM") and data[6:10] == bytes(4)) or (
            data[:4] == b"RIFF" and data[8:12] == b"WEBP"
        ):
            return "picture"
        if b"\x00" in data[:HEAD_BYTES] and not decode.looks_utf16(data[:HEAD_BYTES]):
            return "binary"
        return "text"

    def _is_workbook(self) -> bool:
        try:
            with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
                return "[Content_Types].xml" in archive.namelist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError):  # damaged; opening it again will say so
            return False

    @cached_property
    def text(self) -> str:
        """The first part of a text file, decoded; empty for other containers."""
        if self.container != "text":
            return ""
        part = self.data[:HEAD_BYTES]
        if len(self.data) > HEAD_BYTES:
            part = part[: part.rfind(b"\n") + 1] or part
        return decode.decode(part).text

    @cached_property
    def lines(self) -> list[str]:
        """Lines of ``text`` without their ends."""
        return [line.rstrip("\r") for line in self.text.split("\n")]

    @cached_property
    def table_header(self) -> list[str]:
        """Cells of the first non-blank line of a delimited text file (comma, tab or semicolon)."""
        for line in self.lines:
            if line.strip():
                delimiter = max(",\t;", key=line.count)
                try:
                    return next(csv.reader([line], delimiter=delimiter)) if delimiter in line else [line]
                except csv.Error:  # binary rubbish that happens to look like text
                    return [line]
        return []

    @cached_property
    def workbook(self) -> fastexcel.ExcelReader:
        """The opened workbook. Raises ReadError when it is damaged or locked with a password."""
        import fastexcel

        try:
            return fastexcel.read_excel(self.data)
        except fastexcel.FastExcelError as error:
            raise ReadError(
                f"{self.path}: the workbook cannot be opened", "save it again as .xlsx without a password"
            ) from error

    @cached_property
    def sheets(self) -> dict[str, list[str]]:
        """Header cells of every sheet of a workbook; empty when it cannot be opened."""
        if self.container != "workbook":
            return {}
        try:
            book = self.workbook
        except ReadError:
            return {}
        headers = {}
        for name in book.sheet_names:
            rows = book.load_sheet(name, header_row=None, n_rows=1, dtypes="string").to_polars()
            headers[name] = (
                [str(cell) if cell is not None else "" for cell in rows.row(0)] if rows.height else []
            )
        return headers
