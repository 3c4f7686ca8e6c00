"""The oracle `naive.py` against every vector of the KPI specification, section 8, and its own identities."""

import random
import re
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import naive
import vectors
from naive import CHITU, DAY, TAOBAO, Block, Export, Line, Msg, OrderRow
from vectors import AGENT, BASE_DAY, BUYER, SHOP, instant

LATER = (30, "00:00:00")


def ids(table):
    return [vector.name for vector in table]


def thread_of(lines):
    return [
        Msg(instant(day, clock), AGENT, BUYER, "B" if who == "B" else "A", who != "x", seq)
        for seq, (day, clock, who) in enumerate(lines)
    ]


def export_of(lines, buyer=BUYER, agent=AGENT):
    """One export file with one contact block; lines as in the turn vectors."""
    return Export(
        SHOP,
        f"{SHOP}:{agent}",
        [
            Block(
                buyer,
                [
                    Line(instant(day, clock), buyer if who == "B" else f"{SHOP}:{agent}", vectors.TEXTS[who])
                    for day, clock, who in lines
                ],
            )
        ],
    )


def exports_of_agents(lines):
    """Lines of the order and enquiry vectors: one export file per agent."""
    blocks = defaultdict(list)
    for day, clock, who, agent in lines:
        blocks[agent].append((day, clock, who))
    return [export_of(block, agent=agent) for agent, block in blocks.items()]


def order_rows_of(orders, amount=10000):
    return [
        OrderRow(
            SHOP,
            order_id,
            BUYER,
            instant(*created),
            None if paid is None else instant(*paid),
            None,
            0 if paid is None else 1,
            amount,
            1,
            0,
        )
        for order_id, created, paid in orders
    ]


def the_row(rows, **keys):
    found = [row for row in rows if all(row[name] == value for name, value in keys.items())]
    assert len(found) == 1, found
    return found[0]


def assert_figures(row, figures):
    assert {name: row[name] for name in figures} == figures


# ---- V: turns and peer-days -----------------------------------------------------------------------


@pytest.mark.parametrize("vector", vectors.TURN_VECTORS, ids=ids(vectors.TURN_VECTORS))
def test_turns_chitu(vector):
    thread, expected = thread_of(vector.lines), vector.expected["chitu"]
    some_turns = naive.turns(thread, CHITU, instant(*(vector.data_end or LATER)))
    figures = naive.response(some_turns, CHITU)
    assert [naive.wait_of(t) for t in some_turns] == expected["waits"]
    assert [t.late for t in some_turns if t.late is not None] == expected.get("late", [])
    assert figures["avg"] == expected["average"]
    assert figures["frt"] == expected["first"]
    if "first_any" in expected:
        assert naive.mean(naive.first_waits_any(some_turns)) == expected["first_any"]


@pytest.mark.parametrize("vector", vectors.TURN_VECTORS, ids=ids(vectors.TURN_VECTORS))
def test_turns_taobao(vector):
    expected = vector.expected.get("taobao")
    if expected is None:
        pytest.skip("spec 8 gives no taobao column")
    some_turns = naive.turns(thread_of(vector.lines), TAOBAO, instant(*(vector.data_end or LATER)))
    figures = naive.response(some_turns, TAOBAO)
    assert figures["avg"] == expected["average"]
    assert (figures["within"], figures["turns"]) == (expected["within_180"], expected["turns"])


@pytest.mark.parametrize("vector", vectors.TURN_VECTORS, ids=ids(vectors.TURN_VECTORS))
def test_peer_days(vector):
    thread = thread_of(vector.lines)
    some_turns = naive.turns(thread, CHITU, instant(*(vector.data_end or LATER)))
    days = naive.peer_days(thread, CHITU, some_turns)
    assert {day - BASE_DAY: klass for day, (_, _, klass) in days.items()} == vector.expected["days"]
    for offset, counts in vector.expected.get("messages", {}).items():
        assert days[BASE_DAY + offset][:2] == counts


@pytest.mark.parametrize("vector", vectors.TURN_VECTORS, ids=ids(vectors.TURN_VECTORS))
def test_turn_vectors_through_report(vector):
    as_of = instant(*(vector.data_end or LATER))
    exports = [export_of(vector.lines)]
    for by, keys in ((("agent",), {"agent": AGENT}), ((), {})):
        rows = naive.report(exports, [], BASE_DAY, BASE_DAY + 1, by, as_of=as_of)
        assert_figures(the_row(rows, **keys), vector.expected["report"])
    rows = naive.report(exports, [], BASE_DAY, BASE_DAY + 1, ("day",), as_of=as_of)
    for offset, figures in vector.expected.get("report_by_day", {}).items():
        assert_figures(the_row(rows, day=naive.day_text(BASE_DAY + offset)), figures)


@pytest.mark.parametrize("vector", vectors.CONCURRENCY_VECTORS, ids=ids(vectors.CONCURRENCY_VECTORS))
def test_concurrency(vector):
    threads = [thread_of([(0, start, "B"), (0, end, "A")]) for start, end in vector.sessions]
    some_sessions = [s for thread in threads for s in naive.sessions(thread, CHITU)]
    assert naive.max_concurrent(some_sessions) == vector.expected
    exports = [
        export_of([(0, start, "B"), (0, end, "A")], buyer=f"buyer_{number}")
        for number, (start, end) in enumerate(vector.sessions)
    ]
    row = the_row(naive.report(exports, [], BASE_DAY, BASE_DAY, ("agent",)))
    assert row["max_concurrent"] == vector.expected


# ---- O, E, R --------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", vectors.ORDER_VECTORS, ids=ids(vectors.ORDER_VECTORS))
@pytest.mark.parametrize("rule", ["order", "payment", "order_first"])
def test_credit(vector, rule):
    rows = naive.report(
        exports_of_agents(vector.lines),
        order_rows_of(vector.orders),
        BASE_DAY,
        BASE_DAY + 9,
        ("agent",),
        rule=rule,
    )
    credited = [row["agent"] for row in rows if row["sales_orders"]]
    assert credited == ([vector.expected[rule]] if vector.expected[rule] else [])
    shop_row = the_row(
        naive.report(
            exports_of_agents(vector.lines),
            order_rows_of(vector.orders),
            BASE_DAY,
            BASE_DAY + 9,
            (),
            rule=rule,
        )
    )
    silent = vector.expected[rule] is None
    assert shop_row["silent_orders"] == silent
    assert shop_row["sales_amount"] == (Decimal("0.00") if silent else Decimal("100.00"))
    assert shop_row["sales_share"] == (0 if silent else 1)


def test_credit_covering():
    spans = [
        (instant(0, "10:00:00"), instant(0, "10:05:00"), "A"),
        (instant(0, "10:06:00"), instant(0, "10:20:00"), "B"),
    ]
    assert naive.agent_at_covering(spans, instant(0, "10:06:00")) == "B"
    assert naive.agent_at_covering(spans, instant(0, "10:05:30")) == "A"
    assert naive.agent_at_covering(spans, instant(3, "10:20:00")) is None


