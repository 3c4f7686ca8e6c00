"""What a buyer calls himself or writes never becomes a formula in a file that cslog writes (OWASP, CSV injection)."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import fastexcel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cslog.commands import app
from cslog.errors import UsageError
from cslog.report import files, formulas
from cslog.report.sheet import Column, Sheet
from tests.stress.targets import SHOP

SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
DOCUMENTED: dict = {}
_PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
exec(_PAGE.read_text(encoding="utf-8").partition("```py\n")[2].partition("```")[0], DOCUMENTED)
NICK = "=HYPERLINK(1)"
WORDS = "@SUM(1+1)*cmd|' /C calc'!A0"
AGENT = "+小美"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A store whose buyer, agent, texts, memo and rejects all look like formulas."""
    folder = tmp_path_factory.mktemp("formulas")
    rule, dashes = "=" * 64, "-" * 28
    blocks = []
    for number in range(3):
        nick = f"{NICK}{number}"
        blocks += [
            f"{dashes}{nick}{dashes}",
            f"{nick}(2024-11-06 10:12:0{number}):  {WORDS}",
            f"{SHOP}:{AGENT}(2024-11-06 10:42:00):  -1+2",
            f"{nick}(2024-11-06 10:43:00):  \t=3+4",
            f"{nick}(2024-02-30 10:43:00):  =不存在",
        ]
    txt = f"{SHOP}:{AGENT}\n\n{rule}\n{' ' * 31}单聊\n{rule}\n\n\n" + "\n".join(blocks) + "\n"
    (folder / "a.txt").write_text(txt, encoding="gb18030")
    header = [
        "订单编号",
        "买家会员名",
        "买家实际支付金额",
        "订单状态",
        "订单创建时间",
        "订单付款时间",
        "店铺名称",
        "订单备注",
    ]
    rows = [
        [
            f"3515313329151000{number}",
            f"{NICK}{number}",
            "12.00",
            "等待买家付款",
            "2024-11-06 11:00:00",
            "",
            SHOP,
            "=1+1",
        ]
        for number in range(3)
    ]
    with (folder / "o.csv").open("w", encoding="gb18030", newline="") as out:
        csv.writer(out, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    result = CliRunner().invoke(app, ["ingest", str(folder), "--store", str(folder / "store")])
    assert result.exit_code == 0, result.output
    return folder / "store"


COMMANDS = {
    "kpi": ["kpi", "--month", "2024-11", "--by", "agent"],
    "unanswered": ["list", "unanswered", "--at", "2024-11-06T12:00"],
    "slow": ["list", "slow", "--month", "2024-11"],
    "unpaid": ["list", "unpaid", "--at", "2024-11-06T12:00"],
    "orders": ["orders", "--month", "2024-11"],
    "attribution": ["attribution", "--month", "2024-11"],
    "explain": ["explain", "response_avg", "--month", "2024-11", "--messages"],
    "buyer": ["explain", "--buyer", f"{NICK}0", "--month", "2024-11"],
    "rejects": ["rejects"],
    "status": ["status"],
}


def run(store: Path, words: list[str], output: Path) -> bytes:
    result = CliRunner().invoke(app, [*words, "--store", str(store), "--output", str(output)])
    assert result.exit_code == 0, result.output
    return output.read_bytes()


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_no_cell_of_a_csv_is_a_formula(store, tmp_path, words):
    content = run(store, words, tmp_path / "a.csv").decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(content)) for cell in row]
    bad = [cell for cell in cells if cell.lstrip()[:1] in SIGNS and not re.fullmatch(r"-?[\d.]+", cell)]
    assert bad == []


@pytest.mark.parametrize(
    "words", [*COMMANDS.values(), ["report", "--month", "2024-11"]], ids=[*COMMANDS, "report"]
)
def test_no_cell_of_a_workbook_is_a_formula_or_a_link(store, tmp_path, words):
    content = run(store, words, tmp_path / "a.xlsx")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = [
            archive.read(name).decode() for name in archive.namelist() if name.endswith((".xml", ".rels"))
        ]
    assert not any("<f>" in part or "<f " in part or "<hyperlink" in part for part in parts)


def test_the_dangerous_texts_are_really_there(store, tmp_path):
    """Else the tests above would look at nothing."""
    sheets = fastexcel.read_excel(run(store, COMMANDS["unanswered"], tmp_path / "a.xlsx"))
    assert set(sheets.load_sheet(0).to_polars()["buyer"]) == {f"{NICK}{number}" for number in range(3)}
    assert "'=HYPERLINK(1)0" in run(store, COMMANDS["orders"], tmp_path / "b.csv").decode()
    assert "'" + AGENT in run(store, COMMANDS["kpi"], tmp_path / "c.csv").decode()
    rejected = json.loads(run(store, COMMANDS["rejects"], tmp_path / "d.json"))["rejects"]
    assert rejected[0]["text"].startswith(NICK), "machines get what was written"


@given(st.text(st.sampled_from("=+-@＝ \t\r\n'\ufeffx1在")))
def test_a_script_gets_the_text_back(text):
    """By the function that docs/formats.md gives to scripts."""
    written = formulas.csv_text(text)
    assert written.lstrip(" \ufeff")[:1] not in (*SIGNS[:5], *SIGNS[7:])
    assert DOCUMENTED["text_of"](written) == text


def sheet(rows) -> Sheet:
    return Sheet("x", "x", (Column("buyer", "买家"), Column("n", "数", "count")), rows, {"rows": ...})


def test_numbers_are_left_alone():
    import polars as pl

    lines = (
        files.to_csv(sheet(pl.DataFrame({"buyer": ["-5", "x"], "n": [-5, 7]})), "en")
        .decode("utf-8-sig")
        .split("\r\n")
    )
    assert lines[1:3] == ["'-5,-5", "x,7"]


def test_a_text_stays_text_when_its_cell_is_edited():
    import polars as pl

    content = files.to_xlsx(sheet(pl.DataFrame({"buyer": ["=1+1", "x"], "n": [1, 2]})), "en")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        styles = archive.read("xl/styles.xml").decode()
        page = archive.read("xl/worksheets/sheet1.xml").decode()
    quoted = [
        number
        for number, style in enumerate(re.findall(r"<xf [^>]*xfId[^>]*>", styles))
        if "quotePrefix" in style
    ]
    of = dict(re.findall(r'<c r="([A-Z]+\d+)" s="(\d+)"', page))
    assert int(of["A2"]) in quoted
    assert int(of["A3"]) not in quoted


def test_what_excel_cannot_hold_is_said_or_shown():
    import polars as pl

    rows = pl.DataFrame({"buyer": ["x" * 40_000, "😊" * 16_384], "n": [1, 2]})
    read = fastexcel.read_excel(files.to_xlsx(sheet(rows), "en")).load_sheet(0).to_polars()["buyer"].to_list()
    assert read[0] == "x" * 32_766 + "…"
    assert read[1] == "😊" * 16_383 + "…"
    many = pl.DataFrame({"buyer": [""], "n": [1]}).select(pl.all().repeat_by(1_048_576).explode())
    with pytest.raises(UsageError, match="more than a sheet of Excel has"):
        files.to_xlsx(sheet(many), "en")
