"""Orders and the agents who talked to their buyers (kpi-spec 4, reference code ``agent_at``, ``enquiry``)."""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.kernels.signatures import BOOL, I8, I32, I64, INT

DAY = 86_400

EXCLUDED = -3  # credited to nobody, and not the agent's who talked about it (definitions 52)

# Bits of an inquiry outcome.
AFTER_SALE, ASSIST, ORDERED_SAME_DAY, ORDERED, PAID_SAME_DAY, PAID_NEXT_DAY, PAID, LOST, ORDER_LOST = (
    1,
    2,
    4,
    8,
    16,
    32,
    64,
    128,
    256,
)


@njit([(I64, I64, I64, I64, I64, I8, I64, I8, I64, I32)], cache=True, nogil=True)
def eligible_messages(  # type: ignore[no-untyped-def]
    wanted, starts, buyer_threads, thread_events, event_row, event_type, event_peer_day, received, at, owner
):
    """Valid staff messages of the ``wanted`` buyers (ascending) that lie in a received peer-day.

    ``starts``: rows by buyer; ``buyer_threads``, ``thread_events``: offsets of threads and events. ``received``
    holds 1 per received peer-day. Returns offsets by buyer, and second and agent of each in the rows' order.
    """
    size = 0
    for buyer in wanted:
        size += starts[buyer + 1] - starts[buyer]
    found_at = np.empty(size, np.int64)
    found_agent = np.empty(size, np.int32)
    offsets = np.zeros(starts.size, np.int64)
    eligible = np.empty(256, np.bool_)  # of the rows of one buyer
    count, following = 0, 0
    for buyer in wanted:
        offsets[following : buyer + 1] = count
        following = buyer + 1
        first = starts[buyer]
        rows = starts[buyer + 1] - first
        if rows > eligible.size:
            eligible = np.empty(2 * rows, np.bool_)
        eligible[:rows] = False
        for event in range(thread_events[buyer_threads[buyer]], thread_events[buyer_threads[buyer + 1]]):
            if event_type[event] == 1 and received[event_peer_day[event]] == 1:
                eligible[event_row[event] - first] = True
        for i in range(rows):
            if eligible[i]:
                found_at[count] = at[first + i]
                found_agent[count] = owner[first + i]
                count += 1
    offsets[following:] = count
    return offsets, found_at[:count].copy(), found_agent[:count].copy()


@njit([(I64, I64, I32, I64, I64, I64, BOOL)], cache=True, nogil=True)
def agents_at(starts, at, agent, buyer, earliest, latest, pick_first):  # type: ignore[no-untyped-def]
    """Agent of the last (or first) eligible message of ``buyer`` with ``earliest`` ≤ time ≤ ``latest``.

    ``starts``, ``at``, ``agent``: eligible messages grouped by buyer, ordered by (time, rank).
    ``latest`` < 0 and ``buyer`` < 0 give -1.
    """
    result = np.full(latest.size, -1, np.int32)
    for i in range(latest.size):
        if latest[i] < 0 or buyer[i] < 0:
            continue
        low, high = starts[buyer[i]], starts[buyer[i] + 1]
        if pick_first:
            position = low + np.searchsorted(at[low:high], earliest[i], side="left")
        else:
            position = low + np.searchsorted(at[low:high], latest[i], side="right") - 1
        if low <= position < high and earliest[i] <= at[position] <= latest[i]:
            result[i] = agent[position]
    return result


@njit([(I64, I64, I32, I64, I64, I64, I64, I64, I32, INT, INT, INT, INT)], cache=True, nogil=True)
def inquiry_outcomes(  # type: ignore[no-untyped-def]
    buyer,
    day,
    agent,
    asked,
    order_starts,
    created,
    paid,
    bought,
    credited,
    day_cut,
    after_sale_days,
    order_days,
    unpaid_days,
):
    """Outcome bits of each peer-day (``buyer``, ``day``, ``agent``; ``asked``: its first buyer message).

    ``order_starts``, ``created``, ``paid`` (-1: unpaid), ``bought`` (what makes a later chat after-sale, the
    payment or the shipment; -1: none), ``credited`` (-1: nobody, EXCLUDED): orders grouped by buyer.
    """
    outcome = np.zeros(buyer.size, np.int64)
    for i in range(buyer.size):
        asked_at = asked[i]
        prior, related, foreign, finished = False, 0, 0, False
        bits = 0
        for o in range(order_starts[buyer[i]], order_starts[buyer[i] + 1]):
            if bought[o] >= 0 and asked_at - after_sale_days * DAY <= bought[o] < asked_at:
                prior = True
            created_day = (created[o] - day_cut) // DAY
            after = created[o] >= asked_at and created_day < day[i] + order_days
            pending = asked_at - unpaid_days * DAY <= created[o] < asked_at and (
                paid[o] < 0 or paid[o] >= asked_at
            )
            if not (after or pending):
                continue
            related += 1
            if credited[o] != -1 and credited[o] != agent[i]:
                foreign += 1
            if after:
                bits |= 8
                if created_day == day[i]:
                    bits |= 4
            if paid[o] >= 0:
                paid_day = (paid[o] - day_cut) // DAY
                if paid_day <= day[i] + order_days - 1 + unpaid_days:
                    finished = True
                    if paid_day == day[i]:
                        bits |= 16
                    if paid_day <= day[i] + 1:
                        bits |= 32
        if prior and related == 0:
            outcome[i] = 1
            continue
        if related > 0 and foreign == related:
            bits |= 2
        if finished:
            bits |= 64
        if related == 0:
            bits |= 128
        elif not finished:
            bits |= 256
        outcome[i] = bits
    return outcome
