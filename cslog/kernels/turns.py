"""What counts of a turn (kpi-spec 2 and 3, reference code ``response``): its flags, its wait, what it costs the mean."""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.flags import LEVELS, PEER_DAY, TURN
from cslog.kernels.signatures import BOOL, I8, I64, INT

DAY = 86_400

_COUNTED, _CONSULTED, _IN_WINDOW = TURN["counted"], TURN["consulted"], TURN["in_window"]
_ANSWERED, _UNANSWERED = TURN["answered"], TURN["unanswered"]
_LATE, _IN_MEAN = TURN["late"], TURN["in_mean"]
_FIRST, _FIRST_RESPONSE = TURN["first"], TURN["first_response"]
_FIRST_ANSWERED, _ANY_FIRST_ANSWERED = TURN["first_answered"], TURN["any_first_answered"]
_BY_BUYER, _NIGHT, _NIGHT_ANSWERED = TURN["by_buyer"], TURN["night"], TURN["night_answered"]
_WITHIN = tuple(TURN[f"within_{level}s"] for level in LEVELS)
_FIRST_WITHIN = tuple(TURN[f"first_within_{level}s"] for level in LEVELS)
_SPOKEN = PEER_DAY["received"] | PEER_DAY["unreplied"]
_SLOW, _TURNED = PEER_DAY["slow"], PEER_DAY["turned"]
_TARDY = tuple(PEER_DAY[f"tardy_{level}s"] for level in LEVELS)


@njit(
    [
        (
            I64, I64, I64, I64, I64, I8, I8, I64, I64, I64, I64, I64, I64, INT, INT, INT, INT, INT, INT, INT, BOOL,
            INT, INT,
        )
    ],
    cache=True,
    nogil=True,
)  # fmt: skip
def judge_turns(  # type: ignore[no-untyped-def]
    opened,
    reply,
    late,
    following,
    window_at,
    first,
    started_by,
    worked_open,
    worked_reply,
    peer_day_flags,
    peer_day,
    thread,
    thread_end,
    window_begin,
    window_end,
    night_begin,
    night_end,
    night_due,
    cap,
    unanswered_cost,
    any_first,
    slow_s,
    slow_times,
):
    """Flags (cslog.flags.TURN), wait, cost and lateness of every turn, int64; -1 for none. And ``peer_day_flags``
    with slow, turned and tardy_*s, by the turns inside the window.

    ``worked_open``, ``worked_reply``: the instants on the clock by which waits are measured. ``window_at``: the
    second that decides about the window. ``thread_end``: data end per thread.
    ``cap``, ``unanswered_cost``: seconds, 0 for none. ``any_first``: whoever began the session.
    """
    size = opened.size
    flags = np.empty(size, np.int64)
    waits = np.empty(size, np.int64)
    costs = np.empty(size, np.int64)
    lates = np.empty(size, np.int64)
    unit_flags = peer_day_flags.copy()
    slow = np.zeros(peer_day_flags.size, np.int32)
    for i in range(size):
        bits = 0
        wait, cost, after = -1, -1, -1
        answered = reply[i] >= 0
        clock = opened[i] % DAY
        if answered:
            wait = worked_reply[i] - worked_open[i]
            cost = min(wait, cap) if cap > 0 else wait
            bits |= _ANSWERED
            for level in range(4):  # without a branch: which way it goes is anybody's guess
                bits |= (wait <= LEVELS[level]) * _WITHIN[level]
        else:
            bits |= _UNANSWERED
            if unanswered_cost > 0:
                cost = unanswered_cost
            if late[i] >= 0:
                bits |= _LATE
                after = late[i] - opened[i]
        if cost >= 0:
            bits |= _IN_MEAN
        by_buyer = started_by[i] == 0
        if by_buyer:
            bits |= _BY_BUYER
        if first[i] == 1:
            bits |= _FIRST
            if answered:
                bits |= _ANY_FIRST_ANSWERED
            if by_buyer or any_first:
                bits |= _FIRST_RESPONSE
                if answered:
                    bits |= _FIRST_ANSWERED
                    for level in range(4):
                        bits |= (wait <= LEVELS[level]) * _FIRST_WITHIN[level]
        inside = window_begin <= window_at[i] % DAY < window_end
        if inside:
            bits |= _IN_WINDOW
        unit = peer_day[i]
        if inside:
            unit_flags[unit] |= _TURNED
            if not answered or wait > slow_s:
                slow[unit] += 1
                if slow[unit] >= slow_times:
                    unit_flags[unit] |= _SLOW
            for level in range(4):
                unit_flags[unit] |= ((not answered) | (wait > LEVELS[level])) * _TARDY[level]
        if peer_day_flags[unit] & _SPOKEN:
            bits |= _CONSULTED
            if inside:
                bits |= _COUNTED
        if night_begin <= night_end:
            night = night_begin <= clock < night_end
        else:
            night = clock >= night_begin or clock < night_end
        if night:
            # Whether the morning brought an answer is known once the data reach it (definitions 38).
            due = opened[i] + (night_due - clock) % DAY
            if following[i] >= 0 or thread_end[thread[i]] >= due:
                bits |= _NIGHT
                if 0 <= following[i] <= due:
                    bits |= _NIGHT_ANSWERED
        flags[i], waits[i], costs[i], lates[i] = bits, wait, cost, after
    if slow_times <= 0:
        for unit in range(unit_flags.size):
            unit_flags[unit] |= _SLOW
    return flags, waits, costs, lates, unit_flags
