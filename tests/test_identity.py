"""Who is who, and which copies are one message: kpi-spec I1-I3, M1, M2 on frames as readers return them."""

from __future__ import annotations

import naive
import polars as pl
import pytest
import worlds
from hypothesis import given, settings

from cslog import clock, identity, schema
from cslog.errors import ReadError
from cslog.identity import Accounts
from cslog.readers.base import Batch, Options
from cslog.readers.head import Head
from cslog.readers.qn_txt import QnTxt
from cslog.schema import Kind, MessageClass

SHOP, NOON = "某旗舰店", clock.parse_instant("2024-11-11T12:00:00", "")


def raw(*rows: tuple[str, str] | tuple[str, str, dict]) -> pl.DataFrame:
    """(sender, text[, further columns]) of one contact block, a second apart; the buyer is buyer_a."""
    lines = []
    for number, (sender, text, *more) in enumerate(rows, start=1):
        line = {"line": number, "block": 0, "buyer": "buyer_a", "sender": sender, "side": None, "agent": None}
        line |= {"sent_at": NOON + number, "text": text, "auto": False}
        lines.append(line | (more[0] if more else {}))
    return pl.DataFrame(lines, schema=schema.RAW_MESSAGES)


def canonical(*rows, accounts: Accounts | None = None, exporter=f"{SHOP}:小美", shop=SHOP) -> pl.DataFrame:
    batch = Batch(messages=raw(*rows), shop=shop, exporter=exporter)
    messages, rejects = identity.canonical_messages(batch, accounts or Accounts(), "a.txt")
    assert rejects.is_empty()
    assert dict(messages.schema) == schema.MESSAGES
    return messages


def classes(messages: pl.DataFrame) -> list[MessageClass]:
    return [MessageClass(code) for code in messages["message_class"]]


# ---- accounts (I1) --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "agent"),
    [
        (f"{SHOP}:小美", "小美"),
        (f"cntaobao{SHOP}:小美", "小美"),
        (f"cnalichn{SHOP}:小美", "小美"),
        (f"  cntaobao{SHOP}:小美 ", "小美"),
        (f"{SHOP}:小:美", "小:美"),
        (SHOP, SHOP),  # the main account is the agent named like the shop
        (f"cntaobao{SHOP}", SHOP),
    ],
)
def test_agents_are_named_without_site_and_shop(sender, agent):
    row = canonical((sender, "在的")).row(0, named=True)
    assert (row["agent"], row["shop"], row["message_class"]) == (agent, SHOP, MessageClass.HUMAN)


def test_a_buyer_may_be_a_seller_somewhere_else():
    """The shop's prefix decides, not the colon (formats 6)."""
    messages = canonical(("别家店:客服", "在吗", {"buyer": "别家店:客服"}))
    assert classes(messages) == [MessageClass.BUYER]
    assert messages["buyer"].to_list() == ["别家店:客服"]


@pytest.mark.parametrize("nick", ["cntaobaobuyer_a", " buyer_a ", "cnalichnbuyer_a"])
def test_a_buyer_is_one_person_with_or_without_the_site(nick):
    ours, plain = canonical((nick, "在吗", {"buyer": nick})), canonical(("buyer_a", "在吗"))
    assert ours["buyer_key"].to_list() == plain["buyer_key"].to_list()
    assert classes(ours) == [MessageClass.BUYER]


@pytest.mark.parametrize("nick", ["", " ", "cntaobao"])
def test_a_buyer_without_a_name_is_none_of_the_shops_people(nick):
    """Even when a setting lists an empty name: how it is written in the file decides nothing."""
    nobody = {SHOP: frozenset({""})}
    accounts = Accounts(staff=nobody, internal=nobody, robots=nobody, assistants=nobody)
    messages = canonical((nick, "在吗", {"buyer": nick}), accounts=accounts)
    assert classes(messages) == [MessageClass.BUYER]


def test_a_stranger_is_a_reject_with_his_line():
    batch = Batch(messages=raw(("buyer_a", "在吗"), ("陌生人", "广告")), shop=SHOP)
    messages, rejects = identity.canonical_messages(batch, Accounts(), "a.txt")
    assert messages.height == 1
    assert dict(rejects.schema) == schema.REJECTS
    assert rejects.row(0) == (2, "sender is neither the buyer nor an account of the shop", "广告")


