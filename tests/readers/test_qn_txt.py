"""qn-txt: every quirk of formats 1.1 pinned by a small literal file. All names are invented."""

from __future__ import annotations

import codecs
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cslog.readers.base import Batch, Options
from cslog.readers.head import Head
from cslog.readers.qn_copy import QnCopy
from cslog.readers.qn_txt import QnTxt
from cslog.readers.ww_txt_old import WwTxtOld
from tests.readers.batches import at, column, reasons

RULE = "=" * 64
DASHES = "-" * 28
SINGLE = [RULE, " " * 31 + "单聊" + " " * 29, RULE, "", ""]
GROUP = ["", RULE, " " * 31 + "群聊" + " " * 29, RULE]


def contact(nick: str) -> str:
    return f"{DASHES}{nick}{DASHES}"


def export(*lines: str, login: str = "某旗舰店:客服A", group: tuple[str, ...] = ()) -> bytes:
    return "\r\n".join([login, "", *SINGLE, *lines, *GROUP, *group, ""]).encode("gb18030")


def read(data: bytes, **options: object) -> Batch:
    head = Head("导出.txt", data)
    return QnTxt().read(head, Options(**options)).validated("qn-txt")  # type: ignore[arg-type]


BASIC = export(
    contact("buyer_a"),
    "buyer_a(2020-09-01 10:12:13):  在吗",
    "某旗舰店:客服A(2020-09-01 10:12:20):  亲，在的呢",
    "有什么可以帮您？",
    "某旗舰店:客服A(2020-09-01 10:12:41): [卡片]",
    contact("tb12****"),
    "tb12****(2020-08-30 00:00:00):  发货了吗",
)


def test_layout_of_an_export() -> None:
    batch = read(BASIC)
    assert (batch.shop, batch.exporter, batch.encoding) == ("某旗舰店", "某旗舰店:客服A", "gb18030")
    assert column(batch, "line") == [9, 10, 12, 14]
    assert column(batch, "block") == [1, 1, 1, 2]
    assert column(batch, "buyer") == ["buyer_a", "buyer_a", "buyer_a", "tb12****"]
    assert column(batch, "sender") == ["buyer_a", "某旗舰店:客服A", "某旗舰店:客服A", "tb12****"]
    assert column(batch, "text") == ["在吗", "亲，在的呢\n有什么可以帮您？", "[卡片]", "发货了吗"]
    assert column(batch, "sent_at")[0] == at("2020-09-01 10:12:13")
    assert column(batch, "auto") == [False] * 4
    assert reasons(batch) == []
    assert batch.warnings == []
    assert batch.replaced_characters == 0


@pytest.mark.parametrize(
    "data",
    [
        BASIC,
        BASIC.replace(b"\r\n", b"\n"),
        BASIC.decode("gb18030").encode(),
        codecs.BOM_UTF8 + BASIC.decode("gb18030").encode(),
        codecs.BOM_UTF16_LE + BASIC.decode("gb18030").encode("utf-16-le"),
    ],
    ids=["gbk", "lf", "utf-8", "utf-8-bom", "utf-16"],
)
def test_resaved_copies_read_alike(data: bytes) -> None:
    assert QnTxt().identify(Head("a.txt", data))
    messages = read(data).messages
    expected = read(BASIC).messages
    assert messages is not None
    assert expected is not None
    assert messages.equals(expected)


def test_main_account_as_login() -> None:
    batch = read(export(contact("buyer_a"), "某旗舰店(2020-09-01 10:12:13):  亲", login="cntaobao某旗舰店"))
    assert (batch.shop, batch.exporter) == ("某旗舰店", "某旗舰店")
    assert column(batch, "sender") == ["某旗舰店"]


def test_group_part_is_skipped_and_counted() -> None:
    batch = read(
        export(
            contact("buyer_a"),
            "buyer_a(2020-09-01 10:12:13):  在吗",
            "",
            group=("", contact("某群"), "buyer_b(2020-09-01 10:12:13):  大家好", "哈"),
        )
    )
    assert column(batch, "text") == ["在吗"]
    assert batch.warnings == ["3 lines of group chat skipped"]


