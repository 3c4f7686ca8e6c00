"""What a text is: kinds, system lines, transfers, auto replies, characters (kpi-spec M1, M2; formats 6)."""

from __future__ import annotations

import naive
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cslog import classify
from cslog.scan import columns
from cslog.schema import Kind

TEXT = pl.col("text")


def value(expression: pl.Expr, text: str, **more):
    return pl.DataFrame({"text": [text]} | {name: [v] for name, v in more.items()}).select(expression).item()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("在吗", Kind.TEXT),
        ("", Kind.TEXT),
        ("[图片]", Kind.IMAGE),
        (" [图片] ", Kind.IMAGE),
        ("[图片]看这个", Kind.TEXT),
        ("[卡片]", Kind.CARD),
        ("[语音]", Kind.VOICE),
        ("[视频]", Kind.VIDEO),
        ("[文件]", Kind.FILE),
        ("[链接]", Kind.LINK),
        ("[位置]", Kind.LOCATION),
        ("[表情]", Kind.STICKER),
        ("[未知]", Kind.UNKNOWN),
        ("https://img.alicdn.com/imgextra/a.jpg", Kind.IMAGE),
        ("https://img.alicdn.com/a.jpg 这个", Kind.TEXT),
        ("https://item.taobao.com/item.htm?id=1", Kind.TEXT),
        ('<img class="_img_1" src="https://img.alicdn.com/a.png">', Kind.IMAGE),
        ("<recognition>你好</recognition>123.amr", Kind.VOICE),
        ("你撤回了一条消息", Kind.RECALL),
        ("某旗舰店:小美 撤回了1条消息", Kind.RECALL),
        ("消息已撤回", Kind.RECALL),
        ("/:^_^", Kind.TEXT),
    ],
)
def test_kinds(text, kind):
    assert classify.kind(text) is kind


@pytest.mark.parametrize(
    "text",
    [
        "当前用户来自 商品详情页",
        "当前用户来自商品详情页/店铺首页",
        "该用户来自手机淘宝",
        "买家正在浏览",
        "买家正在浏览某商品",
        "买家从商品详情页进入",
        "您有一条店铺消息",
        "您可能关心以下内容：\n1. 发货\n2. 退货",
        "平台提示",
        "系统提示：对方已离线\n请稍候",
        "温馨提示：小美正在为您服务。",
        "您发送了一个振屏。",
        "对方向您发送了一个振屏。",
        "请确认收货地址",
        "账号信息保护显示",
        "你撤回了一条消息",
        "消息已撤回",
    ],
)
def test_system_lines(text):
    assert classify.is_system(text)


@pytest.mark.parametrize(
    "text",
    [
        "在吗",
        "请确认收货地址对不对",
        "亲，请确认收货地址",
        "这是系统提示吗",
        "我撤回了一条消息，你看到了吗",
        "温馨提示：今天发货",
        "",
    ],
)
def test_what_people_say_is_no_system_line(text):
    assert not classify.is_system(text)


@pytest.mark.parametrize(
    ("text", "parties"),
    [
        ("由 服务助手 转交给 客服A", ("服务助手", "客服A")),
        ("由服务助手转交给客服A", ("服务助手", "客服A")),
        ("由 服务助手 转交给 小美，原因：【系统识别需干预，买家要求】", ("服务助手", "小美")),
        ("由 小美 转交给 阿强\n原因：【离线留言自动分配】", ("小美", "阿强")),
        ("由 某店:小美 转交给 某店:阿强, 原因:【忙】", ("某店:小美", "某店:阿强")),
        ("由 小美 转交给 阿强 ", ("小美", "阿强")),
    ],
)
def test_transfers(text, parties):
    assert classify.parties([text]) == [parties]


@pytest.mark.parametrize("text", ["可以由 你 转给 他吗", "转交给小美", "刚才由 小美 转交给 阿强", "由此可见"])
def test_no_transfers(text):
    assert classify.parties([text]) == [()]


def test_transfers_are_the_same_when_they_are_remembered(monkeypatch):
    """Also while the memory is emptied because it is full."""
    monkeypatch.setattr(classify, "_parties", {})
    monkeypatch.setattr(classify, "_PARTIES_KEPT", 3)
    for number in range(5):
        texts = [f"由 a 转交给 b{n}" for n in range(number)] + ["由此可见"]
        expected = [("a", f"b{n}") for n in range(number)] + [()]
        assert classify.parties(texts) == classify.parties(texts) == expected
    classify.parties([f"由 c 转交给 d{n}" for n in range(9)])
    assert len(classify._parties) <= 3, "a file of nothing else does not stay in memory"


@pytest.mark.parametrize(
    "text", ["[自动回复]您好", "(自动回复)您好", "（自动回复）您好", "【自动回复】 您好", "  [自动回复] 您好"]
)
def test_auto_markers(text):
    assert value(classify.has_auto_marker(TEXT), text)
    assert value(classify.without_auto_marker(TEXT), text) == "您好"


