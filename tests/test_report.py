"""Reports as people and machines get them: terminal, JSON, CSV, XLSX, Parquet, HTML."""

from __future__ import annotations

import csv
import datetime
import io
import json
import re
import zipfile
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import fastexcel
import polars as pl
import pytest
from rich.cells import cell_len

from cslog import answer, clock, kpi, profile
from cslog.clock import Period
from cslog.config import Config
from cslog.ingest import ingest
from cslog.metrics import METRICS
from cslog.report import figures, files, page, tables, terminal
from cslog.report.sheet import Column, Sheet, shown_text
from cslog.store import Store

SAMPLES = Path(__file__).parents[1] / "sample_logs"
NOVEMBER = Period.of(month="2024-11")
NOON = clock.parse_instant("2024-11-11T12:00:00", "")
UNITS = {metric.key: metric.unit for metric in METRICS}


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("report") / "store")
    ingest([str(SAMPLES)], store, Config())
    return store


def sheet_of(store: Store, language="en", **question) -> Sheet:
    asked = answer.Question(question.pop("period", NOVEMBER), **question)
    return figures.sheet_of(kpi.report(asked, store, profile.load("chitu"), Config()), language)


@pytest.fixture(scope="module")
def sheet(store) -> Sheet:
    return sheet_of(store)


def json_rows(sheet: Sheet) -> list[dict]:
    """Rows of the JSON with money as written."""
    return json.loads(files.to_json(sheet), parse_float=Decimal)["rows"]


NASTY = [
    "=1+1", "+86", "-丽-", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("http://x")', "<script>alert(1)</script>", "a&b",
    'say "x", y', "两\n行", "小美😊", "00123", "3310000000000000001", "2024-11-11", "true", "", "'quoted",
]  # fmt: skip


@pytest.fixture
def nasty() -> Sheet:
    """Names and numbers that a spreadsheet or a browser would like to understand."""
    columns = (
        Column("buyer", "买家"),
        Column("order_id", "订单编号"),
        Column("turns", "对话轮次", "turns"),
        Column("amount", "金额", "CNY"),
        Column("rate", "率", "fraction"),
        Column("at", "时间", "instant"),
        Column("immature", "未定稿"),
    )
    rows = pl.DataFrame(
        {
            "buyer": NASTY,
            "order_id": [f"33100000000000000{number:02d}" for number in range(len(NASTY))],
            "turns": list(range(len(NASTY))),
            "amount": [None, 0, 1, 10, 100, -5, 123_456_789_012, *range(len(NASTY) - 7)],
            "rate": [None, 1 / 3, *[0.5] * (len(NASTY) - 2)],
            "at": [None, *[NOON] * (len(NASTY) - 1)],
            "immature": [["turns", "rate"], *[[] for _ in NASTY[1:]]],
        }
    )
    stamp, warnings = (("made by", "<b>cslog</b>"),), ("warning & <more>",)
    return Sheet("kpi", "<title> & 店", columns, rows, {"rows": ...}, stamp=stamp, warnings=warnings)


# ---- terminal -------------------------------------------------------------------------------------


def body(text: str) -> tuple[list[str], list[str]]:
    """Heading lines and row lines of a terminal table."""
    lines = text.split("\n")
    rule = next(number for number, line in enumerate(lines) if set(line.strip()) == {"─"})
    end = next(number for number in range(rule, len(lines)) if not lines[number].strip())
    return lines[1:rule], lines[rule + 1 : end]


