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


@njit(cache=True, nogil=True)
def _place_of(agent, agents, number):  # type: ignore[no-untyped-def]
    """Position of ``agent`` among the first ``number`` of ``agents``, -1 when it is not there."""
    for place in range(number):
        if agents[place] == agent:
            return place
    return -1


@njit([(I64, I64, I8, I8, I32, I32, I32, I32)], cache=True, nogil=True)
def order_threads(starts, at, who, visible, characters, owner, voided, reopened):  # type: ignore[no-untyped-def]
    """Rows regrouped by (buyer, agent), order kept; a marker becomes an event of each thread it touches.

    Returns per event its row, type, second, visibility and characters; thread_starts (into the events),
    thread_buyer, thread_agent.
    """
    size = who.size
    for i in range(who.size):
        if who[i] == 2:
            size += int(voided[i] >= 0) + int(reopened[i] >= 0) - 1
    event_row = np.empty(size, np.int64)
    event_type = np.empty(size, np.int8)
    event_at = np.empty(size, np.int64)
    event_visible = np.empty(size, np.int8)
    event_characters = np.empty(size, np.int32)
    thread_starts = np.empty(size + 1, np.int64)
    thread_buyer = np.empty(size, np.int64)
    thread_agent = np.empty(size, np.int32)
    agents = np.empty(64, np.int32)
    places = np.empty(64, np.int64)  # how many events each of the agents has, then where the next one goes
    place_of_row = np.empty(64, np.int32)
    event, thread = 0, 0
    for buyer in range(starts.size - 1):
        begin, end = starts[buyer], starts[buyer + 1]
        if end - begin > agents.size:
            agents = np.empty(2 * (end - begin), np.int32)
            places = np.empty(agents.size, np.int64)
            place_of_row = np.empty(agents.size, np.int32)
        # The agents of this buyer; few buyers have more than one or two.
        number, n, markers = 0, 0, False
        for i in range(begin, end):
            one = owner[i]
            if who[i] == 2:
                markers = True
                one = reopened[i]
                if one < 0:
                    continue
            if number == 0 or agents[n] != one:
                n = 0
                while n < number and agents[n] != one:
                    n += 1
                if n == number:
                    agents[n] = one
                    places[n] = 0
                    number += 1
            places[n] += 1
            place_of_row[i - begin] = n
        if markers:
            for i in range(begin, end):
                if who[i] == 2 and voided[i] >= 0:
                    place = _place_of(voided[i], agents, number)
                    if place >= 0:
                        places[place] += 1
        # Threads come by their agents, in ascending order.
        last = np.int64(-(2**40))
        for _ in range(number):
            n = -1
            for place in range(number):
                if agents[place] > last and (n < 0 or agents[place] < agents[n]):
                    n = place
            last = np.int64(agents[n])
            thread_starts[thread] = event
            thread_buyer[thread] = buyer
            thread_agent[thread] = agents[n]
            thread += 1
            event, places[n] = event + places[n], event
        for i in range(begin, end):
            if who[i] != 2:
                n = place_of_row[i - begin]
                to = places[n]
                places[n] = to + 1
                event_row[to] = i
                event_type[to] = who[i]
                event_at[to] = at[i]
                event_visible[to] = visible[i]
                event_characters[to] = characters[i]
                continue
            for kind, agent in ((VOID, voided[i]), (REOPEN, reopened[i])):
                n = _place_of(agent, agents, number) if agent >= 0 else -1
                if n >= 0:
                    to = places[n]
                    places[n] = to + 1
                    event_row[to] = i
                    event_type[to] = kind
                    event_at[to] = at[i]
                    event_visible[to] = visible[i]
                    event_characters[to] = characters[i]
    thread_starts[thread] = event
    return (
        event_row[:event],
        event_type[:event],
        event_at[:event],
        event_visible[:event],
        event_characters[:event],
        thread_starts[: thread + 1].copy(),
        thread_buyer[:thread].copy(),
        thread_agent[:thread].copy(),
    )


