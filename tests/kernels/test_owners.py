"""Whose message is it, and what a transfer does: kernels against the reference program."""

from __future__ import annotations

import naive
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels.conversations import (
    BEGIN,
    DAY_CLOSING,
    NAMES,
    NIGHT_SHIFT,
    SHOP,
    SHORT_WAIT,
    WALL,
    Duty,
    Rows,
    code,
    conversations,
    event_type,
    read_only,
    rosters,
)
from naive import CHITU, DAY, TAOBAO, Merged

from cslog.kernels import owners, threads

LATE_CLOSING = {**DAY_CLOSING, "day_cut": 4 * 3600}
STRICT = {**CHITU, "transfer": "strict"}
SOME_BUYERS = st.lists(conversations(), min_size=1, max_size=3)


def owner_of(rows, gap):
    return owners.infer_owners(rows.starts, rows.at, rows.who, rows.agent, rows.exporter, rows.target, gap)


@settings(max_examples=200)
@given(SOME_BUYERS, st.sampled_from([CHITU, TAOBAO, SHORT_WAIT]))
def test_owners(buyers, P):
    owner = owner_of(Rows(buyers), naive.session_gap(P)).tolist()
    expected = [
        -1 if message.sender_class == "transfer" else code(message.agent)
        for messages in buyers
        for message in naive.with_agents(messages, SHOP, P)
    ]
    assert owner == expected


def effects_on(rows, owner, P, duty=WALL, buyer_shop=None):
    """(voided, reopened) by row; without ``buyer_shop`` all buyers are the first shop's."""
    shops = np.zeros(rows.starts.size - 1, np.int32) if buyer_shop is None else buyer_shop
    return owners.transfer_effects(*effect_arguments(rows, owner, P, duty, shops))


def effect_arguments(rows, owner, P, duty, buyer_shop):
    arrays = (rows.starts, rows.at, rows.who, owner, rows.origin, rows.target)
    numbers = (P["max_wait"] or 0, P["day_cut"], P["transfer"] == "neutral")
    return (*arrays, buyer_shop, duty.roster_of, duty.ranges, *numbers)


def of_rows(rows):
    """What ``order_threads`` passes on, of which these tests look at the rows alone."""
    size = rows.who.size
    return rows.starts, rows.at, rows.who, np.ones(size, np.int8), np.ones(size, np.int32)


def threads_by_kernel(rows, owner, *how):
    """{(buyer, agent code): [(row inside the buyer, event type)]}."""
    event_row, kind, _, _, _, starts, buyer_of, agent_of = threads.order_threads(
        *of_rows(rows), owner, *effects_on(rows, owner, *how)
    )
    return {
        (int(buyer_of[t]), int(agent_of[t])): [
            (int(event_row[e] - rows.starts[buyer_of[t]]), int(kind[e]))
            for e in range(starts[t], starts[t + 1])
        ]
        for t in range(buyer_of.size)
    }


def threads_by_reference(buyers, P, clocks):
    """The same; ``clocks``: per buyer, None for the wall clock."""
    return {
        (number, code(agent)): [(message.seq, event_type(message)) for message in thread]
        for number, (messages, clock) in enumerate(zip(buyers, clocks, strict=True))
        for agent, thread in naive.threads_of(naive.with_agents(messages, SHOP, P), SHOP, P, clock).items()
    }


@settings(max_examples=250)
@given(SOME_BUYERS, st.sampled_from([CHITU, DAY_CLOSING, STRICT, SHORT_WAIT, NIGHT_SHIFT, LATE_CLOSING]))
def test_threads_with_transfers(buyers, P):
    rows = Rows(buyers)
    owner = owner_of(rows, naive.session_gap(P))
    assert threads_by_kernel(rows, owner, P) == threads_by_reference(buyers, P, [None] * len(buyers))


@st.composite
def rostered_buyers(draw):
    """Buyers of two shops in any order, and the shops' rosters."""
    buyers = draw(SOME_BUYERS)
    moments = sorted({message.ts for messages in buyers for message in messages})
    duty = Duty(draw(rosters(moments)), draw(st.one_of(st.just({}), rosters(moments))))
    shops = [draw(st.integers(0, 1)) for _ in buyers]
    return buyers, duty, np.array(shops, np.int32)


@settings(max_examples=400)
@given(rostered_buyers(), st.sampled_from([CHITU, CHITU, SHORT_WAIT, DAY_CLOSING, STRICT]))
def test_threads_with_transfers_in_rostered_time(world, P):
    buyers, duty, shops = world
    rows = Rows(buyers)
    owner = owner_of(rows, naive.session_gap(P))
    found = threads_by_kernel(rows, owner, P, duty, shops)
    assert found == threads_by_reference(buyers, P, [duty.clocks[shop] for shop in shops])