def ends(line: str, values: list[str]) -> list[int]:
    """The cells at which the values of a row end, in order; every value must be there whole."""
    found, position = [], 0
    for value in values:
        position = line.index(value, position) + len(value)
        found.append(cell_len(line[:position]))
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "question", [{}, {"by": ("shop",)}, {"by": ("day",)}, {"by": ("agent", "week")}, {"by": ("agent", "day")}]
)
def test_the_sample_fits_a_terminal_of_100_columns(store, language, question):
    sheet = sheet_of(store, language, **question)
    text = terminal.render(sheet, language)
    assert max(cell_len(line) for line in text.split("\n")) <= 100
    heading, lines = body(text)
    columns = sheet.visible()
    shown = [[shown_text(row[c.key], c.unit) for c in columns] for row in sheet.rows.iter_rows(named=True)]
    # Every value stands there whole, and the figures of a column end at one cell, Chinese names or not.
    rows = [row for row in shown if not set(row[-10:]) <= {"–", "0", "0.00"}]
    assert lines
    placed = [ends(line, row) for line, row in zip(lines, rows, strict=True)]
    for position, column in enumerate(columns):
        if column.unit:
            assert len({cells[position] for cells in placed}) == 1, column.key
    assert "…" not in "".join(lines)
    titles = re.sub(r"\s", "", "".join(heading))
    for column in columns:
        pieces = list(column.title(language)) if language == "zh" else column.title(language).split()
        assert all(piece in titles for piece in pieces), column.key


def test_values_are_never_cut_however_narrow_the_terminal(sheet, monkeypatch):
    wide = body(terminal.render(sheet, "zh"))[1]
    monkeypatch.setenv("COLUMNS", "20")
    narrow = body(terminal.render(sheet, "zh"))[1]
    assert [line.split() for line in narrow] == [line.split() for line in wide]


def test_rows_without_any_figure_are_named_below_the_table(sheet):
    text = terminal.render(sheet, "en")
    assert "服务助手" in text
    assert not any("服务助手" in line for line in body(text)[1])


def test_an_empty_report_says_so(store):
    text = terminal.render(sheet_of(store, period=Period.of(month="2031-01")), "en")
    assert "(no rows)" in text
    assert "2031-01-01 – 2031-01-31" in text


def test_what_is_not_final_yet_is_marked(store):
    text = terminal.render(sheet_of(store, as_of=clock.parse_instant("2024-11-30", "")), "en")
    assert all("…" in line for line in body(text)[1])
    assert "not final yet" in text


def test_colour_only_where_it_is_wanted(sheet):
    assert "\x1b" not in terminal.render(sheet, "zh")
    assert "\x1b[" in terminal.render(sheet, "zh", colour=True)


def test_markup_in_names_is_text(nasty):
    rows = nasty.rows.with_columns(pl.lit("[red]小美[/red]").alias("buyer"))
    assert "[red]小美[/red]" in terminal.render(replace(nasty, rows=rows), "en")


def test_control_characters_reach_no_terminal(nasty):
    """A nick may hold anything; it must neither colour the screen nor push the figures away."""
    rows = nasty.rows.head(2).with_columns(buyer=pl.Series(["\x1b[31m红\x07\x9b2J", "制\t表\r符"]))
    text = terminal.render(replace(nasty, rows=rows, title="\x1b]0;title\x07"), "en")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert "制 表 符" in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_other_tables_keep_their_values_whole(store, language):
    from cslog import status
    from cslog.readers import registry

    for sheet in (
        tables.status(status.status(store)),
        tables.metrics(),
        tables.readers(registry.all_readers()),
        tables.profiles(profile.available()),
    ):
        text = terminal.render(sheet, language)
        for row in sheet.rows.iter_rows(named=True):
            first = sheet.visible()[0]
            assert shown_text(row[first.key], first.unit) in text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "–"),
        (0, "CNY", "0.00"),
        (583_060, "CNY", "5,830.60"),
        (-5, "CNY", "-0.05"),
        (1 / 3, "fraction", "33.3%"),
        (1.0, "fraction", "100.0%"),
        (26.28, "s", "26.3"),
        (0.934, "ratio", "0.93"),
        (1234, "turns", "1,234"),
        (9, "", "9"),
        (NOON, "instant", "11-11 12:00"),
        (NOON + 5, "second", "11-11 12:00:05"),
        (["a", "b"], "", "a, b"),
        ("小美", "", "小美"),
    ],
)
def test_values_for_people(value, unit, text):
    assert shown_text(value, unit) == text


