"""message-table: every layout and quirk of formats 4.2-4.4, in files of a few rows."""

from __future__ import annotations

import csv
import datetime
import io

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cslog.errors import ReadError
from cslog.readers.base import Batch, Options
from cslog.readers.head import Head
from cslog.readers.message_table import MessageTable
from tests.readers.batches import at, rejected, rows
from tests.readers.tables import text_file, workbook

BENCHMARK = "买家昵称,客服昵称,发送时间,发送方,消息内容\n"


def read(head: Head, options: Options | None = None) -> Batch:
    reader = MessageTable()
    assert reader.identify(head)
    return reader.read(head, options or Options()).validated("test")


def test_benchmark_layout_with_roles_in_the_sender_column() -> None:
    content = (
        BENCHMARK
        + 'buyer_a,某旗舰店:小美,2026-09-01 10:00:00,买家,"在吗\n有货吗, 亲"\n'
        + "buyer_a,某旗舰店:小美,2026-09-01 10:00:09,客服,在的\n"
    )
    batch = read(text_file("a.csv", content, "gb18030"))
    assert rows(batch, "line", "buyer", "sender", "side", "agent", "sent_at", "text", "auto") == [
        (
            2,
            "buyer_a",
            "buyer_a",
            "buyer",
            "某旗舰店:小美",
            at("2026-09-01 10:00:00"),
            "在吗\n有货吗, 亲",
            False,
        ),
        (4, "buyer_a", "某旗舰店:小美", "agent", "某旗舰店:小美", at("2026-09-01 10:00:09"), "在的", False),
    ]
    assert batch.shop == "某旗舰店"
    assert batch.encoding == "gb18030"


def test_benchmark_layout_with_names_in_the_sender_column() -> None:
    content = (
        BENCHMARK
        + "buyer_a,某旗舰店:小美,2026-09-01 10:00:00,buyer_a,在吗\n"
        + "buyer_a,某旗舰店:小美,2026-09-01 10:00:09,某旗舰店:小美,在的\n"
        + "buyer_a,某旗舰店:小美,2026-09-01 10:00:10,某旗舰店,主号\n"
        + "buyer_b,小刚,2026-09-01 10:00:11,cntaobao小刚,您好\n"
        + "用户,小刚,2026-09-01 10:00:12,用户,我叫用户\n"
    )
    batch = read(text_file("a.csv", content))
    assert rows(batch, "sender", "side") == [
        ("buyer_a", "buyer"),
        ("某旗舰店:小美", None),
        ("某旗舰店", None),
        ("cntaobao小刚", "agent"),
        ("用户", "buyer"),
    ]


