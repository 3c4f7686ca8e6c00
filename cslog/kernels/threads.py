"""Threads (all countable messages of one shop, agent and buyer) and the walk along them: turns,
sessions and peer-days (kpi-spec 2, reference code ``turns``, ``sessions``, ``peer_days``).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.kernels.signatures import I8, I32, I64, INT

DAY = 86_400

# Events of a thread.
BUYER, STAFF, VOID, REOPEN = 0, 1, 2, 3

# Classes of a peer-day.
RECEIVED, UNREPLIED, EMPTY, MONOLOGUE, SPILL = 0, 1, 2, 3, 4


@njit([(I64, I8, I32, I32, I32)], cache=True, nogil=True)
def order_threads(starts, who, owner, voided, reopened):  # type: ignore[no-untyped-def]
    """Rows regrouped by (buyer, agent), order kept; a marker becomes an event of each thread it touches.

    Returns event_row, event_type, thread_starts (into the events), thread_buyer, thread_agent.
    """
    size = who.size
    for i in range(who.size):
        if who[i] == 2:
            size -= 1
            if voided[i] >= 0:
                size += 1
            if reopened[i] >= 0:
                size += 1
    event_row = np.empty(size, np.int64)
    event_type = np.empty(size, np.int8)
    thread_starts = np.empty(size + 1, np.int64)
    thread_buyer = np.empty(size, np.int64)
    thread_agent = np.empty(size, np.int32)
    event, thread = 0, 0
    for buyer in range(starts.size - 1):
        begin, end = starts[buyer], starts[buyer + 1]
        current = np.int32(-2)
        while True:
            # The next greater agent code of this buyer; few buyers have more than one or two agents.
            following = np.int32(2147483647)
            for i in range(begin, end):
                if who[i] != 2:
                    if current < owner[i] < following:
                        following = owner[i]
                else:
                    if current < reopened[i] < following and reopened[i] >= 0:
                        following = reopened[i]
            if following == 2147483647:
                break
            current = following
            thread_starts[thread] = event
            thread_buyer[thread] = buyer
            thread_agent[thread] = current
            for i in range(begin, end):
                if who[i] != 2:
                    if owner[i] == current:
                        event_row[event] = i
                        event_type[event] = who[i]
                        event += 1
                elif current >= 0:
                    if voided[i] == current:
                        event_row[event] = i
                        event_type[event] = 2
                        event += 1
                    if reopened[i] == current:
                        event_row[event] = i
                        event_type[event] = 3
                        event += 1
            thread += 1
    thread_starts[thread] = event
    return (
        event_row[:event].copy(),
        event_type[:event].copy(),
        thread_starts[: thread + 1].copy(),
        thread_buyer[:thread].copy(),
        thread_agent[:thread].copy(),
    )


@njit([(I64, I64, I8, I8, I32, I64, INT, INT, INT, INT, INT, INT, INT)], cache=True, nogil=True)
def walk_threads(  # type: ignore[no-untyped-def]
    thread_starts,
    at,
    kind,
    visible,
    characters,
    data_end,
    max_wait,
    session_gap,
    day_cut,
    slow_s,
    long_s,
    window_from,
    window_to,
):
    """Turns, sessions and peer-days of all threads, by one pass over their events.

    ``at``, ``kind`` (BUYER, STAFF, VOID, REOPEN), ``visible`` (0: blank text), ``characters`` per event;
    ``data_end`` per thread; [``window_from``, ``window_to``) are the seconds of the clock's day in which
    a turn must open to be slow. ``max_wait`` 0: silence never closes a turn, the end of the day does.

    Returns (turn_thread, turn_peer_day, turn_open, turn_reply, turn_late, turn_first, turn_started_by),
    (session_thread, session_peer_day, session_first, session_last), (peer-day columns, see the end) and
    event_peer_day. -1 stands for none, a turn_late of -2 for "no further message of the thread is known";
    ``started_by`` is BUYER or STAFF.
    """
    size = at.size
    turn_thread = np.empty(size, np.int64)
    turn_peer_day = np.empty(size, np.int64)
    turn_open = np.empty(size, np.int64)
    turn_reply = np.empty(size, np.int64)
    turn_late = np.empty(size, np.int64)
    turn_first = np.empty(size, np.int8)
    turn_started_by = np.empty(size, np.int8)
    turns = 0

    session_thread = np.empty(size, np.int64)
    session_peer_day = np.empty(size, np.int64)
    session_first = np.empty(size, np.int64)
    session_last = np.empty(size, np.int64)
    sessions = 0

    event_peer_day = np.full(size, -1, np.int64)
    day_thread = np.empty(size, np.int64)
    day_number = np.empty(size, np.int64)
    buyer_messages = np.zeros(size, np.int64)
    staff_messages = np.zeros(size, np.int64)
    staff_characters = np.zeros(size, np.int64)
    buyer_first = np.full(size, -1, np.int64)  # first buyer message or re-opening
    first_at = np.zeros(size, np.int64)
    started_by = np.zeros(size, np.int8)
    any_visible = np.zeros(size, np.int8)
    answered = np.zeros(size, np.int8)
    own_session = np.zeros(size, np.int8)
    carried = np.zeros(size, np.int8)  # its first buyer message continues an older session
    slow_turns = np.zeros(size, np.int64)
    long_session = np.zeros(size, np.int8)
    peer_days = 0

    gap = max_wait if max_wait > 0 else session_gap
    for thread in range(thread_starts.size - 1):
        begin, end = thread_starts[thread], thread_starts[thread + 1]
        opened, opened_day, opened_by = -1, -1, 0
        previous = -1
        session_by, session_day = 0, -1
        last_turn_day = -1
        current = -1
        for i in range(begin, end):
            if kind[i] == 2:
                opened = -1
                continue
            now = at[i]
            day = (now - day_cut) // DAY
            from_buyer = kind[i] != 1
            new_session = previous < 0 or now - previous >= gap
            if opened >= 0:
                over = max_wait > 0 and new_session
                if max_wait == 0 and day != (previous - day_cut) // DAY:
                    over = True
                if over:
                    turn_thread[turns] = thread
                    turn_peer_day[turns] = opened_day
                    turn_open[turns] = opened
                    turn_reply[turns] = -1
                    turn_late[turns] = -1 if from_buyer else now
                    turn_first[turns] = day_number[opened_day] != last_turn_day
                    turn_started_by[turns] = opened_by
                    last_turn_day = day_number[opened_day]
                    slow_turns[opened_day] += window_from <= opened % DAY < window_to
                    turns += 1
                    opened = -1
            if current < 0 or day_number[current] != day:
                current = peer_days
                day_thread[current] = thread
                day_number[current] = day
                first_at[current] = now
                started_by[current] = (0 if from_buyer else 1) if new_session else session_by
                peer_days += 1
            if new_session:
                session_by = 0 if from_buyer else 1
                session_day = day
                own_session[current] = 1
                session_thread[sessions] = thread
                session_peer_day[sessions] = current
                session_first[sessions] = now
                sessions += 1
            session_last[sessions - 1] = now
            if now - session_first[sessions - 1] > long_s:
                long_session[session_peer_day[sessions - 1]] = 1
            event_peer_day[i] = current
            if from_buyer:
                if kind[i] == 0:
                    buyer_messages[current] += 1
                    any_visible[current] |= visible[i]
                if buyer_first[current] < 0:
                    buyer_first[current] = now
                    carried[current] = session_day < day
                if opened < 0:
                    opened, opened_day, opened_by = now, current, session_by
            else:
                staff_messages[current] += 1
                staff_characters[current] += characters[i]
                any_visible[current] |= visible[i]
                if opened >= 0:
                    turn_thread[turns] = thread
                    turn_peer_day[turns] = opened_day
                    turn_open[turns] = opened
                    turn_reply[turns] = now
                    turn_late[turns] = -1
                    turn_first[turns] = day_number[opened_day] != last_turn_day
                    turn_started_by[turns] = opened_by
                    last_turn_day = day_number[opened_day]
                    slow_turns[opened_day] += (
                        now - opened > slow_s and window_from <= opened % DAY < window_to
                    )
                    answered[opened_day] = 1
                    turns += 1
                    opened = -1
            previous = now
        # An open turn at the end is unanswered, unless the data end before its wait could be over (censored).
        if opened >= 0 and not (max_wait > 0 and data_end[thread] - previous < max_wait):
            turn_thread[turns] = thread
            turn_peer_day[turns] = opened_day
            turn_open[turns] = opened
            turn_reply[turns] = -1
            turn_late[turns] = -2
            turn_first[turns] = day_number[opened_day] != last_turn_day
            turn_started_by[turns] = opened_by
            slow_turns[opened_day] += window_from <= opened % DAY < window_to
            turns += 1

    category = np.empty(peer_days, np.int8)
    continuation = np.zeros(peer_days, np.int8)
    for p in range(peer_days):
        if buyer_first[p] < 0 and own_session[p] == 0:
            category[p] = 4
        elif any_visible[p] == 0 and buyer_messages[p] + staff_messages[p] > 0:
            category[p] = 2
        elif buyer_first[p] < 0:
            category[p] = 3
        elif staff_messages[p] > 0 or answered[p] == 1:
            category[p] = 0
        else:
            category[p] = 1
        yesterday = p > 0 and day_thread[p - 1] == day_thread[p] and day_number[p - 1] == day_number[p] - 1
        continuation[p] = carried[p] == 1 and yesterday and category[p - 1] == 0

    return (
        (
            turn_thread[:turns].copy(),
            turn_peer_day[:turns].copy(),
            turn_open[:turns].copy(),
            turn_reply[:turns].copy(),
            turn_late[:turns].copy(),
            turn_first[:turns].copy(),
            turn_started_by[:turns].copy(),
        ),
        (
            session_thread[:sessions].copy(),
            session_peer_day[:sessions].copy(),
            session_first[:sessions].copy(),
            session_last[:sessions].copy(),
        ),
        (
            day_thread[:peer_days].copy(),
            day_number[:peer_days].copy(),
            category,
            continuation,
            buyer_messages[:peer_days].copy(),
            staff_messages[:peer_days].copy(),
            staff_characters[:peer_days].copy(),
            buyer_first[:peer_days].copy(),
            first_at[:peer_days].copy(),
            started_by[:peer_days].copy(),
            slow_turns[:peer_days].copy(),
            long_session[:peer_days].copy(),
        ),
        event_peer_day,
    )
