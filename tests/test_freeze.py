"""A closed month stays as it was reported; what differs later is a correction, and its cause is found."""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import fastexcel
import msgspec
import polars as pl
import pytest
import worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive import Block, Export, Line, OrderRow
from test_against_naive import EXAMPLES, store_of
from test_store import PowerCut

from cslog import answer, clock, freeze, frozen, kpi, profile, status
from cslog import corrections as library
from cslog import store as store_module
from cslog.__main__ import main
from cslog.clock import DAY_SECONDS, Period
from cslog.config import Config
from cslog.errors import StoreError, UsageError
from cslog.frozen import GROUPINGS, MONTH_ROWS, Scope
from cslog.ingest import ingest
from cslog.metrics import BY_KEY
from cslog.report import files
from cslog.report import frozen as sheets
from cslog.store import Store

SAMPLES = Path(__file__).parents[1] / "sample_logs"
NOVEMBER = Scope("2024-11", "chitu", "order_first")
SHOP, OTHER = "某旗舰店", "另一家店"
OURS = {"id": "ours", "base": "chitu"}


def second(text: str) -> int:
    return clock.parse_instant(text, "")


def chat(folder: Path, name: str, *talks: tuple[str, str, str], shop: str = SHOP) -> str:
    """A Txt export of ``shop``: (buyer, agent, instant) each, a question and an answer 20 s later."""
    blocks = [
        Block(
            buyer,
            [Line(second(at), buyer, "在吗"), Line(second(at) + 20, f"{shop}:{agent}", "在的")],
        )
        for buyer, agent, at in talks
    ]
    path = folder / name
    path.write_bytes(worlds.txt_bytes(Export(shop, shop, blocks)))
    return str(path)


def sale(folder: Path, name: str, *orders: tuple[str, str, str, int], shop: str = SHOP) -> str:
    """An order export: (order number, buyer, instant of order and payment, cents) each."""
    rows = [
        OrderRow(shop, number, buyer, second(at), second(at) + 60, None, 1, cents, 1, 0)
        for number, buyer, at, cents in orders
    ]
    path = folder / name
    path.write_bytes(worlds.order_bytes(rows))
    return str(path)


LATER = ("buyer_late", "小美", "2024-12-06T10:00:00")
"""Somebody who writes when November is final."""


@pytest.fixture
def store(tmp_path) -> Store:
    """Two buyers of 小美 and one of 阿强 in November, one order, and messages until it is final."""
    store = Store(tmp_path / "store")
    first = chat(
        tmp_path,
        "first.txt",
        ("buyer_a", "小美", "2024-11-05T10:00:00"),
        ("buyer_b", "小美", "2024-11-06T10:00:00"),
        ("buyer_c", "阿强", "2024-11-07T10:00:00"),
        LATER,
    )
    orders = sale(tmp_path, "orders.csv", ("1000000001", "buyer_a", "2024-11-05T11:00:00", 10_000))
    add(store, first, orders)
    return store


def add(store: Store, *paths: str) -> None:
    report = ingest(list(paths), store, Config())
    assert [file.error for file in report.files if file.error] == []


def frozen_frames(store: Store) -> list[dict]:
    return [{by: part.frame for by, part in one.parts.items()} for one in frozen.freezes(Store(store.folder))]


def found_in(store: Store, scope: Scope = NOVEMBER, config: Config | None = None) -> dict:
    """Corrections by (agent, metric)."""
    found = library.corrections(scope, store, config or Config())
    return {(row.cell.agent, row.cell.metric): row for row in found.rows}


# ---- freezing -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sampled(tmp_path_factory) -> Store:
    """The sample shop with its November frozen."""
    store = Store(tmp_path_factory.mktemp("freeze") / "store")
    add(store, str(SAMPLES))
    freeze.freeze(NOVEMBER, store, Config())
    return store


def test_a_freeze_holds_every_row_and_bit(sampled):
    (one,) = frozen.freezes(sampled)
    for by in GROUPINGS:
        question = answer.Question(NOVEMBER.period, by, version=one.store_version)
        computed = kpi.report(question, sampled, profile.load("chitu"), Config())
        kept = one.parts[by].frame
        assert kept.equals(computed.frame)
        assert kept.schema == computed.frame.schema
        for column, dtype in kept.schema.items():
            if dtype == pl.Float64:
                bits = [frame[column].reinterpret(signed=False) for frame in (kept, computed.frame)]
                assert bits[0].equals(bits[1], null_equal=True)
        stamp = computed.stamp()
        assert one.parts[by].stamp == json.loads(json.dumps(stamp))
    assert one.store_version == 1
    assert one.scope == NOVEMBER
    assert msgspec.json.decode(one.profile_content, type=profile.Profile) == profile.load("chitu")
    assert one.config_hash == Config().hash(profile.load("chitu"))


