"""Turns, sessions and peer-days: the pass along the threads against the reference code of kpi-spec 7."""

from __future__ import annotations

import naive
import numpy as np
import pytest
import vectors
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels.conversations import PROFILES, Events, event_type, read_only, threads
from naive import CHITU, LONG_SECONDS, SESSION_GAP, SLOW_SECONDS, SLOW_TURNS, TAOBAO, Msg, Turn
from vectors import AGENT, BUYER, instant

from cslog.kernels import threads as kernel

CLASSES = {
    kernel.RECEIVED: "received",
    kernel.UNREPLIED: "unreplied",
    kernel.EMPTY: "empty",
    kernel.MONOLOGUE: "monologue",
    kernel.SPILL: "spill",
}
SIDES = {kernel.BUYER: "B", kernel.STAFF: "A"}


def walked(some_threads, P, data_ends):
    events = Events(some_threads)
    return kernel.walk_threads(
        events.starts,
        events.at,
        events.kind,
        events.visible,
        events.characters,
        np.array(data_ends, np.int64),
        P["max_wait"] or 0,
        SESSION_GAP,
        P["day_cut"],
        SLOW_SECONDS,
        LONG_SECONDS,
        *(P["window"] or (0, naive.DAY)),
    )


def turns_of(result, thread, number):
    """The kernel's turns of one thread as the reference code writes them; nb is not kept."""
    numbers, peer_days, opened, reply, late, first, started_by = result[0]
    return [
        Turn(
            thread[0].agent,
            thread[0].buyer,
            int(result[2][1][peer_days[t]]),
            int(opened[t]),
            int(reply[t]) if reply[t] >= 0 else None,
            None,
            bool(first[t]),
            SIDES[started_by[t]],
            int(late[t] - opened[t]) if late[t] >= 0 else None,
        )
        for t in np.flatnonzero(numbers == number)
    ]


def peer_days_of(result, number):
    """The kernel's peer-days of one thread, by column name."""
    columns = (
        "day", "category", "continuation", "buyer_messages", "staff_messages", "characters", "asked_at",
        "first_at", "started_by", "slow_turns", "long",
    )  # fmt: skip
    return [
        {name: int(values[p]) for name, values in zip(columns, result[2][1:], strict=True)}
        for p in np.flatnonzero(result[2][0] == number)
    ]


@settings(max_examples=150)
@given(st.lists(threads(), min_size=1, max_size=3), st.sampled_from(PROFILES), st.data())
def test_turns_sessions_and_peer_days(some_threads, P, data):
    ends = [
        thread[-1].ts + data.draw(st.sampled_from([0, 59, 60, 599, 600, 9000])) for thread in some_threads
    ]
    result = walked(some_threads, P, ends)
    for number, (thread, end) in enumerate(zip(some_threads, ends, strict=True)):
        expected_turns = naive.every_turn(thread, P, end)
        assert turns_of(result, thread, number) == [turn._replace(nb=None) for turn in expected_turns]

        mine = result[1][0] == number
        assert list(zip(result[1][2][mine].tolist(), result[1][3][mine].tolist(), strict=True)) == [
            (session[0].ts, session[-1].ts) for session in naive.sessions(thread, P)
        ]

        counts = naive.peer_days(thread, P, expected_turns)
        expected_days = naive.peer_day_list("", "甲", "buyer", thread, expected_turns, set(), P)
        found = peer_days_of(result, number)
        assert [day["day"] for day in found] == [day.day for day in expected_days]
        for ours, theirs in zip(found, expected_days, strict=True):
            assert (ours["buyer_messages"], ours["staff_messages"]) == counts[theirs.day][:2]
            assert CLASSES[ours["category"]] == theirs.klass
            assert bool(ours["continuation"]) == theirs.continuation
            assert ours["asked_at"] == (-1 if theirs.first_buyer_ts is None else theirs.first_buyer_ts)
            assert SIDES[ours["started_by"]] == theirs.initiator
            assert (ours["slow_turns"] >= SLOW_TURNS) == theirs.slow
            assert bool(ours["long"]) == theirs.long
            items = [m for m in thread if m.who != "V" and naive.bday(m.ts, P) == theirs.day]
            assert ours["first_at"] == items[0].ts
            assert ours["characters"] == sum(m.characters for m in items if m.who == "A")


@settings(max_examples=60)
@given(st.lists(threads(), min_size=1, max_size=3), st.sampled_from(PROFILES))
def test_every_event_has_the_peer_day_it_lies_in(some_threads, P):
    result = walked(some_threads, P, [0] * len(some_threads))
    events = [(number, message) for number, thread in enumerate(some_threads) for message in thread]
    for (number, message), peer_day in zip(events, result[3].tolist(), strict=True):
        if message.who == "V":
            assert peer_day == -1
        else:
            assert (result[2][0][peer_day], result[2][1][peer_day]) == (number, naive.bday(message.ts, P))