def test_names_of_a_shop():
    """--shop overrides what the file says, aliases lead to the main account."""
    rows = (("buyer_a", "在吗"), (f"{SHOP}:小美", "在的"), (SHOP, "我是主号"))
    aliases = {"某某海外店": "乙店", SHOP: "甲店"}
    assert set(canonical(*rows)["shop"]) == {SHOP}
    assert set(canonical(*rows, accounts=Accounts(aliases=aliases))["shop"]) == {"甲店"}
    given = canonical(*rows, accounts=Accounts(shop="丙店", aliases=aliases))
    assert set(given["shop"]) == {"丙店"}
    assert given["agent"].to_list() == ["小美", "小美", "丙店"]
    assert set(canonical(*rows, accounts=Accounts(shop="某某海外店", aliases=aliases))["shop"]) == {"乙店"}


def test_the_shop_is_known_by_its_accounts_when_the_file_does_not_say_it():
    rows = (
        ("buyer_a", "在吗"),
        (f"{SHOP}:小美", "在"),
        (f"{SHOP}:阿强", "在"),
        ("别家:x", "?", {"buyer": "别家:x"}),
    )
    assert set(canonical(*rows, shop=None)["shop"]) == {SHOP}


def test_no_shop_anywhere_is_an_error_with_a_hint():
    with pytest.raises(ReadError, match=r"which shop.*--shop"):
        canonical(("buyer_a", "在吗"), shop=None)
    assert canonical(("buyer_a", "在吗"), shop=None, accounts=Accounts(shop="甲店"))["shop"].to_list() == [
        "甲店"
    ]


def test_staff_that_does_not_look_like_it():
    accounts = Accounts(staff={SHOP: frozenset({"店小二"})})
    row = canonical(("店小二", "在的"), accounts=accounts).row(0, named=True)
    assert (row["agent"], row["message_class"]) == ("店小二", MessageClass.HUMAN)


# ---- classes (M1, M2) -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "text", "more", "message_class", "rule"),
    [
        ("buyer_a", "在吗", {}, MessageClass.BUYER, "sender"),
        ("buyer_a", "[图片]", {}, MessageClass.BUYER, "sender"),
        ("buyer_a", "[卡片]", {}, MessageClass.BUYER, "sender"),
        (f"{SHOP}:小美", "在的", {}, MessageClass.HUMAN, "sender"),
        (SHOP, "在的", {}, MessageClass.HUMAN, "sender"),
        (f"{SHOP}:服务助手", "您好", {}, MessageClass.AUTO, "robot account"),
        (f"cntaobao{SHOP}:服务助手", "您好", {}, MessageClass.AUTO, "robot account"),
        (f"{SHOP}:jimi_vender_123", "您好", {}, MessageClass.AUTO, "robot account"),
        (f"{SHOP}:机器", "您好", {}, MessageClass.AUTO, "robot account"),
        (f"{SHOP}:小美", "[自动回复]您好", {}, MessageClass.AUTO, "marker"),
        (f"{SHOP}:小美", "您好", {"auto": True}, MessageClass.AUTO, "marker"),
        ("buyer_a", "[自动回复]您好", {}, MessageClass.BUYER, "sender"),
        ("buyer_a", "当前用户来自 商品详情页", {}, MessageClass.SYSTEM, "system line"),
        (f"{SHOP}:小美", "你撤回了一条消息", {}, MessageClass.SYSTEM, "system line"),
        ("buyer_a", "消息已撤回", {}, MessageClass.SYSTEM, "system line"),
        ("平台", "通知", {"side": "system"}, MessageClass.SYSTEM, "system line"),
        ("buyer_a", "由 服务助手 转交给 小美", {}, MessageClass.TRANSFER, "transfer line"),
        ("平台", "由 服务助手 转交给 小美", {"side": "system"}, MessageClass.TRANSFER, "transfer line"),
        (f"{SHOP}:小美", "由 小美 转交给 阿强", {}, MessageClass.HUMAN, "sender"),
        ("谁", "在吗", {"side": "buyer"}, MessageClass.BUYER, "sender"),
        ("谁", "在的", {"side": "agent"}, MessageClass.HUMAN, "sender"),
        ("谁", "您好", {"side": "robot"}, MessageClass.AUTO, "robot account"),
        (f"{SHOP}:小美", "吃饭吗", {"buyer": f"{SHOP}:阿强"}, MessageClass.INTERNAL, "internal account"),
        (f"{SHOP}:小美", "吃饭吗", {"buyer": SHOP}, MessageClass.INTERNAL, "internal account"),
        ("老板", "生意好吗", {"buyer": "老板"}, MessageClass.INTERNAL, "internal account"),
        ("老板", "由 小美 转交给 阿强", {"buyer": "老板"}, MessageClass.INTERNAL, "internal account"),
    ],
)
def test_classes(sender, text, more, message_class, rule):
    accounts = Accounts(robots={SHOP: frozenset({"机器"})}, internal={SHOP: frozenset({"老板"})})
    messages = canonical((sender, text, more), accounts=accounts)
    assert classes(messages) == [message_class]
    assert messages["rule"].to_list() == [rule]


