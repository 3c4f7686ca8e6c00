"""Forgotten buyers: nothing of them is left in any version, nothing else has changed, and they do not come back."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest
import worlds
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from naive import DAY, Block, Export, Line, OrderRow
from store_bytes import places
from typer.testing import CliRunner
from worlds import BEGIN, SHOP

from cslog import (
    clock,
    copies,
    corrections,
    explain,
    freeze,
    generations,
    kpi,
    profile,
    table_history,
    wording,
)
from cslog.answer import Question
from cslog.clock import Period
from cslog.coded import Coded
from cslog.commands import app
from cslog.config import Config
from cslog.errors import StoreError, StoreMovedError, UsageError
from cslog.frozen import Scope, freezes
from cslog.ingest import ingest
from cslog.privacy.forget import forget, plain_nicks
from cslog.snapshot import LAYOUTS
from cslog.store import Store

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_logs"
WHO = "月亮失眠了"
CHITU = profile.load("chitu", (), clock.date_of(BEGIN // DAY))
SCOPE = Scope("2024-11", "chitu", "order_first")
ALL = Question(Period(worlds.FIRST_DAY - 3, worlds.FIRST_DAY + worlds.DAYS + 3))
NOVEMBER = Question(Period.of(month="2024-11"))
ALWAYS = (BEGIN - 400 * DAY, BEGIN + 400 * DAY)


def figures(store: Store, question: Question = NOVEMBER, version: int | None = None) -> list[list[dict]]:
    found = []
    for by in (("agent",), ("shop", "day"), ("agent", "hour")):
        asked = Question(question.period, by=by, version=version)
        found.append(kpi.report(asked, store, CHITU, Config()).frame.to_dicts())
    return found


def told(store: Store, buyer: str) -> tuple[set[str], set[int]]:
    """Everything that only this buyer's rows say, and his keys."""
    snapshot = store.snapshot()
    rows = snapshot.messages(*ALWAYS).collect()
    mine, others = rows.filter(buyer=buyer), rows.filter(pl.col("buyer") != buyer)
    said = {text for text in mine["text"].drop_nulls() if len(text) > 5} - set(others["text"].drop_nulls())
    orders = snapshot.order_versions().filter(pl.col("buyer") == buyer).collect()
    keys = {*mine["buyer_key"], *orders["buyer_key"]}
    return {buyer, *said, *orders["order_id"]}, keys


@pytest.fixture
def store(tmp_path) -> Store:
    """The sample in three ingests, compacted in between, with November frozen."""
    made = Store(tmp_path / "store")
    for name in ("qn-txt/小丽_20241101-20241206.txt", "qn-txt", "."):
        ingest([str(SAMPLES / name)], made, Config())
        if name == "qn-txt":
            made.compact()
    freeze.freeze(SCOPE, made, Config())
    return made


def without_buyer(folder: Path, buyer: str) -> Store:
    """A store of the sample's rows without this buyer's."""
    full = Store(folder / "full")
    ingest([str(SAMPLES)], full, Config())
    snapshot = full.snapshot()
    made = Store(folder / "without")
    with made.writer() as writer:
        messages = snapshot.messages(*ALWAYS).filter(pl.col("buyer") != buyer).collect()
        writer.append_messages(batch_of(messages))
        orders = snapshot.order_versions().collect()
        theirs = orders.filter(buyer=buyer)["order_id"]
        writer.append_orders(orders.filter(~pl.col("order_id").is_in(theirs.to_list())))
        writer.commit(pl.DataFrame(schema=LAYOUTS["ledger"].columns))
    return made


def batch_of(messages: pl.DataFrame) -> Coded:
    """Messages as the store takes them."""
    return copies.merged(Coded.of(messages))


