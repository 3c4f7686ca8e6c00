"""Rostered time: seconds looked up in cumulated ranges against counting them one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels.conversations import duty_arrays, read_only

from cslog.kernels import duty

END = 60
INSTANTS = st.integers(0, END)


@st.composite
def rosters(draw):
    """Disjoint, ascending, half-open ranges, some of them touching; or none."""
    edges = sorted(draw(st.lists(INSTANTS, unique=True, max_size=10)))
    ranges = list(zip(edges[::2], edges[1::2], strict=False))
    if draw(st.booleans()):
        ranges = [part for begin, end in ranges for part in ((begin, begin + 1), (begin + 1, end))]
    return [(begin, end) for begin, end in ranges if begin < end]


def elapsed(some_rosters, asked):
    number = np.array([number for number, _ in asked], np.int32)
    instant = np.array([at for _, at in asked], np.int64)
    return duty.elapsed(number, instant, duty_arrays(some_rosters)).tolist()


@settings(max_examples=300)
@given(st.lists(rosters(), min_size=1, max_size=4), INSTANTS, INSTANTS)
def test_seconds_on_duty_are_those_counted_one_by_one(some_rosters, one, other):
    begin, end = sorted((one, other))
    for number, ranges in enumerate(some_rosters):
        before, after = elapsed(some_rosters, [(number, begin), (number, end)])
        assert after - before == sum(
            any(first <= second < last for first, last in ranges) for second in range(begin, end)
        )


@settings(max_examples=60)
@given(st.lists(rosters(), max_size=3), st.lists(INSTANTS, max_size=5))
def test_whom_no_roster_names_has_the_wall_clock(some_rosters, instants):
    assert elapsed(some_rosters, [(-1, at) for at in instants]) == instants


@settings(max_examples=60)
@given(st.lists(rosters(), min_size=1, max_size=3), st.data())
def test_every_pair_is_looked_up_by_itself(some_rosters, data):
    numbers = st.integers(-1, len(some_rosters) - 1)
    asked = data.draw(st.lists(st.tuples(numbers, INSTANTS), max_size=8))
    assert elapsed(some_rosters, asked) == [
        value for pair in asked for value in elapsed(some_rosters, [pair])
    ]


def test_the_first_second_counts_and_the_end_does_not():
    assert elapsed([[(10, 20), (30, 31)]], [(0, at) for at in (0, 10, 11, 19, 20, 30, 31, 99)]) == [
        0, 0, 1, 9, 10, 10, 11, 11,
    ]  # fmt: skip


def test_time_stands_still_for_whom_a_roster_gives_no_hours():
    assert elapsed([[(0, 50)], [], [(0, 50)]], [(1, 0), (1, 40)]) == [0, 0]


@settings(max_examples=20)
@given(st.lists(rosters(), min_size=1, max_size=3), st.lists(INSTANTS, max_size=5))
def test_read_only_arrays_give_the_same(some_rosters, instants):
    arrays = (np.zeros(len(instants), np.int32), np.array(instants, np.int64))
    ranges = duty_arrays(some_rosters)
    locked = duty.elapsed(*read_only(*arrays), read_only(*ranges))
    assert locked.tolist() == duty.elapsed(*arrays, ranges).tolist()
