"""Agents behind orders and the outcome of inquiries: kernels against the reference code of kpi-spec 7."""

from __future__ import annotations

import naive
import numpy as np
import pytest
import vectors
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels.conversations import BEGIN, NAMES, code, read_only
from naive import CHITU, DAY, Order
from vectors import BASE_DAY, instant

from cslog.kernels import attribution as kernel

LOOKBACK = 2 * DAY
BUYERS = ("a", "b", "c")
OFFSETS = (0, 1, 600, 3600, DAY - 1, DAY, LOOKBACK - 1, LOOKBACK, LOOKBACK + 1, 5 * DAY)
MOMENTS = st.builds(
    lambda day, offset: BEGIN + day * 3600 + offset, st.integers(0, 12), st.sampled_from(OFFSETS)
)


class Eligible:
    """Eligible staff messages, {buyer: [(ts, agent)]} in their order, as the kernel's arrays."""

    def __init__(self, elig):
        lists = [elig.get(buyer, []) for buyer in BUYERS]
        self.starts = np.cumsum([0, *map(len, lists)]).astype(np.int64)
        self.at = np.array([ts for entries in lists for ts, _ in entries], np.int64)
        self.agent = np.array([code(agent) for entries in lists for _, agent in entries], np.int32)

    def agents_at(self, buyers, instants):
        buyer = np.array([BUYERS.index(name) if name in BUYERS else -1 for name in buyers], np.int64)
        moments = np.array([-1 if ts is None else ts for ts in instants], np.int64)
        return kernel.agents_at(self.starts, self.at, self.agent, buyer, moments, LOOKBACK).tolist()


@st.composite
def eligibles(draw):
    messages = st.lists(st.tuples(MOMENTS, st.sampled_from(NAMES)), max_size=5)
    # Sorted by time alone: equal seconds keep their order, which is that of the messages.
    return {buyer: sorted(draw(messages), key=lambda entry: entry[0]) for buyer in BUYERS}


@settings(max_examples=200)
@given(eligibles(), st.lists(st.tuples(st.sampled_from([*BUYERS, "?"]), MOMENTS | st.none()), max_size=8))
def test_agents_at(elig, asked):
    found = Eligible(elig).agents_at([buyer for buyer, _ in asked], [ts for _, ts in asked])
    assert found == [
        code(None if ts is None else naive.agent_at(elig, buyer, ts, LOOKBACK)) for buyer, ts in asked
    ]


@st.composite
def orders_of(draw):
    orders = []
    for number in range(draw(st.integers(0, 6))):
        created = draw(MOMENTS) + draw(st.sampled_from([0, 0, -DAY, -3 * DAY, -21 * DAY]))
        paid = draw(st.none() | st.sampled_from(OFFSETS).map(lambda offset, since=created: since + offset))
        orders.append(Order(str(number), draw(st.sampled_from(BUYERS)), created, paid, 100))
    return sorted(orders, key=lambda order: (order.buyer, order.created, order.oid))


def outcome_bits(outcome):
    """The reference code's outcome as the kernel writes it; of an assist only the fact is compared."""
    if isinstance(outcome, str):
        return kernel.AFTER_SALE if outcome == "after_sale" else kernel.ASSIST
    names = {
        "order_today": kernel.ORDERED_SAME_DAY,
        "order_final": kernel.ORDERED,
        "paid_today": kernel.PAID_SAME_DAY,
        "paid_next": kernel.PAID_NEXT_DAY,
        "paid_final": kernel.PAID,
        "enquiry_lost": kernel.LOST,
        "order_lost": kernel.ORDER_LOST,
    }
    return sum(bit for name, bit in names.items() if outcome[name])


class Inquiries:
    """Peer-days (agent, buyer, day, first buyer message) and orders as the kernel's arrays."""

    def __init__(self, peer_days, orders, elig, rule):
        credited = [naive.credit(elig, order, rule)[0] for order in orders]
        self.buyer = np.array([BUYERS.index(buyer) for _, buyer, _, _ in peer_days], np.int64)
        self.day = np.array([day for _, _, day, _ in peer_days], np.int64)
        self.agent = np.array([code(agent) for agent, _, _, _ in peer_days], np.int32)
        self.asked = np.array([asked for _, _, _, asked in peer_days], np.int64)
        self.order_starts = np.searchsorted([BUYERS.index(o.buyer) for o in orders], range(len(BUYERS) + 1))
        self.order_starts = self.order_starts.astype(np.int64)
        self.created = np.array([order.created for order in orders], np.int64)
        self.paid = np.array([-1 if order.paid is None else order.paid for order in orders], np.int64)
        self.credited = np.array([code(name) for name in credited], np.int32)

    @property
    def arrays(self):
        return (
            self.buyer,
            self.day,
            self.agent,
            self.asked,
            self.order_starts,
            self.created,
            self.paid,
            self.credited,
        )