def test_nothing_is_left_of_a_forgotten_buyer(store, tmp_path):
    words, keys = told(store, WHO)
    assert places(store.folder, words, keys)
    versions = store.snapshot().store_version
    before = [store.snapshot(v).messages(*ALWAYS).sort("buyer_key", "sent_at", "rank", "message_key").collect() for v in range(1, versions + 1)]  # fmt: skip
    found = forget([WHO], store, Config())
    assert (found.buyers, found.messages, found.orders) == (1, 14, 1)
    assert found.months.to_dicts() == [
        {"month": "2024-11", "messages": 8, "orders": 1},
        {"month": "2024-12", "messages": 6, "orders": 0},
    ]
    assert places(store.folder, words, keys) == []
    assert figures(store) == figures(without_buyer(tmp_path, WHO))
    for version, rows in enumerate(before, start=1):
        now = store.snapshot(version).messages(*ALWAYS).sort("buyer_key", "sent_at", "rank", "message_key")
        assert now.collect().equals(rows.filter(pl.col("buyer") != WHO))
    with pytest.raises(UsageError):
        explain.story(WHO, NOVEMBER, store, CHITU, Config())


def test_the_history_says_when_and_how_much_and_not_who(store):
    forget([WHO], store, Config())
    row = store.snapshot().ledger().filter(action="forget").row(0, named=True)
    assert row["at"][:10] and row["removed"] == {
        "what": "buyers", "buyers": 1, "messages": 14, "orders": 1, "rejects": 0, "months": ["2024-11", "2024-12"],
    }  # fmt: skip
    shown = CliRunner().invoke(app, ["history", "--store", str(store.folder), "--json"])
    (step,) = [one for one in json.loads(shown.stdout)["history"] if one["action"] == "forget"]
    assert (step["messages"], step["orders"], step["buyers"]) == (-14, -1, -1)
    assert step["months"] == ["2024-11", "2024-12"]
    assert WHO not in shown.stdout


def test_old_files_do_not_bring_anybody_back(store):
    words, keys = told(store, WHO)
    forget([WHO], store, Config())
    after = figures(store)
    known = ingest([str(SAMPLES)], store, Config())
    assert known.totals()["ingested"] == 0
    again = ingest([str(SAMPLES)], store, Config(), shop="云朵家居旗舰店")  # read in another way
    totals = again.totals()
    assert (totals["messages_new"], totals["orders_new"]) == (0, 0)
    assert (totals["messages_forgotten"], totals["orders_forgotten"]) == (14, 1)
    assert all(
        file.messages_read == file.messages_new + file.messages_duplicate + file.messages_forgotten
        for file in again.files
    )
    assert places(store.folder, words, keys) == []
    assert figures(store) == after


def txt(path: Path, *blocks: Block, login: str = f"{SHOP}:小美") -> Path:
    path.write_bytes(worlds.txt_bytes(Export(SHOP, login, list(blocks))))
    return path


def test_who_comes_again_later_is_a_new_buyer(tmp_path, monkeypatch):
    store = Store(tmp_path / "store")
    talk = [Line(BEGIN, "tb1234567", "在吗"), Line(BEGIN + 5, f"{SHOP}:小美", "在的")]
    ingest([str(txt(tmp_path / "a.txt", Block("tb1234567", talk)))], store, Config())
    monkeypatch.setattr(clock, "now", lambda: BEGIN + DAY)
    forget(["tb1234567"], store, Config())
    later = [line._replace(ts=line.ts + 2 * DAY) for line in talk]
    report = ingest([str(txt(tmp_path / "b.txt", Block("tb1234567", talk + later)))], store, Config())
    assert report.totals()["messages_new"] == 2
    assert report.totals()["messages_forgotten"] == 2
    assert store.snapshot().messages(*ALWAYS).collect()["sent_at"].min() == BEGIN + 2 * DAY


def test_a_shop_of_several_is_forgotten_alone(tmp_path):
    store = Store(tmp_path / "store")
    for shop in ("甲店", "乙店"):
        talk = [Line(BEGIN, "tb1234567", "在吗"), Line(BEGIN + 5, f"{shop}:小美", "在的")]
        file = tmp_path / f"{shop}.txt"
        file.write_bytes(worlds.txt_bytes(Export(shop, f"{shop}:小美", [Block("tb1234567", talk)])))
        ingest([str(file)], store, Config())
    assert forget(["tb1234567"], store, Config(), shops=["甲"]).messages == 0
    assert forget(["tb1234567"], store, Config(), shops=["甲店"]).messages == 2
    assert store.snapshot().messages(*ALWAYS).collect()["shop"].unique().to_list() == ["乙店"]
    for shop, taken in (("甲店", 0), ("乙店", 2)):
        report = ingest([str(tmp_path / f"{shop}.txt")], Store(tmp_path / shop), Config())
        assert report.totals()["messages_new"] == 2
        again = ingest([str(tmp_path / f"{shop}.txt")], store, Config(), shop=shop)
        assert again.totals()["messages_forgotten"] == 2 - taken