@pytest.mark.parametrize("text", ["您好[自动回复]", "自动回复：您好", "[自动]您好"])
def test_no_auto_markers(text):
    assert not value(classify.has_auto_marker(TEXT), text)
    assert value(classify.without_auto_marker(TEXT), text) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [("亲 在的\n有", 4), ("", 0), (" \t\u3000\n", 0), ("a b", 2), ("😊好", 2), ("/:^_^", 5)],
)
def test_characters_are_code_points_without_white_space(text, count):
    texts, kinds = columns.rows_of(pl.Series([text, text])), np.array([Kind.TEXT, Kind.IMAGE], np.int8)
    nobody, nowhere = np.array([-1, -1], np.int32), columns.rows_of(pl.Series([], dtype=pl.String))
    _, characters = classify.keys_and_characters(texts, kinds, nobody, nowhere)
    assert characters.tolist() == [count, 0]


BLANK = st.sampled_from(["", "", " ", "\n", "\xa0", "\u3000", "\u2003", "\x85", "\u2028", "\x1c"])
SPECIAL = st.sampled_from(
    ["[自动回复]", "(自动回复)", "（自动回复）", "【自动回复】", "[自动]", "由 小美 转交给 阿强", "由", "当前用户来自", "该用户来自", "买家从首页进入",
     "买家正在浏览", "您有一条店铺消息", "您可能关心以下内容", "平台提示", "系统提示", "系统提醒", "温馨提示：小美正在为您服务。", "您发送了一个振屏",
     "对方向您发送了一个振屏。", "请确认收货地址", "账号信息保护显示", "消息已撤回", "撤回了一条消息", "撤回了1条消息", "[图片]", "[卡片]", "[未知]",
     "请在客户端查看原始聊天记录，网页版无法展示", "https://img.alicdn.com/a.jpg", "http://img.alicdn.com/", "<img src=a>", "<recognition>a.amr"]
)  # fmt: skip
ORDINARY = st.sampled_from(["", "", "在吗", "亲", "您", "a", "你", "：", "，原因：【忙】"])


@settings(max_examples=500)
@given(
    st.lists(
        st.tuples(BLANK, ORDINARY, BLANK, SPECIAL | ORDINARY, BLANK, ORDINARY, BLANK).map("".join), max_size=4
    )
)
def test_only_what_is_worth_a_look_is_anything_but_words(texts):
    """Ordinary texts are not asked for patterns at all, so nothing that a pattern finds may be taken for one."""
    parties = classify.parties(texts)
    found = [classify.look(text) for text in texts]
    special = [
        look.marked or look.system or look.hands_over or look.bare != text or look.kind is not Kind.TEXT
        for look, text in zip(found, texts, strict=True)
    ]
    assert all(look.hands_over for look, party in zip(found, parties, strict=True) if party)
    looked = classify.worth_a_look(columns.rows_of(pl.Series(texts, dtype=pl.String)))
    assert [
        text for text, found, look in zip(texts, special, looked, strict=True) if found and not look
    ] == []


def test_ordinary_texts_are_not_worth_a_look():
    texts = ["在吗", "您好，请问有什么可以帮您？", "请稍等", "好的", "", "htt", "a", "买家", "系统"]
    assert not classify.worth_a_look(columns.rows_of(pl.Series(texts))).any()


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SHORT = st.text(st.sampled_from("在吗?？ \u3000\n\ufffd😊€é·ab，"), max_size=10)


@given(SHORT)
def test_a_gbk_copy_and_a_utf8_copy_compare_equal(text):
    """What GBK cannot write becomes a question mark there (definitions 1)."""
    copy = text.encode("gbk", errors="replace").decode("gbk")
    same = classify.comparable(TEXT, pl.lit(int(Kind.TEXT)))
    assert value(same, text) == value(same, copy)


@given(SHORT | ANY_TEXT)
def test_comparable_text_is_that_of_the_reference(text):
    if naive.kind_of(text) != "text" or naive.without_marker(text) != text:
        return
    assert value(classify.comparable(TEXT, pl.lit(int(Kind.TEXT))), text) == naive.normalised(text)


def test_what_is_not_text_compares_by_its_kind_alone():
    assert value(classify.comparable(TEXT, pl.lit(int(Kind.IMAGE))), "https://img.alicdn.com/a.jpg") == ""


@pytest.mark.parametrize(("one", "other"), [("在吗", "在么"), ("5元", "6元"), ("好", "好好"), ("", "。")])
def test_different_texts_stay_different(one, other):
    same = classify.comparable(TEXT, pl.lit(int(Kind.TEXT)))
    assert value(same, one) != value(same, other)