@pytest.mark.parametrize(
    "pasted",
    [
        "-" * 60,
        "-" * 56,
        "-" * 27 + "buyer_b" + "-" * 28,
        "-" * 29 + "buyer_b" + "-" * 29,
        "-" * 28 + "buyer_b" + "-" * 30,
        DASHES + "  " + DASHES,
        " " + contact("buyer_b"),
        RULE,
    ],
)
def test_rows_of_dashes_inside_a_message_are_text(pasted: str) -> None:
    batch = read(
        export(
            contact("buyer_a"),
            "buyer_a(2020-09-01 10:12:13):  看",
            pasted,
            "某旗舰店:客服A(2020-09-01 10:12:20):  好",
        )
    )
    assert column(batch, "text") == [f"看\n{pasted}", "好"]
    assert column(batch, "block") == [1, 1]


@pytest.mark.parametrize(
    "nick", ["-a-", "--x", "y-", "张(三)", "a b", "店:小号", "b(2020-01-01 00:00:00):x", "a--b"]
)
def test_odd_nicks(nick: str) -> None:
    batch = read(export(contact(nick), f"{nick}(2020-09-01 10:12:13):  在吗"))
    assert column(batch, "buyer") == [nick]
    assert column(batch, "sender") == [nick]
    assert column(batch, "text") == ["在吗"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("buyer_a(2020-09-01 10:12:13):  a", "a"),
        ("buyer_a(2020-09-01 10:12:13):   a", " a"),
        ("buyer_a(2020-09-01 10:12:13): [卡片]", "[卡片]"),
        ("buyer_a(2020-09-01 10:12:13):a", "a"),
        ("buyer_a(2020-09-01 10:12:13):", ""),
        ("buyer_a(2020-09-01 10:12:13):  ", ""),
        ("buyer_a（2020-09-01 10:12:13）：  a", "a"),
        ("cntaobaobuyer_a(2020-09-01 10:12:13):  a", "a"),
    ],
)
def test_forms_of_the_message_line(line: str, expected: str) -> None:
    batch = read(export(contact("buyer_a"), line))
    assert column(batch, "text") == [expected]
    assert column(batch, "sender") == [line.replace("（", "(").partition("(")[0]]


def test_trailing_blank_lines_are_layout_and_inner_ones_are_text() -> None:
    batch = read(export(contact("buyer_a"), "buyer_a(2020-09-01 10:12:13):  一", "", "二", "", "  ", ""))
    assert column(batch, "text") == ["一\n\n二"]


def test_quoted_lines_of_strangers_stay_text() -> None:
    batch = read(
        export(
            contact("buyer_a"),
            "buyer_a(2020-09-01 10:12:13):  朋友说",
            "buyer_b(2020-09-01 10:12:14):  这家不错",
            "看聊天: buyer_b(2020-09-01 10:12:15):  真的",
        )
    )
    assert column(batch, "sender") == ["buyer_a"]
    assert str(column(batch, "text")[0]).count("\n") == 2
    assert batch.warnings == [
        "2 lines in the form of a message by somebody outside the chat kept as quoted text"
    ]


def test_a_line_that_quotes_another_message_keeps_its_own_sender() -> None:
    line = "buyer_a(2020-09-01 10:12:13):  某旗舰店:客服A(2020-08-31 09:00:00):  明天发"
    batch = read(export(contact("buyer_a"), line))
    assert column(batch, "sender") == ["buyer_a"]
    assert column(batch, "text") == ["某旗舰店:客服A(2020-08-31 09:00:00):  明天发"]


def test_a_line_that_goes_back_in_time_is_a_quotation() -> None:
    # By more than five seconds: client and server clocks differ by less.
    batch = read(
        export(
            contact("buyer_a"),
            "buyer_a(2020-09-01 10:12:13):  你们说过",
            "某旗舰店:客服A(2020-09-01 10:12:07):  明天发",
            "某旗舰店:客服A(2020-09-01 10:12:08):  是的",
            contact("buyer_b"),
            "buyer_b(2020-01-01 10:12:13):  在吗",
        )
    )
    assert column(batch, "text") == ["你们说过\n某旗舰店:客服A(2020-09-01 10:12:07):  明天发", "是的", "在吗"]
    assert batch.warnings == ["1 line in the form of a message that goes back in time kept as quoted text"]


def test_who_can_speak_in_a_block() -> None:
    senders = ["某旗舰店", "某旗舰店:服务助手", "cntaobao某旗舰店:客服 B", "旧店名:客服C", "小李", "buyer_a"]
    lines = [f"{sender}(2020-09-01 10:12:13):  a" for sender in senders]
    assert column(read(export(contact("buyer_a"), *lines), staff=frozenset({"小李"})), "sender") == senders


