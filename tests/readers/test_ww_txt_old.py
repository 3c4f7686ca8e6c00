"""ww-txt-old: every quirk of formats 1.2 pinned by a small literal file. All names are invented."""

from __future__ import annotations

import calendar
from datetime import datetime

import pytest

from cslog.errors import ReadError
from cslog.readers.base import Batch, Options
from cslog.readers.head import Head
from cslog.readers.qn_copy import QnCopy
from cslog.readers.qn_txt import QnTxt
from cslog.readers.text import conversations
from cslog.readers.ww_txt_old import WwTxtOld
from tests.readers.batches import column, reasons

HEADER = ["某官方旗舰店", "", "                即时消息", ""]


def log(*records: str) -> bytes:
    return "\r\n".join([*HEADER, *records, ""]).encode("gb18030")


def read(*records: str, **options: object) -> Batch:
    return WwTxtOld().read(Head("2017-04.txt", log(*records)), Options(**options)).validated("ww")  # type: ignore[arg-type]


def owners(batch: Batch) -> list[tuple[object, object]]:
    return list(zip(column(batch, "buyer"), column(batch, "block"), strict=True))


BASIC = (
    "2017-04-05",
    "2017-04-05 09:01:02 buyer_a: 鞋子偏大吗",
    "2017-04-05 09:01:20 某官方旗舰店:客服A: 亲，正常尺码哦",
    "建议按平时尺码购买",
    "",
    "2017-04-05 09:01:31 buyer_a: ",
)


def test_records() -> None:
    batch = read(*BASIC)
    assert (batch.shop, batch.exporter, batch.encoding) == ("某官方旗舰店", None, "gb18030")
    assert column(batch, "line") == [6, 7, 10]
    assert column(batch, "sender") == ["buyer_a", "某官方旗舰店:客服A", "buyer_a"]
    assert column(batch, "text") == ["鞋子偏大吗", "亲，正常尺码哦\n建议按平时尺码购买", ""]
    assert column(batch, "sent_at")[0] == calendar.timegm(datetime(2017, 4, 5, 9, 1, 2).timetuple())
    assert owners(batch) == [("buyer_a", 1)] * 3
    assert reasons(batch) == []


def test_identify_is_exclusive() -> None:
    for encoding in ("gb18030", "utf-8", "utf-8-sig"):
        head = Head("a.txt", log(*BASIC).decode("gb18030").encode(encoding))
        assert [reader.id for reader in (QnTxt(), WwTxtOld(), QnCopy()) if reader.identify(head)] == [
            "ww-txt-old"
        ]
    assert not WwTxtOld().identify(Head("a.txt", "一\n二\n即时消息很方便\n2017-04-05 去了\n".encode()))
    assert not WwTxtOld().identify(Head("a.txt", log(*BASIC).replace("即时消息".encode("gb18030"), b"x")))


@pytest.mark.parametrize(
    ("record", "sender", "text"),
    [
        ("某店:客服A: 亲", "某店:客服A", "亲"),
        ("某店:客服A: 尺码: 40", "某店:客服A", "尺码: 40"),
        ("某店:客服A:: 亲", "某店:客服A:", "亲"),
        ("某店:客服A:", "某店:客服A", ""),
        ("某店:客 服: 亲", "某店:客 服", "亲"),
        ("某店:客服A:  亲", "某店:客服A", " 亲"),
    ],
)
def test_only_the_last_colon_of_the_nick_is_cut(record: str, sender: str, text: str) -> None:
    batch = read("2017-04-05 09:00:00 buyer_a: 在", f"2017-04-05 09:01:02 {record}", shop="某店")
    assert (column(batch, "sender")[1], column(batch, "text")[1]) == (sender, text)


def test_dated_lines_that_are_no_records() -> None:
    batch = read(
        "2017-04-05 09:00:00 buyer_a: 快递单",
        "2017-04-05 已发出",
        "2017-04-05 09:00:01",
        "到了",
        "2017-04-05 09:01:02 某店:客服A: 好",
    )
    assert column(batch, "text") == ["快递单\n2017-04-05 已发出\n到了", "好"]


def test_system_lines() -> None:
    batch = read(
        "2017-04-05 09:00:00 buyer_a: 在",
        "2017-04-05 09:00:01 系统消息: 系统提示：请勿泄露密码",
        "2017-04-05 09:00:02 某店:客服A: 系统提醒：对方已离线",
        "2017-04-05 09:01:02 某店:客服A: 好",
    )
    assert column(batch, "side") == [None, "system", "system", None]
    assert owners(batch) == [("buyer_a", 1)] * 4


