"""``mapping``: any table or line-based log, described by a small TOML file (formats 12.10).

``docs/mappings`` has an IRC channel, a Slack export and a Zendesk export; each takes about ten lines.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from cslog import patterns, schema
from cslog.clock import DAY_SECONDS, day_number
from cslog.errors import ReadError
from cslog.readers import decode, instants, mapping_settings, tabular
from cslog.readers.base import Batch, Options
from cslog.readers.conversation import NO_CUSTOMER, blocks, customers_of_sessions, only_shop
from cslog.readers.head import Head
from cslog.readers.mapping_settings import LinesSettings, TableSettings, Time
from cslog.readers.tabular import LINE, Table, header_key

_FIELDS = ("time", "date", "sender", "buyer", "agent", "session", "shop", "role")

Reject = tuple[int, str, str]


def load_mapping(path: str | Path) -> MappingReader:
    """The reader that a mapping file describes. Raises UsageError naming the file and the key."""
    return MappingReader(mapping_settings.load(path))


class MappingReader:
    """Reads what its settings describe; never asked to recognise a file by itself."""

    id = "mapping"
    title = "any table or log described by --mapping FILE.toml"
    title_zh = "由 --mapping 描述的任意表格或日志"
    sign = "none: the user names the mapping"

    def __init__(self, settings: TableSettings | LinesSettings) -> None:
        self.settings = settings

    def identify(self, head: Head) -> bool:
        """Always: the user says that the file is of this format."""
        return True

    def read(self, head: Head, options: Options) -> Batch:
        """Read the whole file. ReadError when it lacks columns, dates or a shop, or no row can be read."""
        settings = self.settings
        batch = Batch(platform=settings.platform)
        rejects: list[Reject] = []
        if isinstance(settings, TableSettings):
            rows = _table_rows(head, settings, batch, rejects)
        else:
            rows = _line_rows(head, settings, batch, rejects)
        batch.shop = only_shop(rows["shop"], options.shop or settings.shop, head.path) or settings.shop
        if batch.shop is None and options.shop is None:
            raise ReadError(
                f"{head.path}: nothing says which shop it is", "give --shop NAME, or shop in the mapping"
            )
        rows = _with_sides(rows.with_columns(sent_at=_sent_at(rows, head, settings.time)), settings)
        rows = _with_buyers(rows, settings)
        reason = (
            pl.when(pl.col("sent_at").is_null())
            .then(pl.lit("time is not readable"))
            .when(pl.col("sender").is_null())
            .then(pl.lit("no sender"))
            .when(pl.col("buyer").is_null())
            .then(pl.lit(NO_CUSTOMER if settings.conversation is None else "no customer speaks near it"))
        )
        rows = rows.with_columns(reason=reason)
        rejects += rows.drop_nulls("reason").select(LINE, "reason", "text").rows()
        rows = rows.filter(pl.col("reason").is_null())
        if rows.is_empty() and rejects:
            line, why, _ = min(rejects)
            raise ReadError(
                f"{head.path}: the mapping fits none of {len(rejects)} rows; line {line}: {why}",
                "check its pattern, columns and time",
            )
        batch.rejects = tabular.rejects_frame(rejects)
        keys = ["session", "buyer"] if rows["session"].null_count() < rows.height else ["buyer"]
        batch.messages = rows.with_columns(
            block=blocks(rows, keys), line=pl.col(LINE), auto=pl.lit(False)
        ).select(pl.col(name).cast(dtype) for name, dtype in schema.RAW_MESSAGES.items())
        return batch


def _table_rows(head: Head, settings: TableSettings, batch: Batch, rejects: list[Reject]) -> pl.DataFrame:
    names = {name: getattr(settings.columns, name) for name in _FIELDS if name != "role"}
    names |= {"text": settings.columns.text, "role": settings.role.column}
    wanted = {name: header_key(title) for name, title in names.items() if title is not None}
    tables: list[Table | None]
    if head.container == "workbook":
        sheets = [name for name, titles in head.sheets.items() if set(wanted.values()) <= _keys(titles)]
        tables = [tabular.sheet_table(head, name) for name in sheets]
        if sheets and len(sheets) < len(head.sheets):
            batch.warnings.append(
                f"{len(head.sheets) - len(sheets)} sheets without these columns were skipped"
            )
    else:
        decoded = decode.decode(head.data, settings.encoding)
        batch.encoding, batch.replaced_characters = decoded.encoding, decoded.replaced
        tables = [tabular.text_table(decoded, settings.delimiter)]
    frames = []
    for table in tables:
        if table is None:
            continue
        for name, key in wanted.items():
            if key not in table.frame.columns:
                raise ReadError(f"{head.path}: has no column {names[name]}", "check columns in the mapping")
        for name in wanted.keys() & {"buyer", "session"}:
            tabular.refuse_damaged_numbers(head, table, wanted[name])
        fields = [
            tabular.cleaned(wanted[name]).alias(name)
            if name in wanted
            else pl.lit(None, pl.String).alias(name)
            for name in _FIELDS
        ]
        frames.append(table.frame.select(LINE, *fields, tabular.prose(wanted["text"]).alias("text")))
        rejects += [(line, reason, "\t".join(cells)) for line, reason, cells in table.rejects]
    if not frames:
        raise ReadError(
            f"{head.path}: has no table with the columns of the mapping", "check columns in the mapping"
        )
    return pl.concat(frames)


def _keys(titles: list[str]) -> set[str]:
    return {header_key(title) for title in titles}


def _line_rows(head: Head, settings: LinesSettings, batch: Batch, rejects: list[Reject]) -> pl.DataFrame:
    if head.container == "workbook":
        raise ReadError(f"{head.path}: is a workbook, and the mapping is for lines", 'use format = "table"')
    decoded = decode.decode(head.data, settings.encoding)
    batch.encoding, batch.replaced_characters = decoded.encoding, decoded.replaced
    pattern = patterns.compiled(settings.pattern)
    lines = pl.Series(decoded.text.split("\n"), dtype=pl.String).str.strip_chars_end("\r")
    days, dated = _days_of_lines(lines, settings.time, rejects)
    skipped = pl.Series([False]).new_from_index(0, len(lines))
    for expression in settings.skip:
        skipped |= patterns.compiled(expression).found_in(lines)
    whole, *groups = pattern.at_beginnings(lines)
    begins = whole.is_not_null() & ~dated & ~skipped
    message = begins.cast(pl.Int64).cum_sum()  # of the message that is open, counted from 1
    further = ~begins & ~dated & ~skipped
    if settings.continuation:
        left, further = further & (message == 0), further & (message > 0)
    else:
        left, further = further, further & False
    for number in (left & (lines.str.strip_chars() != "")).arg_true():
        rejects.append((number + 1, "not a message", lines[number]))
    written = groups[pattern.names["text"] - 1].fill_null("").zip_with(begins, lines)
    texts = (
        pl.DataFrame({"message": message, "text": written})
        .filter(begins | further)
        .group_by("message", maintain_order=True)
        .agg(pl.col("text").str.join("\n").str.strip_chars(tabular.BLANKS))
    )
    # A group for the role may have another name than "role".
    rows = pl.DataFrame(
        {
            LINE: begins.arg_true().cast(pl.Int64) + 1,
            "day": days.filter(begins),
            "text": texts["text"],
            **{name: groups[at - 1].filter(begins) for name, at in pattern.names.items() if name in _FIELDS},
        }
    )
    if settings.role.column:
        rows = rows.with_columns(role=pl.col(settings.role.column))
    missing = [pl.lit(None, pl.String).alias(name) for name in _FIELDS if name not in rows.columns]
    return rows.with_columns(missing).with_columns(tabular.cleaned(name).alias(name) for name in _FIELDS)


def _days_of_lines(lines: pl.Series, time: Time, rejects: list[Reject]) -> tuple[pl.Series, pl.Series]:
    """The day that holds in each line by the lines that say one, and which lines these are."""
    if time.date_pattern is None:
        return pl.Series([None], dtype=pl.Int64).new_from_index(0, len(lines)), pl.Series(
            [False]
        ).new_from_index(0, len(lines))
    whole, *groups = patterns.compiled(time.date_pattern).searched(lines)
    dated = whole.is_not_null()
    places = dated.arg_true()
    said = [_written_day([group[place] for group in groups], time.date_format) for place in places.to_list()]
    for place, day in zip(places, said, strict=True):
        if day is None:
            rejects.append((place + 1, "date is not readable", lines[place]))
    # The last of these lines counts, and gives none where it is not readable.
    latest = pl.Series([None, *said], dtype=pl.Int64)
    return latest.gather(dated.cast(pl.UInt32).cum_sum()), dated


def _written_day(groups: Sequence[str | None], date_format: str) -> int | None:
    written = " ".join(group for group in groups if group)
    try:
        return day_number(datetime.datetime.strptime(written, date_format).date())
    except ValueError:
        return None


def _sent_at(rows: pl.DataFrame, head: Head, time: Time) -> pl.Series:
    """Shanghai wall seconds; null where the time is not as the mapping says."""
    written = rows["time"]
    if rows["date"].null_count() < rows.height:
        written = rows.select(pl.concat_str("date", "time", separator=" ")).to_series()
        if time.without_date:  # the format is that of the time alone
            of_day = _times_of_day(rows["time"], time.format)
            return _zoned(instants.days(rows["date"]) * DAY_SECONDS + of_day, time.zone)
    elif time.without_date:
        days = rows["day"] if "day" in rows.columns else pl.Series([None] * rows.height, dtype=pl.Int64)
        of_day = _times_of_day(rows["time"], time.format)
        if time.file_date is not None and days.null_count():
            groups = patterns.compiled(time.file_date).searched(pl.Series([head.name]))
            day = _written_day([group[0] for group in groups[1:]], time.file_date_format)
            if day is None:
                raise ReadError(
                    f"{head.path}: the file name holds no date", "check time.file_date in the mapping"
                )
            if instants.passes_midnight(of_day.filter(days.is_null()).drop_nulls().to_list()):
                raise ReadError(
                    f"{head.path}: its times have no date and run past midnight",
                    "give time.date_pattern, or split the log by day",
                )
            days = days.fill_null(day)
        return _zoned(days * DAY_SECONDS + of_day, time.zone)
    if time.format == "iso":
        return instants.wall_seconds(written, time.zone)
    if time.format in ("epoch_s", "epoch_ms"):
        unit = 1 if time.format == "epoch_s" else 1000
        seconds = written.str.extract(r"^\s*([0-9]{9,14})(?:\.[0-9]*)?\s*$", 1).cast(pl.Int64) // unit
        return instants.plausible(instants.in_shanghai(pl.from_epoch(seconds, "s"), "UTC"))
    return _formatted(written, time)


def _zoned(seconds: pl.Series, zone_name: str) -> pl.Series:
    return instants.plausible(instants.in_shanghai(pl.from_epoch(seconds, "s"), zone_name))


def _times_of_day(written: pl.Series, time_format: str) -> pl.Series:
    def seconds(text: str) -> int | None:
        try:
            moment = datetime.datetime.strptime(text, time_format)
        except ValueError:
            return None
        return moment.hour * 3600 + moment.minute * 60 + moment.second

    return instants.each(written, seconds)  # a day has 86,400 of them at most


def _formatted(written: pl.Series, time: Time) -> pl.Series:
    """Times in a strptime format: polars reads most at once, Python what is left."""

    def seconds(text: str) -> int | None:
        try:
            moment = datetime.datetime.strptime(text, time.format)
        except ValueError:
            return None
        return instants.seconds_in(moment, time.zone)

    result = pl.Series([None] * written.len(), dtype=pl.Int64)
    if "%z" not in time.format and "%f" not in time.format:
        try:
            moments = written.str.to_datetime(time.format, strict=False)
            result = instants.in_shanghai(moments, time.zone)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            pass  # a directive that only Python knows
    left = result.is_null()
    rest = instants.each(written.filter(left), seconds)
    return instants.plausible(result.scatter(left.arg_true(), rest))


def _with_sides(rows: pl.DataFrame, settings: TableSettings | LinesSettings) -> pl.DataFrame:
    role = settings.role
    decisive = pl.col("role" if role.column else "sender")
    if role.column:
        agent = decisive.is_in(role.agent)
    elif role.agents:
        agent = decisive.is_in(role.agents)
    else:
        assert role.agent_pattern is not None
        agent = pl.lit(patterns.compiled(role.agent_pattern).found_in(rows["sender"]))
    return rows.with_columns(
        side=pl.when(decisive.is_in(role.system))
        .then(pl.lit("system"))
        .when(decisive.is_in(role.robot))
        .then(pl.lit("robot"))
        .when(agent)
        .then(pl.lit("agent"))
        .otherwise(pl.lit("buyer"))
    ).with_columns(
        speaks=pl.col("side"),
        # Lines of the program itself often have no sender.
        sender=pl.coalesce("sender", pl.when(pl.col("side").is_in(["system", "robot"])).then("role")),
    )


def _with_buyers(rows: pl.DataFrame, settings: TableSettings | LinesSettings) -> pl.DataFrame:
    if settings.conversation == "stream":
        return rows.with_columns(buyer=pl.Series(list(_stream_buyers(rows)), dtype=pl.String))
    own = pl.when(pl.col("side") == "buyer").then(pl.col("sender"))
    # The session's first customer comes before a second name in it: a session is one conversation.
    return rows.with_columns(buyer=pl.coalesce("buyer", customers_of_sessions(rows, single=False), own))


def _stream_buyers(rows: pl.DataFrame) -> Iterator[str | None]:
    """Who each line of a channel is spoken with: the addressed customer, the last one, else the next one."""
    sides, senders, texts = (rows[name].to_list() for name in ("side", "sender", "text"))
    known: dict[str, str] = {}
    for side, sender in zip(sides, senders, strict=True):
        if side == "buyer" and sender:
            known[sender] = sender
            known.setdefault(sender.casefold(), sender)
    following: list[str | None] = []
    for side, sender in zip(reversed(sides), reversed(senders), strict=True):
        following.append(sender if side == "buyer" and sender else (following[-1] if following else None))
    following.reverse()
    last: str | None = None
    for side, sender, text, coming in zip(sides, senders, texts, following, strict=True):
        if side == "buyer":
            last = sender or last
            yield sender
        else:
            yield _addressed(text, known) or last or coming


_ADDRESS = re.compile(r"\s*(?:<?@([^\s:,，：>]+)>?|([^\s:,，：]+)[:,，：])")


def _addressed(text: str, known: dict[str, str]) -> str | None:
    match = _ADDRESS.match(text)
    if match is None:
        return None
    nick = match.group(1) or match.group(2)
    return known.get(nick) or known.get(nick.casefold())
