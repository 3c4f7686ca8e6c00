"""The loops over bytes and keys against what Python and the library xxhash say."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from cslog.scan import columns, hashing, rows

LENGTHS = [*range(260), 511, 512, 1023, 1024, 1025, 1088, 1089, 2048, 2049, 70_000]


def test_hashes_are_those_of_the_library():
    drawn = np.random.default_rng(3)
    texts = [drawn.integers(0, 256, length, dtype=np.uint8).tobytes() for length in LENGTHS]
    places = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    found = hashing.xxh3(np.frombuffer(b"".join(texts), np.uint8), places)
    assert found.view(np.uint64).tolist() == [xxhash.xxh3_64_intdigest(text) for text in texts]


WORDS = st.lists(st.none() | st.text(st.sampled_from("ab好😀"), max_size=14), max_size=12)


@given(WORDS, st.integers(0, 5))
def test_strings_become_bytes_and_strings_again(words, start):
    """Also where the column is a part of a longer one."""
    series = pl.Series(words, dtype=pl.String)[start:]
    data, places = columns.bytes_of(series)
    pieces = [data[begin:end].tobytes().decode() for begin, end in itertools.pairwise(places)]
    assert pieces == [word or "" for word in words[start:]]
    assert columns.strings(data, places).to_list() == pieces


KEYS = st.lists(st.tuples(*[st.integers(-2, 2) | st.integers(-(2**63), 2**63 - 1)] * 3), max_size=60)


@given(KEYS)
def test_equal_rows_are_counted_and_numbered(keys):
    one, two, three = (np.array([key[i] for key in keys], np.int64) for i in range(3))
    rank, occurrence = rows.equal_before(one, two, three)
    assert rank.tolist() == [[k[:2] for k in keys[:n]].count(keys[n][:2]) for n in range(len(keys))]
    assert occurrence.tolist() == [keys[:n].count(keys[n]) for n in range(len(keys))]
    codes, first = rows.distinct(one)
    order = list(dict.fromkeys(one.tolist()))
    assert codes.tolist() == [order.index(key) for key in one.tolist()]
    assert one[first].tolist() == order


@pytest.mark.parametrize("count", [0, 1, 100_000])
def test_distinct_of_many(count):
    codes, first = rows.distinct(np.arange(count, dtype=np.int64) << 20)
    assert codes.tolist() == first.tolist() == list(range(count))


SMALL = st.integers(-1, 2)
ROWS = st.lists(st.tuples(SMALL, SMALL, SMALL, SMALL), max_size=40)


def columns_of(keys, width):
    return tuple(np.array([key[i] for key in keys], np.int64) for i in range(width))


@given(st.lists(st.tuples(*[SMALL] * 5), max_size=60))
def test_rows_are_arranged_as_python_sorts_them(keys):
    first, *rest = columns_of(keys, 5)
    order = np.argsort(first, kind="stable")
    rows.arrange(order, first, tuple(rest))
    assert order.tolist() == sorted(range(len(keys)), key=lambda row: keys[row])  # stable too
    found = rows.repeats(order, (first, *rest[:3]))
    assert found.tolist() == [
        n > 0 and keys[order[n - 1]][:4] == keys[row][:4] for n, row in enumerate(order)
    ]


@given(ROWS, ROWS)
def test_rows_are_found_among_others(mine, theirs):
    mine, theirs = sorted(mine), sorted(theirs, key=lambda row: row[:2])
    found = rows.among(columns_of(mine, 4), columns_of(theirs, 4))
    assert found.tolist() == [row in theirs for row in mine]