def test_mentions_by_others_names_of_files_and_rejected_lines(tmp_path):
    nick, other = "tb1234567", "晴天小屋"
    name = tmp_path / f"{nick}.csv"
    secret = "我的电话是保密的"
    overlapping = tmp_path / "b.csv"
    first = [
        f"2024-11-28 10:00:00,{secret},{nick},{nick},甲店",
        f"2024-11-28 10:00:09,{secret}哦,路人甲,{nick},甲店",  # rejected: neither the buyer nor the shop
        f"2024-11-28 10:00:00,我朋友{nick}也买了,{other},{other},甲店",
        f"2024-11-28 10:00:09,好,甲店:小美,{other},甲店",
    ]
    second = [first[0], f"2024-11-28 10:00:19,{secret}嗯,路人乙,{nick},甲店"]
    for path, rows in ((name, first), (overlapping, second)):
        path.write_text("\n".join(["时间,内容,发送者,买家,店铺", *rows]), encoding="utf-8")
    store = Store(tmp_path / "store")
    for path in (name, overlapping):
        assert ingest([str(path)], store, Config()).totals()["rejects"] == 1
    plain = figures(store, ALL)
    found = forget([nick], store, Config())
    assert (found.rejects, found.mentions, found.messages) == (2, 1, 1)
    assert set(found.files) >= {str(name)}
    assert places(store.folder, [nick, secret]) == []
    assert store.snapshot().rejects()["line"].len() == 2
    kept = store.snapshot().messages(*ALWAYS).sort("sent_at").collect()
    assert kept["text"].to_list() == ["我朋友（已删除）也买了", "好"]
    assert figures(store, ALL) != plain
    again = ingest([str(name)], store, Config(), shop="甲店")
    assert again.totals()["messages_forgotten"] == 1
    assert places(store.folder, [nick, secret]) == []


def test_a_nick_that_may_be_a_word_is_not_replaced_in_texts(tmp_path):
    store = Store(tmp_path / "store")
    blocks = [
        Block("好的", [Line(BEGIN, "好的", "在吗")]),
        Block("b", [Line(BEGIN, "b", "好的")]),
    ]
    ingest([str(txt(tmp_path / "a.txt", *blocks))], store, Config())
    found = forget(["好的"], store, Config())
    assert found.messages == 1
    assert "could be a word" in found.warnings[0]
    assert store.snapshot().messages(*ALWAYS).collect()["text"].to_list() == ["好的"]


def test_masked_nicks(tmp_path):
    rows = [
        OrderRow(SHOP, "900000000001", "tb1234567", BEGIN, BEGIN + 9, None, 1, 100, 1, 0),
        OrderRow(SHOP, "900000000001", "t**7", BEGIN, BEGIN + 9, BEGIN + 99, 3, 100, 1, 0),
        OrderRow(SHOP, "900000000002", "t**7", BEGIN, BEGIN + 9, None, 1, 100, 1, 0),
        OrderRow(SHOP, "900000000003", "x**7", BEGIN, BEGIN + 9, None, 1, 100, 1, 0),
    ]
    store = Store(tmp_path / "store")
    for number, row in enumerate(rows):
        (tmp_path / f"{number}.csv").write_bytes(worlds.order_bytes([row]))
        ingest([str(tmp_path / f"{number}.csv")], store, Config())
    found = forget(["tb1234567"], store, Config())
    assert (found.orders, found.masked_orders) == (1, 1), "the masked version of a known order is theirs"
    left = store.snapshot().order_versions().collect()["order_id"].sort().to_list()
    assert left == ["900000000002", "900000000003"]
    again = ingest([str(tmp_path / "1.csv")], store, Config(), shop=SHOP)
    assert again.totals()["orders_forgotten"] == 1
    assert forget(["t**7"], store, Config()).orders == 1
    assert store.snapshot().order_versions().collect()["order_id"].to_list() == ["900000000003"]