def test_auto_replies_are_marked_and_the_mark_removed() -> None:
    batch = read(
        export(
            contact("buyer_a"),
            "某旗舰店:客服A(自动回复)(2020-09-01 10:12:13):  您好",
            "某旗舰店:客服A(2020-09-01 10:12:14):  [自动回复] 稍等",
            "buyer_a(2020-09-01 10:12:15):  自动回复？",
        )
    )
    assert column(batch, "auto") == [True, True, False]
    assert column(batch, "text") == ["您好", "稍等", "自动回复？"]
    assert column(batch, "sender") == ["某旗舰店:客服A", "某旗舰店:客服A", "buyer_a"]


def test_transfer_lines_stay_the_buyers() -> None:
    line = "buyer_a(2020-09-01 10:12:13):  由 服务助手 转交给 客服A"
    batch = read(export(contact("buyer_a"), line, "原因：【离线留言自动分配】"))
    assert column(batch, "sender") == ["buyer_a"]
    assert column(batch, "text") == ["由 服务助手 转交给 客服A\n原因：【离线留言自动分配】"]


def test_isolated_times_are_noise() -> None:
    batch = read(
        export(
            contact("buyer_a"),
            "2017-03-29 10:46:55",
            "buyer_a(2020-09-01 10:12:13):  a",
            "2017-03-29 10:46:55",
            "b",
        )
    )
    assert column(batch, "text") == ["a\nb"]
    assert reasons(batch) == []


def test_what_cannot_be_placed_is_rejected() -> None:
    batch = read(
        export(
            "前言",
            contact("buyer_a"),
            "没有发送者",
            "buyer_b(2020-09-01 10:12:13):  谁",
            "buyer_a(2024-13-45 10:12:13):  a",
            "下一行",
            "buyer_a(2024-01-15 24:12:13):  a",
            "buyer_a(2024-01-15 10:12:13):  好",
        )
    )
    assert column(batch, "text") == ["好"]
    assert reasons(batch) == [
        (8, "outside a contact block"),
        (10, "text before the first message of its block"),
        (11, "the sender is neither the block's buyer nor staff"),
        (12, "impossible date"),
        (13, "impossible date"),
        (14, "impossible date"),
    ]


def test_broken_bytes_cost_a_character_and_are_counted() -> None:
    data = export(
        contact("buyer_a"), "buyer_a(2020-09-01 10:12:13):  好@@", "buyer_a(2020-09-01 10:12:14):  下一条"
    )
    batch = read(data.replace(b"@@", b"\xff"))
    assert column(batch, "text") == ["好\ufffd", "下一条"]
    assert batch.replaced_characters == 1


def test_contact_line_with_long_id() -> None:
    batch = read(export(contact("cntaobaobuyer_a"), "cntaobaobuyer_a(2020-09-01 10:12:13):  a"))
    assert column(batch, "buyer") == ["buyer_a"]
    assert column(batch, "sender") == ["cntaobaobuyer_a"]


def test_header_cut_off() -> None:
    lines = [contact("buyer_a"), "buyer_a(2020-09-01 10:12:13):  a", "某店:客服A(2020-09-01 10:12:14):  b"]
    data = "\r\n".join(lines).encode("gb18030")
    assert QnTxt().identify(Head("a.txt", data))
    batch = read(data)
    assert (batch.shop, batch.exporter) == ("某店", None)
    assert column(batch, "text") == ["a", "b"]


def test_empty_export() -> None:
    batch = read(export())
    assert column(batch, "text") == []


def test_no_words_in_warnings() -> None:
    secret = "绝密"
    batch = read(
        export(
            contact("buyer_a"),
            f"buyer_a(2020-09-01 10:12:13):  {secret}",
            f"{secret}(2020-09-01 10:12:13):  {secret}",
            f"buyer_a(2019-09-01 10:12:13):  {secret}",
            group=(secret,),
        )
    )
    assert len(batch.warnings) == 3
    assert all(secret not in warning for warning in batch.warnings)


