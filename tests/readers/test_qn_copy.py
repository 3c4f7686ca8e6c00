"""qn-copy: every quirk of formats 2 pinned by a small literal file. All names are invented."""

from __future__ import annotations

import pytest

from cslog.errors import ReadError
from cslog.readers.base import Batch, Options
from cslog.readers.head import Head
from cslog.readers.qn_copy import QnCopy
from cslog.readers.qn_txt import QnTxt
from cslog.readers.ww_txt_old import WwTxtOld
from tests.readers.batches import at, column, reasons


def head_of(*lines: str, name: str = "聊天.txt", encoding: str = "utf-8") -> Head:
    return Head(name, "\r\n".join([*lines, ""]).encode(encoding))


def read(*lines: str, name: str = "聊天.txt", **options: object) -> Batch:
    return QnCopy().read(head_of(*lines, name=name), Options(**options)).validated("qn-copy")  # type: ignore[arg-type]


AGENT = "某旗舰店:客服A"
BASIC = (
    "buyer_a 2024-1-5 9:30:25",
    "在吗",
    "",
    f"{AGENT} 2024-1-15 14:30:30",
    "在的",
    "",
    "请讲",
    "已读",
    "",
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_window_with_one_buyer(encoding: str) -> None:
    head = head_of(*BASIC, encoding=encoding)
    assert [reader.id for reader in (QnTxt(), WwTxtOld(), QnCopy()) if reader.identify(head)] == ["qn-copy"]
    batch = QnCopy().read(head, Options()).validated("qn-copy")
    assert (batch.shop, batch.exporter) == ("某旗舰店", None)
    assert column(batch, "line") == [1, 4]
    assert column(batch, "sent_at") == [at("2024-01-05 09:30:25"), at("2024-01-15 14:30:30")]
    assert column(batch, "sender") == ["buyer_a", AGENT]
    assert column(batch, "text") == ["在吗", "在的\n\n请讲"]
    assert column(batch, "buyer") == ["buyer_a"] * 2
    assert column(batch, "block") == [1, 1]
    assert reasons(batch) == []


@pytest.mark.parametrize(
    "headers",
    [
        ("tb12 2024-1-15 14:30:25", f"{AGENT} 2024-1-15 14:30:26"),
        ("tb122024-01-15 14:30:25", f"{AGENT}2024-01-15 14:30:26"),
        ("tb12\n2024-1-15 14:30:25", f"{AGENT}\n2024-1-15 14:30:26"),
        ("[tb12] 2024-01-15 14:30:25", f"[{AGENT}] 2024-01-15 14:30:26"),
        ("tb12 (2024-01-15 14:30:25):", f"{AGENT}(2024-01-15 14:30:26):"),
        ("tb12 --> 某旗舰店 2024-1-15 14:30:25", f"{AGENT} --> tb12 2024-1-15 14:30:26"),
        ("2024-01-15\ntb12 14:30:25", f"{AGENT}14:30:26"),
        ("2024年1月15日 星期一\ntb1214:30:25", f"{AGENT} 14:30:26"),
        ("2024-1-15 周一\n[tb12] 14:30:25", f"[{AGENT}] 14:30:26"),
    ],
    ids=["H1", "H2", "H4", "H5", "H6", "H3", "date-line", "date-line-hanzi", "bracket-time"],
)
def test_header_forms(headers: tuple[str, str]) -> None:
    lines = (*headers[0].split("\n"), "在吗", *headers[1].split("\n"), "在的")
    assert QnCopy().identify(head_of(*lines))
    batch = read(*lines)
    assert column(batch, "sender") == ["tb12", AGENT]
    assert column(batch, "sent_at") == [at("2024-01-15 14:30:25"), at("2024-01-15 14:30:26")]
    assert column(batch, "text") == ["在吗", "在的"]
    assert column(batch, "buyer") == ["tb12"] * 2
    assert reasons(batch) == []


def test_parenthesised_one_liner_with_text_and_more() -> None:
    batch = read("buyer_a(2021-03-05 10:12:13):  在吗", "有货吗", f"{AGENT}(2021-03-05 10:12:15): [卡片]")
    assert column(batch, "text") == ["在吗\n有货吗", "[卡片]"]


def test_bracketed_minutes() -> None:
    batch = read("2024-01-15", "[buyer_a] 10:30", "在", "[图片] 10:31", f"[{AGENT}] 10:32", "在的")
    assert column(batch, "sent_at") == [at("2024-01-15 10:30:00"), at("2024-01-15 10:32:00")]
    assert column(batch, "text") == ["在\n[图片] 10:31", "在的"]


def test_traffic_of_another_account() -> None:
    batch = read(
        "tb2631**** --> 某旗舰店 2026-9-1 16:00:00",
        "在吗",
        f"{AGENT} --> buyer_b 2026-9-1 16:00:05",
        "您好",
        f"{AGENT} 2026-9-1 16:00:07",
        "还在吗",
    )
    assert column(batch, "sender") == ["tb2631****", AGENT, AGENT]
    assert column(batch, "buyer") == ["tb2631****", "buyer_b", "buyer_b"]
    assert column(batch, "block") == [1, 2, 2]


def test_status_lines_are_dropped() -> None:
    batch = read(*BASIC[:2], "未读", "发送中", *BASIC[3:])
    assert column(batch, "text") == ["在吗", "在的\n\n请讲"]


def test_recalls() -> None:
    batch = read(
        *BASIC[:2],
        f"{AGENT} 撤回了一条消息",
        *BASIC[3:5],
        "buyer_a撤回了一条消息",
        "你撤回了1条消息",
        "buyer_a 2024-1-15 14:31:00",
        "刚才谁撤回了一条消息",
    )
    assert column(batch, "text")[1] == f"{AGENT} 撤回了一条消息"
    assert column(batch, "side") == [None, "system", None, "system", "system", None]
    assert column(batch, "sender") == ["buyer_a", AGENT, AGENT, "buyer_a", None, "buyer_a"]
    assert column(batch, "sent_at")[1] == at("2024-01-05 09:30:25")
    assert column(batch, "sent_at")[3] == at("2024-01-15 14:30:30")


def test_transfers_and_origin_without_header() -> None:
    batch = read(
        "当前用户来自 商品详情页",
        "由 服务助手 转交给 客服A",
        "原因：【离线留言自动分配】",
        *BASIC,
        "由客服A转交给客服B",
        "无主的一行",
    )
    assert column(batch, "text") == [
        "当前用户来自 商品详情页",
        "由 服务助手 转交给 客服A\n原因：【离线留言自动分配】",
        "在吗",
        "在的\n\n请讲",
        "由客服A转交给客服B",
    ]
    assert column(batch, "sender") == [None, "buyer_a", "buyer_a", AGENT, "buyer_a"]
    assert column(batch, "side") == ["system", None, None, None, None]
    first, last = at("2024-01-05 09:30:25"), at("2024-01-15 14:30:30")
    assert column(batch, "sent_at") == [first, first, first, last, last]
    assert reasons(batch) == [(14, "text without a sender above it")]


def test_transfer_below_a_header_is_its_text() -> None:
    batch = read(
        "buyer_a 2024-1-15 14:30:25", "由 服务助手 转交给 客服A", f"{AGENT} 2024-1-15 14:30:30", "亲"
    )
    assert column(batch, "text") == ["由 服务助手 转交给 客服A", "亲"]


def test_labels_sentences_and_cards_are_text() -> None:
    body = (
        "订单号: 1234567890123456789",
        "共1件商品",
        "交易时间: 2024-01-15 14:30:25",
        "下单时间 2024-01-15 14:30:25",
        "请在 2024-01-16, 10:00:00",
        "明天 10:30:00",
        "`https://item.example.com/?t=10:30:00`",
        "¥199",
        "商品推荐",
        "千牛",
    )
    batch = read("buyer_a 2024-1-15 14:30:25", *body, f"{AGENT} 2024-1-15 14:30:30", "亲")
    assert column(batch, "text") == ["\n".join(body), "亲"]


def test_window_times_between_messages_are_dropped() -> None:
    batch = read(*BASIC, "2024-1-15 14:35:00", "buyer_a 2024-1-15 14:35:00", "好")
    assert column(batch, "text") == ["在吗", "在的\n\n请讲", "好"]


def test_date_lines_carry_on_and_change() -> None:
    batch = read(
        "2024-01-15",
        "buyer_a 23:59:59",
        "在",
        "2024/1/16",
        f"{AGENT} 00:00:10",
        "在的",
        "2024-02-30",
        "",
        "buyer_a 1:00:00",
    )
    assert column(batch, "sent_at") == [
        at("2024-01-15 23:59:59"),
        at("2024-01-16 00:00:10"),
        at("2024-01-16 01:00:00"),
    ]
    assert column(batch, "text") == ["在", "在的\n2024-02-30", ""]


def test_a_date_as_an_answer_is_text() -> None:
    batch = read("buyer_a 2024-1-15 14:30:25", "2024-01-20", f"{AGENT} 2024-1-15 14:30:30", "好")
    assert column(batch, "text") == ["2024-01-20", "好"]


UNDATED = ("buyer_a 10:12:13", "在吗", f"{AGENT} 10:12:20", "在的")


def test_times_without_a_date_are_rejected() -> None:
    batch = read(*UNDATED)
    assert column(batch, "text") == []
    assert reasons(batch) == [(1, "no date"), (2, "no date"), (3, "no date"), (4, "no date")]
    assert batch.warnings == ["2 messages without a date rejected; put a line such as 2024-01-15 above them"]


@pytest.mark.parametrize("name", ["聊天_2024-01-15.txt", "20240115.txt", "20240115 (20240115).txt"])
def test_one_date_in_the_file_name_is_used(name: str) -> None:
    batch = read(*UNDATED, name=name)
    assert column(batch, "sent_at") == [at("2024-01-15 10:12:13"), at("2024-01-15 10:12:20")]
    assert batch.warnings == ["times without a date were given the date in the file's name, 2024-01-15"]


@pytest.mark.parametrize("name", ["20240115_20240116.txt", "tb120240115.txt", "20241345.txt"])
def test_other_digits_in_the_file_name_are_not(name: str) -> None:
    assert column(read(*UNDATED, name=name), "text") == []


def test_impossible_dates() -> None:
    batch = read("buyer_a 2024-13-45 10:00:00", "在", "buyer_a 2024-1-15 10:00:00", "吗", shop="某旗舰店")
    assert column(batch, "text") == ["吗"]
    assert reasons(batch) == [(1, "impossible date"), (2, "impossible date")]


def test_several_buyers_are_told_apart_by_the_stream() -> None:
    batch = read(
        f"{AGENT} 2024-1-15 10:00:00",
        "早",
        "buyer_a 2024-1-15 10:00:01",
        "在",
        f"{AGENT} 2024-1-15 10:00:02",
        "在的",
        "buyer_b 2024-1-15 10:00:03",
        "在",
        "某旗舰店 2024-1-15 10:00:04",
        "在的",
    )
    assert column(batch, "buyer") == ["buyer_a", "buyer_a", "buyer_a", "buyer_b", "buyer_b"]
    assert column(batch, "block") == [1, 1, 1, 2, 2]


def test_main_account_only_needs_the_shop() -> None:
    lines = ("某旗舰店 2024-1-15 10:00:00", "早", "buyer_a 2024-1-15 10:00:01", "在")
    assert QnCopy().identify(head_of(*lines))
    with pytest.raises(ReadError, match="--shop NAME"):
        read(*lines)
    assert column(read(*lines, shop="某旗舰店"), "buyer") == ["buyer_a", "buyer_a"]
    assert column(read(*lines, shop="某店", staff=frozenset({"某旗舰店"})), "buyer") == ["buyer_a", "buyer_a"]


def test_no_buyer_at_all() -> None:
    with pytest.raises(ReadError, match="no buyer; name the shop: --shop NAME"):
        read(f"{AGENT} 2024-1-15 10:00:00", "早")


def test_auto_replies() -> None:
    batch = read(
        *BASIC[:2],
        f"{AGENT}(自动回复) 2024-1-15 14:30:26",
        "您好",
        f"{AGENT} 2024-1-15 14:30:27",
        "[自动回复] 稍等",
    )
    assert column(batch, "auto") == [False, True, True]
    assert column(batch, "text") == ["在吗", "您好", "稍等"]
    assert column(batch, "sender")[1] == AGENT


def test_pieces_of_a_txt_export_are_refused() -> None:
    piece = (
        "-" * 28 + "buyer_a" + "-" * 28,
        "buyer_a(2020-09-01 10:12:13):  在吗",
        f"{AGENT}(2020-09-01 10:12:15):  在的",
    )
    assert not QnCopy().identify(head_of(*piece))
    assert not QnCopy().identify(head_of("=" * 64, *piece[1:]))
    assert QnCopy().identify(head_of(*piece[1:]))


def test_no_words_in_errors() -> None:
    with pytest.raises(ReadError) as caught:
        read("绝密 2024-1-15 10:00:00", "绝密")
    assert "绝密" not in str(caught.value)
