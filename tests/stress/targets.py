"""What is fuzzed: for each kind of input a function that reads bytes as cslog does and checks what came of it.

A target raises when cslog broke a promise: an unexpected exception, a lost line, an error of several
lines or with a buyer's words in it, two results from the same bytes. Expected failures are no findings.
"""

from __future__ import annotations

import io
import re
import tempfile
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import xlsxwriter

from cslog import config, identity, ingest, inputs, patterns, profile, roster
from cslog.config import Config, Shop
from cslog.errors import CslogError, UsageError
from cslog.gate import Gate
from cslog.readers import decode, mapping, registry
from cslog.readers.base import Batch, Options, Reader
from cslog.readers.head import Head
from cslog.readers.qn_txt import QnTxt
from tests.readers import plain_qn_txt
from tests.stress import accounting, exports

SHOP = "云朵家居旗舰店"
MARKER = "13800000000"
"""A phone number in the seeds: it may stand in the store, never in what cslog says about a file."""

_DAY = 20_000  # a day of 2024; rosters are asked for a month from here
_MAPPINGS = Path(__file__).parents[2] / "docs" / "mappings"
_LOG = b"--- Log opened Tue Sep 01 09:59:58 2026\n10:00 < anna> hello\n10:01 <@xiaomei> anna: hi\n"
_TABLE = b"Timestamp,Chat ID,Visitor Name,Sender,Sender Type,Message\n2026-09-01T01:00:00Z,7,anna,anna,Visitor,hi\n"


@dataclass(frozen=True)
class Target:
    """One kind of input. ``run`` raises when a promise is broken."""

    name: str
    run: Callable[[bytes], None]


class Finding(AssertionError):  # noqa: N818  (what fuzzing calls it)
    """cslog broke a promise."""


def _accounts(shop: str | None) -> identity.Accounts:
    return identity.Accounts(shop=shop, staff={SHOP: frozenset({"掌柜"})})


def _said(report: ingest.FileReport) -> None:
    """Errors and warnings are one line each, and hold nobody's phone number."""
    for line in [report.error or "", *report.warnings]:
        if "cslog failed" in line or "\n" in line or "\r" in line or MARKER in line:
            raise Finding(f"{report.reader}: {line!r}")


def take(head: Head, readers: list[Reader], shop: str | None) -> list[pl.DataFrame]:
    """Read one file as `cslog ingest` does; the frames that it would append."""
    options = Options(shop=shop, staff=frozenset({"掌柜"}))
    reading = ingest._Reading(readers, options, _accounts(shop), "", set(), True, Gate())
    file = reading.read(inputs.Input(head.path, head))
    report, done = file.report, file.report.status == "ingested"
    if not done and report.error and "cslog failed" in report.error:
        # Once more without the net, for the traceback.
        batch = registry.identify(head, readers).read(head, options).validated("")
        if batch.messages is not None:
            identity.coded_messages(batch, _accounts(shop), head.path)
        if batch.orders is not None:
            identity.canonical_orders(batch, _accounts(shop), head.path)
    _said(report)
    if done == (report.error is not None):
        raise Finding("a file either is read or has an error")
    return [*(messages.frame() for messages in file.messages), *file.orders, *file.rejects]


class _Kept:
    """A reader that keeps what it returned, so that it need not read once more."""

    def __init__(self, reader: Reader) -> None:
        self.id, self.title, self.title_zh, self.sign = reader.id, reader.title, reader.title_zh, reader.sign
        self.identify = reader.identify
        self._read = reader.read
        self.batch = Batch()

    def read(self, head: Head, options: Options) -> Batch:
        self.batch = self._read(head, options)
        return self.batch


