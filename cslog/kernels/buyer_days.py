"""The peer-days of a buyer's day taken together, for rows that no agent splits (definitions 18)."""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.flags import LEVELS, UNIT, mask
from cslog.kernels.signatures import I32, I64

_U_RECEIVED, _U_UNREPLIED, _U_FILTERED = UNIT["received"], UNIT["unreplied"], UNIT["filtered"]
_U_BY_BUYER, _U_BUYER_FIRST, _U_AGENT_FIRST = (
    UNIT["by_buyer"],
    UNIT["buyer_initiated"],
    UNIT["agent_initiated"],
)
_U_TURNED = UNIT["turned"]
_U_WITHIN = tuple(UNIT[f"within_{level}s"] for level in LEVELS)
_U_LOST, _U_ORDER_LOST, _U_INQUIRY, _U_PAID = UNIT["lost"], UNIT["order_lost"], UNIT["inquiry"], UNIT["paid"]
_ANY = mask(
    UNIT, [name for name in UNIT if name not in ("unreplied", "filtered", "lost", "order_lost", "by_buyer")]
)
"""Flags of a unit that hold for a buyer's day when they hold for any of its peer-days."""


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