@pytest.mark.parametrize("vector", vectors.ENQUIRY_VECTORS, ids=ids(vectors.ENQUIRY_VECTORS))
def test_enquiry(vector):
    rows = naive.report(
        exports_of_agents(vector.lines),
        order_rows_of(vector.orders),
        BASE_DAY,
        BASE_DAY,
        ("agent",),
        as_of=instant(*LATER),
    )
    for agent, figures in vector.expected.items():
        assert_figures(the_row(rows, agent=agent), figures)


def test_e2_the_sale_is_still_the_agents():
    vector = next(v for v in vectors.ENQUIRY_VECTORS if v.name == "E2")
    rows = naive.report(
        exports_of_agents(vector.lines),
        order_rows_of(vector.orders),
        BASE_DAY,
        BASE_DAY + 2,
        ("agent", "day"),
    )
    assert the_row(rows, day=naive.day_text(BASE_DAY + 2))["sales_amount"] == Decimal("100.00")


def test_ratio_of_sums():
    exports = []
    for hour, (buyer, agent, wait) in enumerate(vectors.RATIO_VECTOR["turns"]):
        start = f"{hour:02d}:00:00"
        reply = f"{hour:02d}:{wait // 60:02d}:{wait % 60:02d}"
        exports.append(export_of([(0, start, "B"), (0, reply, "A")], buyer, agent))
    row = the_row(naive.report(exports, [], BASE_DAY, BASE_DAY, ()))
    assert row["response_avg"] == vectors.RATIO_VECTOR["response_avg"]
    by_agent = naive.report(exports, [], BASE_DAY, BASE_DAY, ("agent",))
    assert naive.mean([r["response_avg"] for r in by_agent]) == vectors.RATIO_VECTOR["mean_of_agents"]


# ---- what spec 8 has no vector for ----------------------------------------------------------------


def block_export(login, lines, buyer=BUYER):
    """lines: (clock, sender, text) of day 0; sender 'B' is the buyer, else a short agent name."""
    return Export(
        SHOP,
        f"{SHOP}:{login}",
        [Block(buyer, [Line(instant(0, c), buyer if s == "B" else f"{SHOP}:{s}", t) for c, s, t in lines])],
    )


def test_neutral_transfer_moves_the_open_turn():
    marker = ("10:01:00", "B", "由 甲 转交给 乙，原因：【忙】")
    chat = [
        ("09:59:00", "B", "在"),
        ("09:59:10", "甲", "在"),
        ("10:00:00", "B", "问"),
        marker,
        ("10:01:30", "乙", "答"),
    ]
    first = block_export("甲", chat[:4])
    second = block_export("乙", chat[3:])
    rows = naive.report([first, second], [], BASE_DAY, BASE_DAY, ("agent",), as_of=instant(*LATER))
    assert_figures(
        the_row(rows, agent="甲"),
        {"turns": 1, "response_avg": 10, "buyers_forwarded_out": 1, "buyers_direct": 1},
    )
    assert_figures(
        the_row(rows, agent="乙"),
        {
            "turns": 1,
            "response_avg": 30,
            "first_response_avg": 30,
            "buyers_forwarded_in": 1,
            "buyers_direct": 0,
            "buyer_messages": 0,
            "buyers_received": 1,
            "answer_ratio": None,
        },
    )
    shop_row = the_row(naive.report([first, second], [], BASE_DAY, BASE_DAY, (), as_of=instant(*LATER)))
    assert_figures(shop_row, {"turns": 2, "buyers_received": 1, "buyer_messages": 2, "agent_messages": 2})


def test_transfer_after_an_answer_changes_nothing():
    chat = [("10:00:00", "B", "问"), ("10:00:20", "乙", "答"), ("10:01:00", "B", "由 甲 转交给 乙")]
    first, second = block_export("甲", chat[:1] + chat[2:]), block_export("乙", chat[1:2])
    rows = naive.report([first, second], [], BASE_DAY, BASE_DAY, ("agent",), as_of=instant(*LATER))
    assert the_row(rows, agent="甲")["turns_unanswered"] == 1
    assert the_row(rows, agent="乙")["turns"] == 0


def test_multiset_union_and_gbk_copies():
    hello, empty = ("10:00:00", "B", "在吗"), ("10:00:06", "甲", "")
    chat = [hello, hello, ("10:00:05", "甲", "在的😊"), empty]
    lossy = chat[:2] + [("10:00:05", "甲", "在的?")] + chat[3:]
    reports = [
        naive.report([block_export("甲", part) for part in parts], [], BASE_DAY, BASE_DAY, ("agent",))
        for parts in ([chat], [chat, chat], [lossy, chat], [chat[:1], lossy, chat[2:]])
    ]
    assert all(other == reports[0] for other in reports)
    assert_figures(reports[0][0], {"buyer_messages": 2, "agent_messages": 2, "agent_characters": 3})


def test_inferred_agent():
    chat = [
        ("10:00:00", "B", "一"),
        ("10:00:05", "甲", "在"),
        ("10:01:00", "B", "二"),
        ("10:01:09", "乙", "在"),
    ]
    rows = naive.report([block_export("丙", chat)], [], BASE_DAY, BASE_DAY, ("agent",))
    assert {row["agent"]: row["response_avg"] for row in rows} == {"甲": 5, "乙": 9}


def test_internal_blocks_and_robots():
    internal = block_export("甲", [("10:00:00", "甲", "吃饭吗")], buyer=f"{SHOP}:乙")
    chat = [("11:00:00", "B", "在吗"), ("11:00:01", "服务助手", "您好"), ("11:00:30", "甲", "在")]
    robot = block_export("甲", chat)
    rows = naive.report([internal, robot], [], BASE_DAY, BASE_DAY, ("agent",))
    assert_figures(the_row(rows, agent="甲"), {"buyers_chatted": 1, "response_avg": 30, "auto_messages": 0})
    robot_figures = {"buyers_chatted": 0, "auto_messages": 1, "agent_messages": 0}
    assert_figures(the_row(rows, agent="服务助手"), robot_figures)
    assert len(rows) == 2


def test_immature_figures_are_null():
    chat = export_of([(0, "10:00:00", "B"), (0, "10:00:10", "A")])

    def immature(offset, extra=0):
        as_of = instant(offset, "00:00:00") + extra
        return the_row(naive.report([chat], [], BASE_DAY, BASE_DAY, ("agent",), as_of=as_of))["immature"]

    last = ["inquiries_paid", "inquiry_to_payment_rate", "orders_lost"]
    assert immature(1, -1) == sorted(naive.MATURE_AFTER)
    assert immature(1) == sorted(key for key, after in naive.MATURE_AFTER.items() if after > 0)
    assert immature(2) == immature(5, -1) == last
    assert immature(5) == []