# ---- JSON -----------------------------------------------------------------------------------------


def test_json_money_has_two_decimals_in_the_text(sheet):
    text = files.to_json(sheet).decode()
    money = [key for key, unit in UNITS.items() if unit == "CNY"]
    written = re.findall(rf'"({"|".join(money)})": ([^,\n]+)', text)
    assert len(written) == len(money) * sheet.rows.height
    amounts = [value for _, value in written if value != "null"]
    assert amounts
    assert all(re.fullmatch(r"-?\d+\.\d\d", value) for value in amounts), amounts
    assert '"sales_amount": 5830.60' in text
    assert "小美" in text, "names are readable, not escaped"


def test_json_ratios_are_unrounded_and_undefined_is_null(sheet):
    rows = {row["agent"]: row for row in json.loads(files.to_json(sheet))["rows"]}
    assert rows["小美"]["inquiry_to_payment_rate"] == 15 / 28
    assert rows["服务助手"]["response_avg"] is None
    assert rows["服务助手"]["immature"] == []


def test_json_of_nasty_names(nasty):
    assert [row["buyer"] for row in json_rows(nasty)] == NASTY
    assert [row["amount"] for row in json_rows(nasty)][:3] == [None, Decimal("0.00"), Decimal("0.01")]


# ---- CSV ------------------------------------------------------------------------------------------


def csv_rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_csv_opens_in_excel_and_holds_the_numbers_of_the_json(sheet, language):
    content = files.to_csv(sheet, language)
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\n") == content.count(b"\r\n") == sheet.rows.height + 1
    heading, *lines = csv_rows(content)
    assert heading == [c.zh if language == "zh" else c.key for c in sheet.columns]
    for line, row in zip(lines, json_rows(sheet), strict=True):
        for cell, column in zip(line, sheet.columns, strict=True):
            value = row[column.key]
            if value is None:
                assert cell == ""
            elif column.unit == "instant":
                assert datetime.datetime.fromisoformat(cell + "+08:00") == datetime.datetime.fromisoformat(
                    value
                )
            elif column.unit:
                assert Decimal(cell) == value
            else:
                assert cell == (" ".join(value) if isinstance(value, list) else value)


def test_csv_names_are_no_formulas(nasty):
    _, *lines = csv_rows(files.to_csv(nasty, "en"))
    for line, name in zip(lines, NASTY, strict=True):
        assert line[0] in (name, "'" + name)
        assert not line[0].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert [line[0] for line in lines[:3]] == ["'=1+1", "'+86", "'-丽-"]
    assert lines[5][3] == "-0.05", "a number is no formula"
    assert lines[0][6] == "turns rate"


# ---- XLSX -----------------------------------------------------------------------------------------


def workbook(content: bytes) -> fastexcel.ExcelReader:
    return fastexcel.read_excel(content)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_xlsx_holds_the_numbers_of_the_json(sheet, language):
    book = workbook(files.to_xlsx(sheet, language))
    assert book.sheet_names == ["kpi", "说明" if language == "zh" else "about"]
    read = book.load_sheet(0).to_polars()
    assert read.columns == [column.heading(language) for column in sheet.columns]
    rows = json_rows(sheet)
    assert read.height == len(rows)
    for column in sheet.columns:
        for cell, row in zip(read[column.heading(language)].to_list(), rows, strict=True):
            value = row[column.key]
            if value is None or value == []:
                assert cell is None or cell == ""
            elif column.unit == "instant":
                assert cell.isoformat() + "+08:00" == value
            elif column.unit:
                assert float(cell) == pytest.approx(float(value), rel=1e-15)  # a workbook holds 16 digits
            else:
                assert cell == value
    about = dict(book.load_sheet(1, header_row=None).to_polars().rows())
    assert about["report"] == sheet.title
    assert all(about[name] == value for name, value in sheet.stamp)