def test_buyer_lines_set_the_buyer() -> None:
    batch = read(
        "2017-04-05 09:00:00 buyer_a: 在",
        "2017-04-05 09:01:00 某店:客服A: 在的",
        "2017-04-05 09:02:00 buyer_b: 在",
        "2017-04-05 09:03:00 某店:客服B: 在的",
        "2017-04-05 09:03:00 某店:服务助手: 自助",
        "2017-04-05 09:03:00 某店: 主号",
        "2017-04-05 09:04:00 buyer_c: 在",
    )
    assert owners(batch) == [
        ("buyer_a", 1),
        ("buyer_a", 1),
        ("buyer_b", 2),
        ("buyer_b", 2),
        ("buyer_b", 2),
        ("buyer_b", 2),
        ("buyer_c", 3),
    ]


def test_another_agent_opens_a_conversation_of_the_next_buyer() -> None:
    batch = read(
        "2017-04-05 09:00:00 buyer_a: 在",
        "2017-04-05 09:01:00 某店:客服A: 在的",
        "2017-04-05 09:02:00 某店:客服B: 您好",
        "2017-04-05 09:03:00 buyer_b: 嗯",
    )
    assert owners(batch) == [("buyer_a", 1), ("buyer_a", 1), ("buyer_b", 2), ("buyer_b", 2)]


def test_another_agent_without_a_next_buyer_keeps_the_buyer() -> None:
    batch = read(
        "2017-04-05 09:00:00 buyer_a: 在",
        "2017-04-05 09:01:00 某店:客服A: 在的",
        "2017-04-05 09:02:00 某店:客服B: 您好",
        "2017-04-05 09:02:10 某店:客服C: 您好",
        "2017-04-06",
        "2017-04-06 09:03:00 buyer_b: 嗯",
    )
    assert owners(batch) == [("buyer_a", 1), ("buyer_a", 1), ("buyer_a", 2), ("buyer_a", 3), ("buyer_b", 4)]


def test_a_date_line_ends_the_conversation() -> None:
    batch = read(
        "2017-04-05 09:00:00 buyer_a: 在",
        "2017-04-05 09:01:00 某店:客服A: 在的",
        "2017-04-06",
        "2017-04-06 09:01:00 某店:客服A: 早",
        "2017-04-06 09:02:00 buyer_b: 早",
        "2017-04-07",
        "2017-04-07 09:01:00 某店:客服A: 早",
        "再见",
    )
    assert owners(batch) == [("buyer_a", 1), ("buyer_a", 1), ("buyer_b", 2), ("buyer_b", 2)]
    assert reasons(batch) == [(11, "no buyer to be found for this message")]
    assert batch.rejects is not None
    assert batch.rejects["text"][0] == "2017-04-07 09:01:00 某店:客服A: 早\n再见"


def test_shop_is_the_most_frequent_prefix_or_the_option() -> None:
    records = (
        "2017-04-05 09:00:00 别家店:采购: 在",
        "2017-04-05 09:01:00 某店:客服A: 在的",
        "2017-04-05 09:01:01 某店:客服A: 请讲",
    )
    assert owners(read(*records)) == [("别家店:采购", 1)] * 3
    assert read(*records, shop="别家店").shop == "别家店"
    assert owners(read(*records, shop="别家店"))[0] == ("某店:客服A", 1)


def test_names_on_the_staff_list_are_agents() -> None:
    records = ("2017-04-05 09:00:00 buyer_a: 在", "2017-04-05 09:01:00 小李: 在的")
    assert owners(read(*records, shop="某店", staff=frozenset({"小李"}))) == [("buyer_a", 1)] * 2


def test_shop_unknown() -> None:
    with pytest.raises(ReadError, match="--shop NAME"):
        read("2017-04-05 09:00:00 buyer_a: 在")


def test_impossible_dates_and_stray_text() -> None:
    batch = read(
        "2017-04-05",
        "没有记录",
        "2017-13-05 09:00:00 buyer_a: 在",
        "吗",
        "2017-04-05 09:00:00 buyer_a: 好",
        shop="某店",
    )
    assert column(batch, "text") == ["好"]
    assert reasons(batch) == [
        (6, "text without a message above it"),
        (7, "impossible date"),
        (8, "impossible date"),
    ]


def test_auto_replies() -> None:
    batch = read(
        "2017-04-05 09:00:00 buyer_a: 在",
        "2017-04-05 09:00:01 某店:客服A: [自动回复]您好",
        "2017-04-05 09:00:02 某店:客服A(自动回复): 您好",
    )
    assert column(batch, "auto") == [False, True, True]
    assert column(batch, "text") == ["在", "您好", "您好"]
    assert column(batch, "sender")[2] == "某店:客服A"


def test_conversations_of_nothing() -> None:
    assert conversations([], [], set()) == ([], [])
