"""What a peer-day is (kpi-spec 2): its transfers, its class, and what people are counted by (definitions 9, 18)."""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.flags import LEVELS, PEER_DAY, UNIT
from cslog.kernels.signatures import I8, I32, I64, INT

DAY = 86_400

_RECEIVED, _UNREPLIED, _FILTERED = PEER_DAY["received"], PEER_DAY["unreplied"], PEER_DAY["filtered"]
_SPILL, _BY_BUYER, _VISIBLE = PEER_DAY["spill"], PEER_DAY["by_buyer"], PEER_DAY["visible"]
_FORWARDED_IN, _FORWARDED_OUT = PEER_DAY["forwarded_in"], PEER_DAY["forwarded_out"]
_CONTINUATION, _SLOW, _LONG = PEER_DAY["continuation"], PEER_DAY["slow"], PEER_DAY["long"]
_TURNED = PEER_DAY["turned"]
_TARDY = tuple(PEER_DAY[f"tardy_{level}s"] for level in LEVELS)
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

_SAME = (
    "inquiry", "assist", "ordered_same_day", "ordered", "paid_same_day", "paid_next_day", "paid", "lost", "order_lost",
    "consult_ordered",
)  # fmt: skip
_SAME_FROM = tuple(PEER_DAY[name] for name in _SAME)
_SAME_TO = tuple(UNIT[name] for name in _SAME)


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
