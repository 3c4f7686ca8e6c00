"""What a buyer wrote, and a phone number, never reach an error, a warning or the report of an ingest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cslog.commands import app
from tests.stress import hostile, seeds
from tests.stress.targets import MARKER, TARGETS, archive, workbook, workbook_of_lines

WORDS = "请把药寄到我家"
SECRET = f"{WORDS}{MARKER}"
ORDERS = "订单编号,买家会员名,买家实际支付金额,订单状态,订单创建时间,店铺名称\n"

FAILING = {
    "unknown.txt": SECRET.encode() * 3,
    "unknown-gbk.txt": (SECRET + "\n").encode("gb18030") * 3,
    "empty.txt": b"",
    "dump.json": json.dumps([{"content": SECRET}], ensure_ascii=False).encode(),
    "page.html": f"<html>{SECRET}".encode(),
    "broken.xlsx": workbook_of_lines([SECRET])[:-40],
    "other.xlsx": workbook_of_lines([SECRET, SECRET]),
    "sheet.xlsx": hostile.packed_again(
        workbook_of_lines([SECRET]), **{"[Content_Types].xml": SECRET.encode()}
    ),
    "rounded.csv": f"订单编号({SECRET}),买家会员名,买家实际支付金额,订单状态,订单创建时间\n3.51531E+15,{SECRET},1,交易成功,x\n".encode(),
    "rows.csv": f"{ORDERS}{SECRET},{SECRET},{SECRET},{SECRET},{SECRET},{SECRET}\n".encode(),
    "shops.csv": f"时间,内容,发送者,买家,店铺\n2024-11-08 10:00:00,{SECRET},a,a,{SECRET}\n2024-11-08 10:00:00,x,a,a,乙\n".encode(),
    "times.csv": f"时间,内容,发送者,买家\n{SECRET},{SECRET},{SECRET},{SECRET}\n".encode(),
    "copy.txt": f"{WORDS} 2024-1-15 14:30:25\n{SECRET}\n{MARKER} 2024-1-15 14:30:26\n{SECRET}\n".encode(),
    "old.txt": f"x\n\n即时消息\n2017-04-05 09:01:02 {MARKER}: {SECRET}\n".encode(),
    "columns.csv": (f"{SECRET}," * 20_000 + "\n").encode(),
    "line.txt": SECRET.encode() * 800_000,
    "quick.txt": f"****快捷短语导出文档****\n{SECRET}\n".encode(),
    "qq.txt": f"消息记录（此消息记录为文本格式）\n消息对象:{SECRET}\n".encode(),
    "broken.zip": hostile.zipped(("a.txt", SECRET.encode()))[:-30],
}

READ = {
    "strangers.txt": hostile.chat(f"b(2024-11-06 10:12:00):  {SECRET}", f"路人(2024-11-06 10:12:01):  {SECRET}", f"b(2024-02-30 10:12:01):  {SECRET}"),
    "sheets.xlsx": workbook_of_lines(["时间\t内容\t发送者\t买家\t店铺", f"2024-11-08 10:00:00\t{SECRET}\ta\ta\t甲", f"{SECRET}\t{SECRET}\t\t\t"]),
}  # fmt: skip

MAPPING = 'format = "lines"\nshop = "甲"\npattern = \'(?P<time>\\S+) (?P<sender>\\S+) (?P<text>.*)\'\nconversation = "stream"\nrole.agents = ["a"]\n'


@pytest.fixture
def inbox(tmp_path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    for name, content in {**FAILING, **READ}.items():
        (folder / name).write_bytes(content)
    return folder


def said(*words: str) -> tuple[str, str]:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code in (0, 1), result.exception
    return result.stdout, result.stderr


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["--json"],
        ["--reader", "tb-orders", "--json"],
        ["--reader", "qn-copy", "--json"],
        ["--shop", "甲"],
    ],
)
def test_an_ingest_repeats_nobodys_words(inbox, tmp_path, more):
    output, errors = said("ingest", str(inbox), "--store", str(tmp_path / "store"), *more)
    for words in (MARKER, WORDS, MARKER[:8]):
        assert words not in output
        assert words not in errors
    assert "Traceback" not in errors
    assert len(errors.splitlines()) >= len(FAILING) if not more else errors


def test_failing_and_read_files_are_what_they_are_called(inbox, tmp_path):
    output, _ = said("ingest", str(inbox), "--store", str(tmp_path / "store"), "--json")
    files = {Path(file["path"]).name: file for file in json.loads(output)["files"]}
    assert {name for name, file in files.items() if file["status"] == "failed"} >= FAILING.keys() - {
        "broken.zip"
    }
    assert all(files[name]["status"] == "ingested" and files[name]["rejects"] for name in READ)


def test_a_mapping_that_does_not_fit_repeats_nobodys_words(inbox, tmp_path):
    mapping = tmp_path / "m.toml"
    mapping.write_text(MAPPING, encoding="utf-8")
    output, errors = said(
        "ingest", str(inbox), "--mapping", str(mapping), "--store", str(tmp_path / "store"), "--json"
    )
    assert MARKER not in output + errors
    assert WORDS not in output + errors
    assert "fits none of" in errors


def test_seeds_as_files_say_nothing_either(tmp_path):
    inbox = tmp_path / "inbox"
    for name in TARGETS:
        for number, seed in enumerate(seeds.seeds(name)):
            (inbox / name).mkdir(parents=True, exist_ok=True)
            content = archive(seed) if name == "zip" else workbook(seed)
            for cut in (len(content), len(content) * 2 // 3):
                (inbox / name / f"{number}-{cut}").write_bytes(content[:cut])
    output, errors = said("ingest", str(inbox), "--store", str(tmp_path / "store"), "--json")
    assert MARKER not in output + errors
    assert any(file["status"] == "ingested" for file in json.loads(output)["files"])


def test_a_chat_taken_for_a_roster_does_not_speak(tmp_path):
    """Cells of a roster are shown where they are no shift; a phone number in one is not."""
    (tmp_path / "r.csv").write_text(f"姓名,2024-11-01,2024-11-02\n小美,{MARKER},x\n", encoding="utf-8")
    config = tmp_path / "cslog.toml"
    config.write_text('[shops."店"]\nroster_files = ["r.csv"]\n', encoding="utf-8")
    result = CliRunner().invoke(app, ["roster", "--month", "2024-11", "--config", str(config)])
    assert "no shift" in str(result.exception)
    assert MARKER not in str(result.exception) + result.stderr