def test_without_change_there_are_no_corrections(sampled):
    found = library.corrections(NOVEMBER, sampled, Config())
    assert found.rows == ()
    outcome = freeze.freeze(NOVEMBER, sampled, Config())
    again = freeze.freeze(NOVEMBER, sampled, Config(), again=True)
    assert not outcome.added
    assert not again.added
    assert sampled.snapshot().store_version == 2
    assert len(frozen.freezes(sampled)) == 1


def test_a_freeze_is_no_file(sampled):
    before = status.status(sampled)
    assert (before.files, before.store_version) == (8, 2)
    with sampled.writer() as writer:
        known = writer.known_fingerprints()
    assert len(known) == 8
    assert None not in known
    assert frozen.freezes(sampled)[0].id not in known
    assert {file.status for file in ingest([str(SAMPLES)], sampled, Config()).files} == {"duplicate"}


def test_other_ways_of_counting_are_other_freezes(sampled, tmp_path):
    copy = Store(tmp_path / "copy")
    add(copy, str(SAMPLES))
    freeze.freeze(NOVEMBER, copy, Config())
    for scope in (replace(NOVEMBER, attribution="payment"), replace(NOVEMBER, profile="taobao")):
        assert freeze.freeze(scope, copy, Config()).added
        assert library.corrections(scope, copy, Config()).rows == ()
    assert len(frozen.freezes(copy)) == 3
    assert len(frozen.freezes(copy, NOVEMBER)) == 1
    with pytest.raises(UsageError, match="never frozen"):
        library.corrections(replace(NOVEMBER, attribution="order"), copy, Config())


def test_a_month_that_is_not_final_is_refused_with_the_date(tmp_path, store):
    with pytest.raises(UsageError, match=r"final on 2025-01-05.*figures") as refused:
        freeze.freeze(replace(NOVEMBER, month="2024-12"), store, Config())
    assert refused.value.exit_status == 2
    assert frozen.freezes(store) == []

    # Every cell is final, but the month is not over as far as anybody knows.
    early = Store(tmp_path / "early")
    add(
        early,
        chat(
            tmp_path,
            "e.txt",
            ("buyer_a", "小美", "2024-11-05T10:00:00"),
            ("buyer_b", "小美", "2024-11-05T10:00:00"),
        ),
    )
    mail = tmp_path / "mail.txt"
    lines = [Line(second("2024-11-12T10:00:00"), f"{SHOP}:小美", "亲在吗")]
    mail.write_bytes(worlds.txt_bytes(Export(SHOP, SHOP, [Block("buyer_a", lines)])))
    add(early, str(mail))
    with pytest.raises(UsageError, match=r"final on 2024-12-05.*ends 2024-11-12 10:00.*--as-of 2024-12-05"):
        freeze.freeze(NOVEMBER, early, Config())
    as_of = second("2024-12-05")
    assert freeze.freeze(NOVEMBER, early, Config(), as_of=as_of).freeze.asked_as_of == as_of
    assert library.corrections(NOVEMBER, early, Config()).rows == ()


def test_what_cannot_be_frozen(store):
    with pytest.raises(UsageError, match="nothing of 2024-10"):
        freeze.freeze(replace(NOVEMBER, month="2024-10"), store, Config())
    with pytest.raises(UsageError, match="nothing to freeze"):
        freeze.freeze(NOVEMBER, Store(store.folder.parent / "never"), Config())
    assert not (store.folder.parent / "never").exists()
    with pytest.raises(UsageError, match="still to come"):
        freeze.freeze(NOVEMBER, store, Config(), as_of=clock.now() + DAY_SECONDS)
    with pytest.raises(UsageError, match="no shop"):
        freeze.freeze(replace(NOVEMBER, shops=("没有",)), store, Config())
    assert store.snapshot().store_version == 1


def test_freezing_again_needs_to_be_asked_for(store, tmp_path):
    freeze.freeze(NOVEMBER, store, Config())
    before = frozen_frames(store)
    add(store, sale(tmp_path, "more.csv", ("1000000002", "buyer_b", "2024-11-06T11:00:00", 5_000)))
    with pytest.raises(
        UsageError, match=r"figures differ now; see `cslog corrections --month 2024-11`.*--again"
    ):
        freeze.freeze(NOVEMBER, store, Config())
    assert len(frozen.freezes(store)) == 1
    second_freeze = freeze.freeze(NOVEMBER, store, Config(), again=True)
    assert second_freeze.added
    assert [one.id for one in frozen.freezes(store)][1:] == [second_freeze.freeze.id]
    assert library.corrections(NOVEMBER, store, Config()).rows == ()
    after = frozen_frames(store)
    assert all(after[0][by].equals(before[0][by]) for by in GROUPINGS), "history is never rewritten"
    assert not after[1][("agent",)].equals(before[0][("agent",)])


# ---- corrections by files -------------------------------------------------------------------------


