"""Classes, continuations, slow turns and filters of peer-days, from rows to facts, against the reference."""

from __future__ import annotations

import naive
import pytest
import vectors
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels.conversations import BEGIN, SHOP, conversations, rosters
from naive import DAY, Merged
from one_buyer import facts_of
from vectors import AGENT, BUYER, instant

PROFILES = (
    {},
    {"max_wait_s": 0},
    {"max_wait_s": 60, "transfer": "strict"},
    {"day_cut_s": "04:00", "slow_times": 1},
    {"max_wait_s": 0, "day_cut_s": "04:00", "slow_s": 60, "slow_times": 2},
    {"clock": "window", "window": ["09:00", "20:00"], "slow_times": 1, "long_s": 600},
    {"clock": "shift", "slow_times": 1},
)
FILTERS = (
    {"rule": "single_sentence", "fewer_than": 3},
    {"rule": "forwards", "replies": 1},
    {"rule": "accounts", "accounts": ["乙"], "name": "乙's"},
    {"rule": "accounts", "accounts": ["buyer"]},
    {"rule": "keywords", "words": ["好的"], "from": "any", "fewer_than": 6},
    {"rule": "exact", "texts": ["在吗"], "from": "agent", "shorter_than": 3},
    {"rule": "monologue"},
    {"rule": "empty"},
)


def computed(messages, data_end, changes=None, filters=(), roster=None) -> list[dict]:
    """The program's peer-days of one buyer."""
    return facts_of(messages, data_end, changes, filters, roster).peer_days.to_dicts()


def referenced(messages, data_end, changes, filters, roster) -> list[naive.PeerDay]:
    """Those of the reference, agents in the order of their names, nobody first."""
    P = naive.own_profile("chitu", changes)
    settings = {"rostered": frozenset(roster), "roster": []}
    settings["roster"] = [(a, "班", *span, [span]) for a, spans in roster.items() for span in spans]
    clock = naive.clock_of(settings, P)
    agents = naive.with_agents(messages, SHOP, P)
    forwards = naive.forward_flags(agents, SHOP, P)
    threads = naive.threads_of(agents, SHOP, P, clock)
    out = []
    for agent, thread in sorted(threads.items(), key=lambda item: (item[0] is not None, item[0])):
        turns = [
            turn._replace(
                began=naive.session_begin(naive.sessions(thread, P), turn.open),
                worked=clock.wait(agent, turn.open, turn.reply) if clock and turn.reply is not None else None,
            )
            for turn in naive.every_turn(thread, P, data_end, clock)
        ]
        out += naive.peer_day_list(SHOP, agent, "buyer", thread, turns, forwards, P, filters)
    return out


def class_of(row: dict) -> str:
    """The class as the reference names it: of a filtered peer-day, its filter."""
    said = [name for name in ("received", "unreplied", "spill") if row[name]]
    said += [row["filter"]] if row["filter"] is not None else []
    (only,) = said  # exactly one holds
    return only


@settings(max_examples=300)
@given(
    conversations(max_size=16),
    st.sampled_from(PROFILES),
    st.lists(st.sampled_from(FILTERS), max_size=2, unique_by=str),
    st.data(),
)
def test_peer_days(messages, changes, filters, data):
    data_end = messages[-1].ts + data.draw(st.sampled_from([0, 59, 60, 599, 600, DAY]))
    shift = changes.get("clock") == "shift"
    roster = data.draw(rosters(sorted({m.ts for m in messages}))) if shift else {}
    found = computed(messages, data_end, changes, filters, roster)
    expected = referenced(messages, data_end, changes, filters, roster)
    assert [(row["agent"], row["day"]) for row in found] == [(day.agent, day.day) for day in expected]
    seconds = {m.seq: m.ts for m in messages}
    for row, day in zip(found, expected, strict=True):
        assert class_of(row) == day.klass
        assert row["continuation"] == day.continuation
        assert row["slow"] == day.slow
        assert row["long"] == day.long
        assert row["by_buyer"] == (day.initiator == "B")
        assert (row["forwarded_in"], row["forwarded_out"]) == (day.forwarded_in, day.forwarded_out)
        assert (row["asked_at"], row["first_at"]) == (day.first_buyer_ts, seconds[day.first_seq])


def test_a_listed_buyer_is_filtered_where_a_transfer_alone_brought_him():
    """definitions 48: `accounts` asks who the buyer is, not what he wrote."""
    messages = [
        Merged(BEGIN, f"{SHOP}:甲", "甲", BUYER, "human", "text", "在", None, set(), 0),
        Merged(BEGIN + 10, BUYER, None, BUYER, "buyer", "text", "在吗", "甲", set(), 1),
        Merged(BEGIN + 20, BUYER, None, BUYER, "transfer", "text", "由 甲 转交给 乙", None, set(), 2),
    ]
    filters = ({"rule": "accounts", "accounts": [BUYER]},)
    expected = referenced(messages, BEGIN + DAY, {}, filters, {})
    assert [day.klass for day in expected] == ["accounts", "accounts"]
    found = computed(messages, BEGIN + DAY, {}, filters)
    assert [class_of(row) for row in found] == [day.klass for day in expected]


# ---- the vectors of kpi-spec 8 --------------------------------------------------------------------


def vector_days(vector) -> dict[int, dict]:
    """Peer-days of a vector by their offset, under chitu."""
    sides = {
        "B": ("buyer", None, "在吗"),
        "A": ("human", AGENT, "亲，在的"),
        "x": ("auto", AGENT, "[自动回复]您好"),
    }
    messages = []
    for seq, (day, clock, who) in enumerate(vector.lines):
        sender_class, agent, text = sides[who]
        sender = f"{SHOP}:{agent}" if agent else BUYER
        stated = AGENT if who == "B" else None
        messages.append(
            Merged(instant(day, clock), sender, agent, BUYER, sender_class, "text", text, stated, set(), seq)
        )
    data_end = instant(*(vector.data_end or (30, "00:00:00")))
    return {row["day"] - vectors.BASE_DAY: row for row in computed(messages, data_end)}


@pytest.mark.parametrize("vector", vectors.TURN_VECTORS, ids=lambda vector: vector.name)
def test_vectors(vector):
    days = vector_days(vector)
    assert {offset: class_of(row) for offset, row in days.items()} == vector.expected["days"]


def test_v12_is_a_continuation():
    days = vector_days(next(vector for vector in vectors.TURN_VECTORS if vector.name == "V12"))
    assert [row["continuation"] for row in days.values()] == [False, True]