def test_corrections_name_the_forgetting(store):
    found = forget([WHO], store, Config())
    (touched,) = found.frozen
    differing = corrections.corrections(SCOPE, store, Config())
    assert touched.differing == len(differing.rows) > 0
    assert {cause.kind for row in differing.rows for cause in row.causes} == {"forgotten"}
    assert all("1 buyers forgotten" in cause.text for row in differing.rows for cause in row.causes)
    assert freezes(store)[0].parts["agent",].frame.height, "the freeze itself is as it was"
    freeze.freeze(SCOPE, store, Config(), again=True)
    assert not corrections.corrections(SCOPE, store, Config()).rows


def test_files_read_after_a_forgetting_are_their_own_cause(store, tmp_path):
    forget([WHO], store, Config())
    at = clock.month_seconds("2024-11")[0] + 10 * DAY + 36_000
    shop = "云朵家居旗舰店"
    late = Export(shop, f"{shop}:小美", [Block("迟到的人", [Line(at, "迟到的人", "在吗")])])
    (tmp_path / "late.txt").write_bytes(worlds.txt_bytes(late))
    ingest([str(tmp_path / "late.txt")], store, Config())
    rows = corrections.corrections(SCOPE, store, Config()).rows
    kinds = {cause.kind for row in rows for cause in row.causes}
    assert kinds == {"forgotten", "files"}
    (messages,) = [row for row in rows if row.cell.metric == "buyer_messages" and row.cell.agent is None]
    assert [cause.kind for cause in messages.causes] == ["forgotten", "files"]
    assert [file.path for file in messages.causes[1].files] == [str(tmp_path / "late.txt")]


def test_reports_of_older_versions_say_that_somebody_is_missing(store):
    asked = Question(NOVEMBER.period, version=2)
    quiet = kpi.report(asked, store, CHITU, Config()).warnings
    forget([WHO], store, Config())
    assert not [line for line in quiet if "forgotten" in line]
    (warning,) = [line for line in kpi.report(asked, store, CHITU, Config()).warnings if "forgotten" in line]
    assert "1 buyers forgotten" in warning
    august = Question(Period.of(month="2024-08"), version=2)
    assert not [line for line in kpi.report(august, store, CHITU, Config()).warnings if "forgotten" in line]


def test_a_dry_run_changes_nothing(store):
    before = {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}
    found = forget([WHO], store, Config(), dry_run=True)
    assert (found.messages, found.orders) == (14, 1)
    assert [one.month for one in found.frozen] == ["2024-11"]
    assert {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()} == before


def test_nobody_of_that_nick(store):
    version = store.snapshot().store_version
    found = forget(["没有这个人"], store, Config())
    assert (found.buyers, found.messages, found.orders, found.store_version) == (0, 0, 0, version)
    assert store.snapshot().store_version == version
    assert forget(["没有这个人"], Store(store.folder / "none"), Config()).messages == 0
    assert not (store.folder / "none").exists()
    assert plain_nicks([" cntaobao某人 ", ""]) == ["某人"]
    with pytest.raises(UsageError, match="no buyer"):
        plain_nicks([" "])


def test_again_and_again(store, tmp_path):
    """Several one after the other, with ingests, compactions and freezes in between."""
    people = ["柠檬不酸", "茶茶子", "松鼠存粮"]
    everything = [told(store, who) for who in people]
    for who in people:
        forget([who], store, Config())
        store.compact()
        ingest([str(SAMPLES / "qn-copy")], store, Config(), shop="云朵家居旗舰店")
    for words, keys in everything:
        assert places(store.folder, words, keys) == []
    assert forget(people, store, Config()).messages == 0
    assert [path.name for path in store.folder.iterdir() if path.is_dir()] == [store.root.name]
    versions = store.snapshot().store_version
    for version in range(1, versions + 1):
        assert (
            store.snapshot(version)
            .messages(*ALWAYS)
            .filter(pl.col("buyer").is_in(people))
            .collect()
            .is_empty()
        )


