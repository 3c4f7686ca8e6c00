"""Threads (all countable messages of one shop, agent and buyer) and the walk along them: turns,
sessions and peer-days (kpi-spec 2, reference code ``turns``, ``sessions``, ``peer_days``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from cslog.kernels.signatures import BOOL, I8, I32, I64, INT

DAY = 86_400

# Events of a thread.
BUYER, STAFF, VOID, REOPEN = 0, 1, 2, 3


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


class Turns(NamedTuple):
    """One entry per turn. -1 stands for none; ``late`` -2: no further message of the thread is known.

    ``event`` is the one it opened with, ``started_by`` (BUYER, STAFF) began the ``session``; ``following`` is the
    second of the next staff message of the thread, the reply or a later one.
    """

    thread: np.ndarray
    peer_day: np.ndarray
    session: np.ndarray
    event: np.ndarray
    opened: np.ndarray
    reply: np.ndarray
    following: np.ndarray
    late: np.ndarray
    first: np.ndarray
    started_by: np.ndarray


class Sessions(NamedTuple):
    """One entry per session; the peer-day is that of its first message."""

    thread: np.ndarray
    peer_day: np.ndarray
    first: np.ndarray
    last: np.ndarray


class PeerDays(NamedTuple):
    """One entry per (thread, day). ``asked``: its first buyer message or re-opening, -1 without one.

    ``first_event``: its first one; ``first_staff``, ``last_staff``: seconds of staff messages, -1 without one.
    ``visible``: 1 when any message has a visible content; ``carried``: 1 when its first buyer message
    continues an older session; ``own_session``: 1 when a session began in it; ``answered``: 1 when one of
    its turns was.
    """

    thread: np.ndarray
    day: np.ndarray
    buyer_messages: np.ndarray
    staff_messages: np.ndarray
    staff_characters: np.ndarray
    asked: np.ndarray
    first: np.ndarray
    first_event: np.ndarray
    first_staff: np.ndarray
    last_staff: np.ndarray
    started_by: np.ndarray
    visible: np.ndarray
    answered: np.ndarray
    own_session: np.ndarray
    carried: np.ndarray
    long_session: np.ndarray


class EventNotes(NamedTuple):
    """One entry per event: its peer-day; and where all events are asked for, else none: its session, the next
    staff message of the thread (second, -1: none), and whether it is a question: a buyer message or re-opening
    whose turn is neither void nor censored.
    """

    peer_day: np.ndarray
    session: np.ndarray
    reply: np.ndarray
    question: np.ndarray


@njit([(I64, I64, I64, I8, I8, I32, I64, I64, I64, INT, INT, INT, INT, BOOL)], cache=True, nogil=True)
def walk_threads(  # type: ignore[no-untyped-def]
    thread_starts,
    at,
    elapsed,
    kind,
    visible,
    characters,
    data_end,
    data_elapsed,
    age_limit,
    max_wait,
    session_gap,
    day_cut,
    long_s,
    every_event,
):
    """Turns, sessions, peer-days and notes on the events (on ``every_event`` all of them) of all threads, by one
    pass.

    Per event: ``at``, ``elapsed`` (the same on the clock by which silence is measured, kernels.duty), ``kind``
    (BUYER, STAFF, VOID, REOPEN), ``visible`` (0: blank text), ``characters``. Per thread: ``data_end`` on both
    clocks, ``age_limit`` (seconds after which an open turn is over whatever the silence). ``max_wait`` 0:
    silence never closes a turn, the end of the day does.
    """
    size = at.size
    turn_thread = np.empty(size, np.int64)
    turn_peer_day = np.empty(size, np.int64)
    turn_session = np.empty(size, np.int64)
    turn_event = np.empty(size, np.int64)
    turn_open = np.empty(size, np.int64)
    turn_reply = np.empty(size, np.int64)
    turn_following = np.empty(size, np.int64)
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
    noted = size if every_event else 0
    event_session = np.full(noted, -1, np.int64)
    event_reply = np.full(noted, -1, np.int64)
    event_question = np.zeros(noted, np.int8)

    day_thread = np.empty(size, np.int64)
    day_number = np.empty(size, np.int64)
    buyer_messages = np.empty(size, np.int64)
    staff_messages = np.empty(size, np.int64)
    staff_characters = np.empty(size, np.int64)
    asked = np.empty(size, np.int64)
    first_at = np.empty(size, np.int64)
    first_event = np.empty(size, np.int64)
    first_staff = np.empty(size, np.int64)
    last_staff = np.empty(size, np.int64)
    started_by = np.empty(size, np.int8)
    any_visible = np.empty(size, np.int8)
    answered = np.empty(size, np.int8)
    own_session = np.empty(size, np.int8)
    carried = np.empty(size, np.int8)
    long_session = np.empty(size, np.int8)
    peer_days = 0

    gap = max_wait if max_wait > 0 else session_gap
    for thread in range(thread_starts.size - 1):
        begin, end = thread_starts[thread], thread_starts[thread + 1]
        opened, opened_day, opened_by, opened_event, opened_session = -1, -1, 0, -1, -1
        waiting = turns  # the first turn whose next staff message is not known yet
        previous = -1  # the event before this one
        unanswered = begin  # the first event whose next staff message is not known yet
        session_by, session_day = 0, -1
        last_turn_day = -1
        current = -1
        for i in range(begin, end):
            if kind[i] == 2:
                if opened >= 0 and every_event:
                    event_question[opened_event:i] = 0
                opened = -1
                continue
            now = at[i]
            day = (now - day_cut) // DAY
            from_buyer = kind[i] != 1
            new_session = previous < 0 or now - at[previous] >= gap
            if opened >= 0:
                if max_wait > 0:
                    silence = elapsed[i] - elapsed[previous]
                    over = silence >= max_wait or now - opened >= age_limit[thread]
                else:
                    over = day != (at[previous] - day_cut) // DAY
                if over:
                    turn_thread[turns] = thread
                    turn_peer_day[turns] = opened_day
                    turn_session[turns] = opened_session
                    turn_event[turns] = opened_event
                    turn_open[turns] = opened
                    turn_reply[turns] = -1
                    turn_late[turns] = -1 if from_buyer else now
                    turn_first[turns] = day_number[opened_day] != last_turn_day
                    turn_started_by[turns] = opened_by
                    last_turn_day = day_number[opened_day]
                    turns += 1
                    opened = -1
            if current < 0 or day_number[current] != day:
                current = peer_days
                day_thread[current] = thread
                day_number[current] = day
                buyer_messages[current] = 0
                staff_messages[current] = 0
                staff_characters[current] = 0
                asked[current] = -1
                first_at[current] = now
                first_event[current] = i
                first_staff[current] = -1
                last_staff[current] = -1
                any_visible[current] = 0
                answered[current] = 0
                own_session[current] = 0
                carried[current] = 0
                long_session[current] = 0
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
            if every_event:
                event_session[i] = sessions - 1
            if from_buyer:
                if every_event:
                    event_question[i] = 1
                if kind[i] == 0:
                    buyer_messages[current] += 1
                    any_visible[current] |= visible[i]
                if asked[current] < 0:
                    asked[current] = now
                    carried[current] = session_day < day
                if opened < 0:
                    opened, opened_day, opened_by = now, current, session_by
                    opened_event, opened_session = i, sessions - 1
            else:
                if every_event:
                    event_reply[unanswered:i] = now
                    unanswered = i
                while waiting < turns:
                    turn_following[waiting] = now
                    waiting += 1
                if first_staff[current] < 0:
                    first_staff[current] = now
                last_staff[current] = now
                staff_messages[current] += 1
                staff_characters[current] += characters[i]
                any_visible[current] |= visible[i]
                if opened >= 0:
                    turn_thread[turns] = thread
                    turn_peer_day[turns] = opened_day
                    turn_session[turns] = opened_session
                    turn_event[turns] = opened_event
                    turn_open[turns] = opened
                    turn_reply[turns] = now
                    turn_following[turns] = now
                    turn_late[turns] = -1
                    turn_first[turns] = day_number[opened_day] != last_turn_day
                    turn_started_by[turns] = opened_by
                    last_turn_day = day_number[opened_day]
                    answered[opened_day] = 1
                    turns += 1
                    waiting = turns
                    opened = -1
            previous = i
        if opened >= 0:
            # An open turn at the end is unanswered, unless the data end before its wait could be over (censored).
            silence = data_elapsed[thread] - elapsed[previous]
            if max_wait > 0 and silence < max_wait and data_end[thread] - opened < age_limit[thread]:
                if every_event:
                    event_question[opened_event:end] = 0
            else:
                turn_thread[turns] = thread
                turn_peer_day[turns] = opened_day
                turn_session[turns] = opened_session
                turn_event[turns] = opened_event
                turn_open[turns] = opened
                turn_reply[turns] = -1
                turn_late[turns] = -2
                turn_first[turns] = day_number[opened_day] != last_turn_day
                turn_started_by[turns] = opened_by
                turns += 1
        while waiting < turns:
            turn_following[waiting] = -1
            waiting += 1

    return (
        Turns(
            turn_thread[:turns].copy(),
            turn_peer_day[:turns].copy(),
            turn_session[:turns].copy(),
            turn_event[:turns].copy(),
            turn_open[:turns].copy(),
            turn_reply[:turns].copy(),
            turn_following[:turns].copy(),
            turn_late[:turns].copy(),
            turn_first[:turns].copy(),
            turn_started_by[:turns].copy(),
        ),
        Sessions(
            session_thread[:sessions].copy(),
            session_peer_day[:sessions].copy(),
            session_first[:sessions].copy(),
            session_last[:sessions].copy(),
        ),
        PeerDays(
            day_thread[:peer_days].copy(),
            day_number[:peer_days].copy(),
            buyer_messages[:peer_days].copy(),
            staff_messages[:peer_days].copy(),
            staff_characters[:peer_days].copy(),
            asked[:peer_days].copy(),
            first_at[:peer_days].copy(),
            first_event[:peer_days].copy(),
            first_staff[:peer_days].copy(),
            last_staff[:peer_days].copy(),
            started_by[:peer_days].copy(),
            any_visible[:peer_days].copy(),
            answered[:peer_days].copy(),
            own_session[:peer_days].copy(),
            carried[:peer_days].copy(),
            long_session[:peer_days].copy(),
        ),
        EventNotes(event_peer_day, event_session, event_reply, event_question),
    )
