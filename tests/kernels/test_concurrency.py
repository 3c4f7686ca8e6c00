"""The sweep over sessions against counting the chats of every second."""

from __future__ import annotations

import importlib
import pkgutil

import naive
import numpy as np
import pytest
import vectors
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels.conversations import BEGIN, read_only
from naive import CHITU, DAY, Msg

from cslog import kernels
from cslog.kernels import concurrency

DAY_START = BEGIN
EDGES = (0, 3_599, 3_600, 36_000, 82_799, DAY - 5, DAY - 1)
SPANS = st.tuples(st.sampled_from(EDGES), st.integers(0, 40), st.sampled_from([0, 0, 1, 30, 130])).map(
    lambda parts: (DAY_START + parts[0] + parts[1] * 3, DAY_START + parts[0] + parts[1] * 3 + parts[2])
)


def session_of(first, last):
    return [Msg(first, "甲", "b", "B", True), Msg(last, "甲", "b", "A", True)]


def swept(groups, day_starts):
    starts = np.cumsum([0, *map(len, groups)]).astype(np.int64)
    first, last = (
        np.array(
            [span[i] - begin for group, begin in zip(groups, day_starts, strict=True) for span in group],
            np.int32,
        )
        for i in (0, 1)
    )
    return concurrency.sweep(starts, first, last)


def by_second(spans, day_start):
    """Peak, chat seconds and busy seconds per hour, one second after the other."""
    level = {}
    for first, last in spans:
        for second in range(first, last + 1):
            level[second] = level.get(second, 0) + 1
    table = [[0] * 24 for _ in range(3)]
    for second, chats in level.items():
        hour = min((second - day_start) // 3600, 23)
        table[0][hour] = max(table[0][hour], chats)
        table[1][hour] += chats
        table[2][hour] += 1
    return table


@settings(max_examples=100)
@given(st.lists(st.lists(SPANS, max_size=6), max_size=3), st.sampled_from([0, 4 * 3600]))
def test_sweep(groups, day_cut):
    # With a day cut the last hour of the business day is 03:00-04:00, and nothing lies before its begin.
    moved = [[(first + day_cut, last + day_cut) for first, last in group] for group in groups]
    result = swept(moved, [DAY_START + day_cut] * len(groups))
    for number, group in enumerate(moved):
        assert [table[number].tolist() for table in result] == by_second(group, DAY_START + day_cut)
        peak = naive.max_concurrent([session_of(*span) for span in group])
        assert max(result[0][number].tolist()) == peak


@pytest.mark.parametrize("vector", vectors.CONCURRENCY_VECTORS, ids=lambda vector: vector.name)
def test_vectors(vector):
    spans = [tuple(vectors.instant(0, clock) for clock in span) for span in vector.sessions]
    assert swept([spans], [vectors.BASE_DAY * DAY])[0].max() == vector.expected
    some_sessions = [s for span in spans for s in naive.sessions(session_of(*span), CHITU)]
    assert naive.max_concurrent(some_sessions) == vector.expected


def test_what_runs_past_the_day_stays_in_its_last_hour():
    peak, chat, busy = swept([[(DAY_START + DAY - 10, DAY_START + DAY + 7_199)]], [DAY_START])
    assert (peak[0, 23], chat[0, 23], busy[0, 23]) == (1, 7_210, 7_210)
    assert peak[0, :23].tolist() == chat[0, :23].tolist() == [0] * 23


def test_a_session_over_several_hours_is_cut_at_each():
    _, chat, _ = swept([[(DAY_START + 3_000, DAY_START + 7_300)]], [DAY_START])
    assert chat[0, :4].tolist() == [600, 3_600, 101, 0]


@settings(max_examples=20)
@given(st.lists(SPANS, min_size=1, max_size=6))
def test_read_only_arrays_give_the_same(spans):
    arrays = (
        np.array([0, len(spans)], np.int64),
        np.array([first - DAY_START for first, _ in spans], np.int32),
        np.array([last - DAY_START for _, last in spans], np.int32),
    )
    writable, locked = concurrency.sweep(*arrays), concurrency.sweep(*read_only(*arrays))
    assert [table.tolist() for table in writable] == [table.tolist() for table in locked]
    assert arrays[1].tolist() == [first - DAY_START for first, _ in spans]  # sorted in a copy


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 99), st.integers(0, 99)), max_size=40))
def test_sessions_are_put_together_by_their_group(sessions):
    codes, first, last = (np.array([one[i] for one in sessions], np.int32) for i in range(3))
    starts, firsts, lasts = concurrency.grouped(codes, first, last, 5)
    for group in range(5):
        part = slice(starts[group], starts[group + 1])
        assert [*zip([group] * 99, firsts[part].tolist(), lasts[part].tolist(), strict=False)] == [
            one for one in sessions if one[0] == group
        ]
    assert starts[-1] == len(sessions)


def compiled_kernels():
    """Every function of cslog.kernels that is compiled when it is imported; helpers without signature are not."""
    for module in pkgutil.iter_modules(kernels.__path__):
        for name, found in vars(importlib.import_module(f"cslog.kernels.{module.name}")).items():
            own = getattr(found, "__module__", "") == f"cslog.kernels.{module.name}"
            inlined = name.startswith("_") or name == "elapsed_at"  # parts of other kernels
            if own and hasattr(found, "py_func") and not inlined:
                yield pytest.param(found, id=f"{module.name}.{name}")


@pytest.mark.parametrize("kernel", [*compiled_kernels()])
def test_a_kernel_is_compiled_for_one_signature_alone(kernel):
    """A second one would be compiled in the middle of somebody's report."""
    if not hasattr(kernel, "signatures"):
        pytest.skip("NUMBA_DISABLE_JIT")
    assert len(kernel.signatures) == 1
    assert not kernel._can_compile


@pytest.mark.parametrize("size", [33, 300, 5_000])
def test_sweep_of_many(size):
    """More than are sorted at once; crowded minutes, a long tail, and what begins before or far behind its day."""
    dice = np.random.default_rng(size)
    crowd = dice.integers(36_000, 36_060, size // 2)
    first = np.concatenate([crowd, dice.integers(-400, 3 * DAY, size - size // 2)])
    last = first + dice.integers(0, 90, size)
    spans = [(int(one), int(other)) for one, other in zip(first, last, strict=True)]
    begun = [(array + 500).astype(np.int32) for array in (first, last)]
    peak, chats, _ = concurrency.sweep(np.array([0, size]), *begun)
    level = np.zeros(4 * DAY, np.int64)
    for one, other in spans:
        level[one + 500 : other + 501] += 1
    assert peak.max() == level.max()
    assert chats.sum() == level.sum()
    assert chats[0, 10] == level[36_000:39_600].sum()
