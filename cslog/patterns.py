"""Regular expressions that a user writes in a mapping or in cslog.toml: Python's syntax, run in linear time.

Python's own engine tries all ways in which a pattern can match, one after the other: ``(a+)+$`` takes longer than
anybody waits on forty letters, and nothing can stop it. So a pattern is parsed by Python, which knows its syntax, and
said again in that of Rust's regex (the one in polars), which looks at every character once. What only trying out can
do (looking ahead or behind, references back to groups, possessive and atomic groups) is refused with its name.
"""

from __future__ import annotations

import functools
import re
import warnings
from dataclasses import dataclass
from re import _constants as code  # type: ignore[attr-defined]  # the parser has no public name
from re import _parser  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any

from cslog import limits

if TYPE_CHECKING:
    import polars as pl

WHOLE = 0
"""The number of the group that is the whole match."""

_REFUSED = {
    code.ASSERT: "looks ahead or behind",
    code.ASSERT_NOT: "looks ahead or behind",
    code.GROUPREF: "refers back to a group",
    code.GROUPREF_EXISTS: "refers back to a group",
    code.ATOMIC_GROUP: "has an atomic group",
    code.POSSESSIVE_REPEAT: "has a possessive repetition",
}
# The classes of Python, which differ a little from those of Rust: ² is a word character, a combining mark is none.
_CLASSES = {
    code.CATEGORY_DIGIT: (r"\p{Nd}", "0-9"),
    code.CATEGORY_SPACE: (r"\s\x1c-\x1f", r"\t-\r "),
    code.CATEGORY_WORD: (r"\p{L}\p{N}_", "a-zA-Z0-9_"),
}
_OPPOSITES = {
    code.CATEGORY_NOT_DIGIT: code.CATEGORY_DIGIT,
    code.CATEGORY_NOT_SPACE: code.CATEGORY_SPACE,
    code.CATEGORY_NOT_WORD: code.CATEGORY_WORD,
}
_PLACES = {
    code.AT_BEGINNING: r"\A",
    code.AT_BEGINNING_STRING: r"\A",
    code.AT_END: r"\z",  # Python's would also hold before a last line end
    code.AT_END_STRING: r"\z",
    code.AT_BOUNDARY: r"\b",
    code.AT_NON_BOUNDARY: r"\B",
}


class PatternError(ValueError):
    """The text is no regular expression, or not one that can be run; the message says why."""


@dataclass(frozen=True)
class Pattern:
    """A pattern that can be run. ``names``: the number of each named group; groups are counted from 1."""

    names: dict[str, int]
    groups: int
    _engine: str

    def found_in(self, texts: pl.Series) -> pl.Series:
        """Whether the pattern occurs in each text, as re.search finds it; null in a null."""
        return texts.str.contains(f"(?:{self._engine})")

    def searched(self, texts: pl.Series) -> list[pl.Series]:
        """Of the first place where it occurs in each text: the whole match, then each group; null where there is none."""
        return self._extracted(texts, self._engine)

    def at_beginnings(self, texts: pl.Series) -> list[pl.Series]:
        """The same where the text begins with it, as re.match finds it."""
        return self._extracted(texts, rf"\A(?:{self._engine})")

    def _extracted(self, texts: pl.Series, engine: str) -> list[pl.Series]:
        import polars as pl

        found = texts.to_frame("text").select(pl.col("text").str.extract_groups(f"({engine})"))
        return found.to_series().struct.unnest().get_columns()


@functools.lru_cache(maxsize=256)
def compiled(written: str) -> Pattern:
    """The pattern ``written`` in Python's syntax. Raises PatternError."""
    import polars as pl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what may mean something else in a later Python
            known = re.compile(written)
            tree = _parser.parse(written)
        engine, size = _of_items(tree, known.flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"is no regular expression ({error})") from error
    if size > limits.PATTERN_STEPS:
        raise PatternError(f"repeats more than {limits.PATTERN_STEPS:,} times what it looks for")
    pattern = Pattern(dict(known.groupindex), known.groups, engine)
    try:
        pattern.at_beginnings(pl.Series(["a"]))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise PatternError("is too large, or has a part that cslog does not know") from error
    return pattern


def _of_items(items: Any, flags: int) -> tuple[str, int]:
    """The parsed items in the syntax of Rust, and how many steps they take when all repetitions are written out."""
    parts, size = [], 0
    for operation, argument in items:
        part, steps = _of_item(operation, argument, flags)
        parts.append(part)
        size += steps
    return "".join(parts), size


def _of_item(operation: Any, argument: Any, flags: int) -> tuple[str, int]:
    if operation in _REFUSED:
        raise PatternError(f"{_REFUSED[operation]}, which may take for ever; write it without")
    if operation is code.LITERAL:
        return _with_case(_character(argument), flags), 1
    if operation is code.NOT_LITERAL:
        return _with_case(f"[^{_character(argument)}]", flags), 1
    if operation is code.ANY:
        return ("(?s:.)" if flags & re.DOTALL else r"[^\n]"), 1
    if operation is code.IN:
        return _with_case(_of_class(argument, flags), flags), 1
    if operation is code.AT:
        if flags & re.MULTILINE and argument in (code.AT_BEGINNING, code.AT_END):
            return ("(?m:^)" if argument is code.AT_BEGINNING else "(?m:$)"), 1
        plain = flags & re.ASCII and argument in (code.AT_BOUNDARY, code.AT_NON_BOUNDARY)
        return (f"(?-u:{_PLACES[argument]})" if plain else _PLACES[argument]), 1
    if operation is code.BRANCH:
        ways = [_of_items(way, flags) for way in argument[1]]
        return f"(?:{'|'.join(way for way, _ in ways)})", sum(size for _, size in ways) + 1
    if operation is code.SUBPATTERN:
        group, added, removed, inner = argument
        part, size = _of_items(inner, (flags | added) & ~removed)
        return f"({'?:' if group is None else ''}{part})", size + 1
    if operation in (code.MAX_REPEAT, code.MIN_REPEAT):
        least, most, inner = argument
        part, size = _of_items(inner, flags)
        many = "" if most is code.MAXREPEAT else str(most)
        lazy = "?" if operation is code.MIN_REPEAT else ""
        times = least + 1 if most is code.MAXREPEAT else most
        return f"(?:{part}){{{least},{many}}}{lazy}", (size + 1) * max(int(times), 1)
    raise PatternError("has a part that cslog does not know")


def _of_class(items: Any, flags: int) -> str:
    negated, parts = "", []
    for operation, argument in items:
        if operation is code.NEGATE:
            negated = "^"
        elif operation is code.LITERAL:
            parts.append(_character(argument))
        elif operation is code.RANGE:
            parts.append(f"{_character(argument[0])}-{_character(argument[1])}")
        else:
            category = _OPPOSITES.get(argument, argument)
            characters = _CLASSES[category][bool(flags & re.ASCII)]
            parts.append(f"[{'' if category is argument else '^'}{characters}]")
    return f"[{negated}{''.join(parts)}]"


def _with_case(part: str, flags: int) -> str:
    return f"(?i:{part})" if flags & re.IGNORECASE else part


def _character(number: int) -> str:
    if 0xD800 <= number < 0xE000:
        raise PatternError("names half a character (a surrogate)")
    return f"\\x{{{number:x}}}"