def test_blocks_are_buyer_and_agent_without_a_session() -> None:
    lines = ["b1,店:x", "b1,店:y", "b2,店:x", "b1,店:x"]
    content = BENCHMARK + "".join(f"{who},2026-09-01 10:00:0{i},买家,m\n" for i, who in enumerate(lines))
    assert rows(read(text_file("a.csv", content)), "block") == [(0,), (1,), (2,), (0,)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_delimiters_and_encodings(delimiter: str, encoding: str) -> None:
    content = "买家,发送者,时间,内容\r\nbuyer_a,buyer_a,2026-09-01 10:00:00,在吗\r\n".replace(",", delimiter)
    assert rows(read(text_file("a.txt", content, encoding)), "buyer", "text") == [("buyer_a", "在吗")]


def test_session_layout_of_4_3() -> None:
    content = (
        "会话ID,日期,时间,对象,发话者,消息,消息状态,商品ID,商品\n"
        "007,2026-09-01,10:00:00,客服,某旗舰店:小美,您好,自动回复,,\n"
        "007,2026-09-01,10:00:05,客户,buyer_a,在吗,已读,6123,帽子\n"
        "007,2026/9/1,10:00:09,客服,某旗舰店:小美,在,已读,,\n"
        "8,2026-09-01,11:00:00,客服,某旗舰店:小美,有人吗,未读,,\n"
    )
    batch = read(text_file("a.csv", content, "utf-8-sig"))
    assert rows(batch, "block", "buyer", "sender", "side", "auto", "sent_at") == [
        (0, "buyer_a", "某旗舰店:小美", "agent", True, at("2026-09-01 10:00:00")),
        (0, "buyer_a", "buyer_a", "buyer", False, at("2026-09-01 10:00:05")),
        (0, "buyer_a", "某旗舰店:小美", "agent", False, at("2026-09-01 10:00:09")),
    ]
    assert rejected(batch) == [(5, "its session does not tell the customer", "有人吗")]


def test_session_without_roles_is_decided_by_names_only_when_they_tell() -> None:
    content = (
        "session_id,sender,time,message\n"
        "1,某旗舰店:小美,2026-09-01 10:00:00,您好\n"
        "1,buyer_a,2026-09-01 10:00:05,在吗\n"
        "2,buyer_b,2026-09-01 10:00:05,在吗\n"
        "2,小刚,2026-09-01 10:00:06,在\n"
    )
    batch = read(text_file("a.csv", content))
    assert rows(batch, "buyer", "sender") == [("buyer_a", "某旗舰店:小美"), ("buyer_a", "buyer_a")]
    assert [line for line, _, _ in rejected(batch)] == [4, 5]
    batch = read(text_file("a.csv", content), Options(staff=frozenset({"小刚"})))
    assert rows(batch, "buyer") == [("buyer_a",), ("buyer_a",), ("buyer_b",), ("buyer_b",)]


def test_sender_and_receiver() -> None:
    content = (
        "发送人,接收人,发送时间,内容\n"
        "buyer_a,某旗舰店:小美,2026-09-01 10:00:00,在吗\n"
        "某旗舰店:小美,buyer_a,2026-09-01 10:00:09,在\n"
        "某旗舰店,buyer_a,2026-09-01 10:00:10,主号在\n"
        "别家店:采购,某旗舰店:小美,2026-09-01 10:00:11,谈合作\n"
        "buyer_b,buyer_c,2026-09-01 10:00:12,?\n"
    )
    batch = read(text_file("a.csv", content))
    assert rows(batch, "buyer", "sender", "agent") == [
        ("buyer_a", "buyer_a", "某旗舰店:小美"),
        ("buyer_a", "某旗舰店:小美", "某旗舰店:小美"),
        ("buyer_a", "某旗舰店", "某旗舰店"),
        ("别家店:采购", "别家店:采购", "某旗舰店:小美"),
    ]
    assert rejected(batch) == [(6, "no buyer", "?")]


@pytest.mark.parametrize(
    ("word", "side"),
    [
        ("客户", "buyer"), ("买家", "buyer"), ("顾客", "buyer"), ("Buyer", "buyer"), ("user", "buyer"), ("1", "buyer"),
        ("客服", "agent"), ("卖家", "agent"), ("mall_cs", "agent"), ("staff", "agent"), ("0", "agent"),
        ("机器人", "robot"), ("robot", "robot"), ("系统", "system"), ("system", "system"),
    ],
)  # fmt: skip
def test_role_words(word: str, side: str) -> None:
    content = f"买家,客服,角色,时间,内容\nbuyer_a,店:小美,{word},2026-09-01 10:00:00,x\n"
    batch = read(text_file("a.csv", content))
    sender = {"buyer": "buyer_a", "agent": "店:小美", "robot": "店:小美", "system": word}[side]
    assert rows(batch, "side", "sender", "agent") == [(side, sender, "店:小美")]


def test_unknown_role_without_names_is_kept_as_written() -> None:
    content = "买家,角色,时间,内容\nb,客服,2026-09-01 10:00:00,x\nb,火星人,2026-09-01 10:00:00,y\n"
    assert rows(read(text_file("a.csv", content)), "sender", "side") == [("客服", "agent"), ("火星人", None)]


def test_auto_replies_by_marker_and_by_type() -> None:
    content = (
        "买家,发送者,时间,内容,类型\n"
        "b,店:x,2026-09-01 10:00:00,[自动回复]您好,文本\n"
        "b,店:x,2026-09-01 10:00:01,(自动回复) 您好,文本\n"
        "b,店:x,2026-09-01 10:00:02,您好,AUTO_REPLY\n"
        "b,店:x,2026-09-01 10:00:03,您好 [自动回复],文本\n"
        "b,店:x,2026-09-01 10:00:04,,图片\n"
        "b,b,2026-09-01 10:00:05,转接,系统消息\n"
    )
    batch = read(text_file("a.csv", content))
    assert rows(batch, "text", "auto", "side") == [
        ("您好", True, None),
        ("您好", True, None),
        ("您好", True, None),
        ("您好 [自动回复]", False, None),
        ("[图片]", False, None),
        ("转接", False, "system"),
    ]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2026-09-01 10:00:05", "2026-09-01 10:00:05"),
        ("2026/9/1 10:00:05", "2026-09-01 10:00:05"),
        ("2026/9/1 9:05", "2026-09-01 09:05:00"),
        ("2026-09-01T10:00:05", "2026-09-01 10:00:05"),
        ("2026-09-01T02:00:05Z", "2026-09-01 10:00:05"),
        ("2026-09-01T02:00:05.789Z", "2026-09-01 10:00:05"),
        ("2026-09-01 11:00:05+09:00", "2026-09-01 10:00:05"),
        ("2026年9月1日 10:00:05", "2026-09-01 10:00:05"),
        ("1767060000", "2025-12-30 10:00:00"),
        ("1767060000123", "2025-12-30 10:00:00"),
        ("1767060000123000", "2025-12-30 10:00:00"),
        ("46266.4167245370", "2026-09-01 10:00:05"),
        ("20260901100005", "2026-09-01 10:00:05"),
        ("\t2026-09-01 10:00:05", "2026-09-01 10:00:05"),
        ('="2026-09-01 10:00:05"', "2026-09-01 10:00:05"),
    ],
)
def test_written_times(written: str, seconds: str) -> None:
    content = f"买家,发送者,时间,内容\nb,b,{written},x\n"
    assert rows(read(text_file("a.csv", content)), "sent_at") == [(at(seconds),)]