@settings(max_examples=60)
@given(st.lists(threads(), min_size=1, max_size=3))
def test_sessions_and_turns_lie_in_the_peer_day_of_their_begin(some_threads):
    result = walked(some_threads, CHITU, [0] * len(some_threads))
    for thread_of, peer_day_of, begins in (result[0][:3], result[1][:3]):
        assert result[2][0][peer_day_of].tolist() == thread_of.tolist()
        assert result[2][1][peer_day_of].tolist() == (begins // naive.DAY).tolist()


def test_no_threads():
    result = walked([], CHITU, [])
    assert [array.size for part in result[:3] for array in part] == [0] * 23
    assert result[3].size == 0


# ---- the vectors of kpi-spec 8 --------------------------------------------------------------------


def vector_thread(vector):
    """Countable messages of a vector; the kernels never see auto replies."""
    return [
        Msg(instant(day, clock), AGENT, BUYER, "B" if who == "B" else "A", True, seq, "text", 2)
        for seq, (day, clock, who) in enumerate(vector.lines)
        if who != "x"
    ]


def names(table):
    return [vector.name for vector in table]


@pytest.mark.parametrize("vector", vectors.TURN_VECTORS, ids=names(vectors.TURN_VECTORS))
def test_vectors_chitu(vector):
    thread, expected = vector_thread(vector), vector.expected["chitu"]
    result = walked([thread], CHITU, [instant(*(vector.data_end or (30, "00:00:00")))])
    turns = turns_of(result, thread, 0)
    figures = naive.response(turns, CHITU)
    assert [naive.wait_of(turn) for turn in turns] == expected["waits"]
    assert [turn.late for turn in turns if turn.late is not None] == expected.get("late", [])
    assert (figures["avg"], figures["frt"]) == (expected["average"], expected["first"])
    if "first_any" in expected:
        assert naive.mean(naive.first_waits_any(turns)) == expected["first_any"]
    days = {day["day"] - vectors.BASE_DAY: day for day in peer_days_of(result, 0)}
    assert {offset: CLASSES[day["category"]] for offset, day in days.items()} == vector.expected["days"]
    for offset, counts in vector.expected.get("messages", {}).items():
        assert (days[offset]["buyer_messages"], days[offset]["staff_messages"]) == counts


TAOBAO_VECTORS = [vector for vector in vectors.TURN_VECTORS if "taobao" in vector.expected]


@pytest.mark.parametrize("vector", TAOBAO_VECTORS, ids=names(TAOBAO_VECTORS))
def test_vectors_taobao(vector):
    """Without max_wait the end of the day closes; cap and window are applied to the turns afterwards."""
    thread, expected = vector_thread(vector), vector.expected["taobao"]
    result = walked([thread], TAOBAO, [instant(30, "00:00:00")])
    figures = naive.response(naive.in_window(turns_of(result, thread, 0), TAOBAO), TAOBAO)
    assert figures["avg"] == expected["average"]
    assert (figures["within"], figures["turns"]) == (expected["within_180"], expected["turns"])


def test_v12_is_a_continuation():
    vector = next(v for v in vectors.TURN_VECTORS if v.name == "V12")
    days = peer_days_of(walked([vector_thread(vector)], CHITU, [instant(30, "00:00:00")]), 0)
    assert [day["continuation"] for day in days] == [0, 1]


# ---- regrouping rows into threads -----------------------------------------------------------------


@settings(max_examples=100)
@given(st.lists(st.lists(st.tuples(st.integers(0, 1), st.integers(-1, 2)), max_size=8), max_size=4))
def test_rows_are_regrouped_by_buyer_and_agent_in_their_order(buyers):
    rows = [row for buyer in buyers for row in buyer]
    starts = np.cumsum([0, *map(len, buyers)]).astype(np.int64)
    who, owner = (np.array([row[i] for row in rows], t) for i, t in ((0, np.int8), (1, np.int32)))
    nothing = np.full(len(rows), -1, np.int32)
    event_row, event_type, thread_starts, buyer_of, agent_of = kernel.order_threads(
        starts, who, owner, nothing, nothing
    )
    expected = sorted(
        (buyer, rows[row][1], row)
        for buyer in range(len(buyers))
        for row in range(starts[buyer], starts[buyer + 1])
    )
    sizes = np.diff(thread_starts)
    found = zip(
        np.repeat(buyer_of, sizes).tolist(),
        np.repeat(agent_of, sizes).tolist(),
        event_row.tolist(),
        strict=True,
    )
    assert list(found) == expected
    assert event_type.tolist() == [rows[row][0] for _, _, row in expected]
    assert all(sizes > 0)


# ---- arrays as Arrow and numpy hand them out ------------------------------------------------------


@settings(max_examples=20)
@given(st.lists(threads(), min_size=1, max_size=3))
def test_read_only_arrays_give_the_same(some_threads):
    events = Events(some_threads)
    arguments = (events.starts, events.at, events.kind, events.visible, events.characters, events.at[:0])
    ends = np.full(len(some_threads), 2**40, np.int64)
    arguments = (*arguments[:5], ends)
    numbers = (600, 600, 0, 120, 3600, 0, naive.DAY)
    writable = kernel.walk_threads(*arguments, *numbers)
    locked = kernel.walk_threads(*read_only(*arguments), *numbers)
    for one, other in zip(writable[:3], locked[:3], strict=True):
        assert [array.tolist() for array in one] == [array.tolist() for array in other]
    assert writable[3].tolist() == locked[3].tolist()


def test_a_marker_is_an_event_of_both_threads():
    """definitions 8: row 1 voids the turn of agent 0 and re-opens it for agent 2."""
    result = kernel.order_threads(
        np.array([0, 3], np.int64),
        np.array([0, 2, 1], np.int8),
        np.array([0, -1, 2], np.int32),
        np.array([-1, 0, -1], np.int32),
        np.array([-1, 2, -1], np.int32),
    )
    assert [array.tolist() for array in result] == [[0, 1, 1, 2], [0, 2, 3, 1], [0, 2, 4], [0, 0], [0, 2]]
    message = Msg(0, "甲", "b", "B", True, real=False)
    assert event_type(message) == kernel.REOPEN
