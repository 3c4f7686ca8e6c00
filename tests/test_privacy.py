"""What a store without texts can still say, who may look into a store, and what a crash tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import naive
import polars as pl
import pytest
import worlds
from hypothesis import given, settings
from naive import Block, Export, Line
from worlds import BEGIN, SHOP

from cslog import clock, explain, kpi, profile, schema
from cslog.answer import Question
from cslog.clock import Period
from cslog.config import AutoReplies, Config, Filter
from cslog.ingest import ingest
from cslog.lists import registry
from cslog.lists.request import Request
from cslog.store import Store

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_logs"
NOVEMBER = Question(Period.of(month="2024-11"))
CHITU = profile.load("chitu", (), clock.date_of(BEGIN // naive.DAY))
ALWAYS = (BEGIN - 400 * naive.DAY, BEGIN + 400 * naive.DAY)


def figures(store: Store, question: Question = NOVEMBER, config: Config | None = None) -> list[pl.DataFrame]:
    """The rows of a report in several groupings, in a fixed order."""
    config = config or Config()
    tables = []
    for by in (("agent",), ("shop", "day"), ("agent", "hour")):
        asked = Question(question.period, by=by, as_of=question.as_of)
        frame = kpi.report(asked, store, CHITU, config).frame
        tables.append(frame.sort(["shop", *(name for name in by if name != "shop")]))
    return tables


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> tuple[Store, Store]:
    """The sample with and without texts."""
    folder = tmp_path_factory.mktemp("privacy")
    with_texts, without = Store(folder / "with"), Store(folder / "without")
    ingest([str(SAMPLES)], with_texts, Config())
    ingest([str(SAMPLES)], without, Config(), keep_text=False)
    return with_texts, without


def texts_in(folder: Path) -> set[str]:
    """Everything in the columns of text of every Parquet file."""
    frames = [pl.read_parquet(file, hive_partitioning=False) for file in folder.rglob("*.parquet")]
    return {text for frame in frames for column in frame.select(pl.col(pl.String)) for text in column}


def test_no_text_of_a_message_or_reject_is_in_the_store(stores):
    with_texts, without = stores
    said = (
        with_texts.snapshot().messages(*ALWAYS).collect().filter(pl.col("characters") >= 6)["text"].unique()
    )
    assert said.len() > 100
    assert texts_in(with_texts.folder) >= set(said)
    assert not texts_in(without.folder) & set(said)
    for file in without.folder.rglob(
        "*.json"
    ):  # Delta's log could quote the least and greatest text of a file
        content = file.read_text(encoding="utf-8")
        assert not [text for text in said if text[:6] in content], file
    snapshot = without.snapshot()
    assert snapshot.messages(*ALWAYS).select(pl.col("text").is_null().all()).collect().item()
    assert snapshot.rejects()["text"].is_null().all()
    rest = [name for name in schema.MESSAGES if name != "text"]
    order = ["buyer_key", "sent_at", "rank", "message_key", "occurrence", "source_file", "source_line"]
    kept = [store.snapshot().messages(*ALWAYS, rest).collect().sort(order) for store in stores]
    assert kept[0].equals(kept[1])


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config(
            auto_replies=AutoReplies(statistical=True, seconds=600, buyers=2),
            filters=(
                Filter(rule="accounts", accounts=("小丽",)),
                Filter(rule="single_sentence", fewer_than=3),
                Filter(rule="forwards"),
            ),
        ),
    ],
    ids=["plain", "rules that need no text"],
)
def test_figures_are_those_with_texts(stores, config):
    for one, other in zip(*(figures(store, config=config) for store in stores), strict=True):
        assert one.height
        assert one.equals(other)


@settings(max_examples=6)
@given(happened=worlds.stories())
def test_figures_of_random_months_are_those_with_texts(happened, tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    blocks = [Block(buyer, [Line(*line) for line in lines]) for buyer, lines in happened.items()]
    file = folder / "a.txt"
    file.write_bytes(worlds.txt_bytes(Export(SHOP, f"{SHOP}:小美", blocks)))
    question = Question(Period(worlds.FIRST_DAY - 1, worlds.FIRST_DAY + worlds.DAYS))
    found = []
    for keep_text in (True, False):
        store = Store(folder / str(keep_text))
        ingest([str(file)], store, Config(), keep_text=keep_text)
        found.append(figures(store, question))
    for one, other in zip(*found, strict=True):
        assert one.equals(other)


def test_rules_about_words_find_nothing_and_say_so(stores):
    config = Config(
        filters=(Filter(rule="keywords", name="广告", words=("在吗",)), Filter(rule="exact", texts=("好",))),
        auto_replies=AutoReplies(prefixes=("您好",)),
    )
    with_texts, without = (kpi.report(NOVEMBER, store, CHITU, config) for store in stores)
    (warning,) = [line for line in without.warnings if "without their texts" in line]
    for rule in ("auto_replies.prefixes", "filter 广告", "filter exact"):
        assert rule in warning
    assert not [line for line in with_texts.warnings if "without their texts" in line]
    assert without.frame.equals(kpi.report(NOVEMBER, stores[1], CHITU, Config()).frame)
    assert not with_texts.frame.equals(without.frame)  # else the rules would not have been tested
    lists = registry.of_report(Request(NOVEMBER, CHITU, config), stores[1])
    assert all(warning in found.answer.warnings for found in lists if found.name.name != "unanswered")
    nothing = kpi.report(NOVEMBER, stores[1], CHITU, Config(filters=(Filter(rule="forwards"),)))
    assert not [line for line in nothing.warnings if "without their texts" in line]


def test_lists_and_explanations_work_without_texts(stores):
    found = []
    for store in stores:
        lists = registry.of_report(Request(NOVEMBER, CHITU, Config()), store)
        (cell,) = explain.explain(["response_avg"], NOVEMBER, {}, store, CHITU, Config(), with_messages=True)
        found.append([*(one.answer.frame for one in lists), cell.rows])
    for one, other in zip(*found, strict=True):
        assert one.height == other.height
    spoken = found[1][-1]["messages"].drop_nulls()
    assert spoken.len()
    assert spoken.str.contains("not kept").all()


def test_a_copy_without_text_takes_none_away(tmp_path):
    chat = Export(SHOP, f"{SHOP}:小美", [Block("a", [Line(BEGIN, "a", "在吗"), Line(BEGIN, "a", "有货吗")])])
    # The second export shows one of the messages only: its copy has another rank, which refines the first.
    for number, (one, keep_text) in enumerate(((chat, False), (chat, True), (chat, False))):
        file = tmp_path / f"{number}.txt"
        file.write_bytes(worlds.txt_bytes(one) + b"\r\n" * number)
        ingest([str(file)], Store(tmp_path / "store"), Config(), keep_text=keep_text)
    again = Store(tmp_path / "other")
    part = Export(SHOP, f"{SHOP}:小美", [Block("a", [Line(BEGIN, "a", "有货吗")])])
    for name, one, keep_text in (("part", part, True), ("whole", chat, False)):
        file = tmp_path / f"{name}.txt"
        file.write_bytes(worlds.txt_bytes(one))
        ingest([str(file)], again, Config(), keep_text=keep_text)
    stored = again.snapshot().messages(*ALWAYS).sort("rank").collect()
    assert stored["text"].to_list() == [None, "有货吗"]


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
def test_nobody_else_may_look_into_a_store(tmp_path):
    given = tmp_path / "given"
    given.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        ingest([str(SAMPLES)], Store(tmp_path / "parent" / "made"), Config())
        ingest([str(SAMPLES)], Store(given), Config())
    finally:
        os.umask(before)
    assert (tmp_path / "parent" / "made").stat().st_mode & 0o077 == 0
    for folder in (tmp_path / "parent" / "made", given):
        tables = [path for path in folder.iterdir() if path.is_dir()]
        assert len(tables) >= 5
        assert [path.name for path in tables if path.stat().st_mode & 0o077] == []


def crash(tmp_path: Path, raising: str, **environment: str) -> subprocess.CompletedProcess:
    """``cslog status`` in a process in which the library raises something that nobody expected."""
    code = (
        "import sys, polars\n"
        "from cslog import status\n"
        f"def broken(store):\n    text = '买家的手机13800000000'\n    {raising}\n"
        "status.status = broken\n"
        f"sys.argv = ['cslog', 'status', '--store', {str(tmp_path)!r}]\n"
        "from cslog.__main__ import main\n"
        "main()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={name: value for name, value in os.environ.items() if not name.startswith("CSLOG_")}
        | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
        | environment,
        check=False,
    )


@pytest.mark.parametrize(
    "raising",
    [
        "raise ValueError(text)",
        "polars.Series([text]).cast(polars.Int64)",
        "raise polars.exceptions.PanicException(text)",
        "assert False, text",
    ],
)
def test_a_crash_report_has_the_place_and_no_text(tmp_path, raising):
    done = crash(tmp_path, raising)
    assert done.returncode == 1
    assert "13800000000" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "failed unexpectedly" in done.stderr
    assert "in broken" in done.stderr
    assert "cslog/commands/store.py:" in done.stderr
    assert "13800000000" in crash(tmp_path, raising, CSLOG_TRACEBACK="1").stderr


def test_the_command_keeps_no_text_and_warns(tmp_path):
    settings_file = tmp_path / "cslog.toml"
    settings_file.write_text('[[filters]]\nrule = "exact"\ntexts = ["退订"]\n', encoding="utf-8")
    command = [sys.executable, "-m", "cslog"]
    common = ["--store", str(tmp_path / "store"), "--config", str(settings_file), "--quiet"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}

    def run(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*command, *words, *common], capture_output=True, env=environment, encoding="utf-8", check=False
        )

    done = run("ingest", str(SAMPLES / "qn-txt"), "--no-text", "--json")
    assert done.returncode == 0
    assert "filter exact" in done.stderr
    assert json.loads(done.stdout)["totals"]["messages_new"] > 0
    stored = Store(tmp_path / "store").snapshot().messages(*ALWAYS, ["text"]).collect()
    assert stored["text"].is_null().all()
