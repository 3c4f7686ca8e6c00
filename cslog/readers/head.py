"""A file as readers see it: its bytes, and a look at its beginning that is taken once."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cslog import limits
from cslog.errors import ReadError
from cslog.readers import decode, vetting

if TYPE_CHECKING:
    import fastexcel
    import polars as pl

HEAD_BYTES = 32 * 1024

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
        head = data[:HEAD_BYTES]
        # A few NULs are what a crash of a client leaves in a text; a binary file is full of them.
        if head.count(0) > len(head) // 100 and not decode.looks_utf16(head):
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

    def overlong_line(self) -> int | None:
        """The number of the first line of a text beyond limits.LINE_BYTES; None when there is none.

        Looks at a few bytes of every stretch of that length only.
        """
        data, most, start = self.data, limits.LINE_BYTES, 0
        if self.container != "text":
            return None
        while len(data) - start > most:
            end = max(data.rfind(b"\n", start, start + most), data.rfind(b"\r", start, start + most))
            if end < 0:
                return data.count(b"\n", 0, start) + 1
            start = end + 1
        return None

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

        vetting.vet(self.path, self.data)
        try:
            return fastexcel.read_excel(self.data)
        except BaseException as error:
            raise _unreadable(error, f"{self.path}: the workbook cannot be opened") from error

    def sheet(self, name: str, **options: Any) -> pl.DataFrame:
        """One sheet of the workbook as fastexcel's ``options`` say. Raises ReadError when it is damaged."""
        book = self.workbook
        try:
            frame: pl.DataFrame = book.load_sheet(name, header_row=None, **options).to_polars()
        except BaseException as error:
            raise _unreadable(error, f"{self.path}: a sheet cannot be read") from error
        return frame

    @property
    def sheets(self) -> dict[str, list[str]]:
        """Header cells of every sheet of a workbook; empty when it cannot be read."""
        return self._sheets[0]

    @property
    def workbook_error(self) -> ReadError | None:
        """Why a workbook cannot be read; None when it can, or for other containers."""
        return self._sheets[1]

    @cached_property
    def _sheets(self) -> tuple[dict[str, list[str]], ReadError | None]:
        headers: dict[str, list[str]] = {}
        if self.container != "workbook":
            return headers, None
        try:
            for name in self.workbook.sheet_names:
                rows = self.sheet(name, n_rows=1, dtypes="string")
                headers[name] = (
                    [str(cell) if cell is not None else "" for cell in rows.row(0)] if rows.height else []
                )
        except ReadError as error:
            return {}, error
        return headers, None


def _unreadable(error: BaseException, problem: str) -> BaseException:
    """ReadError for whatever a damaged workbook makes fastexcel raise, a panic of its Rust among it."""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return error
    return ReadError(problem, "save it again as .xlsx without a password")