class Turns(NamedTuple):
    """One entry per turn. -1 stands for none.

    ``event`` is the one it opened with, ``started_by`` (BUYER, STAFF) began the ``session``; ``following`` is the
    second of the next staff message of the thread, the reply or a later one. Of a turn without reply: ``last`` is
    the second of the thread's last event before it was over, ``followed`` that of the first one after, ``late`` the
    same where that is a staff message.
    """

    thread: np.ndarray
    peer_day: np.ndarray
    session: np.ndarray
    event: np.ndarray
    opened: np.ndarray
    reply: np.ndarray
    following: np.ndarray
    late: np.ndarray
    last: np.ndarray
    followed: np.ndarray
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
    # A column per turn, session and peer-day, the rows in the order of the fields of Turns, Sessions and PeerDays:
    # one array each, because a loop that writes into forty has no register left.
    turn = np.empty((12, size), np.int64)
    session = np.empty((4, size), np.int64)
    peer_day = np.empty((16, size), np.int64)
    turns, sessions, peer_days = 0, 0, 0
    event_peer_day = np.empty(size, np.int64)
    noted = size if every_event else 0
    event_session = np.full(noted, -1, np.int64)
    event_reply = np.full(noted, -1, np.int64)
    event_question = np.zeros(noted, np.int8)

    gap = max_wait if max_wait > 0 else session_gap
    for thread in range(thread_starts.size - 1):
        begin, end = thread_starts[thread], thread_starts[thread + 1]
        opened, opened_day, opened_number, opened_by, opened_event, opened_session = -1, -1, -1, 0, -1, -1
        waiting = turns  # the first turn whose next staff message is not known yet
        previous, previous_at = -1, -1  # the event before this one
        unanswered = begin  # the first event whose next staff message is not known yet
        session_by, session_day, session_first, session_peer_day = 0, -1, -1, -1
        last_turn_day = -1
        current, number = -1, -1  # the peer-day and its day
        by_buyer, by_staff, characters_sent = 0, 0, 0
        asked, first_staff, last_staff, seen, answered = -1, -1, -1, 0, 0
        for i in range(begin, end):
            if kind[i] == 2:
                if opened >= 0 and every_event:
                    event_question[opened_event:i] = 0
                opened = -1
                event_peer_day[i] = -1
                continue
            now = at[i]
            day = (now - day_cut) // DAY
            from_buyer = kind[i] != 1
            new_session = previous < 0 or now - previous_at >= gap
            if opened >= 0:
                if max_wait > 0:
                    over = elapsed[i] - elapsed[previous] >= max_wait or now - opened >= age_limit[thread]
                else:
                    over = day != (previous_at - day_cut) // DAY
                if over:
                    turn[0, turns] = thread
                    turn[1, turns] = opened_day
                    turn[2, turns] = opened_session
                    turn[3, turns] = opened_event
                    turn[4, turns] = opened
                    turn[5, turns] = -1
                    turn[7, turns] = -1 if from_buyer else now
                    turn[8, turns] = previous_at
                    turn[9, turns] = now
                    turn[10, turns] = opened_number != last_turn_day
                    turn[11, turns] = opened_by
                    last_turn_day = opened_number
                    turns += 1
                    opened = -1
            if number != day or current < 0:
                if current >= 0:
                    peer_day[2, current] = by_buyer
                    peer_day[3, current] = by_staff
                    peer_day[4, current] = characters_sent
                    peer_day[8, current] = first_staff
                    peer_day[9, current] = last_staff
                    peer_day[11, current] = seen
                    peer_day[12, current] = answered
                current, number = peer_days, day
                by_buyer, by_staff, characters_sent = 0, 0, 0
                asked, first_staff, last_staff, seen, answered = -1, -1, -1, 0, 0
                peer_day[0, current] = thread
                peer_day[1, current] = day
                peer_day[5, current] = -1
                peer_day[6, current] = now
                peer_day[7, current] = i
                peer_day[10, current] = (0 if from_buyer else 1) if new_session else session_by
                peer_day[13, current] = 0
                peer_day[14, current] = 0
                peer_day[15, current] = 0
                peer_days += 1
            if new_session:
                if session_first >= 0:
                    session[3, sessions - 1] = previous_at
                session_by = 0 if from_buyer else 1
                session_day, session_first, session_peer_day = day, now, current
                peer_day[13, current] = 1
                session[0, sessions] = thread
                session[1, sessions] = current
                session[2, sessions] = now
                sessions += 1
            elif now - session_first > long_s:
                peer_day[15, session_peer_day] = 1
            event_peer_day[i] = current
            if every_event:
                event_session[i] = sessions - 1
            if from_buyer:
                if every_event:
                    event_question[i] = 1
                if kind[i] == 0:
                    by_buyer += 1
                    seen |= visible[i]
                if asked < 0:
                    asked = now
                    peer_day[5, current] = now
                    peer_day[14, current] = session_day < day
                if opened < 0:
                    opened, opened_day, opened_number, opened_by = now, current, day, session_by
                    opened_event, opened_session = i, sessions - 1
            else:
                if every_event:
                    event_reply[unanswered:i] = now
                    unanswered = i
                while waiting < turns:
                    turn[6, waiting] = now
                    waiting += 1
                if first_staff < 0:
                    first_staff = now
                last_staff = now
                by_staff += 1
                characters_sent += characters[i]
                seen |= visible[i]
                if opened >= 0:
                    turn[0, turns] = thread
                    turn[1, turns] = opened_day
                    turn[2, turns] = opened_session
                    turn[3, turns] = opened_event
                    turn[4, turns] = opened
                    turn[5, turns] = now
                    turn[6, turns] = now
                    turn[7, turns] = -1
                    turn[8, turns] = -1
                    turn[9, turns] = -1
                    turn[10, turns] = opened_number != last_turn_day
                    turn[11, turns] = opened_by
                    last_turn_day = opened_number
                    if opened_day == current:
                        answered = 1
                    else:
                        peer_day[12, opened_day] = 1
                    turns += 1
                    waiting = turns
                    opened = -1
            previous, previous_at = i, now
        if current >= 0:
            peer_day[2, current] = by_buyer
            peer_day[3, current] = by_staff
            peer_day[4, current] = characters_sent
            peer_day[8, current] = first_staff
            peer_day[9, current] = last_staff
            peer_day[11, current] = seen
            peer_day[12, current] = answered
            session[3, sessions - 1] = previous_at
        if opened >= 0:
            # An open turn at the end is unanswered, unless the data end before its wait could be over (censored).
            silence = data_elapsed[thread] - elapsed[previous]
            if max_wait > 0 and silence < max_wait and data_end[thread] - opened < age_limit[thread]:
                if every_event:
                    event_question[opened_event:end] = 0
            else:
                turn[0, turns] = thread
                turn[1, turns] = opened_day
                turn[2, turns] = opened_session
                turn[3, turns] = opened_event
                turn[4, turns] = opened
                turn[5, turns] = -1
                turn[7, turns] = -1
                turn[8, turns] = previous_at
                turn[9, turns] = -1
                turn[10, turns] = opened_number != last_turn_day
                turn[11, turns] = opened_by
                turns += 1
        while waiting < turns:
            turn[6, waiting] = -1
            waiting += 1

    return (
        Turns(
            turn[0, :turns],
            turn[1, :turns],
            turn[2, :turns],
            turn[3, :turns],
            turn[4, :turns],
            turn[5, :turns],
            turn[6, :turns],
            turn[7, :turns],
            turn[8, :turns],
            turn[9, :turns],
            turn[10, :turns].astype(np.int8),
            turn[11, :turns].astype(np.int8),
        ),
        Sessions(session[0, :sessions], session[1, :sessions], session[2, :sessions], session[3, :sessions]),
        PeerDays(
            peer_day[0, :peer_days],
            peer_day[1, :peer_days],
            peer_day[2, :peer_days],
            peer_day[3, :peer_days],
            peer_day[4, :peer_days],
            peer_day[5, :peer_days],
            peer_day[6, :peer_days],
            peer_day[7, :peer_days],
            peer_day[8, :peer_days],
            peer_day[9, :peer_days],
            peer_day[10, :peer_days].astype(np.int8),
            peer_day[11, :peer_days].astype(np.int8),
            peer_day[12, :peer_days].astype(np.int8),
            peer_day[13, :peer_days].astype(np.int8),
            peer_day[14, :peer_days].astype(np.int8),
            peer_day[15, :peer_days].astype(np.int8),
        ),
        EventNotes(event_peer_day, event_session, event_reply, event_question),
    )
