"""Users' regular expressions: what Python's own engine finds, and never longer than the text takes."""

from __future__ import annotations

import re
import time

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cslog import limits, patterns
from cslog.config import Config, Memo, Shop
from cslog.errors import UsageError
from cslog.facts.credit import memo_agents
from cslog.readers import mapping_settings
from cslog.readers.base import Options
from cslog.readers.head import Head
from cslog.readers.mapping import load_mapping

_ATOMS = r"""a b A 工 ： . \d \w \s \D \W \S [ab] [^ab] [[\]] [^[\]] [\w.-] [a-c&&b] [&~#|] \[ \< \> \. [<>] \- { } \} a{2} é ²
\u5de5 \x41 \t (?i:aB) (?s:.) ] (?P<n>a) (b) (?:a|b) (a|工号) [^\S工] [-a] [a\]-] (?i:ß)"""
ATOMS = st.sampled_from([*re.split(r"\s+", _ATOMS), " ", r"\ "])
REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,2}", "{2,}?"])
PIECES = st.tuples(ATOMS, REPEATS).map("".join)
PLACES = st.sampled_from(["", "", "", "^", "$", r"\b", r"\A", r"\Z", "|"])
PATTERNS = st.lists(st.tuples(PIECES, PLACES).map("".join), min_size=1, max_size=5).map("".join)
TEXTS = st.text(st.sampled_from("abABc工号：.-_ \t[]<>{}&~#é²1٣\x1c\u3000ß"), max_size=8)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # [[] may mean something else in a later Python
@given(PATTERNS, st.sampled_from(["", "(?i)", "(?s)", "(?x)", "(?m)", "(?a)"]), TEXTS)
def test_what_is_found_is_what_python_finds(pattern, flags, text):
    try:
        own = re.compile(flags + pattern)
    except re.error:
        assume(False)
    known = patterns.compiled(flags + pattern)
    assert (known.names, known.groups) == (dict(own.groupindex), own.groups)
    series = pl.Series([text, None])
    for found, expected in (
        (known.searched(series), own.search(text)),
        (known.at_beginnings(series), own.match(text)),
    ):
        assert [column[1] for column in found] == [None] * (own.groups + 1)
        assert [column[0] for column in found] == (
            [expected[group] for group in range(own.groups + 1)] if expected else [None] * (own.groups + 1)
        )
    assert known.found_in(series).to_list() == [own.search(text) is not None, None]


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|aa)+$", "(a|a?)+b", "(.*)*=", "(.*a){20}$", r"(\w+\s?)*:$", "(?i)(x+x+)+y"]
)
def test_no_pattern_tries_all_ways(pattern):
    """Each of these takes Python's engine longer than anybody lives."""
    text = pl.Series(["a" * 5_000 + "!", "x" * 5_000])
    known = patterns.compiled(pattern)
    before = time.process_time()
    known.searched(text), known.at_beginnings(text), known.found_in(text)
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "is no regular expression"),
        ("(?=a)", "looks ahead or behind"),
        ("(?<!a)b", "looks ahead or behind"),
        (r"(a)\1", "refers back to a group"),
        ("(?P<x>a)(?(x)b|c)", "refers back to a group"),
        ("(?>a+)", "has an atomic group"),
        ("a*+", "has a possessive repetition"),
        ("(a{1000}){1000}", f"repeats more than {limits.PATTERN_STEPS:,} times"),
        (r"[\ud800]", "half a character"),
        ("(" * 5_000 + ")" * 5_000, "is no regular expression"),
    ],
)
def test_what_cannot_be_run_is_refused_with_its_reason(pattern, said):
    with pytest.raises(patterns.PatternError, match=re.escape(said)):
        patterns.compiled(pattern)


MAPPING = """
format = "lines"
shop = "某店"
pattern = '(?P<time>[0-9-]+ [0-9:]+) (?P<sender>(?:\\w+\\s?)+): (?P<text>.*)'
skip = ['^(?:-+)+$']
conversation = "stream"
role.agent_pattern = '^(?:小+)+$'
time.format = "%Y-%m-%d %H:%M:%S"
"""


def test_a_mapping_with_such_patterns_reads_in_time(tmp_path):
    file = tmp_path / "m.toml"
    file.write_text(MAPPING, encoding="utf-8")
    lines = ["2024-11-06 10:12:00 anna: hi", "2024-11-06 10:12:01 小小: 在", "-" * 3_000 + "x", "a" * 3_000]
    lines += [f"2024-11-06 10:12:02 {'小' * 3_000}a: 在", "2024-11-06 10:12:02 " + "a b" * 3_000]
    before = time.process_time()
    batch = load_mapping(file).read(Head("a.log", "\n".join(lines).encode()), Options())
    assert time.process_time() - before < 5
    assert batch.messages["side"].to_list() == ["buyer", "agent", "buyer"]
    assert batch.messages["text"].to_list()[1] == "\n".join(["在", lines[2], lines[3]])


@pytest.mark.parametrize("key", ["pattern", "skip", "agent_pattern", "date_pattern", "file_date"])
def test_the_key_of_a_refused_pattern_is_named(tmp_path, key):
    bad = r"(?P<time>a)(?P<sender>a)(?P<text>(?=a))"
    replaced = {
        "pattern": MAPPING.replace("(?P<text>.*)", "(?P<text>(?=a))"),
        "skip": MAPPING.replace("^(?:-+)+$", bad),
        "agent_pattern": MAPPING.replace("^(?:小+)+$", bad),
        "date_pattern": MAPPING + f"time.date_pattern = '{bad}'\n",
        "file_date": MAPPING + f"time.file_date = '{bad}'\n",
    }
    file = tmp_path / "m.toml"
    file.write_text(replaced[key], encoding="utf-8")
    with pytest.raises(UsageError, match=rf"{key}.*looks ahead or behind"):
        mapping_settings.load(file)


def test_the_memo_of_an_order_is_read_in_time():
    orders = pl.DataFrame(
        {
            "shop": ["s", "s", "s", "t", "s"],
            "memo": ["工号12 补发", "工" * 5_000, None, "工号12", "工号99"],
            "flag": ["red", "red", "red", "red", "blue"],
        }
    )
    memo = Memo(r"(?:工+)+号(\d+)", {"12": "小美"})
    shop = Shop(memo=memo, flags={"red": "claim"})
    before = time.process_time()
    assert memo_agents(orders, Config(shops={"s": shop})).to_list() == ["小美", None, None, None, "99"]
    assert time.process_time() - before < 5
    claimed = Shop(memo=Memo(memo.pattern, memo.numbers, claimed_only=True), flags={"red": "claim"})
    assert memo_agents(orders, Config(shops={"s": claimed})).to_list() == ["小美", None, None, None, None]
    with pytest.raises(ValueError, match="`pattern` refers back to a group"):
        Memo(r"(a)\1")