def test_bad_rows_are_rejected_and_the_others_kept() -> None:
    content = (
        "买家,发送者,时间,内容\n"
        "b,b,2026-02-30 10:00:00,a\n"
        "b,b,昨天,b\n"
        "b,b,10:00:00,c\n"
        "b,b,1970-01-01 08:00:00,d\n"
        ",店:x,2026-09-01 10:00:00,e\n"
        "b,,2026-09-01 10:00:00,f\n"
        "b,b,2026-09-01 10:00:00\n"
        "b,b,2026-09-01 10:00:00,g,h\n"
        "b,b,2026-09-01 10:00:00,\n"
        "b,b,2026-09-01 10:00:01,ok,,\n"
        "\n"
        ",,,\n"
    )
    batch = read(text_file("a.csv", content))
    assert rows(batch, "line", "text") == [(10, ""), (11, "ok")]
    assert [(line, reason) for line, reason, _ in rejected(batch)] == [
        (2, "time is not readable"),
        (3, "time is not readable"),
        (4, "time is not readable"),
        (5, "time is not readable"),
        (6, "no buyer"),
        (7, "no sender"),
        (8, "3 cells instead of 4"),
        (9, "5 cells instead of 4"),
    ]


def test_a_stray_quote_costs_one_line() -> None:
    good = "b,b,2026-09-01 10:00:0{},{}\n"
    content = "买家,发送者,时间,内容\n" + good.format(0, "a") + good.format(1, '"未完') + good.format(2, "c")
    batch = read(text_file("a.csv", content))
    assert rows(batch, "line", "text") == [(2, "a"), (4, "c")]
    assert [(line, reason) for line, reason, _ in rejected(batch)] == [(3, "a quote is never closed")]


def test_a_stray_quote_before_another_quoted_cell() -> None:
    content = (
        "买家,发送者,内容,时间\n"
        'b,b,"未完,2026-09-01 10:00:00\n'
        "b,b,c,2026-09-01 10:00:01\n"
        'b,b,"两\n行",2026-09-01 10:00:02\n'
        "b,b,d,2026-09-01 10:00:03\n"
    )
    batch = read(text_file("a.csv", content))
    assert rows(batch, "line", "text") == [(3, "c"), (4, "两\n行"), (6, "d")]
    assert [line for line, _, _ in rejected(batch)] == [2]


def test_ids_that_look_like_numbers_stay_text() -> None:
    content = "会话ID,客户ID,角色,客服,时间,内容\n001,007,客户,店:x,2026-09-01 10:00:00,x\n1,7,客户,店:x,2026-09-01 10:00:00,x\n"
    assert rows(read(text_file("a.csv", content)), "block", "buyer") == [(0, "007"), (1, "7")]


def test_rounded_ids_refuse_the_file() -> None:
    content = "会话ID,发送者,角色,时间,内容\n3.51531E+15,b,客户,2026-09-01 10:00:00,x\n"
    with pytest.raises(ReadError, match="line 2: Excel has rounded the numbers in column 会话ID"):
        read(text_file("a.csv", content))
    header = ["会话ID", "发送者", "角色", "时间", "内容"]
    with pytest.raises(ReadError, match="rounded"):
        read(
            workbook(
                "a.xlsx", {"s": [header, [3515313147329124123, "b", "客户", "2026-09-01 10:00:00", "x"]]}
            )
        )
    batch = read(
        workbook("a.xlsx", {"s": [header, ["3515313147329124096", "b", "客户", "2026-09-01 10:00:00", "x"]]})
    )
    assert rows(batch, "buyer") == [("b",)]


SCRIPT_HEADER = ["客户名", "消息序号", "发送时间", "发送内容", "发送账号", "账号类型"]


