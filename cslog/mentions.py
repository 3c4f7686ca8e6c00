"""Nicks where others speak of them: in texts, memos, rejected lines and names of files."""

from __future__ import annotations

from collections.abc import Iterable
from unicodedata import east_asian_width

import polars as pl

GONE = "（已删除）"
"""What stands in the place of a forgotten nick."""

_SHORTEST = 5  # Taobao's nicks have at least five letters, a Chinese character counting as two
_SHORTEST_NUMBER = 9  # shorter numbers are dates, prices and parts of order numbers


def telling(nicks: Iterable[str], accounts: Iterable[str]) -> list[str]:
    """Those of ``nicks`` that mean the person wherever they stand, the longest first.

    Not those that are too short for it, or part of the name of a shop or an agent (``accounts``).
    """
    names = list(accounts)
    found = [
        nick
        for nick in set(nicks)
        if _width(nick) >= (_SHORTEST_NUMBER if nick.isdigit() else _SHORTEST)
        and not any(nick in name for name in names)
    ]
    return sorted(found, key=lambda nick: (-len(nick), nick))


def mentioned(texts: pl.Expr, nicks: list[str]) -> pl.Expr:
    """Whether any of ``nicks`` stands in a text."""
    return texts.str.contains_any(nicks).fill_null(False) if nicks else pl.lit(False)


def without(texts: pl.Expr, nicks: list[str]) -> pl.Expr:
    """The texts with GONE for ``nicks``."""
    return texts.str.replace_many(nicks, [GONE], leftmost=True) if nicks else texts


def cleaned(text: str, nicks: list[str]) -> str:
    """A text with GONE for ``nicks``."""
    return str(pl.select(without(pl.lit(text), nicks)).item())


def _width(nick: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in nick)