def test_settings_of_another_shop_say_nothing():
    accounts = Accounts(robots={"别家": frozenset({"机器"})}, internal={"别家": frozenset({"buyer_a"})})
    messages = canonical((f"{SHOP}:机器", "您好"), ("buyer_a", "在吗"), accounts=accounts)
    assert classes(messages) == [MessageClass.HUMAN, MessageClass.BUYER]


def test_a_transfer_names_its_parties_and_is_nobodys_message():
    text = f"由 cntaobao{SHOP}:服务助手 转交给 {SHOP}:小美，原因：【系统识别需干预】"
    row = canonical(("buyer_a", text)).row(0, named=True)
    assert (row["transfer_from"], row["transfer_to"]) == ("服务助手", "小美")
    assert row["agent"] is None
    assert canonical(("buyer_a", "在吗"))["transfer_from"].to_list() == [None]


def test_the_auto_marker_is_no_part_of_the_text():
    row = canonical((f"{SHOP}:小美", "[自动回复] 您好 亲")).row(0, named=True)
    assert (row["text"], row["characters"]) == ("您好 亲", 3)


def test_kinds_and_characters():
    messages = canonical(("buyer_a", "[图片]"), ("buyer_a", "在 吗\n?"), ("buyer_a", ""))
    assert [Kind(code) for code in messages["kind"]] == [Kind.IMAGE, Kind.TEXT, Kind.TEXT]
    assert messages["characters"].to_list() == [0, 3, 0]


# ---- whose buyer message (I3, definitions 3) ------------------------------------------------------


def buyers_agents(*rows, **options) -> list[str | None]:
    return canonical(*rows, **options).filter(pl.col("message_class") == 0)["agent"].to_list()


def test_one_speaker_states_the_block():
    rows = (("buyer_a", "一"), (f"{SHOP}:阿强", "在"), ("buyer_a", "二"))
    assert buyers_agents(*rows) == ["阿强", "阿强"]
    assert canonical(*rows)["exporter"].to_list() == [None] * 3


@pytest.mark.parametrize(
    "speaker",
    [
        (f"{SHOP}:服务助手", "您好"),  # a robot does not speak
        (SHOP, "主号"),  # the main account is neutral
        (f"{SHOP}:阿强", "你撤回了一条消息"),  # a system line is nobody's word
    ],
)
def test_who_does_not_count_as_speaker(speaker):
    assert buyers_agents(("buyer_a", "一"), speaker) == ["小美"], "the exporter has the block"
    assert buyers_agents(("buyer_a", "一"), speaker, (f"{SHOP}:小丽", "在")) == ["小丽"]


def test_an_auto_reply_of_a_person_counts_as_speaking():
    assert buyers_agents(("buyer_a", "一"), (f"{SHOP}:阿强", "[自动回复]在")) == ["阿强"]


def test_two_speakers_state_nothing_and_the_exporter_is_remembered():
    rows = (("buyer_a", "一"), (f"{SHOP}:阿强", "在"), (f"{SHOP}:小丽", "在"))
    assert buyers_agents(*rows) == [None]
    assert canonical(*rows)["exporter"].to_list() == ["小美", None, None]
    assert canonical(*rows, exporter=None)["exporter"].to_list() == [None] * 3


