"""Texts that a spreadsheet would take for formulas: the one place that makes them harmless.

A buyer chooses his nick, and what he writes ends up in lists; `=HYPERLINK(…)` must never be computed on
the machine of whoever opens the file.
"""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[\s\ufeff]*[=+\-@\t\r\n＝＋－＠]")
"""OWASP's list (CSV injection), with the full-width signs that Excel takes for the same, behind blanks too.

Apostrophes in front are counted in, so that the one which is added can be told from them.
"""

EXCEL_TEXT = 32_767
"""Longest text of a cell, in units of UTF-16; a longer one makes Excel call the file damaged."""
EXCEL_ROWS = 1_048_576
"""Rows of a sheet, the heading among them."""


def is_formula(text: str) -> bool:
    """Whether a spreadsheet could compute the text instead of showing it."""
    return _FORMULA.match(text) is not None


def csv_text(text: str) -> str:
    """The text for a CSV cell: with an apostrophe in front where it would be a formula (docs/formats.md)."""
    return "'" + text if is_formula(text) else text


def excel_text(text: str) -> str:
    """The text for a workbook's cell, cut with ``…`` where Excel has no more room."""
    if len(text) * 2 <= EXCEL_TEXT:
        return text
    units = text.encode("utf-16-le")
    if len(units) <= 2 * EXCEL_TEXT:
        return text
    return units[: 2 * (EXCEL_TEXT - 1)].decode("utf-16-le", errors="ignore") + "…"