OTHERS = {
    "empty": b"",
    "csv": '"订单编号","买家会员名"\r\n="1","buyer_a"\r\n'.encode("gb18030"),
    "jd": "/*****************以下为一通会话************************************/\n"
    "1****xx 2024-05-01 10:00:03\t\n请问这个有货吗\t\n\n"
    "某旗舰店客服A 2024-05-01 10:00:15\t\n有的哦亲\t\n".encode(),
    "irc": b"--- Log opened Mon Jan 15 14:30:25 2024\n14:30 -!- nick [u@h] has joined #x\n"
    b"14:31 <nick> hi 10:30:00\n",
    "irc-dated": b"2024-01-15 10:30:00\tnick\thi\n2024-01-15 10:30:05\tother\tho\n",
    "python": b'"""Doc."""\nRULE = "=" * 64\nstart = "2024-01-15 10:00:00"\n'
    b"# seen x:y 2024-01-15 10:00:00\nprint(start)\n" + b"x = 1\n" * 20,
    "prose": "通知\n会议定于 2024-01-15 14:30:25\n请大家准时参加。即时消息另行通知。\n".encode(),
    "markdown": ("# 格式\n\n说明\n\n```\n某旗舰店:客服A\n\n" + "\n".join(SINGLE) + "\n```\n").encode(),
    "picture": b"\x89PNG\r\n\x1a\n\x00\x00",
    "workbook": b"PK\x03\x04aaaa",
    "raw-page": "2026-09-01\n20:57:11\n请在客户端查看\n某专卖店:客服A\n20:57:13\n在吗\ntb89****\n".encode(),
    "web-csv": "会话ID,日期,时间,对象,发话者,消息\n1,2024-01-15,10:00:00,客户,buyer_a,在吗\n".encode(),
    "phrases": ("*" * 25 + "快捷短语导出文档" + "*" * 20 + "\r\n您好\r\n").encode("utf-16-le"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_foreign_files_are_claimed_by_none_of_the_three(name: str) -> None:
    head = Head("a.txt", OTHERS[name])
    assert [reader.id for reader in (QnTxt(), WwTxtOld(), QnCopy()) if reader.identify(head)] == []


def test_exclusive() -> None:
    head = Head("a.txt", BASIC)
    assert [reader.id for reader in (QnTxt(), WwTxtOld(), QnCopy()) if reader.identify(head)] == ["qn-txt"]


# What the property leaves out, because the format cannot carry it: control characters and line
# ends; characters GB18030 does not give back; nicks with blanks around, of dashes only, of another
# kind's shape (long-id prefix, auto mark); texts whose last line of several is blank, that begin
# with the auto mark, or hold lines that are contacts, times or messages themselves.


def survives(value: str) -> bool:
    try:
        return value.encode("gb18030").decode("gb18030") == value
    except UnicodeError:
        return False


CHARACTERS = st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from(
    "-():（）：[]= 亲在吗0123456789"
)
NICKS = (
    st.text(CHARACTERS, min_size=1, max_size=12)
    .map(str.strip)
    .filter(survives)
    .filter(lambda nick: nick.strip("- \t\u3000") != "" and "自动回复" not in nick)
    .filter(lambda nick: not nick.startswith(("cntaobao", "cnalichn")))
)
AGENTS = NICKS.map(lambda nick: f"某旗舰店:{nick}")
LINES = st.text(CHARACTERS, max_size=15).filter(survives)
TEXTS = (
    st.lists(LINES, min_size=1, max_size=4)
    .map("\n".join)
    .filter(lambda words: "\n" not in words or words.rpartition("\n")[2].strip() != "")
    .filter(lambda words: not words.startswith(("[自动回复]", "(自动回复)")))
)
GAPS = st.integers(min_value=0, max_value=100_000)
MESSAGES = st.lists(st.tuples(st.none() | AGENTS, GAPS, TEXTS), max_size=5)
BLOCKS = st.lists(st.tuples(NICKS, TEXTS, MESSAGES), max_size=4)


@settings(max_examples=300, deadline=None)
@given(BLOCKS, st.integers(min_value=at("2015-01-01 00:00:00"), max_value=at("2035-01-01 00:00:00")))
def test_read_gives_back_what_was_rendered(
    blocks: list[tuple[str, str, list[tuple[str | None, int, str]]]], start: int
) -> None:
    expected: list[tuple[int, str, str, int, str]] = []
    lines: list[str] = []
    for number, (buyer, opening, rest) in enumerate(blocks, start=1):
        lines.append(contact(buyer))
        moment = start
        for sender, gap, words in [
            (buyer, 0, opening),
            *((who or buyer, gap, words) for who, gap, words in rest),
        ]:
            moment += gap
            written = datetime.fromtimestamp(moment, tz=UTC)
            lines.append(f"{sender}({written:%Y-%m-%d %H:%M:%S}):  {words}")
            expected.append((number, buyer, sender, moment, words))
    data = export(*(line.replace("\n", "\r\n") for line in lines))
    assume(not data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)))
    assert QnTxt().identify(Head("a.txt", data))
    batch = read(data)
    assert batch.messages is not None
    assert batch.messages.select("block", "buyer", "sender", "sent_at", "text").rows() == expected
    assert reasons(batch) == []