def test_an_order_file_is_named_for_the_sales_it_brought(store, tmp_path):
    freeze.freeze(NOVEMBER, store, Config())
    late = sale(tmp_path, "late.csv", ("1000000002", "buyer_b", "2024-11-06T11:00:00", 5_000))
    bystander = chat(tmp_path, "bystander.txt", ("buyer_d", "阿强", "2024-11-08T10:00:00"))
    december = chat(tmp_path, "december.txt", ("buyer_b", "小美", "2024-12-20T10:00:00"))
    add(store, late, bystander, december)
    found = found_in(store)
    correction = found["小美", "sales_amount"]
    assert (correction.cell.frozen, correction.cell.now) == (10_000, 15_000)
    assert correction.days == ("2024-11-06",)
    (cause,) = correction.causes
    assert (cause.kind, cause.before, cause.after, cause.sure) == ("files", 10_000, 15_000, True)
    assert [(file.path, file.messages, file.orders) for file in cause.files] == [(late, 0, 1)]
    assert cause.files[0].at.endswith("Z")
    assert found[None, "sales_amount"].causes[0].files == cause.files
    assert found[None, "sales_amount"].cell.shop == SHOP

    (received,) = found["阿强", "buyers_received"].causes
    assert [(file.path, file.messages, file.orders) for file in received.files] == [(bystander, 2, 0)]
    assert found["阿强", "buyers_received"].days == ("2024-11-08",)
    assert ("小美", "buyers_received") not in found
    assert {agent for agent, _ in found} == {"小美", "阿强", None}


def test_an_agent_who_is_new_and_one_who_is_gone(store, tmp_path):
    freeze.freeze(NOVEMBER, store, Config())
    path = chat(tmp_path, "new.txt", ("buyer_z", "小丽", "2024-11-20T10:00:00"))
    add(store, path)
    found = found_in(store)
    row = found["小丽", "buyers_received"]
    assert (row.cell.frozen, row.cell.now) == (None, 1)
    assert [file.path for file in row.causes[0].files] == [path]
    # A row that was not there had no sales either.
    assert ("小丽", "sales_amount") not in found
    assert row.causes[0].after == 1


def test_a_file_under_an_old_name_counts_by_its_new_rows(store, tmp_path):
    freeze.freeze(NOVEMBER, store, Config())
    path = chat(
        tmp_path,
        "first.txt",
        ("buyer_a", "小美", "2024-11-05T10:00:00"),
        ("buyer_b", "小美", "2024-11-06T10:00:00"),
        ("buyer_b", "小美", "2024-11-09T10:00:00"),
    )
    add(store, path)
    (cause,) = found_in(store)["小美", "buyers_received"].causes
    assert [(file.path, file.messages) for file in cause.files] == [(path, 2)]


def test_a_copy_that_knows_more_is_named(store, tmp_path):
    """The same messages from a log that marks the answer as automatic."""
    freeze.freeze(NOVEMBER, store, Config())
    lines = [
        Line(second("2024-11-05T10:00:00"), "buyer_a", "在吗"),
        Line(second("2024-11-05T10:00:20"), f"{SHOP}:小美", "[自动回复]在的"),
    ]
    path = tmp_path / "auto.txt"
    path.write_bytes(worlds.txt_bytes(Export(SHOP, SHOP, [Block("buyer_a", lines)])))
    add(store, str(path))
    (cause,) = found_in(store)["小美", "buyers_received"].causes
    assert [(file.path, file.messages) for file in cause.files] == [(str(path), 1)]


def test_later_months_change_nothing(store, tmp_path):
    freeze.freeze(NOVEMBER, store, Config())
    add(store, chat(tmp_path, "d.txt", ("buyer_a", "小美", "2024-12-24T10:00:00")))
    assert found_in(store) == {}
    assert not freeze.freeze(NOVEMBER, store, Config()).added


