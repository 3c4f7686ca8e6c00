"""What a peer-day is (kpi-spec 2): its transfers, its class, and what people are counted by (definitions 9, 18)."""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.flags import LEVELS, PEER_DAY, UNIT, mask
from cslog.kernels.attribution import (
    AFTER_SALE,
    ASSIST,
    LOST,
    ORDER_LOST,
    ORDERED,
    ORDERED_SAME_DAY,
    PAID,
    PAID_NEXT_DAY,
    PAID_SAME_DAY,
)
from cslog.kernels.signatures import I8, I32, I64, INT

DAY = 86_400

_RECEIVED, _UNREPLIED, _FILTERED = PEER_DAY["received"], PEER_DAY["unreplied"], PEER_DAY["filtered"]
_SPILL, _BY_BUYER, _VISIBLE = PEER_DAY["spill"], PEER_DAY["by_buyer"], PEER_DAY["visible"]
_FORWARDED_IN, _FORWARDED_OUT = PEER_DAY["forwarded_in"], PEER_DAY["forwarded_out"]
_CONTINUATION, _SLOW, _LONG = PEER_DAY["continuation"], PEER_DAY["slow"], PEER_DAY["long"]
_TURNED = PEER_DAY["turned"]
_TARDY = tuple(PEER_DAY[f"tardy_{level}s"] for level in LEVELS)
_INQUIRY, _ASSIST, _AFTER_SALE = PEER_DAY["inquiry"], PEER_DAY["assist"], PEER_DAY["after_sale"]
_AFTER_SALE_ASKED, _CONSULT_ORDERED = PEER_DAY["after_sale_asked"], PEER_DAY["consult_ordered"]
_OUTCOMES = (ORDERED_SAME_DAY, ORDERED, PAID_SAME_DAY, PAID_NEXT_DAY, PAID, LOST, ORDER_LOST)
_OUTCOME_FLAGS = tuple(
    PEER_DAY[name]
    for name in (
        "ordered_same_day", "ordered", "paid_same_day", "paid_next_day", "paid", "lost", "order_lost",
    )
)  # fmt: skip

_U_RECEIVED, _U_UNREPLIED, _U_FILTERED = UNIT["received"], UNIT["unreplied"], UNIT["filtered"]
_U_CHATTED, _U_CONSULTED, _U_DIRECT = UNIT["chatted"], UNIT["consulted"], UNIT["direct"]
_U_IN, _U_OUT = UNIT["forwarded_in"], UNIT["forwarded_out"]
_U_BY_BUYER, _U_BUYER_FIRST, _U_AGENT_FIRST = (
    UNIT["by_buyer"],
    UNIT["buyer_initiated"],
    UNIT["agent_initiated"],
)
_U_SLOW, _U_LONG, _U_TURNED = UNIT["slow"], UNIT["long"], UNIT["turned"]
_U_WITHIN = tuple(UNIT[f"within_{level}s"] for level in LEVELS)
_U_LOST, _U_ORDER_LOST, _U_INQUIRY, _U_PAID = UNIT["lost"], UNIT["order_lost"], UNIT["inquiry"], UNIT["paid"]

_SAME = (
    "inquiry", "assist", "ordered_same_day", "ordered", "paid_same_day", "paid_next_day", "paid", "lost", "order_lost",
    "consult_ordered",
)  # fmt: skip
_SAME_FROM = tuple(PEER_DAY[name] for name in _SAME)
_SAME_TO = tuple(UNIT[name] for name in _SAME)
_ANY = mask(
    UNIT, [name for name in UNIT if name not in ("unreplied", "filtered", "lost", "order_lost", "by_buyer")]
)
"""Flags of a unit that hold for a buyer's day when they hold for any of its peer-days."""


@njit([(I64, I64)], cache=True, nogil=True)
def offsets_of(groups, number_of_groups):  # type: ignore[no-untyped-def]
    """Where each group begins in the ascending ``groups``; one element per group and one at the end.

    ``number_of_groups``: one element.
    """
    offsets = np.zeros(number_of_groups[0] + 1, np.int64)
    for i in range(groups.size):
        offsets[groups[i] + 1] += 1
    for group in range(number_of_groups[0]):
        offsets[group + 1] += offsets[group]
    return offsets


