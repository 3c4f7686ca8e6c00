"""Turns, sessions and peer-days: the pass along the threads against the reference code of kpi-spec 7.

What a peer-day's counts mean (its class, continuation, slow turns) is in tests/test_peer_days.py.
"""

from __future__ import annotations

import naive
import numpy as np
import pytest
import vectors
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels.conversations import (
    BEGIN,
    PROFILES,
    WALL,
    Duty,
    Events,
    event_type,
    read_only,
    rosters,
    threads,
)
from naive import CHITU, DAY, LONG_SECONDS, SESSION_GAP, TAOBAO, Msg, Turn
from vectors import AGENT, BUYER, instant

from cslog.kernels import threads as kernel

SIDES = {kernel.BUYER: "B", kernel.STAFF: "A"}


def walked(some_threads, P, data_ends, duty=WALL):
    """(Turns, Sessions, PeerDays, EventNotes) of the threads."""
    return kernel.walk_threads(
        *Events(some_threads, data_ends, duty).arrays,
        P["max_wait"] or 0,
        SESSION_GAP,
        P["day_cut"],
        LONG_SECONDS,
        True,
    )


def offsets_of(some_threads):
    return [0, *np.cumsum([len(thread) for thread in some_threads]).tolist()]


def turns_of(result, some_threads, number):
    """The kernel's turns of one thread as the reference code writes them; nb is not kept."""
    turns, _, days, _ = result
    thread, offset = some_threads[number], offsets_of(some_threads)[number]
    return [
        Turn(
            agent=thread[0].agent,
            buyer=thread[0].buyer,
            day=int(days.day[turns.peer_day[t]]),
            open=int(turns.opened[t]),
            reply=int(turns.reply[t]) if turns.reply[t] >= 0 else None,
            nb=None,
            first=bool(turns.first[t]),
            init=SIDES[turns.started_by[t]],
            late=int(turns.late[t] - turns.opened[t]) if turns.late[t] >= 0 else None,
            seq=thread[turns.event[t] - offset].seq,
        )
        for t in np.flatnonzero(turns.thread == number)
    ]


def expected_turns(thread, P, data_end, clock):
    """Of the reference code, with the messages that opened them."""
    found = naive.every_turn(thread, P, data_end, clock)
    openers = naive.openers_of(thread, P, clock)
    return [turn._replace(nb=None, seq=m.seq) for turn, m in zip(found, openers, strict=False)]


def peer_days_of(result, some_threads, number):
    """The kernel's peer-days of one thread, by field name; the first event by its message."""
    days = result[2]
    thread, offset = some_threads[number], offsets_of(some_threads)[number]
    found = [
        {name: int(values[p]) for name, values in days._asdict().items() if name != "thread"}
        for p in np.flatnonzero(days.thread == number)
    ]
    return [day | {"first_event": thread[day["first_event"] - offset].seq} for day in found]


def expected_peer_days(thread, P, data_end, clock):
    """What the reference code says of the days, one after the other; -1 for no buyer message."""
    found = naive.every_turn(thread, P, data_end, clock)
    counts = naive.peer_days(thread, P, found)
    sessions = naive.sessions(thread, P)
    for day in naive.peer_day_list("", thread[0].agent, "buyer", thread, found, set(), P):
        items = [m for m in thread if m.who != "V" and naive.bday(m.ts, P) == day.day]
        real = [m for m in items if m.real]
        asked = [m for m in items if m.who == "B"]
        asked_in = [session for session in sessions if asked and asked[0] in session]
        yield {
            "day": day.day,
            "buyer_messages": counts[day.day][0],
            "staff_messages": counts[day.day][1],
            "staff_characters": sum(m.characters for m in items if m.who == "A"),
            "asked": asked[0].ts if asked else -1,
            "first": items[0].ts,
            "first_event": items[0].seq,
            "first_staff": min((m.ts for m in items if m.who == "A"), default=-1),
            "last_staff": max((m.ts for m in items if m.who == "A"), default=-1),
            "started_by": {"B": kernel.BUYER, "A": kernel.STAFF}[day.initiator],
            "visible": any(m.kind != "text" or m.characters > 0 for m in real),
            "answered": any(turn.day == day.day and turn.reply is not None for turn in found),
            "own_session": any(naive.bday(session[0].ts, P) == day.day for session in sessions),
            "carried": any(naive.bday(session[0].ts, P) < day.day for session in asked_in),
            "long_session": day.long,
        }
        # The classes that say nothing but this.
        assert (day.first_buyer_ts or -1) == (asked[0].ts if asked else -1)
        assert naive.is_empty(items) == (
            bool(real) and not any(m.kind != "text" or m.characters for m in real)
        )