@settings(max_examples=300)
@given(
    eligibles(),
    orders_of(),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(BUYERS), MOMENTS), min_size=1, max_size=4),
    st.sampled_from(["order", "payment", "order_first"]),
    st.sampled_from([0, 4 * 3600]),
)
def test_inquiry_outcomes(elig, orders, asked, rule, day_cut):
    P = {**CHITU, "day_cut": day_cut}
    peer_days = [(agent, buyer, naive.bday(ts, P), ts) for agent, buyer, ts in asked]
    arrays = Inquiries(peer_days, orders, elig, rule).arrays
    found = kernel.inquiry_outcomes(*arrays, day_cut, 21, 2, 3).tolist()
    for bits, (agent, buyer, day, ts) in zip(found, peer_days, strict=True):
        expected = naive.enquiry(agent, buyer, day, ts, orders, elig, P, rule)
        if expected == "assist":
            assert bits & kernel.ASSIST
            assert not bits & kernel.AFTER_SALE
        else:
            assert bits == outcome_bits(expected)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=12))
def test_eligible_rows(events):
    rows = np.array(range(len(events)), np.int64)[::-1].copy()  # threads do not keep the order of rows
    types = np.array([kind for kind, _, _ in events], np.int8)
    peer_days = np.array([-1 if kind == 2 else day for kind, day, _ in events], np.int64)
    received = np.array([1, 0, 1, 0], np.int64)
    expected = sorted(
        int(row)
        for row, (kind, day, _) in zip(rows, events, strict=True)
        if kind == 1 and received[day]  # 1: a valid staff message
    )
    assert kernel.eligible_rows(rows, types, peer_days, received).tolist() == expected


# ---- the vectors of kpi-spec 8 --------------------------------------------------------------------


def vector_eligible(lines):
    """Agents A and B of the vectors are 甲 and 乙; every agent of an order vector is in a received peer-day."""
    rename = {"A": "甲", "B": "乙"}
    staff = [(instant(day, clock), rename[agent]) for day, clock, who, agent in lines if who == "A"]
    return {"a": sorted(staff, key=lambda entry: entry[0])}


@pytest.mark.parametrize("vector", vectors.ORDER_VECTORS, ids=[v.name for v in vectors.ORDER_VECTORS])
def test_order_vectors(vector):
    eligible = Eligible(vector_eligible(vector.lines))
    (_, created, paid), *more = vector.orders
    assert not more
    at_creation, at_payment = eligible.agents_at(["a", "a"], [instant(*created), instant(*paid)])
    first = at_creation if at_creation >= 0 else at_payment
    expected = vector.expected
    assert [at_creation, at_payment, first] == [
        code({"A": "甲", "B": "乙", None: None}[expected[rule]])
        for rule in ("order", "payment", "order_first")
    ]


FIGURES = {
    "inquiries_ordered_same_day": kernel.ORDERED_SAME_DAY,
    "inquiries_ordered": kernel.ORDERED,
    "inquiries_paid_same_day": kernel.PAID_SAME_DAY,
    "inquiries_paid_next_day": kernel.PAID_NEXT_DAY,
    "inquiries_paid": kernel.PAID,
    "inquiries_lost": kernel.LOST,
    "orders_lost": kernel.ORDER_LOST,
}


@pytest.mark.parametrize("vector", vectors.ENQUIRY_VECTORS, ids=[v.name for v in vectors.ENQUIRY_VECTORS])
def test_enquiry_vectors(vector):
    elig = vector_eligible(vector.lines)
    orders = [
        Order(name, "a", instant(*created), None if paid is None else instant(*paid), 100)
        for name, created, paid in vector.orders
    ]
    for agent, expected in vector.expected.items():
        asked = min(
            instant(day, clock) for day, clock, who, name in vector.lines if (who, name) == ("B", agent)
        )
        peer_day = ({"A": "甲", "B": "乙"}[agent], "a", BASE_DAY, asked)
        arrays = Inquiries([peer_day], orders, elig, "order_first").arrays
        (bits,) = kernel.inquiry_outcomes(*arrays, 0, 21, 2, 3).tolist()
        assist, after_sale = bool(bits & kernel.ASSIST), bool(bits & kernel.AFTER_SALE)
        assert expected["inquiries"] == (not assist and not after_sale)
        assert expected.get("assists", 0) == assist
        if expected["inquiries"]:
            assert {key: int(bool(bits & bit)) for key, bit in FIGURES.items()} == {
                key: expected[key] for key in FIGURES
            }


@settings(max_examples=20)
@given(eligibles(), orders_of(), st.lists(MOMENTS, min_size=1, max_size=4))
def test_read_only_arrays_give_the_same(elig, orders, instants):
    eligible = Eligible(elig)
    buyer, moments = np.zeros(len(instants), np.int64), np.array(instants, np.int64)
    arrays = (eligible.starts, eligible.at, eligible.agent, buyer, moments)
    assert (
        kernel.agents_at(*read_only(*arrays), LOOKBACK).tolist()
        == kernel.agents_at(*arrays, LOOKBACK).tolist()
    )
    peer_days = [("甲", "a", ts // DAY, ts) for ts in instants]
    arrays = Inquiries(peer_days, orders, elig, "order").arrays
    assert (
        kernel.inquiry_outcomes(*read_only(*arrays), 0, 21, 2, 3).tolist()
        == kernel.inquiry_outcomes(*arrays, 0, 21, 2, 3).tolist()
    )
    events = (moments, np.ones(len(instants), np.int8), buyer, np.ones(1, np.int64))
    assert kernel.eligible_rows(*read_only(*events)).tolist() == kernel.eligible_rows(*events).tolist()