@njit([(I64, I64, I8, I32, I32, I64, I32, I64, I64, INT)], cache=True, nogil=True)
def forwards(starts, at, who, origin, target, buyer_threads, thread_agent, thread_days, day, day_cut):  # type: ignore[no-untyped-def]
    """Flags forwarded_out and forwarded_in of every peer-day (definitions 9), int64.

    ``starts`` … ``target``: rows by buyer; ``buyer_threads``: offsets of each buyer's threads; ``thread_days``:
    offsets of each thread's peer-days; ``day``: of peer-days.
    """
    flags = np.zeros(day.size, np.int64)
    for buyer in range(starts.size - 1):
        for row in range(starts[buyer], starts[buyer + 1]):
            if who[row] != 2:
                continue
            marked = (at[row] - day_cut) // DAY
            for thread in range(buyer_threads[buyer], buyer_threads[buyer + 1]):
                bit = 0
                if thread_agent[thread] >= 0:
                    if thread_agent[thread] == origin[row]:
                        bit |= _FORWARDED_OUT
                    if thread_agent[thread] == target[row]:
                        bit |= _FORWARDED_IN
                if bit:
                    for i in range(thread_days[thread], thread_days[thread + 1]):
                        if day[i] == marked:
                            flags[i] |= bit
    return flags


@njit([(I64, I64, I64, I64, I64, I64, I8, I8, I8, I8, I8, I8)], cache=True, nogil=True)
def classify(  # type: ignore[no-untyped-def]
    moved,
    thread,
    day,
    staff_messages,
    asked,
    filtered_by,
    started_by,
    visible,
    answered,
    own_session,
    carried,
    long_session,
):
    """Flags (cslog.flags.PEER_DAY) of every peer-day but those that turns and orders add, int64.

    ``moved``: flags of ``forwards``; ``filtered_by``: number of the filter, -1 for none; the rest as in
    kernels.threads.PeerDays.
    """
    flags = np.empty(day.size, np.int64)
    for i in range(day.size):
        bits = moved[i]
        spill = asked[i] < 0 and own_session[i] == 0
        if spill:
            bits |= _SPILL
        elif filtered_by[i] >= 0:
            bits |= _FILTERED
        elif staff_messages[i] > 0 or answered[i] == 1:
            bits |= _RECEIVED
        else:
            bits |= _UNREPLIED
        if started_by[i] == 0:
            bits |= _BY_BUYER
        if visible[i] == 1:
            bits |= _VISIBLE
        if long_session[i] == 1:
            bits |= _LONG
        if (
            carried[i] == 1
            and i > 0
            and thread[i] == thread[i - 1]
            and day[i] == day[i - 1] + 1
            and flags[i - 1] & _RECEIVED
        ):
            bits |= _CONTINUATION
        flags[i] = bits
    return flags


@njit([(I64, I64, I64, I64, INT, INT)], cache=True, nogil=True)
def add_turns(flags, peer_day, turn_flags, wait, slow_s, slow_times):  # type: ignore[no-untyped-def]
    """``flags`` with slow, turned and tardy_*s, by the turns inside the window (``turn_flags`` & 4)."""
    found = flags.copy()
    slow = np.zeros(flags.size, np.int32)
    for i in range(peer_day.size):
        if not turn_flags[i] & 4:
            continue
        unit = peer_day[i]
        found[unit] |= _TURNED
        if wait[i] < 0 or wait[i] > slow_s:
            slow[unit] += 1
            if slow[unit] >= slow_times:
                found[unit] |= _SLOW
        for level in range(4):
            if wait[i] < 0 or wait[i] > LEVELS[level]:
                found[unit] |= _TARDY[level]
    if slow_times <= 0:
        found |= _SLOW
    return found


@njit([(I64, I64)], cache=True, nogil=True)
def add_outcomes(flags, outcome):  # type: ignore[no-untyped-def]
    """``flags`` with what became of each peer-day's inquiry (bits of kernels.attribution)."""
    found = flags.copy()
    for i in range(flags.size):
        bits, result = flags[i], outcome[i]
        received = bits & _RECEIVED != 0
        if not received and not bits & _UNREPLIED:
            continue
        if result & AFTER_SALE:
            bits |= _AFTER_SALE_ASKED
        if result & ORDERED:
            bits |= _CONSULT_ORDERED
        if received:
            if result & AFTER_SALE:
                bits |= _AFTER_SALE
            elif result & ASSIST:
                bits |= _ASSIST
            elif not bits & _CONTINUATION:
                bits |= _INQUIRY
                for i_flag in range(len(_OUTCOMES)):
                    if result & _OUTCOMES[i_flag]:
                        bits |= _OUTCOME_FLAGS[i_flag]
        found[i] = bits
    return found