def test_blocks_stand_for_themselves():
    rows = (
        ("buyer_a", "一"),
        (f"{SHOP}:阿强", "在"),
        ("buyer_a", "二", {"block": 1}),
        (f"{SHOP}:小丽", "在", {"block": 1}),
    )
    assert buyers_agents(*rows) == ["阿强", "小丽"]


def test_a_column_for_the_agent_beats_who_speaks():
    rows = (
        ("buyer_a", "一", {"agent": f"cntaobao{SHOP}:小丽"}),
        (f"{SHOP}:阿强", "在", {"agent": f"{SHOP}:小丽"}),
    )
    messages = canonical(*rows)
    assert messages["agent"].to_list() == ["小丽", "阿强"]


# ---- one message in several copies (I2, definitions 1, 2) -----------------------------------------


def keys(*rows, **options) -> list[tuple]:
    return canonical(*rows, **options).select(schema.MESSAGE_ID).rows()


def test_hashes_are_the_same_in_every_release():
    """Pinned: a store holds them for years. Never change these numbers."""
    messages = canonical(("buyer_a", "在吗？"), (f"{SHOP}:小美", "亲，在的"), ("buyer_a", "[图片]"))
    assert messages["buyer_key"].to_list() == [BUYER_KEY] * 3
    assert messages["message_key"].to_list() == MESSAGE_KEYS


BUYER_KEY = -8138316800837284844  # xxh3_64 of "taobao", shop and nick, each behind U+001F
MESSAGE_KEYS = [-5887897947404698427, 1179069164645847288, -532859692180751117]


def test_equal_messages_of_a_file_are_numbered():
    at = {"sent_at": NOON}
    rows = (
        ("buyer_a", "在吗", at),
        ("buyer_a", "在吗？", at),
        (f"{SHOP}:小美", "在", at),
        ("buyer_a", "在吗"),
    )
    messages = canonical(*rows)
    assert messages["occurrence"].to_list() == [0, 1, 0, 0]
    assert messages["rank"].to_list() == [0, 1, 2, 0]


def test_numbers_and_ranks_belong_to_the_buyer():
    at = {"sent_at": NOON}
    other = at | {"buyer": "buyer_b", "block": 1}
    messages = canonical(
        ("buyer_a", "在吗", at), ("buyer_b", "在吗", other), ("buyer_a", "在", at), ("buyer_b", "在", other)
    )
    assert messages["rank"].to_list() == [0, 0, 1, 1]
    assert messages["occurrence"].to_list() == [0] * 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("buyer_a", "好的😊可以吗？"), ("buyer_a", "好的?可以吗?")),
        (("buyer_a", "两 行\n字"), ("buyer_a", "两行 字 ")),
        ((f"{SHOP}:小美", "[自动回复]您好"), (f"cntaobao{SHOP}:小美", "您好")),
        (("buyer_a", "https://img.alicdn.com/a.jpg"), ("buyer_a", "[图片]")),
        ((f"{SHOP}:小美", "您好"), ("谁", "您好", {"side": "agent", "sender": f"{SHOP}:小美"})),
    ],
)
def test_copies_of_one_message_have_one_key(one, other):
    assert keys(one) == keys(other)


@pytest.mark.parametrize(
    "other",
    [
        (f"{SHOP}:小美", "在吗"),
        ("buyer_a", "在么"),
        ("buyer_a", "[图片]"),
        ("buyer_a", "在吗", {"sent_at": NOON + 2}),
        ("buyer_b", "在吗", {"buyer": "buyer_b"}),
    ],
)
def test_different_messages_have_different_keys(other):
    assert keys(("buyer_a", "在吗")) != keys(other)


def test_the_same_nick_in_two_shops_is_two_people():
    assert keys(("buyer_a", "在吗"))[0][0] != keys(("buyer_a", "在吗"), accounts=Accounts(shop="乙店"))[0][0]