def test_workbook_with_a_sheet_per_customer_of_4_4() -> None:
    head = workbook(
        "千牛聊天记录_原始逐条_2026-09-01_21-30.xlsx",
        {
            "导出汇总": [["客户名", "消息数"], ["buyer_a", 2]],
            "buyer_a": [
                SCRIPT_HEADER,
                ["buyer_a", 1, "20:57:11", "在吗", "buyer_a", "客户"],
                ["buyer_a", 2, datetime.time(20, 57, 20), "在", "某旗舰店:小美", "客服"],
            ],
            "7": [SCRIPT_HEADER, [7, 1, "08:00:00", "早", "7", "客户"]],
        },
    )
    batch = read(head)
    assert rows(batch, "line", "block", "buyer", "side", "sent_at", "text") == [
        (2, 0, "buyer_a", "buyer", at("2026-09-01 20:57:11"), "在吗"),
        (3, 0, "buyer_a", "agent", at("2026-09-01 20:57:20"), "在"),
        (2, 1, "7", "buyer", at("2026-09-01 08:00:00"), "早"),
    ]
    assert batch.warnings == [
        "1 sheets without messages were skipped",
        "the times have no date; 2026-09-01 is taken from the file name",
    ]


@pytest.mark.parametrize(
    ("name", "times", "problem"),
    [
        ("chat.xlsx", ["20:57:11"], "the file name holds no date"),
        ("chat_2026-09-01_2026-09-02.xlsx", ["20:57:11"], "several dates"),
        ("chat_2026-09-01_20-30.xlsx", ["20:57:11"], "earlier day"),
        ("chat_2026-09-01.xlsx", ["23:59:00", "00:01:00"], "past midnight"),
    ],
)
def test_times_without_a_date_refuse_the_file_rather_than_guess(
    name: str, times: list[str], problem: str
) -> None:
    rows_ = [["buyer_a", 1, time, "在吗", "buyer_a", "客户"] for time in times]
    with pytest.raises(ReadError, match=problem) as caught:
        read(workbook(name, {"buyer_a": [SCRIPT_HEADER, *rows_]}))
    assert caught.value.hint


def test_csv_that_is_a_workbook_with_real_dates_and_blank_rows_on_top() -> None:
    head = workbook(
        "记录.csv",
        {
            "s": [
                [],
                ["买家", "发送者", "日期", "时间", "内容"],
                ["b", "b", datetime.date(2026, 9, 1), datetime.time(10, 0, 5), "甲"],
                ["b", "b", 46266, 0.5, "乙"],
                ["b", "b", None, datetime.datetime(2026, 9, 1, 10, 0, 6), 100],
            ]
        },
    )
    assert rows(read(head), "line", "sent_at", "text") == [
        (3, at("2026-09-01 10:00:05"), "甲"),
        (4, at("2026-09-01 12:00:00"), "乙"),
        (5, at("2026-09-01 10:00:06"), "100"),
    ]


def test_shop_column() -> None:
    content = "店铺名称,买家,发送者,时间,内容\n甲店,b,b,2026-09-01 10:00:00,x\n{},b,b,2026-09-01 10:00:00,x\n"
    assert read(text_file("a.csv", content.format("甲店"))).shop == "甲店"
    with pytest.raises(ReadError, match="2 shops"):
        read(text_file("a.csv", content.format("乙店")))


@pytest.mark.parametrize(
    "header",
    [
        "buyer,staff,chat_date,filter_range,chat_text",
        "客户ID,聊天记录",
        "买家,客服,日期,筛选范围,聊天内容",
        "昵称,时间,内容",
        "订单编号,买家会员名,订单创建时间,订单状态,买家留言",
        "旺旺昵称,咨询人数,接待人数,总消息数",
    ],
)
def test_other_tables_are_not_claimed(header: str) -> None:
    assert not MessageTable().identify(text_file("a.csv", header + "\n"))


def test_nothing_readable_is_an_error_without_text() -> None:
    content = "买家,发送者,时间,内容\nb,b,昨天,电话13900000000\n"
    with pytest.raises(ReadError, match="none of 1 rows") as caught:
        read(text_file("a.csv", content))
    assert "139" not in str(caught.value)


@given(
    texts=st.lists(st.text(alphabet=st.sampled_from(list("ab在，,;\t\"\n=' "))), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t"),
)
def test_whatever_a_csv_writer_writes_is_read_back(texts: list[str], delimiter: str) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerow(["买家", "发送者", "时间", "内容"])
    for text in texts:
        writer.writerow(["b", "b", "2026-09-01 10:00:00", text])
    batch = read(text_file("a.csv", buffer.getvalue()))
    assert rejected(batch) == []
    stripped = [text.strip(" \t\n") for text in texts]
    assume(not any(text.startswith('="') for text in stripped))
    assert rows(batch, "text") == [(text,) for text in stripped]