@settings(max_examples=20)
@given(rostered_buyers())
def test_read_only_arrays_give_the_same(world):
    buyers, duty, shops = world
    rows = Rows(buyers)
    arrays = (rows.starts, rows.at, rows.who, rows.agent, rows.exporter, rows.target)
    owner = owners.infer_owners(*arrays, 600)
    assert owners.infer_owners(*read_only(*arrays), 600).tolist() == owner.tolist()
    *arrays, ranges, gap, day_cut, neutral = effect_arguments(rows, owner, CHITU, duty, shops)
    effects = owners.transfer_effects(*arrays, ranges, gap, day_cut, neutral)
    locked = owners.transfer_effects(*read_only(*arrays), read_only(*ranges), gap, day_cut, neutral)
    assert [array.tolist() for array in locked] == [array.tolist() for array in effects]
    regrouped = threads.order_threads(*of_rows(rows), owner, *effects)
    locked = threads.order_threads(*read_only(*of_rows(rows), owner, *effects))
    assert [array.tolist() for array in locked] == [array.tolist() for array in regrouped]


# ---- the rules of definitions 4, one by one -------------------------------------------------------


def line(seq, seconds, who, **more):
    """A row of one buyer: who is 'B', an agent's name, or 'X>Y' for a marker."""
    text, agent, sender_class = "在", None, "buyer"
    if ">" in who:
        leaving, taking = who.split(">")
        text, sender_class = f"由 {leaving} 转交给 {taking}", "transfer"
    elif who != "B":
        agent, sender_class = who, "human"
    sender = f"{SHOP}:{agent}" if agent else "buyer"
    fields = {"stated": None, "exporters": set(), **more}
    return Merged(
        ts=BEGIN + seconds,
        sender=sender,
        agent=agent,
        buyer="buyer",
        sender_class=sender_class,
        kind="text",
        text=text,
        seq=seq,
        **fields,
    )


def owners_of(*lines, gap=600):
    rows = Rows([[line(seq, *entry) for seq, entry in enumerate(lines)]])
    return [NAMES[agent] if agent >= 0 else None for agent in owner_of(rows, gap).tolist()]


def test_the_next_to_speak_has_the_message():
    assert owners_of((0, "B"), (10, "甲"), (20, "B"), (30, "乙")) == ["甲", "甲", "乙", "乙"]


def test_else_the_last_who_spoke():
    assert owners_of((0, "甲"), (10, "B"), (20, "B")) == ["甲", "甲", "甲"]


def test_a_silence_of_600_seconds_ends_the_run():
    assert owners_of((0, "甲"), (599, "B")) == ["甲", "甲"]
    assert owners_of((0, "甲"), (600, "B")) == ["甲", None]


def test_a_transfer_marker_beats_who_speaks():
    assert owners_of((0, "B"), (5, "甲>乙"), (10, "B"), (20, "甲")) == ["甲", None, "乙", "甲"]


def test_a_marker_outside_the_run_says_nothing():
    assert owners_of((0, "甲>乙"), (10, "B"), (20, "甲")) == [None, "甲", "甲"]


def test_a_marker_in_the_first_second_of_the_run_counts():
    assert owners_of((0, "甲>乙"), (0, "B"), (20, "甲")) == [None, "乙", "甲"]


def test_the_smallest_exporter_is_the_last_resort():
    rows = Rows([[line(0, 0, "B", exporters={"甲", "乙"})]])
    assert owner_of(rows, 600).tolist() == [code("乙")]


def test_one_buyer_says_nothing_about_the_next():
    rows = Rows([[line(0, 0, "甲")], [line(0, 5, "B")]])
    assert owner_of(rows, 600).tolist() == [code("甲"), -1]


def effects_of(*lines, P=CHITU, hours=None):
    """(voided, re-opened) of each marker; ``hours``: those of a roster that names 甲 alone."""
    rows = Rows([[line(seq, *entry) for seq, entry in enumerate(lines)]])
    duty = WALL if hours is None else Duty({"甲": hours})
    voided, reopened = effects_on(rows, owner_of(rows, naive.session_gap(P)), P, duty)
    return [
        (NAMES[v] if v >= 0 else None, NAMES[r] if r >= 0 else None)
        for v, r, who in zip(voided.tolist(), reopened.tolist(), rows.who.tolist(), strict=True)
        if who == 2
    ]


def stated(seconds, name):
    """A buyer message that an export states to be ``name``'s."""
    return line(0, seconds, "B", stated=name)


