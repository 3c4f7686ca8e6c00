"""Recognition: exactly one reader, refusals with a hint each, plug-ins, `--reader ID`."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest

from cslog.errors import ReadError, UsageError
from cslog.readers import registry
from cslog.readers.base import Batch, Options
from cslog.readers.head import Head
from cslog.readers.refusals import refusal
from tests.readers.tables import text_file, workbook


class Claims:
    """A reader that claims everything."""

    title = title_zh = sign = "everything"

    def __init__(self, reader_id: str, claims: bool = True) -> None:
        self.id = reader_id
        self.claims = claims

    def identify(self, head: Head) -> bool:
        return self.claims

    def read(self, head: Head, options: Options) -> Batch:
        return Batch()


def identified(head: Head) -> str:
    return registry.identify(head, registry.all_readers()).id


@pytest.mark.parametrize(
    ("head", "reader"),
    [
        (text_file("a.csv", "买家昵称,客服昵称,发送时间,发送方,消息内容\n"), "message-table"),
        (
            text_file("a.csv", "会话ID,日期,时间,对象,发话者,消息,消息状态,商品ID,商品\n", "gb18030"),
            "message-table",
        ),
        (
            text_file(
                "a.csv", '"订单编号","买家会员名","买家实际支付金额","订单状态","订单创建时间"\n', "gbk"
            ),
            "tb-orders",
        ),
        (workbook("a.csv", {"s": [["买家", "发送者", "时间", "内容"]]}), "message-table"),
        (
            workbook("a.xlsx", {"s": [["订单编号", "买家昵称", "买家实付金额", "订单状态", "买家下单时间"]]}),
            "tb-orders",
        ),
    ],
)
def test_exactly_one_reader(head: Head, reader: str) -> None:
    assert identified(head) == reader


def test_unknown_format_says_what_to_do() -> None:
    with pytest.raises(ReadError, match="unknown format") as caught:
        identified(text_file("a.txt", "hello\n"))
    assert "--mapping" in caught.value.hint
    assert "cslog readers" in caught.value.hint


def test_ambiguity_names_all_candidates() -> None:
    readers: list[Any] = [Claims("one"), Claims("two"), Claims("three", claims=False)]
    with pytest.raises(ReadError, match="could be one or two") as caught:
        registry.identify(text_file("a.txt", "x"), readers)
    assert "--reader one" in caught.value.hint


def test_a_chosen_reader_is_asked_alone() -> None:
    head = text_file("a.json", '{"a": 1}')
    chosen: Any = Claims("mine")
    assert registry.identify(head, [chosen]) is chosen
    with pytest.raises(ReadError, match="JSON"):
        registry.identify(head, [registry.reader_by_id("tb-orders")])
    with pytest.raises(ReadError, match="is not of the format tb-orders"):
        registry.identify(text_file("a.txt", "x\n"), [registry.reader_by_id("tb-orders")])


def test_reader_by_id() -> None:
    assert registry.reader_by_id("qn-txt").id == "qn-txt"
    with pytest.raises(UsageError, match="no reader nope") as caught:
        registry.reader_by_id("nope")
    assert "message-table" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        registry.reader_by_id("mapping")
    assert "--mapping" in caught.value.hint


def test_builtin_readers_describe_themselves() -> None:
    readers = registry.builtin_readers()
    assert len({reader.id for reader in readers}) == len(readers) == 5
    assert all(reader.title and reader.title_zh and reader.sign for reader in readers)


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (Head("a.imd", b"\x01\x02"), "binary backup"),
        (Head("A.WMD", b"\x01\x02"), "binary backup"),
        (Head("a.wwr", b"\x01\x02"), "binary backup"),
        (text_file("a.txt", "*" * 25 + "快捷短语导出文档" + "***\r\n您好\r\n", "utf-16"), "quick phrases"),
        (text_file("a.txt", "消息记录（此消息记录为文本格式，不支持重新导入）\n\n消息分组:我的好友\n"), "QQ"),
        (text_file("a.txt", "=====\n消息对象:buyer_a\n=====\n2026-09-01 10:00:00 buyer_a\n在吗\n"), "QQ"),
        (Head("a.txt", b"\x89PNG\r\n\x1a\n"), "picture"),
        (Head("a.jpg", b"\xff\xd8\xff\xe0"), "picture"),
        (Head("a.pdf", b"%PDF-1.7"), "PDF"),
        (Head("a.rar", b"Rar!\x1a\x07"), "RAR"),
        (Head("a.7z", b"7z\xbc\xaf\x27\x1c"), "7z"),
        (Head("a.db", b"SQLite format 3\x00"), "database"),
        (Head("a.txt", b""), "empty"),
        (
            text_file("a.csv", '"订单编号","标题","价格","购买数量","外部系统编号","商品属性"\r\n', "gbk"),
            "table of items",
        ),
        (
            workbook("a.xlsx", {"s": [["子订单编号", "主订单编号", "商品标题", "商品价格", "购买数量"]]}),
            "table of items",
        ),
        (
            workbook(
                "a.xlsx", {"数据信息": [["旺旺昵称", "咨询人数", "接待人数", "首次响应时长（秒)", "答问比"]]}
            ),
            "KPI tool",
        ),
        (text_file("a.csv", "客服昵称,聊天人数(原咨询人数),接待人数,直接接入人数,总消息数\n"), "KPI tool"),
        (text_file("a.csv", "buyer,staff,chat_date,filter_range,chat_text\n", "utf-8-sig"), "one cell each"),
        (workbook("a.xlsx", {"聊天记录": [["客户ID", "聊天记录"]]}), "one cell each"),
        (text_file("a.json", '[{"sender_nick": "m****"}]'), "JSON"),
        (text_file("a.jsonl", '{"message": "x"}\n{"message": "y"}\n'), "JSON"),
        (text_file("a.html", "<!DOCTYPE html><div class='J_msg imui-msg'>"), "web page"),
        (
            text_file(
                "a.log", f"/{'*' * 17}以下为一通会话{'*' * 36}/\n1****xx 2024-05-01 10:00:03\t\n请问\t\n"
            ),
            "JD log",
        ),
    ],
)
def test_refusals(head: Head, what: str) -> None:
    error = refusal(head)
    assert error is not None
    assert what in error.message
    assert error.hint
    assert "\n" not in str(error)
    with pytest.raises(ReadError, match=what):
        registry.identify(head, registry.builtin_readers())


@pytest.mark.parametrize(
    "head",
    [
        text_file("a.csv", "买家昵称,客服昵称,发送时间,发送方,消息内容\n"),
        text_file("a.txt", "[某旗舰店:客服A] 2024-01-01 10:00:00\n在\n"),
        text_file("a.csv", "订单编号,买家会员名,买家实际支付金额,订单状态,订单创建时间,购买数量\n"),
        workbook(
            "a.xlsx",
            {"绩效": [["咨询人数", "接待人数", "答问比"]], "s": [["买家", "发送者", "时间", "内容"]]},
        ),
    ],
)
def test_what_can_be_read_is_not_refused(head: Head) -> None:
    assert refusal(head) is None


def test_a_plug_in_may_read_what_is_not_supported_yet() -> None:
    plugin: Any = Claims("jd-log")
    head = text_file("a.log", "/*以下为一通会话*/\n1****xx 2024-05-01 10:00:03\n请问\n")
    assert registry.identify(head, [*registry.builtin_readers(), plugin]) is plugin


def test_plugins_are_loaded_and_broken_ones_named(monkeypatch: pytest.MonkeyPatch) -> None:
    good = metadata.EntryPoint("jd-log", "tests.readers.test_registry:PLUGIN", registry.ENTRY_POINTS)
    bad = metadata.EntryPoint("broken", "tests.readers.no_such_module:X", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry.metadata, "entry_points", lambda group: [good])
    assert [reader.id for reader in registry.all_readers()][-1] == "jd-log"
    monkeypatch.setattr(registry.metadata, "entry_points", lambda group: [bad])
    with pytest.raises(
        UsageError, match=r"reader broken of package tests\.readers\.no_such_module:X cannot be loaded"
    ):
        registry.all_readers()


PLUGIN = Claims("jd-log")
