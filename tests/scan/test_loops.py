"""The loops over bytes and keys against what Python and the library xxhash say."""

from __future__ import annotations

import ctypes
import re

import numpy as np
import polars as pl
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from cslog import classify
from cslog.scan import addresses, columns, hashing, rows

LENGTHS = [*range(260), 511, 512, 1023, 1024, 1025, 1088, 1089, 2048, 2049, 70_000]


def test_hashes_are_those_of_the_library():
    drawn = np.random.default_rng(3)
    texts = [drawn.integers(0, 256, length, dtype=np.uint8) for length in LENGTHS]
    begins = np.array([text.ctypes.data for text in texts], np.int64)
    rows = addresses.Rows(begins, np.array(LENGTHS, np.int32), texts)
    found = hashing.xxh3(rows)
    assert found.view(np.uint64).tolist() == [xxhash.xxh3_64_intdigest(text.tobytes()) for text in texts]
    found = hashing.xxh3(rows, b"taobao\x1f")
    assert found.view(np.uint64).tolist() == [
        xxhash.xxh3_64_intdigest(b"taobao\x1f" + text.tobytes()) for text in texts
    ]


WORDS = st.lists(st.none() | st.text(st.sampled_from("ab好😀"), max_size=14), max_size=12)


@given(WORDS, WORDS, st.integers(0, 5))
def test_strings_are_found_where_they_are(one, other, start):
    """Also where the column is a part of a longer one, or consists of several."""
    series = pl.concat([pl.Series(one, dtype=pl.String), pl.Series(other, dtype=pl.String)], rechunk=False)[
        start:
    ]
    rows = columns.rows_of(series)
    pieces = [
        ctypes.string_at(address, length)
        for address, length in zip(rows[0].tolist(), rows[1].tolist(), strict=True)
    ]
    assert pieces == [(word or "").encode() for word in (one + other)[start:]]
    edges = np.cumsum([0, *rows.lengths], dtype=np.int64)
    assert (
        columns.strings(np.frombuffer(b"".join(pieces), np.uint8), edges).to_list()
        == series.fill_null("").to_list()
    )


@given(st.lists(st.text(st.sampled_from("ab好😀"), max_size=14), max_size=12))
def test_a_few_texts_are_hashed_like_a_column_of_them(texts):
    few, column = addresses.copied(texts), columns.rows_of(pl.Series(texts, dtype=pl.String))
    assert hashing.xxh3(few).tolist() == hashing.xxh3(column).tolist()
    assert few.lengths.tolist() == [len(text.encode()) for text in texts]


KINDS = st.integers(0, 10)
SPOKEN = st.lists(
    st.tuples(st.text(st.sampled_from("ab ?？好\u3000😀é€"), max_size=40), KINDS, st.integers(-1, 2)),
    max_size=12,
)


@given(SPOKEN)
def test_messages_are_known_by_speaker_kind_and_words(spoken):
    names = ["小美", "", "a" * 20]
    texts, kinds, speakers = zip(*spoken, strict=True) if spoken else ((), (), ())
    keys, characters = classify.keys_and_characters(
        columns.rows_of(pl.Series(texts, dtype=pl.String)),
        np.array(kinds, np.int8),
        np.array(speakers, np.int32),
        columns.rows_of(pl.Series(names)),
    )
    for text, kind, speaker, key, count in zip(texts, kinds, speakers, keys, characters, strict=True):
        words = re.sub(r"[ ?？\u3000😀€]", "", text) if kind == 0 else ""
        written = f"{names[speaker] if speaker >= 0 else ''}\x1f{kind}\x1f{words}"
        assert np.uint64(key.view(np.uint64)) == xxhash.xxh3_64_intdigest(written.encode())
        assert count == (len(re.sub(r"\s", "", text)) if kind == 0 else 0)


@given(st.lists(st.integers(0, 4)))
def test_codes_are_translated_in_place(codes):
    others, out = np.array([7, -1, 0, 2**31 - 1, 3], np.int32), np.full(len(codes), 9, np.int32)
    rows.translate(np.array(codes, np.int32), others, out)
    assert out.tolist() == [[7, -1, 0, 2**31 - 1, 3][code] for code in codes]


GROUPS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 2)), max_size=20)


@given(GROUPS)
def test_groups_of_one_value(rows_):
    groups = list(dict.fromkeys(group for group, _ in rows_))
    found = rows.only_one(
        np.array([groups.index(group) for group, _ in rows_], np.int32),
        np.array([v for _, v in rows_], np.int32),
    )
    for group, value in zip(groups, found.tolist(), strict=True):
        values = {v for g, v in rows_ if g == group and v >= 0}
        assert value == (rows.NONE if not values else values.pop() if len(values) == 1 else rows.SEVERAL)


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


@given(st.lists(st.integers(-3, 3), max_size=60))
def test_rows_are_ordered_as_python_sorts_them(keys):
    found = rows.ordered(np.array(keys, np.int64))
    assert found.tolist() == sorted(range(len(keys)), key=lambda row: keys[row])  # stable too


@given(ROWS, ROWS)
def test_rows_are_found_among_others(mine, theirs):
    mine, theirs = sorted(mine), sorted(theirs, key=lambda row: row[:2])
    keys, known = columns_of(mine, 4), columns_of(theirs, 4)
    begins = rows.meeting(*keys[:2], *known[:2])
    pairs = [row[:2] for row in theirs]
    assert begins.tolist() == [pairs.index(row[:2]) if row[:2] in pairs else -1 for row in mine]
    found = rows.among(begins, keys, known).tolist()
    assert [theirs[at] if at >= 0 else None for at in found] == [
        row if row in theirs else None for row in mine
    ]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.data())
def test_names_of_some_rows_are_numbered_anew(codes, data):
    chosen = data.draw(st.lists(st.integers(0, len(codes) - 1), max_size=30))
    places = np.full(7, -1, np.int32)
    for _ in range(2):  # the second time with what the first has left
        numbers, used = rows.renumbered(np.array(codes, np.int32), np.array(chosen, np.int64), places)
        assert sorted(used.tolist()) == sorted({codes[row] for row in chosen} - {0})
        assert [used[n] if n >= 0 else 0 for n in numbers] == [codes[row] for row in chosen]
