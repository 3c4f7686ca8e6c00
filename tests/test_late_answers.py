"""Wrong numbers once found in turns that are answered long after the period (turns_late)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import naive
import numpy as np
import pytest
import worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_against_naive import EXAMPLES, assert_equal, rows_of, store_of

from cslog import answer, contacts, ingest, kpi, profile
from cslog.clock import Period
from cslog.config import Config
from cslog.store import Store
from cslog.tables import Part

SHOP = "某旗舰店"
RULE, DASHES = "=" * 64, "-" * 28


def late(tmp_path, answered_by: str, config: Config) -> int:
    """turns_late of 5 November, when the next message of the thread comes on the 20th."""
    return late_of(tmp_path, config, {"buyer_a": [("buyer_a", 5, "在吗"), (f"{SHOP}:小美", 20, answered_by)]})


def late_of(tmp_path, config: Config, chats: dict[str, list[tuple[str, int, str]]]) -> int:
    """turns_late of 5 November; per buyer: sender, day of November, text."""
    lines = [f"{SHOP}:小美", "", RULE, "单聊", RULE]
    for buyer, messages in chats.items():
        lines.append(f"{DASHES}{buyer}{DASHES}")
        lines += [f"{sender}(2024-11-{day:02} 10:00:00):  {text}" for sender, day, text in messages]
    file = tmp_path / "chat.txt"
    file.write_text("\r\n".join([*lines, ""]), encoding="utf-8")
    store = Store(tmp_path / "store")
    count = sum(len(messages) for messages in chats.values())
    assert ingest.ingest([str(file)], store, config).totals()["messages_new"] == count
    question = answer.Question(Period.of(day="2024-11-05"), by=("agent",))
    return kpi.report(question, store, profile.load("chitu"), config).frame["turns_late"].item()


@pytest.mark.parametrize(("text", "expected"), [("您好", 1), ("【自动】马上回复您", 0)])
def test_a_configured_automatic_reply_is_no_late_answer(tmp_path, text, expected):
    config = msgspec.convert({"auto_replies": {"prefixes": ["【自动】"]}}, Config)
    assert late(tmp_path, text, config) == expected


def met_later(buyer: str) -> list[tuple[str, int, str]]:
    return [(buyer, 5, "在吗"), (f"{SHOP}:小美", 20, "您好")]


def test_who_never_came_back_is_not_taken_for_the_next_buyer(tmp_path, monkeypatch):
    """A digest may say that a buyer was met again who was not (seen on a year of 24 million messages)."""
    gone = {f"buyer_{i}": [(f"buyer_{i}", 5, "在吗")] for i in range(10)}
    others = {f"other_{i}": [(f"{SHOP}:小美", 20, "您好")] for i in range(10)}
    monkeypatch.setattr(contacts, "may_hold", lambda digest, buyer, agent: np.ones(buyer.size, bool))
    assert late_of(tmp_path, Config(), gone | others | {"buyer_x": met_later("buyer_x")}) == 1


def test_files_without_digest_are_looked_through(tmp_path, monkeypatch):
    monkeypatch.setattr(Part, "note", lambda part, name: None)
    chats = {f"buyer_{i}": met_later(f"buyer_{i}") for i in range(3)}
    assert late_of(tmp_path, Config(), chats | {"buyer_x": [("buyer_x", 5, "在吗")]}) == 3


A, B = f"{SHOP}:小美", f"{SHOP}:阿强"
ASKED = [("11-05 10:00:00", A), ("11-05 10:00:10", "buyer_a")]
"""A's turn, which nobody answers; B speaks as well, so that no block states an agent."""


def second(at: str) -> int:
    return int(np.datetime64(f"2024-{at}".replace(" ", "T"), "s").astype(int))


CROSSINGS = {
    "whose it is, the next month tells": (
        1,
        A,
        [("11-30 23:59:50", "buyer_a"), ("12-01 00:00:10", B), ("12-15 10:00:00", A)],
    ),
    "whose it is, the month before tells": (
        1,
        A,
        [("11-30 23:59:50", B), ("12-01 00:00:10", "buyer_a"), ("12-15 10:00:00", A)],
    ),
    "answered in the last days of a month, and never again": (
        1,
        A,
        [("11-30 10:00:00", A), ("12-20 10:00:00", B)],
    ),
    "nothing for a month": (1, A, [("11-20 10:00:00", B), ("12-30 10:00:00", A)]),
    "the buyer first, the agent a month later": (
        0,
        A,
        [("11-20 10:00:00", "buyer_a"), ("12-20 10:00:00", A)],
    ),
    "the question goes on after midnight": (
        1,
        A,
        [
            ("11-05 23:59:50", "buyer_a"),
            ("11-06 00:00:05", "buyer_a"),
            ("11-06 00:30:00", A),
            ("12-20 10:00:00", B),
        ],
    ),
    "over the last second that is loaded, hers": (
        0,
        SHOP,
        [("11-07 23:59:50", "buyer_a"), ("11-08 00:00:10", A), ("12-20 10:00:00", B)],
    ),
    "over the last second that is loaded, another's": (
        1,
        A,
        [("11-07 23:59:50", "buyer_a"), ("11-08 00:00:10", B), ("12-20 10:00:00", A)],
    ),
}