def data_ends_of(thread):
    """Around the instants at which the last turn is over: by silence, and by age of whatever opened it."""
    after = [thread[-1].ts + seconds for seconds in (0, 59, 60, 599, 600, 9000)]
    return after + [m.ts + DAY - early for m in thread for early in (0, 1) if m.ts + DAY - early >= after[0]]


@st.composite
def walks(draw):
    """Threads of any agents, profile, ends of their data, and in most cases a roster round the messages."""
    some_threads = draw(st.lists(threads(), min_size=1, max_size=3))
    P = draw(st.sampled_from(PROFILES))
    ends = [draw(st.sampled_from(data_ends_of(thread))) for thread in some_threads]
    moments = sorted({m.ts for thread in some_threads for m in thread} | set(ends))
    roster = draw(st.one_of(st.just({}), rosters(moments), rosters(moments)))
    return some_threads, P, ends, Duty(roster)


@settings(max_examples=250)
@given(walks())
def test_turns(world):
    some_threads, P, ends, duty = world
    result = walked(*world)
    for number, (thread, end) in enumerate(zip(some_threads, ends, strict=True)):
        expected = expected_turns(thread, P, end, duty.clocks[0])
        assert turns_of(result, some_threads, number) == expected
        # Of the last turn no further message is known, where the end of the data has closed it.
        unfollowed = ((result[0].reply < 0) & (result[0].followed < 0))[result[0].thread == number].tolist()
        known = len(naive.walk(thread, P, duty.clocks[0]).turns)
        assert unfollowed == [position >= known for position in range(len(expected))]


@settings(max_examples=250)
@given(walks())
def test_sessions_and_peer_days(world):
    some_threads, P, ends, duty = world
    result = walked(*world)
    for number, (thread, end) in enumerate(zip(some_threads, ends, strict=True)):
        sessions = result[1]
        mine = sessions.thread == number
        assert list(zip(sessions.first[mine].tolist(), sessions.last[mine].tolist(), strict=True)) == [
            (session[0].ts, session[-1].ts) for session in naive.sessions(thread, P)
        ]
        expected = list(expected_peer_days(thread, P, end, duty.clocks[0]))
        assert peer_days_of(result, some_threads, number) == expected


@settings(max_examples=250)
@given(walks())
def test_questions_and_replies(world):
    some_threads, P, ends, duty = world
    notes = walked(*world)[3]
    for thread, end, offset in zip(some_threads, ends, offsets_of(some_threads), strict=False):
        mine = slice(offset, offset + len(thread))
        asked = {m.seq for m in naive.questions_of(thread, P, end, duty.clocks[0])}
        assert {m.seq for m, is_one in zip(thread, notes.question[mine], strict=True) if is_one} == asked
        following = [naive.next_staff(thread, m.seq) for m in thread]
        assert notes.reply[mine].tolist() == [-1 if second is None else second for second in following]


@settings(max_examples=60)
@given(walks())
def test_every_event_has_the_peer_day_and_the_session_it_lies_in(world):
    some_threads, P, _, _ = world
    _, sessions, days, notes = walked(*world)
    events = [(number, message) for number, thread in enumerate(some_threads) for message in thread]
    expected = [
        (number, session[0].ts, session[-1].ts, message.seq)
        for number, thread in enumerate(some_threads)
        for session in naive.sessions(thread, P)
        for message in session
    ]
    found = []
    for (number, message), peer_day, session in zip(
        events, notes.peer_day.tolist(), notes.session.tolist(), strict=True
    ):
        if message.who == "V":
            assert (peer_day, session) == (-1, -1)
        else:
            assert (days.thread[peer_day], days.day[peer_day]) == (number, naive.bday(message.ts, P))
            found.append(
                (int(sessions.thread[session]), sessions.first[session], sessions.last[session], message.seq)
            )
    assert found == expected


@settings(max_examples=60)
@given(walks())
def test_sessions_and_turns_lie_in_the_peer_day_of_their_begin(world):
    turns, sessions, days, _ = walked(*world)
    for part, begins in ((turns, turns.opened), (sessions, sessions.first)):
        assert days.thread[part.peer_day].tolist() == part.thread.tolist()
        assert days.day[part.peer_day].tolist() == [naive.bday(ts, world[1]) for ts in begins.tolist()]


def test_no_threads():
    result = walked([], CHITU, [])
    assert [array.size for part in result for array in part] == [0] * (12 + 4 + 16 + 4)


# ---- rostered time (definitions 42), one rule after the other -------------------------------------

MORNING = [(BEGIN + 9 * 3600, BEGIN + 12 * 3600)]
BREAK = [*MORNING, (BEGIN + 13 * 3600, BEGIN + 18 * 3600)]
NEXT_DAY = [(BEGIN + 17 * 3600, BEGIN + 18 * 3600), (BEGIN + DAY + 17 * 3600, BEGIN + DAY + 18 * 3600)]


