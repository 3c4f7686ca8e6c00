"""Agents behind orders and the outcome of inquiries: kernels against the reference code of kpi-spec 7."""

from __future__ import annotations

import itertools

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
from cslog.kernels import covering

LOOKBACK = 2 * DAY
BUYERS = ("a", "b", "c")
OFFSETS = (0, 1, 600, 3600, DAY - 1, DAY, LOOKBACK - 1, LOOKBACK, LOOKBACK + 1, 5 * DAY)
MOMENTS = st.builds(
    lambda day, offset: BEGIN + day * 3600 + offset, st.integers(0, 12), st.sampled_from(OFFSETS)
)


LOOKUPS = ("asof", "first", "same_day")
DAY_CUTS = (0, 4 * 3600)


def asked_arrays(asked):
    """Buyer numbers and instants; -1 for a buyer who never wrote and for no instant."""
    buyers = [BUYERS.index(name) if name in BUYERS else -1 for name, _ in asked]
    instants = [-1 if ts is None else ts for _, ts in asked]
    return np.array(buyers, np.int64), np.array(instants, np.int64)


class Eligible:
    """Eligible staff messages, {buyer: [(ts, agent)]} in their order, as the kernel's arrays."""

    def __init__(self, elig):
        lists = [elig.get(buyer, []) for buyer in BUYERS]
        self.starts = np.cumsum([0, *map(len, lists)]).astype(np.int64)
        self.at = np.array([ts for entries in lists for ts, _ in entries], np.int64)
        self.agent = np.array([code(agent) for entries in lists for _, agent in entries], np.int32)

    def arguments(self, asked, lookup="asof", day_cut=0):
        """Those of ``agents_at`` that make it the lookup (definitions 50)."""
        buyer, latest = asked_arrays(asked)
        earliest = latest - LOOKBACK
        if lookup == "same_day":
            earliest = (latest - day_cut) // DAY * DAY + day_cut
        return (self.starts, self.at, self.agent, buyer, earliest, latest, lookup == "first")

    def agents_at(self, asked, *how):
        return kernel.agents_at(*self.arguments(asked, *how)).tolist()


@st.composite
def eligibles(draw):
    messages = st.lists(st.tuples(MOMENTS, st.sampled_from(NAMES)), max_size=5)
    # Sorted by time alone: equal seconds keep their order, which is that of the messages.
    return {buyer: sorted(draw(messages), key=lambda entry: entry[0]) for buyer in BUYERS}


ASKED = st.lists(st.tuples(st.sampled_from([*BUYERS, "?"]), MOMENTS | st.none()), max_size=8)


@settings(max_examples=400)
@given(eligibles(), ASKED, st.sampled_from(LOOKUPS), st.sampled_from(DAY_CUTS))
def test_agents_at(elig, asked, lookup, day_cut):
    P = {**CHITU, "lookup": lookup, "day_cut": day_cut}
    assert Eligible(elig).agents_at(asked, lookup, day_cut) == [
        code(None if ts is None else naive.who_was_with(elig, None, buyer, ts, P)) for buyer, ts in asked
    ]


@settings(max_examples=200)
@given(eligibles(), st.sampled_from(BUYERS), MOMENTS, MOMENTS, st.booleans())
def test_agents_between_any_two_instants(elig, buyer, one, other, pick_first):
    eligible = Eligible(elig)
    for earliest, latest in ((one, other), (other, one)):
        between = [agent for ts, agent in elig[buyer] if earliest <= ts <= latest]
        found = kernel.agents_at(
            eligible.starts,
            eligible.at,
            eligible.agent,
            *(np.array([value], np.int64) for value in (BUYERS.index(buyer), earliest, latest)),
            pick_first,
        )
        assert found.tolist() == [code(None if not between else between[0 if pick_first else -1])]