@settings(max_examples=40)
@given(worlds.stories())
def test_numbers_and_ranks_are_those_of_the_reference(happened):
    blocks = [naive.Block(buyer, [naive.Line(*line) for line in lines]) for buyer, lines in happened.items()]
    export = naive.Export(worlds.SHOP, f"{worlds.SHOP}:小美", blocks)
    batch = QnTxt().read(Head("a.txt", worlds.txt_bytes(export)), Options())
    messages, _ = identity.canonical_messages(batch, Accounts(), "a.txt")
    copies = naive.copies_of(export, {"服务助手"}, None)
    found = messages.select("buyer", "sent_at", "rank", "occurrence", "message_class").sort(
        "buyer", "sent_at", "rank"
    )
    expected = sorted(
        (copy.key[0], copy.key[2], copy.rank, copy.number, int(MessageClass[copy.sender_class.upper()]))
        for copy in copies
    )
    # A system line has no sender for us; its number says nothing that a figure could show.
    assert [row if row[4] != MessageClass.SYSTEM else (*row[:3], row[4]) for row in found.rows()] == [
        row if row[4] != MessageClass.SYSTEM else (*row[:3], row[4]) for row in expected
    ]


def test_rows_are_of_the_month_they_were_sent_in():
    instants = ["2024-10-31T23:59:59", "2024-11-01T00:00:00", "2024-12-31T23:59:59"]
    rows = [("buyer_a", "在吗", {"sent_at": clock.parse_instant(text, "")}) for text in instants]
    messages = canonical(*rows)
    assert messages["month"].to_list() == ["2024-10", "2024-11", "2024-12"]
    assert messages["source_line"].to_list() == [1, 2, 3]
    assert set(messages["source_file"]) == {"a.txt"}


# ---- orders ---------------------------------------------------------------------------------------


def orders(*rows: dict, accounts: Accounts | None = None, shop=None) -> pl.DataFrame:
    blank = dict.fromkeys(schema.RAW_ORDERS) | {"line": 2, "order_id": "1", "shop": SHOP, "buyer": "buyer_a"}
    blank |= {"created_at": NOON, "state": 0, "amount_cents": 100}
    frame = pl.DataFrame([blank | row for row in rows], schema=schema.RAW_ORDERS)
    found = identity.canonical_orders(Batch(orders=frame, shop=shop), accounts or Accounts(), "o.csv")
    assert dict(found.schema) == schema.ORDERS
    return found


@pytest.mark.parametrize(
    ("nick", "joinable"),
    [("buyer_a", True), ("t**1", False), ("tb89****", False), ("", False), (None, False)],
)
def test_masked_buyers_are_not_joined(nick, joinable):
    assert orders({"buyer": nick})["joinable"].to_list() == [joinable]


def test_orders_and_messages_of_a_buyer_have_one_key():
    found = orders({}, {"buyer": "cntaobaobuyer_a"}, {"buyer": "buyer_b"})["buyer_key"].to_list()
    assert found[:2] == canonical(("buyer_a", "在吗"))["buyer_key"].to_list() * 2
    assert found[2] != found[0]


def test_shops_of_orders():
    accounts = Accounts(aliases={"某某海外店": SHOP})
    assert orders({"shop": "某某海外店"}, accounts=accounts)["shop"].to_list() == [SHOP]
    assert orders({"shop": None}, shop=SHOP)["shop"].to_list() == [SHOP]
    assert orders({}, accounts=Accounts(shop="乙店"))["shop"].to_list() == ["乙店"]
    with pytest.raises(ReadError, match=r"o\.csv, line 2: no 店铺名称.*--shop"):
        orders({"shop": None})


def test_versions_of_an_order_differ_by_what_they_say_and_by_nothing_else():
    same = orders({}, {"line": 9})["content_key"].to_list()
    assert same[0] == same[1]
    changes = [
        {"paid_at": NOON}, {"state": 1}, {"amount_cents": 101}, {"refund_cents": 0}, {"refund_cents": 1},
        {"items": 1}, {"memo": ""}, {"memo": "x"}, {"shipped_at": NOON}, {"close_reason": "退款"},
        {"order_id": "2"}, {"buyer": "buyer_b"},
    ]  # fmt: skip
    assert len(set(orders({}, *changes)["content_key"])) == len(changes) + 1
    assert same[0] == CONTENT_KEY


CONTENT_KEY = 6484949316287880273