# ---- random data: identities and independence of files --------------------------------------------


def random_world(seed, messages=500, orders=60):
    """Blocks of several agents over a few days with all kinds of lines, cut into overlapping files."""
    rng = random.Random(seed)
    agents = ["小美", "小丽", "服务助手"]
    texts = ["在吗", "在吗?", "", "[图片]", "[卡片]", "好的😊", "有货"]
    texts += ["[自动回复]您好", "当前用户来自 商品详情页"]
    buyers = [f"买家{number}" for number in range(12)] + ["t**1", f"{SHOP}:小丽"]
    exports = []
    for _ in range(6):
        login = rng.choice([SHOP, f"{SHOP}:小美", f"{SHOP}:小丽"])
        blocks = []
        for buyer in buyers:
            ts, lines = instant(0, "09:00:00") + rng.randrange(86400), []
            for _ in range(rng.randrange(messages // 40)):
                ts += rng.choice([0, 0, 1, 5, 30, 120, 300, 599, 600, 900, 20000])
                who = rng.random()
                if who < 0.06:
                    pair = rng.sample(agents, 2)
                    lines.append(Line(ts, buyer, f"由 {pair[0]} 转交给 {pair[1]}"))
                elif who < 0.5:
                    lines.append(Line(ts, buyer, rng.choice(texts)))
                else:
                    sender = rng.choice([SHOP, *(f"{SHOP}:{agent}" for agent in agents)])
                    lines.append(Line(ts, sender, rng.choice(texts)))
            blocks.append(Block(buyer, lines))
        exports.append(Export(SHOP, login, blocks))
    rows = []
    for number in range(orders):
        created = instant(-2, "00:00:00") + rng.randrange(9 * DAY)
        paid = rng.choice([None, created + rng.randrange(4 * DAY)])
        state, buyer = 0 if paid is None else 1, rng.choice(buyers[:13])
        row = OrderRow(SHOP, f"{number:04d}", buyer, created, paid, None, state, 999, 2, 0)
        rows += [row] * rng.randrange(1, 3)
        if paid is not None and rng.random() < 0.3:
            rows.append(row._replace(state=5, refund=500, amount=999))
    return exports, rows


@pytest.mark.parametrize("seed", range(8))
def test_identities(seed):
    exports, order_rows = random_world(seed)
    first, last = BASE_DAY - 3, BASE_DAY + 12
    groupings = (
        (),
        ("day",),
        ("agent",),
        ("agent", "day"),
        ("agent", "hour"),
        ("day", "hour"),
        ("week", "month"),
    )
    for by in groupings:
        for row in naive.report(exports, order_rows, first, last, by):
            assert row["buyers_chatted"] == row["buyers_consulted"] + row["buyers_filtered"]
            assert row["buyers_consulted"] == row["buyers_received"] + row["buyers_unreplied"]
            assert row["buyers_consulted"] == row["buyer_initiated"] + row["agent_initiated"]
            assert row["turns"] == row["turns_answered"] + row["turns_unanswered"]
            assert row["turns_late"] <= row["turns_unanswered"]


@pytest.mark.parametrize("seed", range(8))
def test_days_add_up_to_the_period(seed):
    exports, order_rows = random_world(seed)
    first, last = BASE_DAY - 3, BASE_DAY + 12
    as_of = instant(40, "00:00:00")
    whole = the_row(naive.report(exports, order_rows, first, last, (), as_of=as_of))
    days = naive.report(exports, order_rows, first, last, ("day",), as_of=as_of)
    counts = [
        name
        for name, value in whole.items()
        if isinstance(value, int | Decimal)
        and name not in ("max_concurrent", "buyers_received_distinct")
        and not name.startswith("average_")
        and not name.endswith(("_p50", "_p90"))
    ]
    assert "sales_amount" in counts and "orders_lost" in counts
    for name in counts:
        assert sum(row[name] for row in days) == whole[name], name
    for row in days:
        day = next(d for d in range(first, last + 1) if naive.day_text(d) == row["day"])
        alone = naive.report(exports, order_rows, day, day, ("day",), as_of=as_of)
        assert alone == [row]


@pytest.mark.parametrize("seed", range(8))
def test_order_and_split_of_files_do_not_matter(seed):
    exports, order_rows = random_world(seed)
    arguments = (BASE_DAY - 3, BASE_DAY + 12, ("agent", "day"))
    before = naive.report(exports, order_rows, *arguments)
    rng = random.Random(seed)
    shuffled = exports + [
        Export(e.shop, e.login, rng.sample(e.blocks, rng.randrange(len(e.blocks)))) for e in exports
    ]
    rng.shuffle(shuffled)
    rng.shuffle(order_rows)
    assert naive.report(shuffled, order_rows, *arguments) == before


# ---- definitions 34 to 56 and 7a, worked out by hand ----------------------------------------------


def at(clock):
    """``10:00:00`` of the first day, ``+1 10:00:00`` of the next."""
    offset, _, time = clock.rpartition(" ")
    return instant(int(offset or 0), time)


def talk(lines, buyer=BUYER, agent="甲"):
    """An agent's own file: ``10:00:00 B text``; A is the agent; the text may be left out."""
    block = []
    for line in lines:
        clock, who, text = re.fullmatch(r"((?:\+\d )?[\d:]{8}) (\w+)(?: (.*))?", line).groups()
        sender = {"B": buyer, "A": f"{SHOP}:{agent}"}.get(who, f"{SHOP}:{who}")
        block.append(Line(at(clock), sender, text or "在吗"))
    return Export(SHOP, f"{SHOP}:{agent}", [Block(buyer, block)])


def rows_of(exports, by=(), P=CHITU, orders=(), rule="order_first", days=3, as_of="+30 00:00:00", **settings):
    moment = None if as_of is None else at(as_of)
    return naive.report(
        exports, orders, BASE_DAY, BASE_DAY + days, by, P, rule, moment, settings=settings or None
    )


def row_of(exports, by=(), **arguments):
    return the_row(rows_of(exports, by, **arguments))


def order(number="1", created="10:10:00", paid="10:20:00", buyer=BUYER, **more):
    paid_at = None if paid is None else at(paid)
    state = 0 if paid is None else 1
    whole = OrderRow(SHOP, number, buyer, at(created), paid_at, None, state, 10000, 1, 0)
    return whole._replace(**more)


def on_duty(agent, *shifts):
    """Settings of a roster; a shift is (name, range, range, …) like ``("早班", "09:00:00-12:00:00")``."""
    roster = []
    for name, *ranges in shifts:
        hours = tuple(tuple(at(clock) for clock in text.split("-")) for text in ranges)
        roster.append((agent, name, hours[0][0], hours[-1][1], hours))
    return {"roster": roster, "rostered": {agent}}


DAY_SHIFT = ("早班", "09:00:00-12:00:00", "13:00:00-18:00:00")
NEXT_DAY_SHIFT = ("早班", "+1 09:00:00-+1 12:00:00", "+1 13:00:00-+1 18:00:00")
SHIFT_CLOCK = {**CHITU, "clock": "shift"}


def at_level(level, P=CHITU):
    return {**P, "levels": naive.four_rates(level)}


def test_7a_an_assistant_answers_where_the_profile_says_so():
    """Answer after 20 s by 小蜜 (assist): chitu one turn of 20 s; jd sees it not, the turn is unanswered."""
    chat = [talk(["10:00:00 B", "10:00:20 A"], agent="小蜜")]
    assert_figures(row_of(chat, assistants=["小蜜"]), {"response_avg": 20, "agent_messages": 1})
    figures = {"turns_unanswered": 1, "agent_messages": 0, "auto_messages": 0, "buyers_unreplied": 1}
    assert_figures(row_of(chat, P=naive.JD, assistants=["小蜜"]), figures)
    marked = [talk(["10:00:00 B", "10:00:20 A [自动回复]您好"], agent="小蜜")]
    assert_figures(row_of(marked, assistants=["小蜜"]), {"agent_messages": 0, "auto_messages": 1})


def test_34_level_of_first_turns():
    """First turns: 20 s; 5 s of a session that the agent began. The turn of 40 s is a second one.

    jd counts only the first of them: ≤ 6 s 0 of 1, ≤ 30 s 1 of 1. With any initiator ≤ 6 s 1 of 2.
    """
    chats = [
        talk(["10:00:00 B", "10:00:20 A", "10:05:00 B", "10:05:40 A"]),
        talk(["10:00:00 A", "10:00:30 B", "10:00:35 A"], buyer="other"),
    ]
    assert_figures(row_of(chats, P=naive.JD), {"within_6s_rate": 0, "within_30s_rate": 1, "turns": 3})
    assert_figures(row_of(chats, P=at_level("first_turn", naive.VIP)), {"within_6s_rate": 1 / 2})
    assert_figures(row_of(chats, P=CHITU), {"within_6s_rate": 1 / 3, "within_30s_rate": 2 / 3})


def test_35_level_of_messages():
    """Questions wait 31 s, 11 s, for ever: ≤ 30 s 1 of 3, ≤ 60 s 2 of 3; ≤ 180 s 2 of 3."""
    chat = [talk(["10:00:00 B", "10:00:20 B", "10:00:31 A", "11:00:00 B"])]
    figures = {"within_6s_rate": 0, "within_30s_rate": 1 / 3, "within_60s_rate": 2 / 3}
    assert_figures(row_of(chat, P=naive.DOUYIN), {**figures, "within_180s_rate": 2 / 3})


def test_35_a_question_outlives_its_turn():
    """Silence closed the first turn; its question still waits 665 s, the second one 5 s: 1 of 2."""
    chat = [talk(["10:00:00 B", "10:11:00 B", "10:11:05 A"])]
    assert_figures(row_of(chat, P=at_level("message")), {"within_6s_rate": 1 / 2, "turns": 2})


def test_35_void_and_censored_turns_have_no_questions():
    """甲's turn is void, 乙's re-opening waits 4 s. A censored turn leaves nothing to divide by."""
    first = talk(["10:00:00 B", "10:00:01 B 还在吗", "10:01:00 B 由 甲 转交给 乙"])
    second = talk(["10:01:00 B 由 甲 转交给 乙", "10:01:04 A"], agent="乙")
    rows = rows_of([first, second], ("agent",), P=at_level("message"))
    assert the_row(rows, agent="甲")["within_6s_rate"] is None
    assert the_row(rows, agent="乙")["within_6s_rate"] == 1
    open_yet = [talk(["10:00:00 B", "10:05:00 B"])]
    for as_of, rate in (("10:14:59", None), ("10:15:00", 0)):
        assert row_of(open_yet, P=at_level("message"), as_of=as_of)["within_6s_rate"] == rate


def test_35_the_window_asks_for_the_question():
    """22:59:50 waits 25 s; 23:00:10 is too late for the window, though its turn opened in it: 0 of 1."""
    chat = [talk(["22:59:50 B", "23:00:10 B", "23:00:15 A"])]
    assert_figures(row_of(chat, P=naive.PDD), {"within_6s_rate": 0, "within_30s_rate": 1})


def test_36_level_of_peer_days():
    """甲: one buyer waits 10 s and 200 s (a miss), another 180 s (a hit): 1 of 2. 乙 leaves the other: 0 of 1.

    Of the shop's two buyers neither had all turns answered in time.
    """
    chats = [
        talk(["10:00:00 B", "10:00:10 A", "10:01:00 B", "10:04:20 A"]),
        talk(["10:00:00 B", "10:03:00 A"], buyer="other"),
        talk(["11:00:00 B"], buyer="other", agent="乙"),
    ]
    rows = rows_of(chats, ("agent",), P=naive.PDD)
    assert [the_row(rows, agent=name)["within_180s_rate"] for name in "甲乙"] == [1 / 2, 0]
    assert row_of(chats, P=naive.PDD)["within_180s_rate"] == 0


@pytest.mark.parametrize(
    ("lines", "turns"),
    [
        (["08:56:00 B", "09:01:00 A"], 0),
        (["08:59:50 B", "08:59:58 A", "09:00:05 B", "09:00:09 A"], 0),
        (["22:59:00 B", "22:59:10 A", "23:01:00 B", "23:01:10 A"], 2),
        (["23:00:00 B", "23:00:10 A"], 0),
    ],
)
def test_37_window_of_sessions(lines, turns):
    """jd: all turns of a session that began in [09:00, 23:00), and no others."""
    assert row_of([talk(lines)], P=naive.JD)["turns"] == turns
    messages = at_level("message", naive.JD)
    assert row_of([talk(lines)], P=messages)["within_180s_rate"] == (1 if turns else None)


def test_38_night_questions():
    """Due at 09:30: answered 08:30 and 09:30:00, missed 09:30:01; 22:59:59 and 09:00:00 are not of the night."""
    answers = ["+1 08:30:00", "+1 09:30:00", "+1 09:30:01"]
    chats = [talk(["23:30:00 B", f"{clock} A"], buyer=f"b{n}") for n, clock in enumerate(answers)]
    chats += [talk(["22:59:59 B"], buyer="early"), talk(["09:00:00 B"], buyer="late")]
    figures = {"night_questions": 3, "night_answered_rate": 2 / 3}
    for name in ("vip", "chitu"):
        assert_figures(row_of(chats, P=naive.PROFILES[name], days=0), figures)
    open_yet = [talk(["23:30:00 B"])]
    for as_of, number in (("+1 09:29:59", 0), ("+1 09:30:00", 1)):
        assert row_of(open_yet, P=naive.VIP, days=0, as_of=as_of)["night_questions"] == number
    after_midnight = [talk(["00:30:00 B", "09:30:00 A"])]
    assert row_of(after_midnight, days=0)["night_answered_rate"] == 1


def test_39_r1_mean_of_agents():
    """R1: ten turns of 10 s by one agent, one of 100 s by another: 200 ÷ 11, or (10 + 100) ÷ 2 = 55."""
    chats = [talk([f"{hour}:00:00 B", f"{hour}:00:10 A"], f"b{hour}") for hour in range(10, 20)]
    chats.append(talk(["20:00:00 B", "20:01:40 A"], "last", "乙"))
    both = {"response_avg_of_agents": 55, "first_response_avg_of_agents": 55, "response_wall_avg": 200 / 11}
    assert_figures(row_of(chats, P=naive.VIP), {**both, "response_avg": 55, "first_response_avg": 55})
    assert_figures(row_of(chats), {**both, "response_avg": 200 / 11, "first_response_avg": 200 / 11})
    of_agent = the_row(rows_of(chats, ("agent",), P=naive.VIP), agent="乙")
    assert_figures(of_agent, {"response_avg": 100, "response_avg_of_agents": None})


def test_39_thirds_are_exact():
    """Means of 10 ÷ 3, 1 and 1: (10 ÷ 3 + 2) ÷ 3 = 16 ÷ 9."""
    waits = {"甲": (3, 3, 4), "乙": (1,), "丙": (1,)}
    chats = [
        talk([f"1{n}:00:00 B", f"1{n}:00:0{wait} A"], f"{agent}{n}", agent)
        for agent, some in waits.items()
        for n, wait in enumerate(some)
    ]
    assert row_of(chats)["response_avg_of_agents"] == 16 / 9


def test_40_no_cap_and_no_silence():
    """pdd: 7200 s is an answer, the other turn is out of the mean; the end of the day closes a turn."""
    chats = [talk(["10:00:00 B", "12:00:00 A", "13:00:00 B"]), talk(["22:00:00 B", "+1 00:00:01 A"], "other")]
    figures = {"turns": 3, "turns_answered": 1, "turns_late": 1, "response_avg": 7200}
    assert_figures(row_of(chats, P=naive.PDD), figures)


def test_41_clocks():
    """07:00 is outside taobao's window: no turn by it, one by the other clocks."""
    chat = [talk(["07:00:00 B", "07:00:20 A"])]
    found = [row_of(chat, P={**TAOBAO, "clock": clock})["turns"] for clock in ("wall", "window", "shift")]
    assert found == [1, 0, 1]


@pytest.mark.parametrize(
    ("lines", "figures"),
    [
        # the break is left out
        (["11:59:00 B", "13:01:00 A"], {"response_avg": 120, "response_wall_avg": 3720, "turns_late": 0}),
        # 120 s yesterday, 180 s today: still open, and that is the wait
        (["17:58:00 B", "+1 09:03:00 A"], {"response_avg": 300, "response_wall_avg": 54300}),
        # 120 s + 480 s: silence has closed it
        (["17:58:00 B", "+1 09:08:00 A"], {"response_avg": None, "turns_late": 1, "turns": 1}),
        # asked and answered off duty
        (["19:00:00 B", "19:30:00 A"], {"response_avg": 0, "within_6s_rate": 1, "response_wall_avg": 1800}),
        # every message begins the silence anew, the wait goes on: 17:50–18:00 and 09:00–09:05
        (["17:50:00 B", "17:59:00 B", "+1 09:05:00 A"], {"response_avg": 900, "turns": 1}),
    ],
)
def test_42_44_shift_clock(lines, figures):
    """甲 is on duty 09:00–12:00 and 13:00–18:00, today and tomorrow."""
    roster = on_duty("甲", DAY_SHIFT, NEXT_DAY_SHIFT)
    assert_figures(row_of([talk(lines)], P=SHIFT_CLOCK, days=0, **roster), figures)


def test_42_a_day_closes_what_the_roster_keeps_open():
    """Off duty from 18:00: open for 24 h less a second, and then no more."""
    for answer, figures in (("+1 17:57:59", {"response_avg": 120}), ("+1 17:58:00", {"turns_late": 1})):
        chat = [talk(["17:58:00 B", f"{answer} A"])]
        assert_figures(row_of(chat, P=SHIFT_CLOCK, days=0, **on_duty("甲", DAY_SHIFT)), figures)


def test_42_who_is_not_in_the_roster_keeps_the_wall_clock():
    chat = [talk(["19:00:00 B", "19:01:00 A"], agent="乙"), talk(["20:00:00 B", "20:10:00 A"], "other", "乙")]
    figures = {"response_avg": 60, "turns_late": 1}
    assert_figures(row_of(chat, P=SHIFT_CLOCK, **on_duty("甲", DAY_SHIFT)), figures)
    elsewhere = {"roster": [], "rostered": {"乙"}}  # in the roster, on no day of it: no time passes
    assert_figures(row_of(chat, P=SHIFT_CLOCK, **elsewhere), {"response_avg": 0, "turns_answered": 2})


def test_42_censored():
    """Asked 17:58; 600 s on duty are over at 09:08 of the next day."""
    roster = on_duty("甲", DAY_SHIFT, NEXT_DAY_SHIFT)
    for as_of, turns in (("+1 09:07:59", 0), ("+1 09:08:00", 1)):
        assert row_of([talk(["17:58:00 B"])], P=SHIFT_CLOCK, as_of=as_of, **roster)["turns"] == turns
    today = on_duty("甲", DAY_SHIFT)
    for as_of, turns in (("+1 17:57:59", 0), ("+1 17:58:00", 1)):
        assert row_of([talk(["17:58:00 B"])], P=SHIFT_CLOCK, as_of=as_of, **today)["turns"] == turns


def test_42_a_transfer_finds_the_turn_that_the_roster_keeps_open():
    """Asked 11:55, handed over 12:30: five minutes on duty, so the turn goes to 乙 (12:30 + 40 s)."""
    first = talk(["11:55:00 B", "12:30:00 B 由 甲 转交给 乙"])
    second = talk(["12:30:00 B 由 甲 转交给 乙", "12:30:40 A"], agent="乙")
    for P, turns in ((SHIFT_CLOCK, {"甲": 0, "乙": 1}), (CHITU, {"甲": 1, "乙": 0})):
        rows = rows_of([first, second], ("agent",), P=P, **on_duty("甲", DAY_SHIFT))
        assert {name: the_row(rows, agent=name)["turns"] for name in "甲乙"} == turns


def test_43_extension():
    """The session 17:55–18:04:00 goes on past 18:00: on duty until 18:04:01.

    Its turns wait 180 s (17:55) and 180 s (18:01); another buyer's 18:02:00–18:05:00 waits 121 s of duty,
    for his session began after 18:00 and extends nothing. Filtered, the first one still extends.
    """
    crossing = talk(["17:55:00 B", "17:58:00 A", "18:01:00 B 多久发货", "18:04:00 A"])
    chats = [crossing, talk(["18:02:00 B", "18:05:00 A"], "other")]
    roster = on_duty("甲", DAY_SHIFT)
    row = row_of(chats, P=SHIFT_CLOCK, **roster)
    assert_figures(row, {"turns": 3, "response_avg": 481 / 3, "response_wall_avg": 180})
    assert row_of(chats, P=CHITU, **roster)["response_avg"] == 180
    left_out = {"filters": [{"rule": "keywords", "words": ["发货"]}]}
    assert_figures(row_of(chats, P=SHIFT_CLOCK, **roster, **left_out), {"turns": 1, "response_avg": 121})
    # A session that ends in the last second before the end of the shift extends nothing.
    ends = [talk(["17:55:00 B", "17:59:59 A"]), talk(["18:02:00 B", "18:05:00 A"], "other")]
    assert row_of(ends, P=SHIFT_CLOCK, **roster)["response_avg"] == (299 + 0) / 2
    # Breaks are not extended.
    lunch = [talk(["11:55:00 B", "11:58:00 A", "12:01:00 B", "12:04:00 A"])]
    assert row_of(lunch, P=SHIFT_CLOCK, **roster)["response_avg"] == 90


def test_44_caps_rates_and_slow_turns_look_at_the_worked_wait():
    """Cap 100 s: waits 120 → 100, unanswered → 300. 3720 s on the wall are not slow on the shift clock."""
    P = {**SHIFT_CLOCK, "cap": 100, "unanswered": 300, "slow_s": 120, "slow_times": 1}
    chat = [talk(["11:59:00 B", "13:01:00 A"])]
    roster = on_duty("甲", DAY_SHIFT)
    figures = {"response_avg": 100, "first_response_avg": 120, "first_response_wall_avg": 3720}
    assert_figures(row_of(chat, P=P, **roster), {**figures, "slow_buyers": 0, "within_180s_rate": 1})
    assert row_of([*chat, talk(["15:00:00 B"], "other")], P=P, **roster)["response_avg"] == 200
    questions = [talk(["11:59:00 B", "12:30:00 B", "13:00:20 A"])]  # 80 s and 20 s of duty
    rates = {"within_30s_rate": 1 / 2, "within_60s_rate": 1 / 2, "within_180s_rate": 1}
    assert_figures(row_of(questions, P=at_level("message", SHIFT_CLOCK), **roster), rates)


def test_45_shift_of_a_fact():
    """甲 has both shifts: the earlier one wins at 17:30; 12:30 is its break; 00:30 is yesterday's late shift."""
    late = ("晚班", "17:00:00-+1 01:00:00")
    clocks = ["08:59:59", "12:30:00", "17:30:00", "18:00:00", "+1 00:30:00", "+1 01:00:00"]
    chats = [talk([f"{clock} B"], f"b{n}") for n, clock in enumerate(clocks)]
    rows = rows_of(chats, ("agent", "shift"), **on_duty("甲", DAY_SHIFT, late))
    assert [(row["shift"], row["buyers_unreplied"]) for row in rows] == [(None, 2), ("早班", 2), ("晚班", 2)]
    same_begin = on_duty("甲", ("乙班", "09:00:00-18:00:00"), ("丙班", "09:00:00-18:00:00"))
    rows = rows_of([talk(["12:00:00 B"])], ("shift",), **same_begin)
    assert [row["shift"] for row in rows] == ["丙班"]  # 丙 is U+4E19, 乙 U+4E59


def test_45_people_have_the_shift_of_the_thread_with_the_first_question():
    """The buyer asks 乙 (no shift) at 10:00 and 甲 at 10:30: one person without shift, messages each their own."""
    chats = [talk(["10:00:00 B", "10:00:10 A"], agent="乙"), talk(["10:30:00 B", "10:30:10 A"])]
    rows = rows_of(chats, ("shift",), **on_duty("甲", DAY_SHIFT))
    figures = [(row["shift"], row["buyers_received"], row["buyer_messages"]) for row in rows]
    assert figures == [(None, 1, 1), ("早班", 0, 1)]


def test_45_orders():
    """Sold by 甲 at 10:20 (早班), one silent order in the shift of anybody, one in none."""
    orders = [
        order(),
        order("2", "11:00:00", "11:30:00", "silent"),
        order("3", "20:00:00", "20:30:00", "silent"),
    ]
    rows = rows_of(
        [talk(["10:00:00 B", "10:00:10 A"])], ("shift",), orders=orders, **on_duty("甲", DAY_SHIFT)
    )
    figures = [(row["shift"], row["sales_orders"], row["silent_orders"], row["sales_share"]) for row in rows]
    assert figures == [(None, 0, 1, 0), ("早班", 1, 1, 1 / 3)]


def test_46_47_teams():
    """甲 is in two teams, 乙组 is the first by name; a buyer of both teams is one person in each."""
    teams = {"teams": {"甲组": ["甲", "乙"], "乙组": ["甲"]}}
    chats = [talk(["10:00:00 B", "10:00:10 A"]), talk(["10:02:00 B", "10:02:30 A"], agent="乙")]
    chats += [talk(["11:00:00 B", "11:00:10 A"], "other", "丙")]
    rows = rows_of(chats, ("team",), orders=[order(), order("2", buyer="silent")], **teams)
    names = ("team", "buyers_received", "response_avg", "sales_orders", "silent_orders", "sales_share")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (None, 1, 10, 0, None, 0),
        ("乙组", 1, 10, 0, None, 0),
        ("甲组", 1, 30, 1, None, 1 / 2),
    ]
    assert row_of(chats, **teams)["buyers_received"] == 2
    assert [(r["team"], r["agent"]) for r in rows_of(chats, ("team", "agent"), **teams)] == [
        (None, "丙"),
        ("乙组", "甲"),
        ("甲组", "乙"),
    ]


def test_46_concurrency_is_swept_per_team_and_shift():
    """甲 and 乙 chat at the same time: two at once for the shop and their team, one for each shift."""
    chats = [talk(["10:00:00 B", "10:01:00 A"]), talk(["10:00:00 B", "10:01:00 A"], "other", "乙")]
    together = {"teams": {"组": ["甲", "乙"]}, **on_duty("甲", DAY_SHIFT)}
    assert row_of(chats, ("team",), **together)["max_concurrent"] == 2
    assert [row["max_concurrent"] for row in rows_of(chats, ("shift",), **together)] == [1, 1]


ASKED = ["10:00:00 B 在吗", "10:00:10 A 在的亲"]


@pytest.mark.parametrize(
    ("lines", "rule", "filtered"),
    [
        (ASKED, {"rule": "keywords", "words": ["吗"]}, True),
        (ASKED, {"rule": "keywords", "words": ["的"]}, False),
        (ASKED, {"rule": "keywords", "words": ["的"], "from": "agent"}, True),
        (ASKED, {"rule": "keywords", "words": ["不", "亲"], "from": "any"}, True),
        (ASKED, {"rule": "keywords", "words": ["在"], "shorter_than": 2}, False),
        (ASKED, {"rule": "keywords", "words": ["在"], "shorter_than": 3}, True),
        (ASKED, {"rule": "keywords", "words": ["在"], "fewer_than": 2}, False),
        (ASKED, {"rule": "keywords", "words": ["在"], "fewer_than": 3}, True),
        (["10:00:00 B [图片]", "10:00:10 A"], {"rule": "keywords", "words": ["图片"]}, False),
        (ASKED, {"rule": "exact", "texts": ["在"]}, False),
        (ASKED, {"rule": "exact", "texts": ["在吗"]}, True),
        (ASKED, {"rule": "exact", "texts": ["在吗"], "fewer_than": 2}, False),
        (["10:00:00 B  在吗 ", "10:00:10 A"], {"rule": "exact", "texts": ["在吗"]}, True),
        (["10:00:00 B 好", "10:00:10 A @大家"], {"rule": "mass"}, True),
        (["10:00:00 B 好", "10:00:10 A @大家"], {"rule": "mass", "from": "buyer"}, False),
        (["10:00:00 B 好@", "10:00:10 A 好"], {"rule": "mass"}, False),
        (ASKED, {"rule": "single_sentence", "fewer_than": 2}, False),
        (ASKED, {"rule": "single_sentence", "fewer_than": 3}, True),
        ([*ASKED, "10:01:00 B"], {"rule": "single_sentence", "fewer_than": 9}, False),
        (ASKED, {"rule": "accounts", "accounts": ["甲"]}, True),
        (ASKED, {"rule": "accounts", "accounts": [BUYER]}, True),
        (ASKED, {"rule": "accounts", "accounts": ["乙"]}, False),
        ([*ASKED, "10:01:00 B 由 甲 转交给 乙"], {"rule": "forwards", "replies": 0}, False),
        ([*ASKED, "10:01:00 B 由 甲 转交给 乙"], {"rule": "forwards", "replies": 1}, True),
        ([*ASKED, "+1 10:00:00 B 由 甲 转交给 乙"], {"rule": "forwards", "replies": 1}, False),
        (ASKED, {"rule": "forwards", "replies": 9}, False),
    ],
)
def test_48_filters(lines, rule, filtered):
    figures = {"buyers_chatted": 1, "buyers_filtered": int(filtered), "buyers_received": int(not filtered)}
    assert_figures(row_of([talk(lines)], days=0, filters=[rule]), figures)


def test_48_the_first_filter_that_matches_names_the_peer_day():
    def name(filters, lines):
        its = {"filters": filters}
        days = naive.chats_of(SHOP, [talk(lines)], CHITU, None, (), its).peer_days[BUYER, "甲"]
        return days[0].klass

    greeting = ["10:00:00 A 您好"]
    words = {"rule": "keywords", "name": "问候", "words": ["您好"], "from": "agent"}
    assert name([], greeting) == name([{"rule": "monologue"}, words], greeting) == "monologue"
    assert name([words, {"rule": "monologue"}], greeting) == name([words], greeting) == "问候"
    assert name([], ["10:00:00 B  "]) == "empty"
    assert name([{"rule": "single_sentence", "fewer_than": 5}], ["10:00:00 B  "]) == "single_sentence"


def test_49_automatic_by_prefix_and_by_text():
    """The first answer is automatic: 40 s, one message of the agent, one automatic reply."""
    for said in (" 【自动】您好", "稍等 "):
        chat = [talk(["10:00:00 B", f"10:00:01 A {said}", "10:00:40 A 稍等一下【自动】"])]
        row = row_of(chat, auto={"prefixes": ["【自动】"], "texts": ["稍等"]})
        assert_figures(row, {"response_avg": 40, "agent_messages": 1, "auto_messages": 1})


def test_49_automatic_by_statistics():
    """`欢迎！` one second after three buyers on one day; after 2 s, or on another day, it is an answer."""
    clocks = [("10:00:00", "10:00:01"), ("11:00:00", "11:00:00"), ("12:00:00", "12:00:02")]
    clocks += [("13:00:00", "13:00:01"), ("+1 10:00:00", "+1 10:00:01")]
    texts = ["欢迎！", "欢 迎！", "欢迎！", "你好", "欢迎！"]
    chats = [
        talk([f"{asked} B", f"{answered} A {text}"], f"b{n}")
        for n, ((asked, answered), text) in enumerate(zip(clocks, texts, strict=True))
    ]

    def automatic(**auto):
        return [row["auto_messages"] for row in rows_of(chats, ("day",), auto={"statistical": True, **auto})]

    assert automatic(buyers=2) == [2, 0]
    assert automatic(buyers=3) == automatic() == [0, 0]
    assert automatic(buyers=3, seconds=2) == [3, 0]
    assert automatic(buyers=1) == [3, 1]
    assert rows_of(chats, auto={"statistical": False, "buyers": 2})[0]["auto_messages"] == 0
    # the buyer's last message counts, not his first
    again = [talk(["10:00:00 B", "10:00:30 B", "10:00:31 A 欢迎！"], f"b{n}") for n in range(2)]
    assert row_of(again, auto={"statistical": True, "buyers": 2})["auto_messages"] == 2


RELAY = [
    talk(["10:00:00 B", "10:05:00 A"]),
    talk(["12:00:00 B", "12:05:00 A", "12:30:00 B", "12:40:00 A"], agent="乙"),
]


@pytest.mark.parametrize(
    ("lookup", "found"),
    [
        # 10:04:59, 10:05:00, 12:00:00, 12:06:00, 12:40:00, +1 00:00:00, +2 10:05:00, +2 12:40:00, and 1 s more
        ("asof", [None, "甲", "甲", "乙", "乙", "乙", "乙", "乙", None]),
        ("first", [None, "甲", "甲", "甲", "甲", "甲", "甲", "乙", None]),
        ("same_day", [None, "甲", "甲", "乙", "乙", None, None, None, None]),
        ("covering", ["甲", "甲", "乙", "乙", "乙", "乙", "乙", "乙", None]),
    ],
)
def test_50_lookups(lookup, found):
    """甲 wrote at 10:05, 乙 at 12:05 and 12:40; their spans are 10:00–10:05 and 12:00–12:40."""
    clocks = ["10:04:59", "10:05:00", "12:00:00", "12:06:00", "12:40:00", "+1 00:00:00", "+2 10:05:00"]
    clocks += ["+2 12:40:00", "+2 12:40:01"]
    orders = [order(str(n), clock, None) for n, clock in enumerate(clocks)]
    listed = naive.order_list(RELAY, orders, {**CHITU, "lookup": lookup})
    assert [o.order_agent for o in listed] == found


def test_50_covering_prefers_the_latest_end_then_the_latest_begin():
    """Spans 甲 10:00–11:00, 乙 10:10–11:00, 丙 10:20–10:30: at 10:25 乙; an own lookback of 60 s ends at 11:01."""
    chats = [
        talk(["10:00:00 B", "11:00:00 A"]),
        talk(["10:10:00 B", "11:00:00 A"], agent="乙"),
        talk(["10:20:00 B", "10:30:00 A"], agent="丙"),
    ]
    P = {**CHITU, "lookup": "covering", "lookback": 60}
    orders = [order("1", "10:25:00", None), order("2", "11:01:00", None), order("3", "11:01:01", None)]
    assert [o.order_agent for o in naive.order_list(chats, orders, P)] == ["乙", "乙", None]


def test_51_memo():
    """工号01 is 甲, 07 nobody's number and so an agent's name; only red flags claim, when that is asked for."""
    orders = [
        order("1", memo="加急 工号01", flag="红"),
        order("2", memo="工号07", flag="黄"),
        order("3", memo="已备注", flag="红"),
        order("4", memo="工号01", paid=None),
    ]
    memo = {"pattern": r"工号(\d+)", "numbers": {"01": "甲"}}

    def sold(**more):
        rows = rows_of([], ("agent",), orders=orders, rule="memo", flags={"红": "claim"}, memo=memo | more)
        return {row["agent"]: row["sales_orders"] for row in rows}

    assert sold() == {"甲": 1, "07": 1}
    assert sold(claimed_only=True) == {"甲": 1}
    assert sold(pattern="工号") == {"工号": 2}
    assert row_of([], orders=orders, rule="memo", memo=memo)["silent_orders"] == 1
    assert row_of([], orders=orders, rule="memo")["silent_orders"] == 3
    # the current version has the memo
    both = [order("1", memo="工号01"), order("1", memo="", state=3, shipped=at("12:00:00"))]
    assert [o.memo_agent for o in naive.order_list([], both, settings={"memo": memo})] == [None]


def test_52_excluded_orders():
    """Both orders are 甲's, but one is flagged and one is listed: silent; the reception is an assist."""
    chat = [talk(["10:00:00 B", "10:05:00 A"])]
    orders = [order("1", flag="黄"), order("2")]
    its = {"flags": {"黄": "exclude"}, "excluded_orders": ["2"]}
    figures = {"sales_orders": 0, "silent_orders": 2, "inquiries": 0, "assists": 1}
    assert_figures(row_of(chat, orders=orders, **its), figures)
    figures = {"sales_orders": 1, "silent_orders": 1, "inquiries": 1, "assists": 0, "sales_share": 1 / 2}
    assert_figures(row_of(chat, orders=orders, excluded_orders=["2"]), figures)
    listed = naive.order_list(chat, orders, settings=its)
    assert [(o.order_agent, o.label, set(o.credited.values())) for o in listed] == [
        ("甲", "excluded", {None})
    ] * 2


@pytest.mark.parametrize("lookup", ["asof", "covering", "first", "same_day"])
def test_53_urge_limit(lookup):
    """Ordered 10:00 with nobody there, 甲 writes at 10:30:00, paid 10:40: 甲's, but not within 1800 s."""
    chat = [talk(["10:29:00 B", "10:30:00 A"])]
    for limit, agent in ((0, "甲"), (1739, "甲"), (1800, None)):
        P = {**CHITU, "lookup": lookup, "urge_limit": limit}
        (listed,) = naive.order_list(chat, [order("1", "10:00:00", "10:40:00")], P)
        assert listed.payment_agent == agent
        assert listed.credited["order_first"] == listed.credited["payment"] == agent
    before = talk(["09:00:00 B", "09:30:00 A"], agent="乙")
    P = {**CHITU, "lookup": lookup, "urge_limit": 1800}
    (listed,) = naive.order_list([before, *chat], [order("1", "10:00:00", "10:40:00")], P)
    # somebody was there
    assert (listed.order_agent, listed.payment_agent) == ("乙", "乙" if lookup == "first" else "甲")


@pytest.mark.parametrize(
    ("post_fee", "refunds", "yuan"),
    [("in", "in", "100.00"), ("out", "in", "92.00"), ("in", "out", "40.00"), ("out", "out", "32.00")],
)
def test_54_amount(post_fee, refunds, yuan):
    """100 yuan, 8 of them post, 60 refunded by the current version."""
    rows = [order(post_fee=800), order(post_fee=800, state=5, refund=6000)]
    P = {**CHITU, "post_fee": post_fee, "refunds": refunds}
    assert row_of([], orders=rows, P=P)["silent_amount"] == Decimal(yuan)
    nothing_left = [order(post_fee=20000)]
    figures = {"silent_amount": Decimal("0.00"), "silent_orders": 1}
    assert_figures(row_of([], orders=nothing_left, P={**CHITU, "post_fee": "out"}), figures)


def test_55_after_sale_by_shipment():
    """Paid 22 days before the chat and shipped 20 days before: after-sale by shipment, not by payment."""
    past = at("10:00:00") - 22 * DAY
    rows = [order()._replace(created=past, paid=past, state=3, shipped=past + 2 * DAY)]
    chat = [talk(["10:00:00 B", "10:05:00 A"])]
    assert row_of(chat, orders=rows)["inquiries"] == 1
    assert row_of(chat, orders=rows, P={**CHITU, "after_sale": "shipped"})["inquiries"] == 0
    unshipped = [rows[0]._replace(paid=past + 3 * DAY, state=1, shipped=None)]
    assert row_of(chat, orders=unshipped)["inquiries"] == 0
    assert row_of(chat, orders=unshipped, P={**CHITU, "after_sale": "shipped"})["inquiries"] == 1


@pytest.mark.parametrize(
    ("created", "paid", "label"),
    [
        ("10:06:00", None, "unpaid"),
        ("10:06:00", "10:10:00", "one_agent"),
        ("10:06:00", "12:06:00", "two_agents"),
        ("10:06:00", "+4 00:00:00", "order_agent_only"),
        ("09:00:00", "10:06:00", "won_at_payment"),
        ("09:00:00", "09:10:00", "followed_up"),
        ("-3 09:00:00", "-2 10:04:59", "silent"),
        ("-3 09:00:00", "-2 10:05:00", "followed_up"),
        ("+6 09:00:00", "+6 09:10:00", "silent"),
    ],
)
def test_56_labels(created, paid, label):
    """甲 wrote at 10:05, 乙 at 12:05 and 12:40; 48 h before 10:05 is the last payment followed up."""
    (listed,) = naive.order_list(RELAY, [order("1", created, paid)])
    assert listed.label == label
    (listed,) = naive.order_list(RELAY, [order("1", created, paid)], settings={"excluded_orders": ["1"]})
    assert listed.label == "excluded"
