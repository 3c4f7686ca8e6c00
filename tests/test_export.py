"""Rows out of the store: all of them, the same in every format; and nobody in them when pseudonymised."""

from __future__ import annotations

import csv
import json
import os
import re
import stat
from pathlib import Path

import polars as pl
import pytest
import worlds
from naive import Block, Export, Line, OrderRow
from store_bytes import places
from typer.testing import CliRunner
from worlds import BEGIN, SHOP

from cslog.commands import app
from cslog.config import Config
from cslog.errors import UsageError
from cslog.ingest import ingest
from cslog.privacy import export
from cslog.privacy.pseudonyms import Pseudonyms, key_of
from cslog.store import Store

SAMPLES = Path(__file__).parents[1] / "sample_logs"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    made = Store(tmp_path_factory.mktemp("export") / "store")
    ingest([str(SAMPLES)], made, Config())
    return made


def run(store: Store, *words: str) -> str:
    done = CliRunner().invoke(app, ["export", *words, "--store", str(store.folder)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


NOVEMBER = ("--month", "2024-11")


def test_all_formats_hold_the_same_rows(store, tmp_path):
    for what in ("messages", "orders"):
        for ending in ("csv", "jsonl", "parquet"):
            run(store, *NOVEMBER, "--what", what, "-o", str(tmp_path / f"{what}.{ending}"), "-q")
        table = pl.read_parquet(tmp_path / f"{what}.parquet")
        lines = [json.loads(line) for line in (tmp_path / f"{what}.jsonl").read_text("utf-8").splitlines()]
        with (tmp_path / f"{what}.csv").open(encoding="utf-8-sig", newline="") as file:
            cells = list(csv.DictReader(file))
        assert table.height == len(lines) == len(cells) > 40
        assert table.columns == list(lines[0]) == list(cells[0])
        assert [row["buyer"] for row in lines] == [row["buyer"] for row in cells] == table["buyer"].to_list()
    assert str(table["amount"].sum()) == f"{sum(row['amount'] for row in lines):.2f}"
    assert lines[0]["created_at"].endswith("+08:00")


def test_the_rows_are_those_of_the_store(store, tmp_path):
    run(store, *NOVEMBER, "-o", str(tmp_path / "a.parquet"))
    mine = pl.read_parquet(tmp_path / "a.parquet")
    stored = store.snapshot().rows("messages").filter(pl.col("month") == "2024-11").collect()
    for name in ("buyer", "text", "agent", "characters"):
        assert mine[name].sort(nulls_last=True).equals(stored[name].sort(nulls_last=True))
    run(store, "--day", "2024-11-08", "--shop", "没有这家店", "-o", str(tmp_path / "none.parquet"))
    assert pl.read_parquet(tmp_path / "none.parquet").height == 0
    run(store, "--month", "2020-01", "--what", "orders", "-o", str(tmp_path / "none.parquet"))
    assert pl.read_parquet(tmp_path / "none.parquet").height == 0
    run(store, *NOVEMBER, "--no-text", "-o", str(tmp_path / "mute.parquet"))
    assert pl.read_parquet(tmp_path / "mute.parquet")["text"].is_null().all()


def test_batches_are_small_and_together_everything(store, monkeypatch):
    from cslog.clock import Period

    chosen = export.Selection(Period.of(month="2024-11"))
    (whole,) = export.messages(store.snapshot(), chosen)
    monkeypatch.setattr(export, "_BATCH", 50)
    parts = list(export.messages(store.snapshot(), chosen))
    assert len(parts) > 4
    assert max(part.height for part in parts) < 200
    order = ["buyer", "sent_at", "text", "agent"]
    assert pl.concat(parts).sort(order).equals(whole.sort(order))


NICK, OTHER, SHORT = "tb1234567", "晴天小屋里的猫", "小王"
PHONE, ADDRESS = "138 0013 8000", "浙江省杭州市西湖区文三路478号3栋2单元501室"


@pytest.fixture
def small(tmp_path) -> Store:
    blocks = [
        Block(
            NICK,
            [
                Line(BEGIN, NICK, f"我是{NICK}，电话{PHONE}"),
                Line(BEGIN + 5, f"{SHOP}:小美", f"{NICK}您好，小美为您服务，订单900000000001收到"),
                Line(BEGIN + 9, NICK, f"寄到{ADDRESS}，我朋友{OTHER}也要"),
                Line(BEGIN + 10, NICK, "由 小美 转交给 阿强"),
            ],
        ),
        Block(OTHER, [Line(BEGIN, OTHER, "=HYPERLINK(1)")]),
        Block(SHORT, [Line(BEGIN, SHORT, "我是小王呀"), Line(BEGIN + 9, f"{SHOP}:小美", "隔壁小王您好")]),
    ]
    rows = [
        OrderRow(SHOP, "900000000001", NICK, BEGIN, BEGIN + 9, None, 1, 100, 1, 0, f"{NICK} {PHONE}"),
        OrderRow(SHOP, "900000000002", "没聊过的人呀", BEGIN, None, None, 0, 100, 1, 0),
    ]
    made = Store(tmp_path / "store")
    for path in worlds.write_files(tmp_path / NICK, [Export(SHOP, f"{SHOP}:小美", blocks)], rows):
        ingest([str(path)], made, Config())
    return made


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_nobody_is_in_a_pseudonymised_export(small, tmp_path, ending):
    folder = tmp_path / "out"
    for what in ("messages", "orders"):
        run(small, *NOVEMBER, "--what", what, "--pseudonymise", "-o", str(folder / f"{what}.{ending}"))
    words = [NICK, OTHER, SHORT, PHONE, "文三路", "900000000001", "900000000002", "没聊过的人呀"]
    assert places(folder, words) == []
    assert places(folder, ["小美", "阿强"]) if ending != "parquet" else True, "agents stay unless asked for"
    run(small, *NOVEMBER, "--pseudonymise", "--agents", "-o", str(folder / f"messages.{ending}"))
    assert places(folder, [*words, "小美", "阿强"]) == []


def table(store: Store, file: Path, *words: str) -> pl.DataFrame:
    run(store, *NOVEMBER, "--pseudonymise", "-o", str(file), *words)
    return pl.read_parquet(file)


def test_the_same_nick_is_the_same_pseudonym(small, tmp_path):
    messages = table(small, tmp_path / "a.parquet")
    orders = table(small, tmp_path / "b.parquet", "--what", "orders")
    (who,) = set(orders["buyer"]) & set(messages["buyer"])
    texts = messages.filter(buyer=who).sort("sent_at")["text"].to_list()
    assert texts[0] == f"我是{who}，电话【电话】"
    (order,) = orders.filter(buyer=who)["order_id"]
    assert texts[1] == f"{who}您好，小美为您服务，订单{order}收到"
    assert re.search(r"我朋友buyer-[a-z2-7]{16}也要", texts[2])
    assert texts[3] == "由 小美 转交给 阿强"
    assert orders.filter(buyer=who)["memo"].to_list() == [f"{who} 【电话】"]
    assert table(small, tmp_path / "again.parquet").equals(messages)


def test_another_key_gives_unrelated_pseudonyms(small, tmp_path):
    mine = table(small, tmp_path / "a.parquet")
    key = tmp_path / "key"
    key.write_text("0123456789abcdef")
    other = table(small, tmp_path / "b.parquet", "--key-file", str(key))
    assert not set(mine["buyer"]) & set(other["buyer"])
    assert table(small, tmp_path / "c.parquet", "--key-file", str(key)).equals(other)
    assert mine["characters"].sort().equals(other["characters"].sort())


def test_the_key_of_a_store_is_made_once_and_kept_secret(small, tmp_path):
    first = key_of(None, small.folder)
    file = small.folder / "pseudonym.key"
    assert key_of(None, small.folder) == first
    assert len(file.read_text().strip()) == 64
    if os.name != "nt":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Pseudonyms(first).of("buyer", "a") != Pseudonyms(first).of("order", "a")
    assert Pseudonyms(first).column("buyer", pl.Series(["a", None, ""])).to_list()[1:] == [None, ""]
    short = tmp_path / "short"
    short.write_text("secret")
    with pytest.raises(UsageError, match="at least 16 bytes"):
        key_of(short, small.folder)
    with pytest.raises(UsageError, match="No such file"):
        key_of(tmp_path / "none", small.folder)


def test_formulas_and_rights(small, tmp_path):
    file = tmp_path / "a.csv"
    run(small, *NOVEMBER, "-o", str(file))
    assert "'=HYPERLINK(1)" in file.read_text(encoding="utf-8-sig")
    if os.name != "nt":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_wrong_words(small, tmp_path):
    for words, reason in (
        ((*NOVEMBER,), "no file is named"),
        ((*NOVEMBER, "-o", str(tmp_path / "a.xlsx")), "names no format"),
        ((*NOVEMBER, "-o", str(tmp_path / "a.csv"), "--agents"), "go with --pseudonymise"),
        ((*NOVEMBER, "-o", str(tmp_path / "a.csv"), "--format", "xlsx"), "leave --format out"),
    ):
        with pytest.raises(UsageError, match=reason):
            run(small, *words)
    assert not (tmp_path / "a.csv").exists()


def test_what_is_said_names_nobody(small, tmp_path):
    said = run(small, *NOVEMBER, "--pseudonymise", "-o", str(tmp_path / "a.csv"), "--json")
    assert json.loads(said)["rows"] == 7
    assert NICK not in said.replace(str(tmp_path), "")


def test_an_empty_store_gives_an_empty_file(tmp_path):
    run(Store(tmp_path / "none"), *NOVEMBER, "--pseudonymise", "-o", str(tmp_path / "a.csv"))
    assert (tmp_path / "a.csv").read_text(encoding="utf-8-sig").count("\n") == 1
    assert not (tmp_path / "none").exists()