def test_xlsx_names_and_order_ids_stay_text(nasty):
    read = workbook(files.to_xlsx(nasty, "en")).load_sheet(0).to_polars()
    assert read["order_id"].dtype == pl.String
    assert read["order_id"].to_list() == nasty.rows["order_id"].to_list()
    assert read["buyer"].to_list() == NASTY
    assert read["amount"].to_list()[:7] == [None, 0, 0.01, 0.1, 1, -0.05, 1_234_567_890.12]
    assert read["at"].to_list()[1] == datetime.datetime(2024, 11, 11, 12)


def test_xlsx_has_no_formula_and_no_link(nasty):
    with zipfile.ZipFile(io.BytesIO(files.to_xlsx(nasty, "en"))) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist() if "worksheets" in name}
    assert parts
    assert not any("<f>" in part or "hyperlink" in part.lower() for part in parts.values())


# ---- Parquet --------------------------------------------------------------------------------------


def test_parquet_holds_the_numbers_of_the_json(sheet):
    content = files.to_parquet(sheet)
    read = pl.read_parquet(io.BytesIO(content))
    assert read.columns == [column.key for column in sheet.columns]
    assert read["sales_amount"].dtype == pl.Decimal(18, 2)
    assert read["first_message_at"].dtype == pl.Datetime
    for ours, row in zip(read.iter_rows(named=True), json_rows(sheet), strict=True):
        for column in sheet.columns:
            value = ours[column.key]
            if column.unit == "instant" and value is not None:
                value = value.isoformat() + "+08:00"
            expected = row[column.key]
            assert value == (float(expected) if isinstance(value, float) else expected), column.key
    metadata = json.loads(pl.read_parquet_metadata(io.BytesIO(content))["cslog"])
    assert metadata == dict(sheet.stamp)


def test_parquet_money_is_exact(nasty):
    read = pl.read_parquet(io.BytesIO(files.to_parquet(nasty)))
    assert read["amount"].to_list() == [row["amount"] for row in json_rows(nasty)]
    assert read["buyer"].to_list() == NASTY


# ---- HTML -----------------------------------------------------------------------------------------


class Cells(HTMLParser):
    """Texts of the table cells, and every tag and attribute of a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.cells: list[str] = []
        self.inside = False
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.inside = tag == "td"
        if self.inside:
            self.cells.append("")

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.cells[-1] += data


def test_html_shows_names_as_they_are(nasty):
    content = page.render(nasty, "en").decode()
    parsed = Cells(content)
    assert "script" not in parsed.tags
    assert "b" not in parsed.tags
    width = len(nasty.columns)
    assert parsed.cells[::width] == NASTY
    assert "&lt;script&gt;" in content
    assert "warning &amp; &lt;more&gt;" in content
    assert "&lt;b&gt;cslog" in content


@pytest.mark.parametrize("language", ["en", "zh"])
def test_html_stands_alone(sheet, language):
    content = page.render(sheet, language).decode()
    parsed = Cells(content)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & set(parsed.tags)
    assert not {"src", "href", "srcset", "action", "onload"} & {name for name, _ in parsed.attributes}
    assert "http" not in content
    assert "url(" not in content
    assert "@import" not in content
    assert '<meta charset="utf-8">' in content
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in content
    assert "5,830.60" in parsed.cells
    assert len(parsed.cells) == sheet.rows.height * len(sheet.columns)


# ---- every format says what it was computed from --------------------------------------------------


def test_the_stamp_is_in_every_document(sheet):
    stamp = dict(sheet.stamp)
    assert "store version 1" in stamp["made by"]
    for text in (terminal.render(sheet, "en"), page.render(sheet, "en").decode()):
        assert all(value in text for value in stamp.values())
    document = json.loads(files.to_json(sheet))
    assert (document["store_version"], document["profile"], document["attribution"]) == (
        1,
        "chitu",
        "order_first",
    )
    assert document["warnings"] == list(sheet.warnings)
    assert any("masked" in warning for warning in sheet.warnings)