def second_of(clock):
    """Wall second of "11:59:00" on the first day, of "11:59:00+1" on the second, and so on."""
    text, _, days = clock.partition("+")
    hours, minutes, seconds = map(int, text.split(":"))
    return BEGIN + int(days or 0) * DAY + hours * 3600 + minutes * 60 + seconds


def rostered_turns(lines, hours, data_end="00:00:00+9", P=CHITU):
    """(opened, reply, late) of the turns of 甲 under a roster with these hours; "B11:59:00" is a line."""
    thread = [
        Msg(second_of(line[1:]), "甲", "buyer", line[0], True, seq, "text", 2)
        for seq, line in enumerate(lines.split())
    ]
    result = walked([thread], P, [second_of(data_end)], Duty({"甲": hours}))
    return [(turn.open, turn.reply, turn.late) for turn in turns_of(result, [thread], 0)]


def test_a_break_is_no_silence():
    assert rostered_turns("B11:59:00 A13:08:59", BREAK) == [
        (second_of("11:59:00"), second_of("13:08:59"), None)
    ]


def test_ten_rostered_minutes_close_the_turn():
    assert rostered_turns("B11:59:00 A13:09:00", BREAK) == [(second_of("11:59:00"), None, 70 * 60)]


def test_silence_begins_anew_with_each_message():
    assert rostered_turns("B11:55:00 B13:04:59 A13:14:58", BREAK) == [
        (second_of("11:55:00"), second_of("13:14:58"), None)
    ]


def test_a_day_after_its_opening_a_turn_is_over():
    """So little rostered time passes that silence alone would leave it open."""
    opened = second_of("17:59:00")
    assert rostered_turns("B17:59:00 A17:58:59+1", [(opened, opened + 60)]) == [
        (opened, opened + DAY - 1, None)
    ]
    assert rostered_turns("B17:59:00 A17:59:00+1", [(opened, opened + 60)]) == [(opened, None, DAY)]


def test_the_age_is_that_of_the_turn_and_not_of_the_last_message():
    lines = "B17:59:00 B08:00:00+1 A17:59:00+1"
    assert rostered_turns(lines, MORNING) == [(second_of("17:59:00"), None, DAY)]
    assert rostered_turns("B17:59:00 B17:59:00+1 A18:00:00+1", MORNING) == [
        (second_of("17:59:00"), None, None),
        (second_of("17:59:00+1"), second_of("18:00:00+1"), None),
    ]


def test_whom_a_roster_gives_no_hours_has_a_day_to_answer():
    assert rostered_turns("B09:00:00 A08:59:59+1", []) == [
        (second_of("09:00:00"), second_of("08:59:59+1"), None)
    ]
    assert rostered_turns("B09:00:00 A09:00:00+1", []) == [(second_of("09:00:00"), None, DAY)]


def test_without_a_longest_wait_the_day_closes_rostered_turns_too():
    assert rostered_turns("B17:59:00 A00:00:00+1", NEXT_DAY, P=PROFILES[1]) == [
        (second_of("17:59:00"), None, 6 * 3600 + 60)
    ]
    assert rostered_turns("B00:00:00 A23:59:59", NEXT_DAY, P=PROFILES[1]) == [
        (second_of("00:00:00"), second_of("23:59:59"), None)
    ]


@pytest.mark.parametrize(
    ("data_end", "judged"),
    [
        ("18:00:00", False),
        ("17:08:59+1", False),  # 60 s before the evening, 539 s of the next afternoon
        ("17:09:00+1", True),
        ("00:00:00+8", True),
    ],
)
def test_censored_until_the_rostered_silence_is_over(data_end, judged):
    expected = [(second_of("17:59:00"), None, None)] if judged else []
    assert rostered_turns("B17:59:00", NEXT_DAY, data_end) == expected


@pytest.mark.parametrize(("data_end", "judged"), [("17:58:59+1", False), ("17:59:00+1", True)])
def test_censored_for_a_day_at_most(data_end, judged):
    expected = [(second_of("17:59:00"), None, None)] if judged else []
    assert rostered_turns("B17:59:00 B23:00:00", MORNING, data_end) == expected


def test_sessions_are_those_of_the_wall_clock():
    thread = [
        Msg(second_of(clock), "甲", "buyer", "B", True, seq)
        for seq, clock in enumerate(("11:59:00", "13:00:00"))
    ]
    turns, sessions, _, notes = walked([thread], CHITU, [second_of("13:00:00+9")], Duty({"甲": BREAK}))
    assert turns.opened.size == 1
    assert sessions.first.tolist() == [m.ts for m in thread]
    assert (notes.session.tolist(), notes.question.tolist()) == ([0, 1], [1, 1])