@settings(max_examples=EXAMPLES // 10, suppress_health_check=list(HealthCheck))
@given(worlds.worlds(), st.randoms(use_true_random=False), st.sampled_from(answer.RULES))
def test_corrections_are_exactly_what_differs(world, rng, rule):
    """On random months: the cells are those of a comparison by hand, and causes lead from then to now."""
    scope = replace(NOVEMBER, attribution=rule)
    as_of = (worlds.FIRST_DAY + 15) * DAY_SECONDS
    with tempfile.TemporaryDirectory() as name:
        paths = worlds.write_files(Path(name) / "in", *world)
        cut = rng.randint(1, len(paths)) if paths else 0
        store = store_of(Path(name), paths[:cut]) if cut else Store(Path(name) / "store")
        try:
            freeze.freeze(scope, store, Config(), as_of=as_of)
        except UsageError as refused:
            assert "nothing to freeze" in str(refused)
            return
        assert library.corrections(scope, store, Config()).rows == ()
        ingest([str(path) for path in paths], store, Config())
        found = {
            (row.cell.row, row.cell.metric): row for row in library.corrections(scope, store, Config()).rows
        }

        then, now = (
            {
                key: row
                for by in MONTH_ROWS
                for key, row in frozen.rows_of(
                    kpi.report(
                        scope.question(by, as_of, version), store, profile.load("chitu"), Config()
                    ).frame,
                    by,
                ).items()
            }
            for version in (1, store.snapshot().store_version)
        )
        for key in then.keys() | now.keys():
            for metric in BY_KEY:
                before, after = (side[key][metric] if key in side else None for side in (then, now))
                alone = before if key in then else after
                absent = (key in then) != (key in now) and alone in (None, 0) and not isinstance(alone, float)
                same = before == after or absent
                assert ((key, metric) in found) == (not same), (key, metric, before, after)
        new = {str(path) for path in paths[cut:]}
        for row in found.values():
            (cause,) = row.causes
            assert (cause.before, cause.after) == (row.cell.frozen, row.cell.now)
            named = {file.path for file in cause.files}
            assert named
            assert named <= new


# ---- corrections by settings, profile, program ----------------------------------------------------


def test_a_changed_profile_is_named_with_its_switches(store):
    scope = replace(NOVEMBER, profile="ours")
    freeze.freeze(scope, store, Config(profiles=(OURS,)))
    changed = Config(profiles=(OURS | {"max_wait_s": 10, "slow_s": 15, "slow_times": 1},))
    found = found_in(store, scope, changed)
    (cause,) = found["小美", "turns_answered"].causes
    assert (cause.kind, cause.before, cause.after, cause.files) == ("profile", 2, 0, ())
    assert "max_wait_s 600 → 10" in cause.text
    assert "slow_s 120 → 15" in cause.text
    assert {cause.kind for row in found.values() for cause in row.causes} == {"profile"}
    assert found["小美", "turns_answered"].days == ("2024-11-05", "2024-11-06")
    assert library.corrections(scope, store, Config(profiles=(OURS,))).rows == ()


def test_profile_and_files_are_told_apart(store, tmp_path):
    scope = replace(NOVEMBER, profile="ours")
    freeze.freeze(scope, store, Config(profiles=(OURS,)))
    path = chat(tmp_path, "more.txt", ("buyer_d", "小美", "2024-11-08T10:00:00"))
    add(store, path)
    found = found_in(store, scope, Config(profiles=(OURS | {"max_wait_s": 10},)))
    by_both = found["小美", "turns_unanswered"].causes
    assert [(one.kind, one.before, one.after) for one in by_both] == [("profile", 0, 2), ("files", 2, 3)]
    assert [file.path for file in by_both[1].files] == [path]
    assert [one.kind for one in found["小美", "buyers_received"].causes] == ["files"]
    assert [one.kind for one in found["小美", "turns_answered"].causes] == ["profile"]


ALL_AUTOMATIC = msgspec.convert({"auto_replies": {"texts": ["在的"]}, "store": "elsewhere"}, Config)
"""Nobody has answered anybody."""


def test_changed_settings_are_named_with_both_hashes(store):
    freeze.freeze(NOVEMBER, store, Config())
    found = found_in(store, config=ALL_AUTOMATIC)
    (cause,) = found["小美", "buyers_received"].causes
    assert (cause.kind, cause.before, cause.after) == ("settings", 2, 0)
    hashes = [config.hash(profile.load("chitu")) for config in (Config(), ALL_AUTOMATIC)]
    assert cause.text == f"settings: config hash {hashes[0]} → {hashes[1]} (auto_replies.texts)"
    assert {cause.kind for row in found.values() for cause in row.causes} == {"settings"}
    # Where the store lies and the language of headings change nothing.
    elsewhere = Config(store="x", language="zh", folder="y")
    assert found_in(store, config=elsewhere) == {}


@pytest.fixture
def shifted(monkeypatch):
    """A program that counts more people than it did: as many as the test says."""
    real, more = kpi.report, {"people": 0}

    def report(*arguments):
        result = real(*arguments)
        received = [pl.col(name) + more["people"] for name in result.keys if name == "buyers_received"]
        return replace(result, frame=result.frame.with_columns(received))

    monkeypatch.setattr(kpi, "report", report)
    return more


def test_a_changed_program_is_named(store, shifted, monkeypatch, tmp_path):
    freeze.freeze(NOVEMBER, store, Config())
    shifted["people"] = 5
    found = found_in(store)
    assert {metric for _, metric in found} == {"buyers_received"}
    (cause,) = found["小美", "buyers_received"].causes
    assert (cause.kind, cause.before, cause.after) == ("program", 2, 7)
    assert "both are called" in cause.text
    monkeypatch.setattr(library, "__version__", "99.0")
    (cause,) = found_in(store)["小美", "buyers_received"].causes
    assert cause.text.endswith("→ 99.0")
    # All at once, and each has its share.
    add(store, chat(tmp_path, "x.txt", ("buyer_e", "小美", "2024-11-08T10:00:00")))
    causes = found_in(store, config=ALL_AUTOMATIC)["小美", "turns_answered"].causes
    assert [(one.kind, one.before, one.after) for one in causes] == [("settings", 2, 0)]
    causes = found_in(store, config=ALL_AUTOMATIC)["小美", "buyers_received"].causes
    assert [(one.kind, one.before, one.after) for one in causes] == [("program", 2, 7), ("settings", 7, 5)]


def test_a_changed_roster_sheet_is_a_matter_of_settings(store, tmp_path):
    sheet = tmp_path / "roster.csv"
    sheet.write_text("日期,姓名,班次\n2024-11-05,小美,早\n2024-11-06,小美,早\n", encoding="utf-8")
    shop = {
        "shifts": {"早": {"hours": ["09:00-18:00"]}, "晚": {"hours": ["18:00-23:00"]}},
        "roster_files": ["roster.csv"],
    }
    config = msgspec.convert(
        {"shops": {SHOP: shop}, "folder": str(tmp_path), "profiles": [OURS | {"clock": "shift"}]}, Config
    )
    scope = replace(NOVEMBER, profile="ours")
    freeze.freeze(scope, store, config)
    assert found_in(store, scope, config) == {}
    sheet.write_text("日期,姓名,班次\n2024-11-05,小美,早\n2024-11-06,小美,晚\n", encoding="utf-8")
    row = found_in(store, scope, config)["小美", "response_avg"]
    (cause,) = row.causes
    assert (cause.kind, cause.before, cause.after) == ("settings", 20.0, 10.0)
    assert "roster" in cause.text
    assert row.days == ("2024-11-06",)
    # The settings do not name the sheet any more, and it is gone: all that can be said is that they differ.
    sheet.unlink()
    inline = {"agents": ["小美"], "shift": "晚", "from": "2024-11-05", "to": "2024-11-06"}
    without = shop | {"roster_files": [], "roster": [inline]}
    other = msgspec.convert(
        {"shops": {SHOP: without}, "folder": str(tmp_path), "profiles": config.profiles}, Config
    )
    (cause,) = found_in(store, scope, other)["小美", "response_avg"].causes
    assert (cause.kind, cause.after) == ("settings", 0.0)
    assert "cannot be used" in cause.text


def test_settings_that_no_longer_can_be_read(store, shifted, monkeypatch):
    freeze.freeze(NOVEMBER, store, Config())
    shifted["people"] = 1
    (one,) = frozen.freezes(store)
    foreign = replace(one, settings='{"a_key_of_once": 1}', cslog_version="0.0.1").sealed()
    monkeypatch.setattr(library, "freezes", lambda *arguments: [foreign])
    (cause,) = found_in(store)["小美", "buyers_received"].causes
    assert cause.kind == "program"
    assert "cannot be used" in cause.text


def test_a_metric_that_is_new_or_gone_corrects_nothing(store, monkeypatch, tmp_path):
    """``turns`` had no data when the month was frozen, ``sales_amount`` is not known any more."""
    without_data = dict(BY_KEY) | {"turns": replace(BY_KEY["turns"], needs="an export")}
    monkeypatch.setattr(frozen, "BY_KEY", without_data)
    freeze.freeze(NOVEMBER, store, Config())
    monkeypatch.setattr(
        frozen, "BY_KEY", {key: value for key, value in BY_KEY.items() if key != "sales_amount"}
    )
    add(
        store,
        chat(tmp_path, "x.txt", ("buyer_e", "小美", "2024-11-08T10:00:00")),
        sale(tmp_path, "x.csv", ("1000000003", "buyer_e", "2024-11-08T11:00:00", 5_000)),
    )
    metrics = {metric for _, metric in found_in(store)}
    assert "turns_answered" in metrics
    assert "sales_orders" in metrics
    assert "turns" not in metrics
    assert "sales_amount" not in metrics
    # Opened again it is as it was, whatever has become of the figures.
    sheet = sheets.of_rows(*freeze.reopen(NOVEMBER, ["agent"], None, store))
    assert {"turns", "sales_amount"} <= {column.key for column in sheet.columns}
    monkeypatch.undo()
    # Freezing again without a difference in what was known brings the new figure.
    other = Store(tmp_path / "other")
    add(other, str(tmp_path / "first.txt"))
    monkeypatch.setattr(frozen, "BY_KEY", without_data)
    freeze.freeze(NOVEMBER, other, Config())
    monkeypatch.undo()
    assert not freeze.freeze(NOVEMBER, other, Config()).added
    assert freeze.freeze(NOVEMBER, other, Config(), again=True).added


# ---- several shops --------------------------------------------------------------------------------


@pytest.fixture
def two_shops(store, tmp_path) -> Store:
    add(
        store,
        chat(
            tmp_path,
            "other.txt",
            ("buyer_a", "小云", "2024-11-05T10:00:00"),
            ("buyer_x", "小云", "2024-12-06T10:00:00"),
            shop=OTHER,
        ),
    )
    return store


def test_each_shop_may_be_frozen_by_itself(two_shops, tmp_path):
    one, other = (replace(NOVEMBER, shops=(name,)) for name in (SHOP, OTHER))
    freeze.freeze(one, two_shops, Config())
    with pytest.raises(UsageError, match=f"{OTHER} was never frozen"):
        library.corrections(other, two_shops, Config())
    add(
        two_shops,
        chat(tmp_path, "o2.txt", ("buyer_q", "小云", "2024-11-15T10:00:00"), shop=OTHER),
    )
    assert found_in(two_shops) == {}, "only the frozen shop is compared"
    freeze.freeze(other, two_shops, Config())
    add(
        two_shops,
        chat(tmp_path, "o3.txt", ("buyer_r", "小云", "2024-11-16T10:00:00"), shop=OTHER),
        chat(tmp_path, "s3.txt", ("buyer_r", "小美", "2024-11-16T10:00:00")),
    )
    found = library.corrections(NOVEMBER, two_shops, Config())
    assert len(found.freezes) == 2
    assert {row.cell.shop for row in found.rows} == {SHOP, OTHER}
    for row in found.rows:
        assert [Path(file.path).name for file in row.causes[0].files] == [
            "s3.txt" if row.cell.shop == SHOP else "o3.txt"
        ]
    only = library.corrections(other, two_shops, Config())
    assert {row.cell.shop for row in only.rows} == {OTHER}
    with pytest.raises(UsageError, match="several freezes"):
        freeze.reopen(NOVEMBER, ["agent"], None, two_shops)
    assert freeze.reopen(other, ["shop"], None, two_shops)[2]["shop"].to_list() == [OTHER]

    # All shops together differ from what the two freezes say.
    with pytest.raises(UsageError, match="figures differ"):
        freeze.freeze(NOVEMBER, two_shops, Config())
    assert freeze.freeze(NOVEMBER, two_shops, Config(), again=True).added
    assert library.corrections(NOVEMBER, two_shops, Config()).rows == ()
    assert not freeze.freeze(other, two_shops, Config()).added, "the freeze of all shops holds it"
    assert freeze.reopen(other, ["shop"], None, two_shops)[2]["shop"].to_list() == [OTHER]


def test_all_shops_after_one_is_added_though_nothing_differs(two_shops):
    freeze.freeze(replace(NOVEMBER, shops=(SHOP,)), two_shops, Config())
    assert freeze.freeze(NOVEMBER, two_shops, Config()).added
    assert not freeze.freeze(NOVEMBER, two_shops, Config()).added


# ---- the store ------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["frozen", "ledger"])
def test_a_freeze_that_dies_never_was(store, tmp_path, monkeypatch, table):
    real = store_module.Writer._append

    def dying(self, name, missing):
        if name == table:
            raise PowerCut
        real(self, name, missing)

    with monkeypatch.context() as broken:
        broken.setattr(store_module.Writer, "_append", dying)
        with pytest.raises(PowerCut):
            freeze.freeze(NOVEMBER, store, Config())
    assert store.snapshot().store_version == 1
    assert frozen.freezes(store) == []
    # The next commit does not bring it to light either.
    add(store, chat(tmp_path, "x.txt", ("buyer_e", "小美", "2024-11-08T10:00:00")))
    assert frozen.freezes(store) == []
    assert freeze.freeze(NOVEMBER, store, Config()).added
    assert len(frozen.freezes(store)) == 1
    assert found_in(store) == {}


def test_freeze_and_ingest_at_once_do_not_lose_each_other(store, tmp_path):
    files_ = [
        chat(tmp_path, f"{n}.txt", (f"buyer_{n}", "小美", f"2024-12-{10 + n}T10:00:00")) for n in range(4)
    ]
    failures = []

    def run(work, *arguments):
        try:
            work(*arguments)
        except Exception as error:
            failures.append(error)

    def read():
        for path in files_:
            add(Store(store.folder), path)

    def close(rule):
        freeze.freeze(replace(NOVEMBER, attribution=rule), Store(store.folder), Config())

    workers = [threading.Thread(target=run, args=(read,))]
    # The same month from two places at once is one freeze.
    workers += [threading.Thread(target=run, args=(close, rule)) for rule in ("order", "order", "payment")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    assert sorted(one.scope.attribution for one in frozen.freezes(store)) == ["order", "payment"]
    assert status.status(store).files == 2 + 4
    assert store.snapshot().store_version == 1 + 4 + 2


def test_writers_without_a_lock_keep_both(store, tmp_path, monkeypatch):
    """On a disk without locks an ingest commits between the rows of a freeze and its commit."""
    real = store_module.Writer.commit
    path = chat(tmp_path, "x.txt", ("buyer_e", "小美", "2024-12-08T10:00:00"))

    def overtaken(self, rows):
        monkeypatch.setattr(store_module.Writer, "commit", real)
        with monkeypatch.context() as unlocked:
            unlocked.setattr(store_module.FileLock, "__enter__", lambda lock: lock)
            unlocked.setattr(store_module.FileLock, "__exit__", lambda *details: None)
            add(store, path)
        return real(self, rows)

    monkeypatch.setattr(store_module.Writer, "commit", overtaken)
    freeze.freeze(NOVEMBER, store, Config())
    assert len(frozen.freezes(store)) == 1
    assert status.status(store).files == 3


def test_a_freeze_that_was_tampered_with_is_not_believed(store):
    (one,) = [freeze.freeze(NOVEMBER, store, Config()).freeze]
    part = one.parts["agent",]
    buffer = io.BytesIO()
    part.frame.with_columns(pl.col("sales_amount") + 1).write_ipc(buffer)
    forged = replace(one, parts=one.parts | {("agent",): replace(part, content=buffer.getvalue())})
    with pytest.raises(StoreError, match=f"freeze {one.id} of 2024-11 .* is damaged"):
        frozen._of_rows(forged.to_rows(), store)


# ---- what a report says of it ---------------------------------------------------------------------


def said(store: Store, by=("agent",), counting=None, config=None, **question) -> list[str]:
    asked = answer.Question(question.pop("period", NOVEMBER.period), by, **question)
    config = config or Config()
    result = kpi.report(asked, store, counting or profile.load("chitu"), config)
    return list(freeze.remarks(result, store, config))


def test_a_report_warns_of_a_frozen_month_that_differs(two_shops, tmp_path):
    freeze.freeze(NOVEMBER, two_shops, Config())
    assert said(two_shops) == []
    add(two_shops, sale(tmp_path, "more.csv", ("1000000002", "buyer_b", "2024-11-06T11:00:00", 5_000)))
    (warning,) = said(two_shops)
    count = sum(1 for agent, _ in found_in(two_shops) if agent)
    assert f"{count} figures differ now, see `cslog corrections --month 2024-11`" in warning
    assert f"2024-11 was frozen (冻结) on {clock.moment_of(clock.now()):%Y-%m-%d}" in warning
    assert said(two_shops, by=("shop",))
    assert said(two_shops, by=("shop", "agent"))
    assert "1 figure differs" in said(two_shops, metrics=("sales_amount",))[0]
    assert said(two_shops, shops=(SHOP,))[0].endswith(f"--month 2024-11 --shop {SHOP}`")
    for other in (
        {"metrics": ("turns",)},
        {"shops": (OTHER,)},
        {"agents": ("小美",)},
        {"by": ("day",)},
        {"by": ("agent", "day")},
        {"attribution": "payment"},
        {"version": 2},
        {"as_of": second("2024-12-31")},
        {"period": Period.of(first="2024-11-01", last="2024-11-29")},
        {"period": Period.of(month="2024-12")},
        # Another clock than the profile's own: not what was frozen.
        {"counting": msgspec.structs.replace(profile.load("chitu"), max_wait_s=10)},
    ):
        assert said(two_shops, **other) == [], other


# ---- the commands ---------------------------------------------------------------------------------


@pytest.fixture
def cslog(monkeypatch, capsysbinary, tmp_path):
    """Run the program as its entry point does: (exit status, stdout, stderr)."""
    for name in [name for name in os.environ if name.startswith(("CSLOG_", "LC_", "LANG"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cslog", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsysbinary.readouterr()
        return ended.value.code, out.decode(), err.decode()

    return call


def test_the_commands_from_freeze_to_corrections(cslog, store, tmp_path):
    common = ("--month", "2024-11", "--store", store.folder)
    plain = json.loads(cslog("kpi", *common, "--json")[1])
    code, out, _ = cslog("freeze", *common, "--json")
    report = json.loads(out)
    assert (code, report["added"], report["freezes"][0]["store_version"]) == (0, True, 1)
    code, out, _ = cslog("freeze", *common)
    assert code == 0
    assert "no figure differs: nothing added" in out
    assert cslog("corrections", *common)[1].startswith("2024-11: no corrections (无更正)")
    assert json.loads(cslog("corrections", *common, "--json")[1])["corrections"] == []

    path = sale(tmp_path, "late.csv", ("1000000002", "buyer_b", "2024-11-06T11:00:00", 5_000))
    assert cslog("ingest", path, "--store", store.folder)[0] == 0
    code, out, err = cslog("kpi", *common, "--json")
    assert (code, "figures differ now, see `cslog corrections --month 2024-11`" in err) == (0, True)
    assert any("was frozen" in warning for warning in json.loads(out)["warnings"])
    code, out, err = cslog("freeze", *common)
    assert (code, out, err.strip().count("\n")) == (2, "", 0)
    assert "--again" in err

    code, out, err = cslog("corrections", *common, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["store_version"] == 3
    (sold,) = [
        row for row in document["corrections"] if (row["agent"], row["metric"]) == ("小美", "sales_amount")
    ]
    assert '"now": 150.00' in out
    assert {name: sold[name] for name in ("shop", "name", "unit", "frozen", "now", "difference", "days")} == {
        "shop": SHOP,
        "name": "客服销售额",
        "unit": "CNY",
        "frozen": 100.0,
        "now": 150.0,
        "difference": 50.0,
        "days": ["2024-11-06"],
    }
    assert sold["cause"] == "files: late.csv (1 order)"
    assert sold["causes"][0]["files"][0]["path"] == path
    code, out, _ = cslog("corrections", *common)
    assert code == 0
    assert "↑ 50.00" in out
    assert "late.csv" in out
    assert "客服销售额" in cslog("corrections", *common, "--language", "zh")[1]

    # The frozen month as it was, with the stamp of then.
    again = json.loads(cslog("frozen", *common, "--json")[1])
    assert again.pop("frozen")["id"] == report["freezes"][0]["id"]
    assert again["rows"] == plain["rows"]
    assert again == plain
    code, out, _ = cslog("frozen", *common)
    assert "frozen 已冻结" in out
    assert "store version 1" in out
    assert cslog("frozen", *common, "-o", "frozen.xlsx")[0] == 0
    book = fastexcel.read_excel("frozen.xlsx")
    assert book.load_sheet("frozen").to_polars().height == len(plain["rows"])
    assert "frozen 已冻结" in str(book.load_sheet("about", header_row=None).to_polars().to_dicts())
    days = json.loads(cslog("frozen", *common, "--by", "day, agent", "--json")[1])
    assert days["by"] == ["agent", "day"]
    assert cslog("frozen", *common, "--by", "week")[0] == 2

    assert cslog("freeze", *common, "--again")[0] == 0
    listed = json.loads(cslog("frozen", "--store", store.folder, "--json")[1])["freezes"]
    assert [one["store_version"] for one in listed] == [1, 3]
    assert {one["month"] for one in listed} == {"2024-11"}
    newest = json.loads(cslog("frozen", *common, "--json")[1])
    assert newest["store_version"] == 3
    old = ("frozen", "--id", listed[0]["id"], "--store", store.folder, "--json")
    assert json.loads(cslog(*old)[1])["rows"] == plain["rows"]
    assert cslog("kpi", *common, "--quiet")[2] == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("freeze",), "--month"),
        (("freeze", "--month", "2024-13"), "2024-13"),
        (("freeze", "--month", "2024-10"), "nothing of 2024-10"),
        (("freeze", "--month", "2024-12"), "2025-01-05"),
        (("freeze", "--month", "2024-11", "--profile", "none"), "none"),
        (("freeze", "--month", "2024-11", "--attribution", "none"), "none"),
        (("freeze", "--month", "2024-11", "--shop", "none"), "none"),
        (("frozen", "--month", "2024-11"), "no freeze"),
        (("frozen", "--id", "cafe"), "no freeze cafe"),
        (("corrections", "--month", "2024-11"), "never frozen"),
    ],
)
def test_refusals_are_one_line_and_status_2(cslog, store, arguments, told):
    code, out, err = cslog(*arguments, "--store", store.folder)
    assert (code, out, err.strip().count("\n")) == (2, "", 0), err
    assert told in err


def test_nothing_frozen_is_no_error(cslog):
    assert json.loads(cslog("frozen", "--store", "never", "--json")[1]) == {"freezes": []}
    assert not Path("never").exists()


def test_corrections_as_files(store, tmp_path):
    freeze.freeze(NOVEMBER, store, Config())
    add(store, sale(tmp_path, "late.csv", ("1000000002", "buyer_b", "2024-11-06T11:00:00", 5_000)))
    sheet = sheets.of_corrections(library.corrections(NOVEMBER, store, Config()), "en")
    frame = pl.read_parquet(io.BytesIO(files.to_parquet(sheet)))
    sold = frame.filter(pl.col("agent") == "小美", pl.col("metric") == "sales_amount").row(0, named=True)
    assert (sold["frozen"], sold["now"], sold["difference"]) == (100.0, 150.0, 50.0)
    assert sold["days"] == ["2024-11-06"]
    table = pl.read_csv(io.BytesIO(files.to_csv(sheet, "en")))
    assert table.height == frame.height
    book = fastexcel.read_excel(files.to_xlsx(sheet, "zh")).load_sheet(0).to_polars()
    assert book.filter(pl.col("名称") == "客服销售额")["差额"].to_list() == [50.0, 50.0]
