"""Who was with the buyer when he ordered and when he paid: from rows to facts, against the reference."""

from __future__ import annotations

import naive
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels.conversations import BEGIN, SHOP, conversations
from naive import DAY, Merged, Order
from one_buyer import facts_of

LOOKUPS = ("asof", "first", "same_day", "covering")
LIMITS = (0, 0, 600, 3600, DAY)


def talked(messages, P, data_end):
    """(elig, spans) of the reference: eligible messages and chat spans of the received peer-days."""
    elig, spans = [], []
    for agent, thread in naive.threads_of(naive.with_agents(messages, SHOP, P), SHOP, P).items():
        turns = naive.every_turn(thread, P, data_end)
        days = naive.peer_day_list(SHOP, agent, "buyer", thread, turns, set(), P)
        klass = {day.day: day.klass for day in days}
        spans += naive.chat_spans(thread, klass, P)
        elig += [
            (m.ts, m.seq, agent) for m in thread if m.who == "A" and klass[naive.bday(m.ts, P)] == "received"
        ]
    return {"buyer": [(ts, agent) for ts, _, agent in sorted(elig)]}, {"buyer": spans}


def found_and_expected(messages, orders, changes):
    """(agent at creation, agent at payment, label) of each order."""
    P, data_end = naive.own_profile("chitu", changes), messages[-1].ts
    elig, spans = talked(messages, P, data_end)
    expected = []
    for order in orders:
        agents = naive.order_and_payment_agent(elig, order, P, spans)
        expected.append((*agents, naive.label_of(order, *agents, elig["buyer"], P)))
    credited = facts_of(messages, data_end, changes, orders=orders).orders.sort("order_id")
    return credited.select("order_agent", "payment_agent", "label").rows(), expected


@settings(max_examples=200)
@given(
    conversations(max_size=10),
    st.sampled_from(LOOKUPS),
    st.sampled_from(LIMITS),
    st.sampled_from(["00:00", "04:00"]),
    st.data(),
)
def test_agents_behind_orders(messages, lookup, limit, day_cut, data):
    """Orders round every message, the 48 hours after it and the limit of urging before it."""
    offsets = st.sampled_from([-3600, -600, -1, 0, 1, 600, 3600, 2 * DAY, 2 * DAY + 1])
    orders = []
    for number in range(data.draw(st.integers(1, 4))):
        created = data.draw(st.sampled_from(messages)).ts + data.draw(offsets)
        moments = [m.ts for m in messages if m.ts > created] or [created]
        paid = data.draw(
            st.none()
            | st.sampled_from([0, 1, 599, 601, 3601, DAY, 2 * DAY]).map(
                lambda late, since=created: since + late
            )
            | st.sampled_from(moments)
        )
        orders.append(Order(str(number), "buyer", created, paid, 100))
    changes = {"lookup": lookup, "urge_limit_s": limit, "day_cut_s": day_cut}
    found, expected = found_and_expected(messages, orders, changes)
    assert found == expected


@pytest.mark.parametrize("lookup", LOOKUPS)
def test_the_limit_of_urging_looks_at_nothing_before_the_creation(lookup):
    """definitions 53: only (created, created + limit] wins nothing; here a dirty row was paid days before."""
    messages = [
        Merged(BEGIN, "buyer", None, "buyer", "buyer", "text", "在吗", "甲", set(), 0),
        Merged(BEGIN + 5, f"{SHOP}:甲", "甲", "buyer", "human", "text", "在", None, set(), 1),
    ]
    order = Order("1", "buyer", BEGIN + 3 * DAY, BEGIN + 100, 100)
    found, expected = found_and_expected(messages, [order], {"lookup": lookup, "urge_limit_s": 600})
    assert expected == [(None, "甲", "won_at_payment")]
    assert found == expected
