"""Which agent a buyer message belongs to when no export states it (kpi-spec I3, definitions 4),
and what a transfer marker does to open turns (definitions 8).

Arrays are rows of countable messages and transfer markers, grouped by buyer (``starts``), inside a buyer
by (time, rank). ``who``: 0 buyer, 1 valid staff message, 2 transfer marker.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.kernels.duty import elapsed_at
from cslog.kernels.signatures import BOOL, DUTY, I8, I32, I32_2, I64, INT

DAY = 86_400


@njit([(I64, I64, I8, I32, I32, I32, INT)], cache=True, nogil=True)
def infer_owners(starts, at, who, agent, exporter, target, gap):  # type: ignore[no-untyped-def]
    """Owner of every row: int32 agent codes, -1 for nobody and for markers.

    ``agent``: sender of staff rows, stated agent of buyer rows (-1: infer). ``target``: whom a marker
    names. ``gap``: seconds of silence that end a run.
    """
    owner = np.empty(at.size, np.int32)
    for buyer in range(starts.size - 1):
        row, end = starts[buyer], starts[buyer + 1]
        undecided = 0
        for i in range(row, end):
            owner[i] = agent[i] if who[i] != 2 else np.int32(-1)
            undecided += owner[i] < 0 and who[i] == 0
        if undecided == 0:  # the exports state every agent
            continue
        while row < end:
            if who[row] == 2:
                row += 1
                continue
            # [row, stop) is a run; markers stand between its messages.
            last, stop = row, row + 1
            while stop < end and (who[stop] == 2 or at[stop] - at[last] < gap):
                if who[stop] != 2:
                    last = stop
                stop += 1
            marked = -1
            before = row - 1
            while before >= starts[buyer] and at[before] == at[row] and who[before] == 2:
                if marked < 0:
                    marked = target[before]
                before -= 1
            spoke = -1
            for i in range(row, last + 1):
                if who[i] == 2:
                    marked = target[i]
                elif who[i] == 1:
                    owner[i] = agent[i]
                    spoke = agent[i]
                elif agent[i] >= 0:
                    owner[i] = agent[i]
                elif marked >= 0:
                    owner[i] = marked
                else:
                    owner[i] = -2 - spoke  # provisional: the agent who spoke last
            following = -1
            for i in range(last, row - 1, -1):
                if who[i] == 1:
                    following = agent[i]
                elif who[i] == 0 and owner[i] < 0:
                    spoke = -2 - owner[i]
                    if following >= 0:
                        owner[i] = following
                    elif spoke >= 0:
                        owner[i] = spoke
                    else:
                        owner[i] = exporter[i]
            row = stop
    return owner


@njit(cache=True, nogil=True)
def _is_over(opened_at, previous, now, number, duty, gap, day_cut):  # type: ignore[no-untyped-def]
    """Whether a turn whose thread was silent since ``previous`` is over at ``now``.

    By silence in the agent's own time; a rostered agent's also by its age; without ``gap`` by the day's end.
    """
    if gap == 0:
        return (previous - day_cut) // DAY != (now - day_cut) // DAY
    silence = elapsed_at(number, now, duty) - elapsed_at(number, previous, duty)
    return silence >= gap or (number >= 0 and now - opened_at >= DAY)


@njit(cache=True, nogil=True)
def _open_turn(  # type: ignore[no-untyped-def]
    begin,
    marker,
    at,
    who,
    owner,
    voided,
    reopened,
    agent,
    number,
    duty,
    gap,
    day_cut,
):
    """Row at which the turn of ``agent`` opened that is still open at ``marker``; -1 when there is none."""
    opened = -1
    previous = -1
    for i in range(begin, marker + 1):
        mine = (who[i] != 2 and owner[i] == agent) or (who[i] == 2 and reopened[i] == agent) or i == marker
        if who[i] == 2 and voided[i] == agent:
            opened = -1
        if not mine:
            continue
        if opened >= 0 and _is_over(
            at[opened],
            at[previous],
            at[i],
            number,
            duty,
            gap,
            day_cut,
        ):
            opened = -1
        if i == marker:
            break
        if who[i] == 1:
            opened = -1
        elif opened < 0:
            opened = i
        previous = i
    return opened


@njit(
    [(I64, I64, I8, I32, I32, I32, I32, I32_2, DUTY, INT, INT, BOOL)],
    cache=True,
    nogil=True,
)
def transfer_effects(  # type: ignore[no-untyped-def]
    starts,
    at,
    who,
    owner,
    origin,
    target,
    buyer_shop,
    roster_of,
    duty,
    gap,
    day_cut,
    neutral,
):
    """For every marker row: the agent whose open turn it voids and the agent for whom it re-opens (-1: none).

    Without ``neutral`` nothing happens (profile ``transfer = strict``). ``gap`` 0 means that the end of
    the day closes a turn, not silence. ``roster_of`` (shops × agents) holds roster numbers (kernels.duty),
    ``buyer_shop`` the shop of each buyer.
    """
    voided = np.full(at.size, -1, np.int32)
    reopened = np.full(at.size, -1, np.int32)
    if not neutral:
        return voided, reopened
    for buyer in range(starts.size - 1):
        begin, end = starts[buyer], starts[buyer + 1]
        for marker in range(begin, end):
            leaving, taking = origin[marker], target[marker]
            if who[marker] != 2 or leaving < 0 or taking < 0 or leaving == taking:
                continue
            opened = _open_turn(
                begin,
                marker,
                at,
                who,
                owner,
                voided,
                reopened,
                leaving,
                roster_of[buyer_shop[buyer], leaving],
                duty,
                gap,
                day_cut,
            )
            if opened < 0:
                continue
            answered = False
            for i in range(opened, marker):
                if who[i] == 1 and owner[i] == taking:
                    answered = True
            if answered:
                continue
            held = _open_turn(
                begin,
                marker,
                at,
                who,
                owner,
                voided,
                reopened,
                taking,
                roster_of[buyer_shop[buyer], taking],
                duty,
                gap,
                day_cut,
            )
            voided[marker] = leaving
            if held < 0:
                reopened[marker] = taking
    return voided, reopened
