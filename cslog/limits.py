"""How much cslog takes before it says no. Far above every real export, and an end to hostile files.

A file beyond a limit fails, with a message that names the limit; the other files go on.
"""

from __future__ import annotations

MIB = 1 << 20
GIB = 1 << 30

FILE_BYTES = 4 * GIB
"""A file, or a file in a zip. It is held in memory with its text; a month of a large shop is far below 1 GiB."""

ZIP_RATIO = 200
"""How many times its own size a zip may unpack to, zips inside it included. Chats pack 5:1 to 30:1; only
files made to fill a disk or a memory come near the 1032:1 of deflate, or beyond it by overlapping members."""
ZIP_SMALL_BYTES = 64 * MIB
"""What every zip may unpack to, however small it is."""
ZIP_MEMBERS = 100_000
"""Files in one zip: a file per buyer and day of a large shop's month."""
ZIP_DEPTH = 3
"""Zip inside zip inside zip."""
LABEL_CHARACTERS = 1_000
"""The name of a file in a zip, as it is shown and kept."""

LINE_BYTES = 16 * MIB
"""One line of a text. A message of the client has a few thousand characters; one line of many megabytes is
a dump of something else, and searching it for messages costs time that grows with its square."""
COLUMNS = 16_384
"""Columns of a table: what a sheet of Excel has. Order reports have about 60."""

SHEET_CELLS = 1 << 22
"""Cells of the rectangle that a sheet's contents span, blank ones included: 70,000 rows of 60 columns. It is
held as a whole, 80 bytes a cell, so that two cells in opposite corners would need a hundred gigabytes."""
SHEET_SPARSITY = 20
"""How many times more than its written cells a larger rectangle may have."""
SHEET_TEXT_BYTES = 256 * MIB
"""All texts of a sheet; a text that many cells share counts in each of them, as it is held in each (twice, while it
is read): nine kilobytes of a workbook can ask for as many gigabytes."""
SHEET_TEXT_RATIO = 4
"""How many times the size of its own XML, or .xls, the texts of a larger sheet may come to: a cell takes 35 bytes there,
and 140 bytes in each cell are more than any report has."""
SHEET_TEXT_MOST = 2 * GIB
"""What they never may come to."""
XLS_BYTES = 512 * MIB
"""An .xls has 65,536 rows of 256 columns at most."""

PATTERN_STEPS = 5_000
"""A regular expression of a mapping or of cslog.toml, with its repetitions written out: ``.{1,64}`` has 64 steps."""

ROSTER_BYTES = 64 * MIB
"""A roster sheet (排班表); a year of a thousand people is below 5 MiB."""


def shown(size: int) -> str:
    """``4 GiB``, ``64 MiB``."""
    return f"{size // GIB} GiB" if size >= GIB else f"{size // MIB} MiB"