def test_an_open_turn_goes_over():
    assert effects_of((0, "甲"), (10, "B"), (20, "甲>乙")) == [("甲", "乙")]


def test_a_closed_turn_stays():
    assert effects_of((0, "B"), (10, "甲"), (20, "甲>乙")) == [(None, None)]


def test_a_silence_before_the_marker_has_closed_the_turn():
    assert effects_of((0, "甲"), (10, "B"), (609, "甲>乙"), (1500, "甲")) == [("甲", "乙")]
    assert effects_of((0, "甲"), (10, "B"), (610, "甲>乙"), (1500, "甲")) == [(None, None)]
    assert effects_of((0, "甲"), (10, "B"), (610, "甲>乙"), P=DAY_CLOSING) == [("甲", "乙")]


def test_the_end_of_the_day_has_closed_the_turn():
    evening = DAY - 100
    assert effects_of((evening, "甲"), (DAY - 1, "B"), (DAY, "甲>乙"), P=DAY_CLOSING) == [(None, None)]
    assert effects_of((evening, "甲"), (DAY - 1, "B"), (DAY, "甲>乙"), P=LATE_CLOSING) == [("甲", "乙")]


def test_a_break_of_the_agent_is_no_silence():
    chat = ((0, "甲"), (10, "B"))
    hours = [(0, 60), (4000, 8000)]  # 50 s before the break
    hours = [(BEGIN + begin, BEGIN + end) for begin, end in hours]
    assert effects_of(*chat, (4549, "甲>乙"), hours=hours) == [("甲", "乙")]
    assert effects_of(*chat, (4550, "甲>乙"), hours=hours) == [(None, None)]


def test_a_rostered_turn_is_over_after_a_day():
    assert effects_of((0, "甲"), (10, "B"), (DAY + 9, "甲>乙"), hours=[]) == [("甲", "乙")]
    assert effects_of((0, "甲"), (10, "B"), (DAY + 10, "甲>乙"), hours=[]) == [(None, None)]


def test_the_age_is_that_of_the_turn_and_not_of_its_last_message():
    for seconds, expected in ((DAY - 1, code("甲")), (DAY, -1)):
        rows = Rows([[stated(0, "甲"), stated(DAY // 2, "甲"), line(2, seconds, "甲>乙")]])
        voided, _ = effects_on(rows, owner_of(rows, 600), CHITU, Duty({"甲": []}))
        assert voided.tolist() == [-1, -1, expected]


def test_on_the_wall_clock_no_turn_is_too_old():
    chat = [(0, "甲"), *((10 + 599 * number, "B") for number in range(145))]
    marker = (chat[-1][0] + 599, "甲>乙")
    assert chat[-1][0] < DAY + 10 <= marker[0]
    assert effects_of(*chat, marker) == [("甲", "乙")]


def test_the_second_agent_has_a_clock_of_his_own():
    """甲, off duty, holds a turn that would be over on the wall clock; so nothing re-opens for him."""
    rows = Rows([[stated(0, "甲"), stated(1000, "乙"), line(2, 1010, "乙>甲")]])
    owner = owner_of(rows, 600)
    for duty, reopens in ((WALL, True), (Duty({"甲": []}), False)):
        voided, reopened = effects_on(rows, owner, CHITU, duty)
        assert voided.tolist() == [-1, -1, code("乙")]
        assert reopened.tolist() == [-1, -1, code("甲") if reopens else -1]


def test_a_transfer_to_oneself_does_nothing():
    assert effects_of((0, "甲"), (10, "B"), (20, "甲>甲")) == [(None, None)]


def test_answered_before_the_marker_the_turn_stays():
    messages = [stated(0, "甲"), line(1, 5, "乙"), line(2, 10, "甲>乙")]
    rows = Rows([messages])
    effects = effects_on(rows, owner_of(rows, 600), CHITU)
    assert [array.tolist() for array in effects] == [[-1] * 3, [-1] * 3]


def test_an_open_turn_of_the_second_agent_goes_on():
    rows = Rows([[stated(0, "甲"), stated(5, "乙"), line(2, 10, "甲>乙")]])
    voided, reopened = effects_on(rows, owner_of(rows, 600), CHITU)
    assert (voided.tolist(), reopened.tolist()) == ([-1, -1, code("甲")], [-1, -1, -1])


def test_strict_transfers_change_nothing():
    rows = Rows([[line(0, 0, "甲"), line(1, 10, "B"), line(2, 20, "甲>乙")]])
    effects = effects_on(rows, owner_of(rows, 600), STRICT)
    assert np.concatenate(effects).tolist() == [-1] * 6
