"""Whose message is it, and what a transfer does: kernels against the reference program."""

from __future__ import annotations

import naive
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels.conversations import (
    BEGIN,
    NAMES,
    SHOP,
    SHORT_WAIT,
    Rows,
    code,
    conversations,
    event_type,
    read_only,
)
from naive import CHITU, TAOBAO, Merged

from cslog.kernels import owners, threads

# Silence never closes a turn. Whether the end of a day does is not asked of this kernel.
DAY_CLOSING = {**CHITU, "max_wait": None, "day_close": True}
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


def threads_by_kernel(buyers, owner, rows, gap, neutral):
    """{(buyer, agent code): [(row inside the buyer, event type)]}."""
    voided, reopened = owners.transfer_effects(
        rows.starts, rows.at, rows.who, owner, rows.origin, rows.target, gap, 0, neutral
    )
    event_row, kind, starts, buyer_of, agent_of = threads.order_threads(
        rows.starts, rows.who, owner, voided, reopened
    )
    return {
        (int(buyer_of[t]), int(agent_of[t])): [
            (int(event_row[e] - rows.starts[buyer_of[t]]), int(kind[e]))
            for e in range(starts[t], starts[t + 1])
        ]
        for t in range(buyer_of.size)
    }


@settings(max_examples=250)
@given(SOME_BUYERS, st.sampled_from([CHITU, DAY_CLOSING, STRICT, SHORT_WAIT]))
def test_threads_with_transfers(buyers, P):
    rows = Rows(buyers)
    owner = owner_of(rows, naive.session_gap(P))
    found = threads_by_kernel(buyers, owner, rows, P["max_wait"] or 0, P["transfer"] == "neutral")
    expected = {
        (number, code(agent)): [(message.seq, event_type(message)) for message in thread]
        for number, messages in enumerate(buyers)
        for agent, thread in naive.threads_of(naive.with_agents(messages, SHOP, P), SHOP, P).items()
    }
    assert found == expected


@settings(max_examples=20)
@given(SOME_BUYERS)
def test_read_only_arrays_give_the_same(buyers):
    rows = Rows(buyers)
    arrays = (rows.starts, rows.at, rows.who, rows.agent, rows.exporter, rows.target)
    owner = owners.infer_owners(*arrays, 600)
    assert owners.infer_owners(*read_only(*arrays), 600).tolist() == owner.tolist()
    arrays = (rows.starts, rows.at, rows.who, owner, rows.origin, rows.target)
    effects = owners.transfer_effects(*arrays, 600, 0, True)
    locked = owners.transfer_effects(*read_only(*arrays), 600, 0, True)
    assert [array.tolist() for array in locked] == [array.tolist() for array in effects]
    regrouped = threads.order_threads(rows.starts, rows.who, owner, *effects)
    locked = threads.order_threads(*read_only(rows.starts, rows.who, owner, *effects))
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


def effects_of(*lines, gap=600):
    rows = Rows([[line(seq, *entry) for seq, entry in enumerate(lines)]])
    owner = owner_of(rows, gap or 600)
    voided, reopened = owners.transfer_effects(
        rows.starts, rows.at, rows.who, owner, rows.origin, rows.target, gap, 0, True
    )
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
    assert effects_of((0, "甲"), (10, "B"), (610, "甲>乙"), gap=0) == [("甲", "乙")]


def test_a_transfer_to_oneself_does_nothing():
    assert effects_of((0, "甲"), (10, "B"), (20, "甲>甲")) == [(None, None)]


def test_answered_before_the_marker_the_turn_stays():
    messages = [stated(0, "甲"), line(1, 5, "乙"), line(2, 10, "甲>乙")]
    rows = Rows([messages])
    effects = owners.transfer_effects(
        rows.starts, rows.at, rows.who, owner_of(rows, 600), rows.origin, rows.target, 600, 0, True
    )
    assert [array.tolist() for array in effects] == [[-1] * 3, [-1] * 3]


def test_an_open_turn_of_the_second_agent_goes_on():
    rows = Rows([[stated(0, "甲"), stated(5, "乙"), line(2, 10, "甲>乙")]])
    voided, reopened = owners.transfer_effects(
        rows.starts, rows.at, rows.who, owner_of(rows, 600), rows.origin, rows.target, 600, 0, True
    )
    assert (voided.tolist(), reopened.tolist()) == ([-1, -1, code("甲")], [-1, -1, -1])


def test_strict_transfers_change_nothing():
    rows = Rows([[line(0, 0, "甲"), line(1, 10, "B"), line(2, 20, "甲>乙")]])
    effects = owners.transfer_effects(
        rows.starts, rows.at, rows.who, owner_of(rows, 600), rows.origin, rows.target, 600, 0, False
    )
    assert np.concatenate(effects).tolist() == [-1] * 6
