"""What a mapping file may say: the TOML of ``--mapping``, decoded strictly, and its rules checked.

Every mistake is a UsageError that names the file and the key.
"""

from __future__ import annotations

import codecs
import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NoReturn

import msgspec

from cslog import patterns
from cslog.clock import ZONE_NAME, zone
from cslog.errors import UsageError, one_line

_YEAR_DIRECTIVES = re.compile("%[YyGcxDF]")
_DAY_DIRECTIVES = re.compile("%[djmbBaAUWuwV]")
_GROUPS = {"time", "date", "sender", "text", "buyer", "agent", "role", "session"}
_Complain = Callable[[str, str], NoReturn]
_Compile = Callable[[str, str | None], patterns.Pattern | None]
_HINT = "see docs/mappings for examples"


class Time(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the time is written. ``format`` is strptime's, or ``epoch_s``, ``epoch_ms``, ``iso``."""

    format: str = "iso"
    zone: str = ZONE_NAME
    date_pattern: str | None = None
    """A line that says the date of the lines below; its groups, joined by blanks, are read by date_format."""
    date_format: str = "%Y-%m-%d"
    file_date: str | None = None
    """The date in the file name; its groups, joined by blanks, are read by file_date_format."""
    file_date_format: str = "%Y-%m-%d"

    @property
    def without_date(self) -> bool:
        """Whether ``format`` is that of a time of day."""
        return "%" in self.format and not _YEAR_DIRECTIVES.search(self.format)


class Role(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is an agent: by the values of a column or group, by a list of names, or by a pattern of names."""

    column: str | None = None
    agent: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    agent_pattern: str | None = None
    robot: tuple[str, ...] = ()
    """Values of ``column``, else names of senders, that are robots; ``system`` likewise."""
    system: tuple[str, ...] = ()


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Names of the columns; compared without regard to blanks, ``_`` and case."""

    time: str
    sender: str
    text: str
    date: str | None = None
    buyer: str | None = None
    agent: str | None = None
    session: str | None = None
    shop: str | None = None


class _Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    role: Role
    time: Time = Time()
    shop: str | None = None
    platform: str = "taobao"
    encoding: str | None = None
    conversation: Literal["stream"] | None = None


class TableSettings(
    _Settings, tag_field="format", tag="table", frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """``format = "table"``: a delimited text or the sheets of a workbook."""

    columns: Columns
    delimiter: str | None = None


class LinesSettings(
    _Settings, tag_field="format", tag="lines", frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """``format = "lines"``: one regular expression finds the first line of each message."""

    pattern: str
    continuation: bool = True
    skip: tuple[str, ...] = ()


def load(path: str | Path) -> TableSettings | LinesSettings:
    """The settings in ``path``, checked. Raises UsageError."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "give the mapping by --mapping FILE.toml") from error
    try:
        settings = msgspec.toml.decode(content, type=TableSettings | LinesSettings)
    except (ValueError, RecursionError) as error:
        raise UsageError(one_line(f"{path}: {error}"), _HINT) from error
    _check(str(path), settings)
    return settings


def _check(path: str, settings: TableSettings | LinesSettings) -> None:
    def wrong(key: str, problem: str) -> NoReturn:
        raise UsageError(one_line(f"{path}: {key}: {problem}"), _HINT)

    def compiled(key: str, pattern: str | None) -> patterns.Pattern | None:
        try:
            return patterns.compiled(pattern) if pattern is not None else None
        except patterns.PatternError as error:
            wrong(key, str(error))

    role, time = settings.role, settings.time
    rules = [name for name in ("column", "agents", "agent_pattern") if getattr(role, name)]
    if len(rules) != 1:
        wrong(
            "role", f"needs exactly one of column, agents, agent_pattern, not {' and '.join(rules) or 'none'}"
        )
    if role.column and not role.agent:
        wrong("role.agent", "list the values that mean an agent")
    if role.agent and not role.column:
        wrong("role.agent", "belongs to role.column; names of agents go to role.agents")
    compiled("role.agent_pattern", role.agent_pattern)
    for key in ("date_pattern", "file_date"):
        found = compiled(f"time.{key}", getattr(time, key))
        if found is not None and found.groups == 0:
            wrong(f"time.{key}", "needs a group around the date, like (?P<date>…)")
    zone(time.zone)
    for key in ("format", "date_format", "file_date_format"):
        value = getattr(time, key)
        if key != "format" or value not in ("iso", "epoch_s", "epoch_ms"):
            _check_format(f"time.{key}", value, wrong)

    if settings.encoding is not None and not _is_encoding(settings.encoding):
        wrong("encoding", "is no encoding of texts; write it like utf-8 or gb18030")
    if isinstance(settings, TableSettings):
        if settings.delimiter is not None and (
            len(settings.delimiter) != 1 or settings.delimiter in '"\r\n\0 '
        ):
            wrong("delimiter", "is one character, and no quote, blank or line end")
        if time.date_pattern is not None:
            wrong("time.date_pattern", 'belongs to format = "lines"; a table has columns.date')
        have = {name for name in ("buyer", "session", "date") if getattr(settings.columns, name)}
        where = "columns"
    else:
        have = _check_pattern(settings, compiled, wrong)
        where = "pattern"
    named = sorted(have & {"buyer", "session"})
    if not named and settings.conversation is None:
        wrong(where, 'names neither buyer nor session; for a channel of many say conversation = "stream"')
    if named and settings.conversation is not None:
        wrong("conversation", f'"stream" does not go with {" and ".join(named)}')
    if time.without_date and _DAY_DIRECTIVES.search(time.format):
        wrong("time.format", "has a day but no year, so no date can be told")
    if time.without_date and not ("date" in have or time.date_pattern or time.file_date):
        wrong("time.format", "has no date; give columns.date, date_pattern or file_date")


def _is_encoding(name: str) -> bool:
    """Whether bytes can be decoded by it into text that can be kept: rot13, hex and escapes are no encodings."""
    try:
        b"a".decode(name)
    except (LookupError, ValueError, AssertionError):  # UTF-16 with an odd byte is a ValueError
        return _codec(name) in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
    return not re.search("escape|utf-7|idna|punycode", _codec(name))


def _codec(name: str) -> str:
    """The name by which Python knows an encoding, empty for none."""
    try:
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""


def _check_pattern(settings: LinesSettings, compiled: _Compile, wrong: _Complain) -> set[str]:
    pattern = compiled("pattern", settings.pattern)
    assert pattern is not None
    groups = set(pattern.names)
    if missing := sorted({"time", "sender", "text"} - groups):
        wrong("pattern", f"lacks the groups {', '.join(missing)}")
    if unknown := sorted(groups - _GROUPS):
        wrong("pattern", f"has unknown groups {', '.join(unknown)}; known are {', '.join(sorted(_GROUPS))}")
    if settings.role.column and settings.role.column not in groups:
        wrong("role.column", "is no group of the pattern")
    for number, expression in enumerate(settings.skip):
        compiled(f"skip[{number}]", expression)
    return groups


def _check_format(key: str, value: str, wrong: _Complain) -> None:
    sample = datetime.datetime(2024, 3, 28, 13, 5, 7, tzinfo=datetime.UTC)
    try:
        datetime.datetime.strptime(sample.strftime(value), value)
    except (ValueError, re.error, LookupError):  # re.error: a directive that stands there twice
        wrong(key, f"{value} is no strptime format; besides there are iso, epoch_s and epoch_ms")
    if "%" not in value:
        wrong(key, f"{value} is unknown; it is a strptime format, iso, epoch_s or epoch_ms")