def test_rows_of_a_killed_ingest_are_cleaned_too(store, tmp_path):
    """Files that no commit of the store names yet, and files that no commit at all names."""
    secret = "没有提交的话说给谁听"
    talk = [Line(BEGIN, WHO, secret), Line(BEGIN, WHO, "二")]
    other = Store(tmp_path / "other")
    ingest(
        [str(txt(tmp_path / "a.txt", Block(WHO, talk), Block("b", [Line(BEGIN, "b", "在吗")])))],
        other,
        Config(),
    )
    rows = other.snapshot().messages(*ALWAYS).collect()
    with pytest.raises(KeyboardInterrupt), store.writer() as writer:
        writer.append_messages(batch_of(rows))
        raise KeyboardInterrupt
    orphan = store.folder / "messages" / "month=2024-11" / "part-of-nothing.parquet"
    rows.write_parquet(orphan)
    forget([WHO], store, Config())
    assert places(store.folder, [WHO, secret]) == []
    assert store.snapshot().messages(*ALWAYS).filter(pl.col("buyer") == "b").collect().height == 1
    assert SHOP in store.snapshot().data_ends()


def test_checkpoints_hold_nothing_either(tmp_path):
    """Delta sums up its log every hundred commits, statistics included."""
    store = Store(tmp_path / "store")
    ingest([str(SAMPLES)], store, Config())
    with store.writer() as writer:
        for number in range(101):
            rejects = pl.DataFrame(
                [
                    {
                        "source_file": "x",
                        "sha256": "x",
                        "line": number,
                        "reason": "r",
                        "text": f"{WHO}{number}",
                    }
                ],
                schema=LAYOUTS["rejects"].columns,
            )
            writer.append_rejects(rejects)
    log = store.folder / "rejects" / "_delta_log"
    assert (log / "_last_checkpoint").exists()
    forget([WHO], store, Config())
    assert (store.root / "rejects" / "_delta_log" / "_last_checkpoint").exists()
    assert places(store.folder, [WHO]) == []
    assert store.snapshot().rejects().height == 101
    assert store.snapshot().rejects()["text"].is_null().all()


class DiedError(BaseException):
    """The process is dead from here on."""


@contextlib.contextmanager
def dying_at(step: int):
    """Every change of the file system from the ``step``-th on fails, whoever tries; yields how many were made."""
    calls, made = [0], []
    names = ("fsync", "link", "mkdir", "replace", "rename", "unlink", "rmdir")
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            original = getattr(os, name)

            def checked(*arguments, _original=original, _name=name, **options):
                if threading.current_thread() is threading.main_thread():
                    calls[0] += 1
                    if calls[0] > step:
                        raise DiedError
                    made.append(_name)
                return _original(*arguments, **options)

            patch.setattr(os, name, checked)
        yield made