def test_lookups_at_their_edges():
    """definitions 50: at most 48 h old; the business day of the instant; of equal seconds the outer message."""
    at = BEGIN + 3 * DAY
    elig = Eligible({"a": [(at - LOOKBACK, "甲"), (at - LOOKBACK, "乙"), (at - 1, "丙"), (at, "甲")]})
    for lookup, ts, expected in (
        ("asof", at - LOOKBACK - 1, None),
        ("asof", at - LOOKBACK, "乙"),
        ("asof", at - 2, "乙"),
        ("asof", at, "甲"),
        ("asof", at + LOOKBACK, "甲"),
        ("asof", at + LOOKBACK + 1, None),
        ("first", at, "甲"),
        ("first", at + 1, "丙"),
        ("first", at - LOOKBACK, "甲"),
        ("first", at + LOOKBACK + 1, None),
        ("same_day", at - 1, "丙"),
        ("same_day", at - 2, None),
        ("same_day", at, "甲"),
        ("same_day", at + DAY, None),
    ):
        assert elig.agents_at([("a", ts)], lookup) == [code(expected)], (lookup, ts - at)
    assert elig.agents_at([("a", at - 1), ("a", at)], "same_day", 3600) == [code("丙"), code("甲")]


# ---- chat spans (definitions 50, covering) --------------------------------------------------------


class Spans:
    """{buyer: [(first, last, agent, seq of the last message)]} as the kernel's arrays."""

    def __init__(self, spans):
        lists = [sorted(spans.get(buyer, []), key=lambda span: span[3]) for buyer in BUYERS]
        entries = [span for one in lists for span in one]
        self.starts = np.cumsum([0, *map(len, lists)]).astype(np.int64)
        self.first = np.array([first for first, *_ in entries], np.int64)
        self.last = np.array([last for _, last, *_ in entries], np.int64)
        self.agent = np.array([code(agent) for *_, agent, _ in entries], np.int32)

    def arguments(self, asked, not_begun=None):
        buyer, instant = asked_arrays(asked)
        begun = np.full(len(asked), -1, np.int64) if not_begun is None else np.array(not_begun, np.int64)
        return (self.starts, self.first, self.last, self.agent, buyer, instant, instant - LOOKBACK, begun)

    def agents_at(self, asked, not_begun=None):
        return covering.agents_covering(*self.arguments(asked, not_begun)).tolist()


LENGTHS = st.sampled_from([0, 0, 1, 600, 3600, DAY, LOOKBACK])


@st.composite
def spans_of(draw):
    """Spans of received peer-days: many begin or end in the same second; the messages stand in their order."""
    out = {}
    for buyer in BUYERS:
        moments = draw(st.lists(MOMENTS, min_size=1, max_size=3))
        spans = st.tuples(st.sampled_from(moments), LENGTHS, st.sampled_from(NAMES))
        ends = [(first, first + length, agent) for first, length, agent in draw(st.lists(spans, max_size=6))]
        ends.sort(key=lambda span: span[1])
        out[buyer] = [(*span, 10 + seq) for seq, span in enumerate(ends)]
    return out


@settings(max_examples=400)
@given(spans_of(), st.data())
def test_agents_covering(spans, data):
    edges = [second for some in spans.values() for first, last, *_ in some for second in (first, last)]
    near = st.builds(
        lambda edge, offset: edge + offset,
        st.sampled_from(edges or [BEGIN]),
        st.sampled_from([-1, 0, 1, 599, LOOKBACK, LOOKBACK + 1]),
    )
    asked = data.draw(
        st.lists(st.tuples(st.sampled_from([*BUYERS, "?"]), near | MOMENTS | st.none()), max_size=8)
    )
    assert Spans(spans).agents_at(asked) == [
        code(None if ts is None else naive.agent_at_covering(spans.get(buyer, []), ts, LOOKBACK))
        for buyer, ts in asked
    ]


@settings(max_examples=200)
@given(spans_of(), st.sampled_from(BUYERS), MOMENTS, st.data())
def test_spans_that_begin_too_soon_do_not_count(spans, buyer, ts, data):
    limit = data.draw(st.sampled_from([first for first, *_ in spans[buyer]] or [ts])) + data.draw(
        st.sampled_from([-1, 0, 1])
    )
    later = [span for span in spans[buyer] if span[0] > limit]
    found = Spans(spans).agents_at([(buyer, ts)], [limit])
    assert found == [code(naive.agent_at_covering(later, ts, LOOKBACK))]