def test_each_thread_is_measured_by_its_own_clock():
    threads_of_two = [
        [
            Msg(second_of("11:59:00"), agent, "buyer", "B", True, 0),
            Msg(second_of("13:00:00"), agent, "buyer", "A", True, 1),
        ]
        for agent in ("甲", "乙", None)
    ]
    turns, *_ = walked(threads_of_two, CHITU, [second_of("00:00:00+9")] * 3, Duty({"甲": BREAK}))
    assert turns.reply.tolist() == [second_of("13:00:00"), -1, -1]


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
    turns = turns_of(result, [thread], 0)
    figures = naive.response(turns, CHITU)
    assert [naive.wait_of(turn) for turn in turns] == expected["waits"]
    assert [turn.late for turn in turns if turn.late is not None] == expected.get("late", [])
    assert (figures["avg"], figures["frt"]) == (expected["average"], expected["first"])
    if "first_any" in expected:
        assert naive.mean(naive.first_waits_any(turns)) == expected["first_any"]
    days = {day["day"] - vectors.BASE_DAY: day for day in peer_days_of(result, [thread], 0)}
    assert days.keys() == vector.expected["days"].keys()
    for offset, counts in vector.expected.get("messages", {}).items():
        assert (days[offset]["buyer_messages"], days[offset]["staff_messages"]) == counts


TAOBAO_VECTORS = [vector for vector in vectors.TURN_VECTORS if "taobao" in vector.expected]


@pytest.mark.parametrize("vector", TAOBAO_VECTORS, ids=names(TAOBAO_VECTORS))
def test_vectors_taobao(vector):
    """Without max_wait the end of the day closes; cap and window are applied to the turns afterwards."""
    thread, expected = vector_thread(vector), vector.expected["taobao"]
    result = walked([thread], TAOBAO, [instant(30, "00:00:00")])
    figures = naive.response(naive.in_window(turns_of(result, [thread], 0), TAOBAO), TAOBAO)
    assert figures["avg"] == expected["average"]
    assert (figures["within"], figures["turns"]) == (expected["within_180"], expected["turns"])


# ---- regrouping rows into threads -----------------------------------------------------------------


@settings(max_examples=100)
@given(st.lists(st.lists(st.tuples(st.integers(0, 1), st.integers(-1, 2)), max_size=8), max_size=4))
def test_rows_are_regrouped_by_buyer_and_agent_in_their_order(buyers):
    rows = [row for buyer in buyers for row in buyer]
    starts = np.cumsum([0, *map(len, buyers)]).astype(np.int64)
    who, owner = (np.array([row[i] for row in rows], t) for i, t in ((0, np.int8), (1, np.int32)))
    nothing = np.full(len(rows), -1, np.int32)
    at, visible, characters = (np.arange(len(rows), dtype=t) for t in (np.int64, np.int8, np.int32))
    event_row, event_type, *of_rows, thread_starts, buyer_of, agent_of = kernel.order_threads(
        starts, at, who, visible, characters, owner, nothing, nothing
    )
    assert [column.tolist() for column in of_rows] == 3 * [event_row.tolist()]
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
@given(walks())
def test_read_only_arrays_give_the_same(world):
    some_threads, P, ends, duty = world
    arguments = Events(some_threads, ends, duty).arrays
    numbers = (P["max_wait"] or 0, SESSION_GAP, P["day_cut"], LONG_SECONDS, True)
    writable = kernel.walk_threads(*arguments, *numbers)
    locked = kernel.walk_threads(*read_only(*arguments), *numbers)
    for one, other in zip(writable, locked, strict=True):
        assert [array.tolist() for array in one] == [array.tolist() for array in other]


def test_a_marker_is_an_event_of_both_threads():
    """definitions 8: row 1 voids the turn of agent 0 and re-opens it for agent 2."""
    result = kernel.order_threads(
        np.array([0, 3], np.int64),
        np.array([5, 6, 7], np.int64),
        np.array([0, 2, 1], np.int8),
        np.array([1, 0, 0], np.int8),
        np.array([3, 0, 9], np.int32),
        np.array([0, -1, 2], np.int32),
        np.array([-1, 0, -1], np.int32),
        np.array([-1, 2, -1], np.int32),
    )
    row, kind, at, visible, characters, *of_threads = (array.tolist() for array in result)
    assert (row, kind) == ([0, 1, 1, 2], [0, 2, 3, 1])
    assert (at, visible, characters) == ([5, 6, 6, 7], [1, 0, 0, 0], [3, 0, 0, 9])
    assert of_threads == [[0, 2, 4], [0, 0], [0, 2]]
    message = Msg(0, "甲", "b", "B", True, real=False)
    assert event_type(message) == kernel.REOPEN