def _reader(reader_id: str, name: str, lost: Callable[[list[str], object], list[int]] | None):
    def run(data: bytes) -> None:
        reader = _Kept(registry.reader_by_id(reader_id))
        head = Head(name, data)
        shop = SHOP if len(data) % 2 else None
        frames = take(head, [reader], shop)
        again = [] if zlib.crc32(data) % 4 else take(Head(name, data), registry.builtin_readers(), shop)
        if frames and again and not all(a.equals(b) for a, b in zip(frames, again, strict=True)):
            raise Finding("the same bytes, read twice, differ")
        if not frames:
            return
        batch = reader.batch
        rejects = 0 if batch.rejects is None else batch.rejects.height
        if sum(frame.height for frame in frames) - rejects != sum(
            frame.height for frame in (batch.messages, batch.orders) if frame is not None
        ):
            raise Finding("rows were lost between the reader and the store")
        if lost is not None and head.container == "text":
            missing = lost(accounting.lines_of(decode.decode(data).text), batch)
            if missing:
                raise Finding(f"lines {missing[:5]} are nowhere")

    return run


class Supply:
    """Bytes as a supply of small decisions, so that a fuzzer can build what it could never hit by chance."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def randrange(self, stop: int, /) -> int:
        """As random.Random has it; what needs a larger choice than a byte takes several."""
        return self.number(stop)

    def number(self, below: int) -> int:
        """A number below ``below``; 0 when the supply is used up."""
        found = self.data[self.at] % below if self.at < len(self.data) else 0
        self.at += 1
        return found

    def part(self, separator: bytes) -> bytes:
        """Everything up to the next separator."""
        end = self.data.find(separator, self.at)
        end = len(self.data) if end < 0 else end
        found, self.at = self.data[self.at : end], end + len(separator)
        return found

    @property
    def left(self) -> bool:
        """Whether there is any more."""
        return self.at < len(self.data)


_SHEET = b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">%s</worksheet>'
_PARTS = {
    "[Content_Types].xml": b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    b'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    b'<Default Extension="xml" ContentType="application/xml"/></Types>',
    "_rels/.rels": b'<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    b'<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    b'Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": b'<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    b'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
    b'<sheet name="s" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": b'<?xml version="1.0"?><Relationships '
    b'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
    b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
    b'Target="worksheets/sheet1.xml"/></Relationships>',
}


def workbook_of_xml(sheet: bytes, **parts: bytes) -> bytes:
    """An xlsx around the XML of its one sheet; ``parts`` replace or add others, ``__`` standing for ``/``."""
    buffer = io.BytesIO()
    named = {name.replace("__", "/") + ".xml": content for name, content in parts.items()}
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {**_PARTS, "xl/worksheets/sheet1.xml": sheet, **named}.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def workbook_of_lines(lines: list[str]) -> bytes:
    """An xlsx of tab-separated lines; cells that begin with ``#`` are numbers."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    page = book.add_worksheet()
    for row, line in enumerate(lines[:200]):
        for column, cell in enumerate(line.split("\t")[:60]):
            try:
                number = float(cell[1:]) if cell[:1] == "#" else None
            except ValueError:
                number = None
            if number is not None and abs(number) < 1e300:
                page.write_number(row, column, number)
            else:
                page.write_string(row, column, cell)
    book.close()
    return buffer.getvalue()


def workbook(data: bytes) -> bytes:
    """The workbook that the bytes stand for: themselves, the XML of a sheet, or lines of cells."""
    kind, rest = data[:1], data[1:]
    if kind == b"X":
        return workbook_of_xml(rest)
    if kind == b"R":
        return workbook_of_xml(_SHEET % rest)
    if kind == b"L":
        return workbook_of_lines(rest.decode("utf-8", errors="replace").split("\n"))
    return data


def _workbook_reader(reader_id: str):
    run = _reader(reader_id, "book_2024-11-08.xlsx", None)
    return lambda data: run(workbook(data))