def test_ties_of_spans():
    """definitions 50: the latest last second, then the latest first second, then the later last message."""
    at = BEGIN + DAY

    def agent(*spans, ts=at):
        (found,) = Spans({"a": [(*span, seq) for seq, span in enumerate(spans)]}).agents_at([("a", ts)])
        return NAMES[found] if found >= 0 else None

    assert agent((at - 9, at + 5, "甲"), (at - 8, at + 6, "乙")) == "乙"
    assert agent((at - 8, at + 5, "甲"), (at - 1, at + 5, "乙")) == "乙"
    assert agent((at - 1, at + 5, "甲"), (at - 8, at + 5, "乙")) == "甲"
    assert agent((at - 8, at + 5, "甲"), (at - 8, at + 5, "乙")) == "乙"
    assert agent((at - 8, at - 5, "甲"), (at - 8, at - 5, "乙")) == "乙"
    # One that covers comes before any that has ended; its end is not covered, and then it is one of those.
    assert agent((at - 8, at, "甲"), (at - 9, at + 1, "乙")) == "乙"
    assert agent((at - 8, at, "甲"), (at - 9, at, "乙")) == "甲"
    assert agent((at, at, "甲")) == "甲"
    assert agent((at + 1, at + 2, "甲")) is None
    assert agent((at - 8, at, "甲"), ts=at + LOOKBACK) == "甲"
    assert agent((at - 8, at, "甲"), ts=at + LOOKBACK + 1) is None


# ---- 催付限制 (definitions 53) ---------------------------------------------------------------------


@settings(max_examples=300)
@given(
    eligibles(), spans_of(), MOMENTS, st.sampled_from(OFFSETS), st.sampled_from([600, 3600, DAY]), st.data()
)
def test_who_urges_too_soon_wins_no_payment(elig, spans, created, later, limit, data):
    """Nobody was with the buyer at creation: what was said until the limit is outside the window."""
    lookup = data.draw(st.sampled_from([*LOOKUPS, "covering"]))
    P = {**CHITU, "lookup": lookup, "urge_limit": limit}
    order = Order("1", "a", created, created + later, 100)
    order_agent, payment_agent = naive.order_and_payment_agent(elig, order, P, spans)
    if order_agent is not None:
        return
    asked = [("a", order.paid)]
    if lookup == "covering":
        assert Spans(spans).agents_at(asked, [created + limit]) == [code(payment_agent)]
        return
    *arrays, earliest, latest, pick_first = Eligible(elig).arguments(asked, lookup)
    earliest = np.maximum(earliest, created + limit + 1)
    assert kernel.agents_at(*arrays, earliest, latest, pick_first).tolist() == [code(payment_agent)]


# ---- what became of inquiries ---------------------------------------------------------------------


@st.composite
def orders_of(draw):
    orders = []
    for number in range(draw(st.integers(0, 6))):
        created = draw(MOMENTS) + draw(st.sampled_from([0, 0, -DAY, -3 * DAY, -21 * DAY]))
        paid = draw(st.none() | st.sampled_from(OFFSETS).map(lambda offset, since=created: since + offset))
        shipped = draw(st.none() | MOMENTS | st.just(paid))
        excluded = draw(st.sampled_from([False, False, True]))
        buyer = draw(st.sampled_from(BUYERS))
        orders.append(Order(str(number), buyer, created, paid, 100, shipped=shipped, excluded=excluded))
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

    def __init__(self, peer_days, orders, elig, rule, after_sale="paid"):
        credited = [
            kernel.EXCLUDED if order.excluded else code(naive.credit(elig, order, rule)[0])
            for order in orders
        ]
        bought = [order.shipped if after_sale == "shipped" else order.paid for order in orders]
        self.buyer = np.array([BUYERS.index(buyer) for _, buyer, _, _ in peer_days], np.int64)
        self.day = np.array([day for _, _, day, _ in peer_days], np.int64)
        self.agent = np.array([code(agent) for agent, _, _, _ in peer_days], np.int32)
        self.asked = np.array([asked for _, _, _, asked in peer_days], np.int64)
        self.order_starts = np.searchsorted([BUYERS.index(o.buyer) for o in orders], range(len(BUYERS) + 1))
        self.order_starts = self.order_starts.astype(np.int64)
        self.created = np.array([order.created for order in orders], np.int64)
        self.paid = np.array([-1 if order.paid is None else order.paid for order in orders], np.int64)
        self.bought = np.array([-1 if second is None else second for second in bought], np.int64)
        self.credited = np.array(credited, np.int32)

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
            self.bought,
            self.credited,
        )


