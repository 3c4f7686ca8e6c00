"""What is older than the store keeps: gone from every version, and no later figure has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import worlds
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import DAY, Block, Export, Line, OrderRow
from store_bytes import places
from typer.testing import CliRunner
from worlds import BEGIN, SHOP

from cslog import clock, config, corrections, freeze, kpi, profile
from cslog.answer import Question
from cslog.clock import Period
from cslog.commands import app
from cslog.config import Config, Retention
from cslog.errors import UsageError
from cslog.frozen import Scope
from cslog.ingest import ingest
from cslog.privacy import retention
from cslog.privacy.retention import Limits, expire
from cslog.store import Store

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_logs"
ALWAYS = (BEGIN - 400 * DAY, BEGIN + 400 * DAY)
NOVEMBER, DECEMBER = Period.of(month="2024-11"), Period.of(month="2024-12")


def figures(store: Store, period: Period, version: int | None = None) -> list:
    found = []
    for name in ("chitu", "taobao"):
        for by in (("agent",), ("shop", "day"), ("agent", "hour")):
            question = Question(period, by=by, version=version)
            found.append(kpi.report(question, store, profile.load(name), Config()).frame.to_dicts())
    return found


def test_figures_need_no_texts(tmp_path):
    store = Store(tmp_path / "store")
    for name in ("qn-txt/小丽_20241101-20241206.txt", "."):
        ingest([str(SAMPLES / name)], store, Config())
    rows = store.snapshot().messages(*ALWAYS).collect()
    texts = {text for text in rows.filter(month="2024-11")["text"].drop_nulls() if len(text) > 8}
    texts -= set(rows.filter(month="2024-12")["text"].drop_nulls())
    before = [figures(store, period, version) for period in (NOVEMBER, DECEMBER) for version in (1, 2)]
    found = expire(Limits(texts_from="2024-12"), store, Config())
    assert (found.messages, found.orders) == (0, 0)
    assert found.texts == rows.filter(month="2024-11")["text"].drop_nulls().len()
    now = [figures(store, period, version) for period in (NOVEMBER, DECEMBER) for version in (1, 2)]
    assert now == before
    assert texts
    assert places(store.folder, texts) == []
    kept = store.snapshot().messages(*ALWAYS).collect()
    assert kept.filter(month="2024-12").equals(rows.filter(month="2024-12"))
    again = ingest([str(SAMPLES)], store, Config(), shop="云朵家居旗舰店")
    assert any("older than the store keeps" in line for file in again.files for line in file.warnings)
    assert places(store.folder, texts) == []
    assert expire(Limits(texts_from="2024-11"), store, Config()).texts_from == "2024-12", "never back"


def shifted(exports: list[Export], days: int) -> list[Export]:
    def line(one: Line) -> Line:
        return one._replace(ts=one.ts + days * DAY)

    return [
        export._replace(blocks=[b._replace(lines=list(map(line, b.lines))) for b in export.blocks])
        for export in exports
    ]


@st.composite
def years(draw):
    """A world around the first of December, and the same people in September and October; late payments."""
    happened = draw(worlds.stories())
    exports = draw(worlds.exports_of(happened))
    rows = draw(worlds.orders_of(happened))
    every, orders = list(exports), list(rows)
    for number, days in enumerate((-45, -75)):
        every += shifted(exports, days)
        for row in rows:
            late = draw(st.sampled_from([None, row.created + DAY, row.created - days * DAY]))
            created = row.created + days * DAY
            paid = None if late is None else late if late > row.created + DAY else created + DAY
            number_of = f"8{number}{row.order_id[2:]}"
            orders.append(
                row._replace(order_id=number_of, created=created, paid=paid, state=1 if paid else 0)
            )
    return every, orders


@settings(max_examples=12)
@given(world=years(), compacted=st.booleans())
def test_later_figures_do_not_change(world, compacted, tmp_path_factory):
    exports, rows = world
    folder = tmp_path_factory.mktemp("retention")
    store = Store(folder / "store")
    files = worlds.write_files(folder / "files", exports, rows)
    for path in files:
        ingest([str(path)], store, Config())
    if not store.exists:
        return
    if compacted:
        store.compact()
    period = Period(DECEMBER.first_day, DECEMBER.first_day + 5)
    versions = [*range(1, store.snapshot().store_version + 1)]
    before = [figures(store, period, version) for version in versions]
    ends = store.snapshot().data_ends()
    found = expire(Limits("2024-12"), store, Config())
    assert [figures(store, period, version) for version in versions] == before
    assert figures(store, period) == before[-1]
    assert store.snapshot().data_ends() == ends
    left = store.snapshot().messages(*ALWAYS).collect().filter(month="2024-09")
    buyers = {row.buyer for row in rows if row.paid and row.paid > BEGIN}
    assert set(left["buyer"]) <= buyers, "only what an order paid in December looks at"
    again = [ingest([str(path)], store, Config(), shop=SHOP).totals() for path in files]
    assert sum(one["messages_new"] for one in again) == 0
    assert sum(one["messages_expired"] for one in again) >= found.messages
    assert figures(store, period) == before[-1]


@pytest.fixture
def sample(tmp_path) -> Store:
    store = Store(tmp_path / "store")
    ingest([str(SAMPLES)], store, Config())
    return store


def test_months_are_gone_from_every_version_and_the_history_says_so(sample):
    freeze.freeze(Scope("2024-11", "chitu", "order_first"), sample, Config())
    rows = sample.snapshot().messages(*ALWAYS).collect()
    words = {text for text in rows["text"].drop_nulls() if len(text) > 8}
    found = expire(Limits("2025-02"), sample, Config())
    assert (found.messages, found.orders, found.frozen) == (448, 48, ("2024-11",))
    assert places(sample.folder, words) == []
    in_a_name = {"晴天小屋"}  # of a file, which the history keeps
    assert places(sample.folder, set(rows["buyer"]) - in_a_name, rows["buyer_key"]) == []
    row = sample.snapshot().ledger().filter(action="forget").row(0, named=True)
    assert row["removed"]["what"] == "months"
    assert row["removed"]["months"] == ["2024-11", "2024-12"]
    report = kpi.report(Question(NOVEMBER), sample, profile.load("chitu"), Config())
    assert any("not complete" in line for line in report.warnings)
    january = kpi.report(Question(Period.of(month="2025-02")), sample, profile.load("chitu"), Config())
    assert not any("not complete" in line for line in january.warnings)
    with pytest.raises(UsageError, match="first month that is complete is 2025-02"):
        freeze.freeze(Scope("2024-12", "chitu", "order_first"), sample, Config())
    differing = corrections.corrections(Scope("2024-11", "chitu", "order_first"), sample, Config())
    assert {cause.kind for row in differing.rows for cause in row.causes} == {"forgotten"}
    assert all("beyond retention" in cause.text for row in differing.rows for cause in row.causes)


def test_again_there_is_nothing_to_do(sample):
    expire(Limits("2024-12"), sample, Config())
    version = sample.snapshot().store_version
    assert expire(Limits("2024-12"), sample, Config()).store_version == version
    assert expire(Limits("2024-11"), sample, Config()).complete_from == "2024-12"
    assert sample.snapshot().store_version == version


def test_the_months_of_the_settings():
    day = clock.day_number(clock.date_of(NOVEMBER.first_day))
    told = retention.limits_of(Config(retention=Retention(months=24, text_months=0)), day)
    assert told == Limits("2022-11", "2024-11")
    assert retention.limits_of(Config(retention=Retention(text_months=11)), day) == Limits(None, "2023-12")
    assert retention.limits_of(Config(), day) == Limits()


def test_a_profile_that_looks_far_keeps_more(sample):
    own = Config(profiles=({"id": "ours", "base": "chitu", "after_sale_days": 60},))
    assert expire(Limits("2025-01"), sample, own).messages == 0
    assert sample.snapshot().messages(*ALWAYS).collect().height == 448


def test_wrong_words(sample, tmp_path):
    common = ["--store", str(sample.folder)]
    for words, reason in (
        (["--expired"], "nothing says how long"),
        (["--expired", "--before", "2024-01"], "contradict"),
        (["--before", "2024-01", "--buyer", "x"], "contradict"),
        (["--text-only", "--buyer", "x"], "goes with --before"),
        (["--before", "2999-01"], "still to come"),
    ):
        done = CliRunner().invoke(app, ["forget", *words, *common])
        assert reason in str(done.exception)
        assert done.exception.exit_status == 2


def test_the_command_and_a_run(sample, tmp_path):
    settings_file = tmp_path / "cslog.toml"
    settings_file.write_text("[retention]\nmonths = 1\ntext_months = 1\n", encoding="utf-8")
    common = ["--store", str(sample.folder), "--config", str(settings_file), "--json"]
    shown = CliRunner().invoke(app, ["forget", "--expired", "--dry-run", *common])
    would = json.loads(shown.stdout)
    assert would["messages"] == 448
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    done = CliRunner().invoke(app, ["run", str(inbox), "--today", "2025-02-03", *common])
    found = json.loads(done.stdout)
    assert found["exit_status"] == 0
    assert found["expired"] == {"complete_from": "2025-01", "texts_from": "2025-01", "messages": 395, "orders": 43, "texts": 448}  # fmt: skip
    again = json.loads(CliRunner().invoke(app, ["run", str(inbox), "--today", "2025-02-03", *common]).stdout)
    assert again["expired"] is None
    assert again["store_version"] == found["store_version"]


def test_rules_about_words_are_warned_of(sample):
    rules = Config(filters=(config.Filter(rule="exact", texts=("好",)),))
    found = expire(Limits(texts_from="2024-12"), sample, rules, dry_run=True)
    assert "filter exact" in found.warnings[0]


def test_an_order_paid_much_later_keeps_the_chat_before_it(tmp_path):
    """Created in September after a chat, paid in December: whose sale it is stands in September."""
    created = BEGIN - 70 * DAY
    talk = [Line(created - 60, "尾款人", "在吗"), Line(created - 50, f"{SHOP}:小美", "在的")]
    other = [Line(created - 60, "路人", "在吗"), Line(created - 50, f"{SHOP}:小美", "在的")]
    now = [Line(BEGIN + 5 * DAY, "b", "在吗"), Line(BEGIN + 5 * DAY + 5, f"{SHOP}:小美", "在的")]
    blocks = [Block("尾款人", talk), Block("路人", other), Block("b", now)]
    row = OrderRow(SHOP, "900000000001", "尾款人", created, BEGIN + 4 * DAY, None, 1, 999, 1, 0)
    store = Store(tmp_path / "store")
    for path in worlds.write_files(tmp_path / "files", [Export(SHOP, f"{SHOP}:小美", blocks)], [row]):
        ingest([str(path)], store, Config())
    before = figures(store, DECEMBER)
    assert any(one.get("sales_amount") == 999 and one.get("agent") == "小美" for one in before[0])
    assert expire(Limits("2024-12"), store, Config()).messages == 2
    assert figures(store, DECEMBER) == before
    assert set(store.snapshot().messages(*ALWAYS).collect()["buyer"]) == {"尾款人", "b"}