def archive(data: bytes) -> bytes:
    """The zip that the bytes stand for: themselves, or members, some of them damaged afterwards."""
    if data[:1] != b"Z":
        return data
    supply = Supply(data[1:])
    buffer = io.BytesIO()
    damage = supply.number(4)
    with zipfile.ZipFile(buffer, "w") as made:
        while supply.left:
            method = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)[
                supply.number(4)
            ]
            attributes = supply.number(256) << 24
            info = zipfile.ZipInfo(supply.part(b"\n").decode("utf-8", errors="replace")[:2000] or "x")
            info.compress_type, info.external_attr = method, attributes
            content = supply.part(b"\x00\n")
            content = archive(content) if content[:1] == b"Z" else content
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # two members of one name are meant
                made.writestr(info, content)
    content = bytearray(buffer.getvalue())
    for _ in range(damage):
        place = zlib.crc32(bytes([damage]) + data) % len(content)
        content[place] ^= 1 + supply.number(255)
        damage += 7
    return bytes(content)


def _zip(data: bytes) -> None:
    paths = []
    for found in inputs.unpacked(Head("logs.zip", archive(data))):
        paths.append(found.path)
        if (found.head is None) == (found.error is None):
            raise Finding("an input is a file or an error")
        if re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", found.path):
            raise Finding(f"control characters in the label {found.path!r}")
        if found.head is not None:
            take(found.head, registry.builtin_readers(), SHOP)
    if len(set(paths)) != len(paths):
        raise Finding("two inputs have one label")


def _mapping_log(data: bytes) -> None:
    names = ("irc.toml", "slack-csv.toml", "zendesk-csv.toml")
    which = data[0] % 3 if data else 0
    reader = _Kept(mapping.load_mapping(_MAPPINGS / names[which]))
    head = Head("channel_2026-09-01.log", data[1:])
    frames = take(head, [reader], None)
    if frames and not all(a.equals(b) for a, b in zip(frames, take(head, [reader], None), strict=True)):
        raise Finding("the same bytes, read twice, differ")
    if frames and head.container == "text":
        lost = accounting.lost_of_table if which else accounting.lost_of_irc
        # A mapped log has its lines as they are; a CR alone ends none.
        text = decode.decode(head.data).text
        missing = lost(accounting.lines_of(text) if which else text.split("\n"), reader.batch)
        if missing:
            raise Finding(f"lines {missing[:5]} are nowhere")


def _differential(data: bytes) -> None:
    """qn-txt as compiled and as a plain loop, and the decoder and Python's; ``S``: an export made of what follows."""
    if data[:1] == b"S":
        supply = Supply(data[1:])
        data = exports.damaged(exports.made(supply), supply)
    head = Head("导出.txt", data)
    for options in (Options(), Options(shop="别店", staff=frozenset({"店小二"}))):
        if plain_qn_txt.outcome(QnTxt().read, head, options) != plain_qn_txt.outcome(
            plain_qn_txt.read, head, options
        ):
            raise Finding("the compiled reader and the plain one differ")
    known = plain_qn_txt.decoded_plainly(data)
    found = decode.decode(data)
    if known is not None and (found.text, found.encoding, found.replaced) != known:
        raise Finding("decoded otherwise than by Python")