"""How often the turn of 5 November is late, who exports, and what comes after ASKED."""


@pytest.mark.parametrize("name", CROSSINGS)
def test_what_is_read_at_a_time_cuts_no_conversation(tmp_path, name):
    """The turn of 5 November is late if the next message of its thread is the agent's, wherever a month or what is
    loaded ends.
    """
    late, login, later = CROSSINGS[name]
    lines = [naive.Line(second(at), sender, "你好") for at, sender in ASKED + later]
    exports = [naive.Export(SHOP, login, [naive.Block("buyer_a", lines)])]
    store = store_of(tmp_path, worlds.write_files(tmp_path / "in", exports, []))
    day = lines[0].ts // naive.DAY
    for first, last in ((day, day), (day - 4, day + 25)):
        ours = rows_of(store, Period(first, last))
        assert_equal(ours, naive.report(exports, [], first, last, ("agent",), naive.CHITU))
        if first == last:  # later ones have turns of their own
            assert {row["turns_late"] for row in ours if row["agent"] == "小美"} == {late}


def test_the_last_month_with_messages_tells_everything(tmp_path):
    """Nothing comes behind its last days, though the question is of a later instant (found by comparing versions)."""
    times = ["01-28 18:25:36", "01-28 18:27:07", "01-30 19:43:12"]
    lines = [naive.Line(second(at), who, "你好") for at, who in zip(times, (A, "buyer_a", A), strict=True)]
    exports = [naive.Export(SHOP, SHOP, [naive.Block("buyer_a", lines)])]
    store, day = (
        store_of(tmp_path, worlds.write_files(tmp_path / "in", exports, [])),
        lines[0].ts // naive.DAY,
    )
    as_of = second("03-20 06:00:00")
    ours = rows_of(store, Period(day, day), as_of=as_of)
    assert_equal(ours, naive.report(exports, [], day, day, ("agent",), naive.CHITU, as_of=as_of))
    assert {row["turns_late"] for row in ours if row["agent"] == "小美"} == {1}


def test_a_conversation_after_an_order_far_away_is_not_cut(tmp_path):
    """Messages around a late payment are loaded too, to a second in the middle of a conversation."""
    later = [("12-08 09:59:55", "buyer_a"), ("12-08 10:00:10", A), ("12-20 10:00:00", B)]
    lines = [naive.Line(second(at), sender, "你好") for at, sender in ASKED + later]
    exports = [naive.Export(SHOP, SHOP, [naive.Block("buyer_a", lines)])]
    times = second("11-05 10:05:00"), second("12-05 10:00:00")
    orders = [naive.OrderRow(SHOP, "900000000001", "buyer_a", *times, None, 1, 1000, 1, 0)]
    store = store_of(tmp_path, worlds.write_files(tmp_path / "in", exports, orders))
    day = lines[0].ts // naive.DAY
    ours = rows_of(store, Period(day, day))
    assert_equal(ours, naive.report(exports, orders, day, day, ("agent",), naive.CHITU))
    assert {row["turns_late"] for row in ours if row["agent"] == "小美"} == {0}


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(worlds.long_stories(), st.sampled_from(sorted(naive.PROFILES)), st.data())
def test_answers_after_months_equal_the_reference(exports, counting, data):
    """Later months are looked at one after the other, and no further than somebody may have written again."""
    asked = {
        line.ts // naive.DAY for e in exports for b in e.blocks for line in b.lines if line.sender == b.buyer
    }
    if not asked:
        return
    first = data.draw(st.sampled_from(sorted(asked)))
    period = Period(first, first + data.draw(st.integers(0, 1)))
    with tempfile.TemporaryDirectory() as name:
        files = worlds.write_files(Path(name) / "in", exports, [])
        ours = rows_of(store_of(Path(name), files), period, counting=profile.load(counting))
    theirs = naive.report(
        exports, [], period.first_day, period.last_day, ("agent",), naive.PROFILES[counting]
    )
    assert_equal(ours, theirs)
