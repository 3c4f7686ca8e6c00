"""qn-txt against the plain loop over lines, and the decoder against Python's: the same of everything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cslog.readers import decode
from cslog.readers.base import Options
from cslog.readers.head import Head
from cslog.readers.qn_txt import QnTxt
from tests.readers import plain_qn_txt

RULE, DASHES = "=" * 64, "-" * 28
NICKS = ["buyer_a", "t**1", "-a-", "张(三)", "某旗舰店:小号", "cntaobaob", "cntaobao", "𠮷", "x(自动回复)"]
SENDERS = [
    *NICKS,
    "某旗舰店",
    "某旗舰店:客服A",
    "别店:小李",
    "别店 :小李",
    "店小二",
    "b" * 63 + ":c",
    ":x",
    "说: 好",
]
MARKS = ["", "", "", "(自动回复)", "（自动回复）", "[自动回复]", "自动回复"]
BLANKS = ["", "", " ", "  ", "\t", "\u3000", "\xa0", "\u2028", "\x1c", "\x85", "\u1680", "\u205f"]
DATES = [
    "2020-09-01",
    "2020-02-29",
    "2021-02-29",
    "2100-02-29",
    "2000-02-29",
    "2020-13-01",
    "2020-04-31",
    "2020-01-00",
    "1970-01-01",
    "2000-01-01",
]
CLOCKS = ["10:12:13", "10:12:08", "10:12:07", "09:00:00", "23:59:59", "24:00:00", "10:60:00", "10:00:60"]
STAMPS = st.tuples(
    st.sampled_from([*DATES[:1] * 40, *DATES]), st.sampled_from([*CLOCKS[:4] * 10, *CLOCKS])
).map(" ".join)


def heads(senders):
    return st.tuples(
        st.sampled_from(BLANKS), senders, st.sampled_from(MARKS), st.sampled_from(BLANKS),
        st.sampled_from("(((((（"), STAMPS, st.sampled_from("))))）"), st.sampled_from(":::::::：;"),
    ).map("".join)  # fmt: skip


WORDS = st.sampled_from(
    [
        "在吗",
        "亲",
        "a",
        "",
        "，",
        "（2",
        "(2",
        "-",
        "=",
        "\ufffd",
        "好的，马上为您查询",
        "1",
        "😀",
        *BLANKS,
        *MARKS,
    ]
)
CONTACTS = st.tuples(
    st.sampled_from(["", "", "", "", "-", " "]),
    st.just(DASHES),
    st.sampled_from([*NICKS, " buyer_a ", "--", "\u3000", "\xa0", "\t-"]),
    st.just(DASHES),
    st.sampled_from(["", "", "", "-", " ", "\u3000"]),
).map("".join)
SECTIONS = st.tuples(
    st.sampled_from(["", "", "="]),
    st.just(RULE + "\n"),
    st.sampled_from([" 单聊  \n", "群聊\n", "\u3000单聊\n", "单聊 群聊\n"]),
    st.sampled_from([RULE, RULE + " ", "x", ""]),
).map("".join)
TEXTS = st.lists(WORDS, max_size=4).map("".join)
SPACES = st.sampled_from(["  ", "  ", " ", "", "   "])


def messages(senders):
    quoting = st.lists(heads(st.sampled_from(SENDERS)), max_size=1).map("".join)
    return st.tuples(heads(senders), SPACES, quoting, st.sampled_from(MARKS), TEXTS).map("".join)


def block(nick):
    """A contact line, then lines in which the buyer and the shop speak more often than others."""
    likely = st.sampled_from([*[nick] * 9, *["某旗舰店:客服A"] * 9, *SENDERS])
    lines = st.one_of(
        messages(likely), messages(likely), messages(likely), TEXTS, TEXTS, STAMPS, CONTACTS, SECTIONS
    )
    return st.lists(lines, min_size=3, max_size=10).map(
        lambda found: "\n".join([f"{DASHES}{nick}{DASHES}", *found])
    )


BLOCKS = st.sampled_from(NICKS).flatmap(block)
FILES = st.tuples(
    st.sampled_from(["某旗舰店:客服A\n", "\n 某旗舰店 \n", "", "\n\n", f"{RULE}\n单聊\n{RULE}\n"]),
    st.lists(st.one_of(BLOCKS, BLOCKS, BLOCKS, TEXTS, SECTIONS), max_size=4).map("\n".join),
    st.sampled_from(["", "\n", "\n\n"]),
).map("".join)
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\r\r\n"])
ENCODINGS = st.sampled_from(["gb18030", "utf-8", "utf-8-sig", "utf-16"])
BREAKS = st.lists(
    st.tuples(st.integers(0, 2000), st.sampled_from([b"\xff", b"\x81", b"\x810", b"\r", b"\xe4\xbd"])),
    max_size=3,
)
OPTIONS = st.builds(
    Options,
    shop=st.sampled_from([None, None, "某旗舰店", "cntaobao别店"]),
    staff=st.sampled_from([frozenset(), frozenset({"店小二", "cntaobaob"})]),
)


@settings(max_examples=400, deadline=None)
@given(FILES, ENDS, ENCODINGS, BREAKS, OPTIONS)
def test_the_scan_reads_what_the_plain_loop_reads(content, end, encoding, breaks, options):
    data = content.replace("\n", end).encode(encoding)
    for place, junk in breaks:
        data = data[:place] + junk + data[place:]
    head = Head("导出.txt", data)
    assert plain_qn_txt.outcome(QnTxt().read, head, options) == plain_qn_txt.outcome(
        plain_qn_txt.read, head, options
    )


PIECES = st.sampled_from(
    [
        "亲在吗".encode(),
        "亲在吗".encode("gbk"),
        b"a\n",
        b"\r",
        "😀".encode(),
        "😀".encode("gb18030"),
        "\ufffd".encode(),
    ]
    + [bytes([byte]) for byte in (0x30, 0x39, 0x40, 0x7F, 0x80, 0x81, 0x8F, 0x90, 0x9F, 0xA0, 0xBD, 0xBF)]
    + [bytes([byte]) for byte in (0xC1, 0xC2, 0xE0, 0xE3, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFE, 0xFF)]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=12).map(b"".join), st.sampled_from(["", "好" * 20, "好" * 400]))
def test_bytes_are_decoded_as_python_decodes(junk, sound):
    for data in (junk, sound.encode() + junk, junk + sound.encode(), sound.encode("gbk") + junk):
        known = plain_qn_txt.decoded_plainly(data)
        found = decode.decode(data)
        assert known is None or (found.text, found.encoding, found.replaced) == known


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_all_of_unicode(encoding):
    every = "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x110000)]))
    found = decode.decode(every.encode(encoding))
    assert (found.text == every, found.encoding, found.replaced) == (True, encoding, 0)
