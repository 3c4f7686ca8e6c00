"""The oracle `naive.py` against every vector of the KPI specification, section 8, and its own identities."""

import random
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