def _pattern(data: bytes) -> None:
    """A user's pattern and a short text behind a NUL, against Python's own engine."""
    written, _, text = (part.decode("utf-8", errors="replace") for part in data.partition(b"\0"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            own: re.Pattern[str] | None = re.compile(written)
        except (re.error, RecursionError, OverflowError):
            own = None
    try:
        known = patterns.compiled(written)
    except patterns.PatternError as error:
        if own is None and "is no regular expression" not in str(error):
            raise Finding("refused for another reason than Python's") from error
        return
    if own is None:
        raise Finding("compiled, and Python does not")
    series = pl.Series([text])
    begun = time.process_time()
    found = known.searched(series)[0][0]
    known.at_beginnings(series), known.found_in(series)
    if time.process_time() - begun > 5:
        raise Finding("took long")
    # Python's engine may take for ever; and at \\b a few signs are letters for one of them only.
    simple = written.isascii() and text.isascii() and sum(map(written.count, "*+{?")) < 3 and len(text) < 20
    if simple and "$" not in written and "\\Z" not in written and (text or "\\B" not in written):
        match = own.search(text)
        if found != (match[0] if match else None):
            raise Finding(f"found {found!r} where Python finds {match!r}")


def _in_file(data: bytes, name: str, use: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(data)
        use(file)


def _expected(call: Callable[[], object]) -> object | None:
    """The result, None for a failure that is expected: one line."""
    try:
        return call()
    except CslogError as error:
        if "\n" in str(error):
            raise Finding(f"an error of several lines: {error}") from error
        return None


def _mapping(data: bytes) -> None:
    def use(file: Path) -> None:
        reader = _expected(lambda: mapping.load_mapping(file))
        if isinstance(reader, mapping.MappingReader):
            for content in (_LOG, _TABLE, workbook_of_lines(["time\tsender\ttext"])):
                take(Head("log_2026-09-01.txt", content), [reader], SHOP)

    _in_file(data, "mapping.toml", use)


def _config(data: bytes) -> None:
    def use(file: Path) -> None:
        found = _expected(lambda: config.load(str(file)))
        if isinstance(found, Config):
            _expected(lambda: config.store_folder(None, found))
            _expected(lambda: roster.load(found, _DAY, _DAY + 31))
            counted = _expected(lambda: profile.load("chitu", found.profiles))
            if isinstance(counted, profile.Profile):
                _expected(lambda: found.hash(counted))
            accounts = identity.Accounts(robots=found.robots(), staff=found.staff())
            for name, shop in found.shops.items():
                found.canonical_shop(name), found.internal(name)
                if shop.memo:
                    patterns.compiled(shop.memo.pattern).searched(pl.Series(["小美 20"]))
                if shop.aliases:
                    found.canonical_shop(shop.aliases[0])
            assert accounts.shop is None

    _in_file(data, "cslog.toml", use)


_SHIFTS = '[shops."店".shifts.早班]\nhours = ["08:00-16:00"]\n[shops."店"]\nroster_files = ["%s"]\n'


def _roster(data: bytes) -> None:
    content = workbook(data)
    with tempfile.TemporaryDirectory() as folder:
        name = "排班_2024-11.xlsx" if content[:2] == b"PK" else "排班_2024-11.csv"
        (Path(folder) / name).write_bytes(content)
        settings = Config(
            shops={"店": Shop(roster_files=(name,), shifts={"早班": config.Shift(hours=("08:00-16:00",))})},
            folder=folder,
        )
        try:
            roster.load(settings, _DAY, _DAY + 31)
        except UsageError as error:
            if "\n" in str(error) or MARKER in str(error):
                raise Finding(f"error {error}") from error


TARGETS = {
    target.name: target
    for target in (
        Target("qn-txt", _reader("qn-txt", "a.txt", accounting.lost_of_qn_txt)),
        Target("qn-txt-plain", _differential),
        Target("pattern", _pattern),
        Target("ww-txt-old", _reader("ww-txt-old", "a.txt", accounting.lost_of_ww_txt_old)),
        Target("qn-copy", _reader("qn-copy", "a_2024-11-06.txt", accounting.lost_of_qn_copy)),
        Target("message-table-csv", _reader("message-table", "a_2024-11-08.csv", accounting.lost_of_table)),
        Target("message-table-xlsx", _workbook_reader("message-table")),
        Target("tb-orders-csv", _reader("tb-orders", "ExportOrderList.csv", accounting.lost_of_table)),
        Target("tb-orders-xlsx", _workbook_reader("tb-orders")),
        Target("mapping", _mapping),
        Target("mapping-log", _mapping_log),
        Target("zip", _zip),
        Target("config", _config),
        Target("roster", _roster),
    )
}