@settings(max_examples=300)
@given(
    eligibles(),
    orders_of(),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(BUYERS), MOMENTS), min_size=1, max_size=4),
    st.sampled_from(["order", "payment", "order_first"]),
    st.sampled_from(DAY_CUTS),
    st.sampled_from(["paid", "shipped"]),
    st.sampled_from([(21, 2, 3), (21, 2, 3), (5, 1, 1), (1, 3, 0)]),
)
def test_inquiry_outcomes(elig, orders, asked, rule, day_cut, after_sale, days):
    P = {**CHITU, "day_cut": day_cut, "after_sale": after_sale}
    P.update(zip(("after_sale_days", "order_days", "unpaid_days"), days, strict=True))
    peer_days = [(agent, buyer, naive.bday(ts, P), ts) for agent, buyer, ts in asked]
    arrays = Inquiries(peer_days, orders, elig, rule, after_sale).arrays
    found = kernel.inquiry_outcomes(*arrays, day_cut, *days).tolist()
    for bits, (agent, buyer, day, ts) in zip(found, peer_days, strict=True):
        expected = naive.enquiry(agent, buyer, day, ts, orders, elig, P, rule)
        if expected == "assist":
            assert bits & kernel.ASSIST
            assert not bits & kernel.AFTER_SALE
        else:
            assert bits == outcome_bits(expected)


def outcome_of(*orders, agent="甲", after_sale="paid"):
    """Bits of one peer-day of 甲 with buyer a, asked at noon; orders: (created, paid, shipped, excluded)."""
    noon = BEGIN + DAY // 2
    made = [
        Order(
            str(number),
            "a",
            noon + created,
            None if paid is None else noon + paid,
            100,
            1,
            shipped,
            "",
            "",
            out,
        )
        for number, (created, paid, shipped, out) in enumerate(orders)
    ]
    made = [o if o.shipped is None else o._replace(shipped=noon + o.shipped) for o in made]
    elig = {"a": [(noon + 1, agent)]}
    arrays = Inquiries([("甲", "a", BEGIN // DAY, noon)], made, elig, "order", after_sale).arrays
    return int(kernel.inquiry_outcomes(*arrays, 0, 21, 2, 3)[0])


def test_excluded_orders_are_a_colleagues():
    """definitions 52: a reception all of whose orders are excluded is an assist."""
    mine, excluded, nobodys = (60, 90, None, False), (70, 95, None, True), (0, 90, None, False)
    assert outcome_of(mine) & (kernel.ASSIST | kernel.PAID) == kernel.PAID
    assert outcome_of(excluded) & kernel.ASSIST
    assert outcome_of(excluded, excluded) & kernel.ASSIST
    assert not outcome_of(excluded, mine) & kernel.ASSIST
    assert not outcome_of(nobodys) & kernel.ASSIST
    assert not outcome_of(nobodys, excluded) & kernel.ASSIST
    assert outcome_of(mine, excluded, agent="乙") & kernel.ASSIST


def test_after_sale_counts_from_payment_or_shipment():
    """definitions 55."""
    paid_before, shipped_before = (-4 * DAY, -3 * DAY, 60, False), (-30 * DAY, -29 * DAY, -60, False)
    assert outcome_of(paid_before) == kernel.AFTER_SALE
    assert outcome_of(paid_before, after_sale="shipped") == kernel.LOST
    assert outcome_of(shipped_before) == kernel.LOST
    assert outcome_of(shipped_before, after_sale="shipped") == kernel.AFTER_SALE
    assert outcome_of((-4 * DAY, -3 * DAY, None, False), after_sale="shipped") == kernel.LOST


class Chats:
    """Events [(type, peer-day, thread)] of some buyers, whose rows are in the order given, as the kernel's arrays.

    ``received``: of the peer-days. Thread 0 comes before thread 1; a void (type 2) has no peer-day.
    """

    def __init__(self, buyers, received):
        self.rows = [event for events in buyers for event in events]
        starts = np.cumsum([0, *map(len, buyers)])
        order = [
            row
            for first, last in itertools.pairwise(starts.tolist())
            for row in sorted(range(first, last), key=lambda row: self.rows[row][2])
        ]
        events = [self.rows[row] for row in order]
        sizes = [sum(event[2] == thread for event in events) for events in buyers for thread in (0, 1)]
        self.arrays = (
            starts.astype(np.int64),
            np.arange(0, 2 * len(buyers) + 1, 2, dtype=np.int64),
            np.cumsum([0, *sizes]).astype(np.int64),
            np.array(order, np.int64),
            np.array([kind for kind, _, _ in events], np.int8),
            np.array([-1 if kind == 2 else day for kind, day, _ in events], np.int64),
            np.array(received, np.int8),
            np.arange(100, 100 + len(self.rows), dtype=np.int64),
            np.array([thread for _, _, thread in self.rows], np.int32),
        )


EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 1)), max_size=8)