def test_killed_between_any_two_steps(tmp_path):
    calm = Store(tmp_path / "calm")
    ingest([str(SAMPLES / "qn-txt"), str(SAMPLES / "tb-orders")], calm, Config())
    before = figures(calm)
    words, keys = told(calm, WHO)
    done = Store(tmp_path / "done")
    shutil.copytree(calm.folder, done.folder)
    with dying_at(10**9) as steps:
        forget([WHO], done, Config())
    after = figures(done)
    assert len(steps) > 30
    switched, seen = steps.index("replace"), set()
    for step in sorted({1, switched // 2, *range(switched - 1, switched + 4), len(steps) - 1}):
        store = Store(tmp_path / f"dying{step}")
        shutil.copytree(calm.folder, store.folder)
        with dying_at(step), pytest.raises(DiedError):
            forget([WHO], store, Config())
        now = figures(Store(store.folder))
        assert now in (before, after)
        seen.add(now == after)
        left = generations.leftovers(store.folder, LAYOUTS)
        again = forget([WHO], Store(store.folder), Config())
        assert again.completed is bool(left)
        assert (again.messages == 0) is (now == after)
        assert figures(store) == after
        assert places(store.folder, words, keys) == []
        assert [path for path in store.folder.iterdir() if path.is_dir()] == [store.root]
        shutil.rmtree(store.folder)
    assert seen == {True, False}


def test_whoever_writes_next_deletes_what_a_killed_forgetting_left(store):
    words, keys = told(store, WHO)
    kept = generations.sweep
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generations, "sweep", lambda folder, names: (0, 0))
        forget([WHO], store, Config())
    assert places(store.folder, words, keys)
    assert generations.sweep is kept
    ingest([str(SAMPLES / "qn-copy")], store, Config(), shop="云朵家居旗舰店")
    assert places(store.folder, words, keys) == []


def test_a_report_that_is_being_computed_is_told_to_start_again(store):
    """And the command line does so by itself."""
    with pytest.raises(StoreMovedError, match="written anew"), store.reading():
        snapshot = store.snapshot()
        forget([WHO], Store(store.folder), Config())
        snapshot.messages(*ALWAYS).collect()
    assert figures(store)


def test_the_command_line_starts_again_by_itself(store, monkeypatch):
    original, times = kpi.report, []

    def slow(question, opened, *arguments, **options):
        with opened.reading():
            snapshot = opened.snapshot()
            if not times:
                forget([WHO], Store(store.folder), Config())
            times.append(snapshot.folder)
            snapshot.messages(*ALWAYS).collect()
        return original(question, opened, *arguments, **options)

    monkeypatch.setattr(kpi, "report", slow)
    shown = CliRunner().invoke(app, ["kpi", "--month", "2024-11", "--store", str(store.folder), "--json"])
    assert shown.exit_code == 0
    assert len(set(times)) == 2
    assert json.loads(shown.stdout)["store_version"] == store.snapshot().store_version


def test_a_writer_on_a_disk_without_locks_loses_nothing_silently(store, monkeypatch):
    """Either the forgetting sees what was written meanwhile, or the writer hears that it was in vain."""
    version = store.snapshot().store_version
    original, switched = generations.switch, []

    def switch(folder, root):
        if not switched:
            switched.append(root)
            rejects = pl.DataFrame(
                [{"source_file": "x", "sha256": "x", "line": 1, "reason": "written meanwhile", "text": None}],
                schema=LAYOUTS["rejects"].columns,
            )
            from cslog.store import Writer, ledger_row

            writer = Writer(folder, dry_run=False)
            writer.append_rejects(rejects)
            writer.commit(pl.DataFrame([ledger_row(path="x")], schema=LAYOUTS["ledger"].columns))
        original(folder, root)

    monkeypatch.setattr(generations, "switch", switch)
    forget([WHO], store, Config())
    assert "written meanwhile" in store.snapshot().rejects()["reason"].to_list()
    assert store.snapshot().store_version > version + 1
    with pytest.raises(StoreMovedError), store.writer() as late:
        monkeypatch.setattr(generations, "switch", original)
        new = generations.begin(store.folder)
        for name in LAYOUTS:
            table_history.write_anew(store.root / name, new / name, LAYOUTS[name], lambda file: None)
        generations.switch(store.folder, new)
        late.append_rejects(pl.DataFrame(schema=LAYOUTS["rejects"].columns))


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
def test_nobody_else_may_look_into_the_new_tables(store):
    before = os.umask(0)
    try:
        forget([WHO], store, Config())
    finally:
        os.umask(before)
    assert store.root.stat().st_mode & 0o077 == 0
    assert (store.root / "refused.json").stat().st_mode & 0o077 == 0
    for path in store.folder.rglob("*"):
        if path.is_dir():
            assert path.stat().st_mode & 0o077 == 0 or path.parent != store.folder


def test_a_disk_without_links(store, monkeypatch):
    def refused(*_):
        raise OSError("no links here")

    words, keys = told(store, WHO)
    monkeypatch.setattr(os, "link", refused)
    forget([WHO], store, Config())
    assert places(store.folder, words, keys) == []


def test_a_damaged_pointer_or_history_is_one_line(store):
    forget([WHO], store, Config())
    (store.root / "refused.json").write_text("{}")
    with pytest.raises(StoreError, match=r"refused\.json"):
        ingest([str(SAMPLES / "qn-copy")], store, Config())
    (store.folder / "current").write_text("../..")
    with pytest.raises(StoreError, match="current"):
        store.snapshot()


def test_no_nick_in_errors_and_no_text_in_results(store, tmp_path):
    phone = "13800000000"
    commands = [
        ["forget", "--buyer", phone, "--shop", "x", "--config", str(tmp_path / "none.toml")],
        ["forget", "--buyer-file", str(tmp_path / "none.txt")],
        ["forget", "--buyer", phone, "--json", "--format", "csv"],
        ["forget", "--buyer", phone],
        ["forget"],
    ]
    for words in commands:
        done = CliRunner().invoke(app, [*words, "--store", str(store.folder)])
        assert phone not in done.output
        assert (
            done.exception is None
            or isinstance(done.exception, SystemExit)
            or "Error" in type(done.exception).__name__
        )
        assert phone not in str(done.exception)
    nicks = tmp_path / "nicks.txt"
    nicks.write_text(f"{WHO}\n\n茶茶子\n", encoding="utf-8-sig")
    done = CliRunner().invoke(
        app, ["forget", "--buyer-file", str(nicks), "--store", str(store.folder), "--json"]
    )
    found = json.loads(done.stdout)
    assert (found["asked"], found["buyers"]) == (2, 2)
    assert WHO not in done.output
    assert "茶茶子" not in done.output


def test_killed_for_real(tmp_path):
    """kill -9 at any time, then once more."""
    calm = Store(tmp_path / "calm")
    ingest([str(SAMPLES)], calm, Config())
    words, keys = told(calm, WHO)
    code = (
        "import sys, pathlib\nfrom cslog.privacy.forget import forget\nfrom cslog.store import Store\nfrom cslog.config import Config\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        f"forget([{WHO!r}], Store(pathlib.Path(sys.argv[1])), Config())\n"
    )
    for number, wait in enumerate((0.05, 0.2)):
        store = Store(tmp_path / str(number))
        shutil.copytree(calm.folder, store.folder)
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(store.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert process.stdout.readline()
        process.stdin.write(b"\n")
        process.stdin.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait)
        process.kill()
        process.communicate()
        figures(store)
        forget([WHO], store, Config())
        assert places(store.folder, words, keys) == []


@st.composite
def worlds_and_buyers(draw):
    happened = draw(worlds.stories())
    exports = draw(worlds.exports_of(happened))
    rows = draw(worlds.orders_of(happened))
    return exports, rows, draw(st.sampled_from(sorted(happened)))


@settings(max_examples=15)
@given(drawn=worlds_and_buyers(), compacted=st.booleans())
def test_figures_are_those_of_a_store_without_the_buyer(drawn, compacted, tmp_path_factory):
    exports, rows, buyer = drawn
    folder = tmp_path_factory.mktemp("forget")
    theirs = {row.order_id for row in rows if row.buyer == buyer}
    fewer = [e._replace(blocks=[b for b in e.blocks if b.buyer != buyer]) for e in exports]
    left = [row for row in rows if row.order_id not in theirs]
    assume(any(e.blocks for e in fewer))
    found = []
    for name, some, orders in (("all", exports, rows), ("fewer", fewer, left)):
        store = Store(folder / name)
        for path in worlds.write_files(folder / f"{name} files", some, orders):
            ingest([str(path)], store, Config())
        if name == "all":
            if compacted:
                store.compact()
            forget([buyer], store, Config())
        found.append(figures(store, ALL))
        found.append(sorted(store.snapshot().data_ends().items()))
        found.append(store.snapshot().accounts().to_list())
    assert found[:3] == found[3:]


def test_the_day_of_a_forgetting_is_that_of_china():
    """03:00 in China is the day before in UTC, and a freeze beside it is dated by China's clock."""
    row = {"what": "buyers", "at": "2026-11-27T19:00:19Z", "buyers": 1, "messages": 6, "orders": 1}
    assert "on 2026-11-28: 6 messages" in wording.removals(pl.DataFrame([row]))