@njit(cache=True, nogil=True)
def _unit(bits):  # type: ignore[no-untyped-def]
    """Flags of cslog.flags.UNIT of one peer-day; 0 when nobody is counted by it."""
    found = 0
    if bits & _RECEIVED:
        found |= _U_RECEIVED | _U_CONSULTED | _U_CHATTED
        found |= _U_IN if bits & _FORWARDED_IN else _U_DIRECT
        if bits & _FORWARDED_OUT:
            found |= _U_OUT
    elif bits & _UNREPLIED:
        found |= _U_UNREPLIED | _U_CONSULTED | _U_CHATTED
    elif bits & _FILTERED:
        return _U_FILTERED | _U_CHATTED | (_U_BY_BUYER if bits & _BY_BUYER else 0)
    else:
        return 0
    if bits & _BY_BUYER:
        found |= _U_BY_BUYER | _U_BUYER_FIRST
    else:
        found |= _U_AGENT_FIRST
    if bits & _SLOW:
        found |= _U_SLOW
    if bits & _LONG:
        found |= _U_LONG
    if bits & _TURNED:
        found |= _U_TURNED
        for level in range(4):
            if not bits & _TARDY[level]:
                found |= _U_WITHIN[level]
    for i in range(len(_SAME_FROM)):
        if bits & _SAME_FROM[i]:
            found |= _SAME_TO[i]
    return found


@njit([(I64,)], cache=True, nogil=True)
def units(flags):  # type: ignore[no-untyped-def]
    """Each peer-day as a unit: flags of cslog.flags.UNIT, 0 when it counts for nobody."""
    found = np.empty(flags.size, np.int64)
    for i in range(flags.size):
        found[i] = _unit(flags[i])
    return found


@njit(cache=True, nogil=True)
def _all_within(flags, members, end, one, day, group, level):  # type: ignore[no-untyped-def]
    """Whether every turned peer-day of a unit, whose members end before ``end``, was within a level."""
    i = end - 1
    while i >= 0 and day[members[i]] == day[one] and group[members[i]] == group[one]:
        if flags[members[i]] & _U_TURNED and not flags[members[i]] & level:
            return False
        i -= 1
    return True


@njit([(I64, I64, I64, I64, I64, I64, I32)], cache=True, nogil=True)
def units_of_buyers(flags, buyer, day, asked, first, first_row, group):  # type: ignore[no-untyped-def]
    """Peer-days of one buyer, day and ``group`` as one unit (definitions 18).

    ``buyer`` ascending. Returns the flags, and the peer-day by which each unit is dated: the one that was asked
    first. Peer-days with flags 0 (of ``units``) are left out.
    """
    size = flags.size
    found = np.empty(size, np.int64)
    dated = np.empty(size, np.int64)
    asked_first = np.empty(size, np.int64)
    count = 0
    begin = 0
    while begin < size:
        end = begin
        while end < size and buyer[end] == buyer[begin]:
            end += 1
        members = np.empty(end - begin, np.int64)
        number = 0
        for i in range(begin, end):
            if flags[i] == 0:
                continue
            # By day and group, inside by first message: a buyer has few.
            place = number
            while place > 0:
                other = members[place - 1]
                if day[other] != day[i]:
                    before = day[i] < day[other]
                elif group[other] != group[i]:
                    before = group[i] < group[other]
                elif first[other] != first[i]:
                    before = first[i] < first[other]
                else:
                    before = first_row[i] < first_row[other]
                if not before:
                    break
                members[place] = other
                place -= 1
            members[place] = i
            number += 1
        position = 0
        while position < number:
            one = members[position]
            together, all_filtered, lost, opener = np.int64(0), True, True, np.int64(-1)
            best, best_asked = one, np.int64(-1)
            while (
                position < number
                and day[members[position]] == day[one]
                and group[members[position]] == group[one]
            ):
                i = members[position]
                together |= flags[i]
                if flags[i] & (_U_RECEIVED | _U_UNREPLIED):
                    all_filtered = False
                    if opener < 0:
                        opener = i
                if flags[i] & _U_INQUIRY and not flags[i] & _U_LOST:
                    lost = False
                if asked[i] >= 0 and (best_asked < 0 or asked[i] < best_asked):
                    best, best_asked = i, asked[i]
                position += 1
            bits = together & _ANY & ~(_U_BUYER_FIRST | _U_AGENT_FIRST)
            if all_filtered:
                bits |= _U_FILTERED
            elif not together & _U_RECEIVED:
                bits |= _U_UNREPLIED
            if opener >= 0 and flags[opener] & _U_BY_BUYER:
                bits |= _U_BUYER_FIRST | _U_BY_BUYER
            elif opener >= 0:
                bits |= _U_AGENT_FIRST
            if bits & _U_TURNED:
                for level in range(4):
                    bits &= ~_U_WITHIN[level]
                    if _all_within(flags, members, position, one, day, group, _U_WITHIN[level]):
                        bits |= _U_WITHIN[level]
            if bits & _U_INQUIRY and lost:
                bits |= _U_LOST
            if bits & _U_INQUIRY and not bits & (_U_LOST | _U_PAID):
                bits |= _U_ORDER_LOST
            found[count], dated[count], asked_first[count] = bits, best, best_asked
            count += 1
        begin = end
    return found[:count].copy(), dated[:count].copy(), asked_first[:count].copy()