@settings(max_examples=150)
@given(st.lists(EVENTS, min_size=1, max_size=4), st.data())
def test_eligible_messages(buyers, data):
    wanted = sorted(data.draw(st.sets(st.sampled_from(range(len(buyers))))))
    received = [1, 0, 1, 0]
    chats = Chats(buyers, received)
    offsets, at, agent = kernel.eligible_messages(np.array(wanted, np.int64), *chats.arrays)
    expected, row = [], 0
    for buyer, events in enumerate(buyers):
        for kind, day, thread in events:
            if buyer in wanted and kind == 1 and received[day]:  # 1: a valid staff message
                expected.append((buyer, 100 + row, thread))
            row += 1
    found = [
        (buyer, int(at[i]), int(agent[i]))
        for buyer in range(len(buyers))
        for i in range(offsets[buyer], offsets[buyer + 1])
    ]
    assert found == expected


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
    at_creation, at_payment = eligible.agents_at([("a", instant(*created)), ("a", instant(*paid))])
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
@given(eligibles(), spans_of(), orders_of(), st.lists(MOMENTS, min_size=1, max_size=4))
def test_read_only_arrays_give_the_same(elig, spans, orders, instants):
    asked = [("a", ts) for ts in instants]
    *arrays, pick_first = Eligible(elig).arguments(asked)
    assert (
        kernel.agents_at(*read_only(*arrays), pick_first).tolist()
        == kernel.agents_at(*arrays, pick_first).tolist()
    )
    arrays = Spans(spans).arguments(asked)
    assert (
        covering.agents_covering(*read_only(*arrays)).tolist() == covering.agents_covering(*arrays).tolist()
    )
    peer_days = [("甲", "a", ts // DAY, ts) for ts in instants]
    arrays = Inquiries(peer_days, orders, elig, "order").arrays
    assert (
        kernel.inquiry_outcomes(*read_only(*arrays), 0, 21, 2, 3).tolist()
        == kernel.inquiry_outcomes(*arrays, 0, 21, 2, 3).tolist()
    )
    chats = (np.array([0], np.int64), *Chats([[(1, 0, 0), (0, 1, 1)]], [1, 1]).arrays)
    for one, other in zip(
        kernel.eligible_messages(*read_only(*chats)), kernel.eligible_messages(*chats), strict=True
    ):
        assert one.tolist() == other.tolist()
