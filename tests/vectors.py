"""The test vectors of the KPI specification, section 8, as plain data for the oracle and the fast program.

Times are (day offset, 'HH:MM:SS'); day 0 is BASE_DAY. Who speaks: 'B' buyer, 'A' valid agent, 'x' auto reply.
`None` as data end means "long after".
"""

from collections import namedtuple
from datetime import date
from decimal import Decimal

BASE_DAY = (date(2024, 11, 4) - date(1970, 1, 1)).days
SHOP, AGENT, BUYER = "某旗舰店", "小美", "buyer_a"
TEXTS = {"B": "在吗", "A": "亲，在的", "x": "[自动回复]您好"}

# expected: `chitu` and `taobao`: waits (None = unanswered), average, first (first response), slots of spec 8;
# `days`: class of each peer-day; `messages`: (buyer's, agent's) of a day; `report`: figures of the one row
# of the two days D, D+1 (chitu), by agent and by shop alike; `report_by_day`: of the rows of single days.
TurnVector = namedtuple("TurnVector", "name lines data_end expected")
# sessions of different buyers with one agent, each (start, end)
ConcurrencyVector = namedtuple("ConcurrencyVector", "name sessions expected")
# lines: (day offset, time, 'B' or 'A', agent whose contact block it is in); orders: (id, created, paid);
# expected: credited agent by rule, None = silent
OrderVector = namedtuple("OrderVector", "name lines orders expected")
# the same; expected: {agent: figures of the by-agent row of day D}
EnquiryVector = namedtuple("EnquiryVector", "name lines orders expected")


def instant(day_offset, clock):
    """Shanghai wall seconds of a (day offset, 'HH:MM:SS')."""
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return (BASE_DAY + day_offset) * 86400 + hours * 3600 + minutes * 60 + seconds


def _d(text):
    """'B10:10:15 A00:00:20+1' -> [(0, '10:10:15', 'B'), (1, '00:00:20', 'A')]."""
    lines = []
    for word in text.split():
        clock, _, offset = word[1:].partition("+")
        lines.append((int(offset or 0), clock, word[0]))
    return lines


_V1 = "B10:10:15 B10:15:20 A10:18:10"
_V7 = "B23:59:40 A00:00:20+1"

TURN_VECTORS = [
    TurnVector(
        "V1",
        _d(_V1),
        None,
        {
            "chitu": {"waits": [475], "average": 475, "first": 475},
            "taobao": {"average": 475, "within_180": 0, "turns": 1},
            "days": {0: "received"},
            "report": {"turns": 1, "response_avg": 475, "first_response_avg": 475, "buyers_received": 1},
        },
    ),
    TurnVector(
        "V2",
        _d(_V1 + " B10:18:30 A10:19:00"),
        None,
        {
            "chitu": {"waits": [475, 30], "average": 252.5, "first": 475},
            "taobao": {"average": 252.5, "within_180": 1, "turns": 2},
            "days": {0: "received"},
            "report": {"turns": 2, "response_avg": 252.5, "first_response_avg": 475, "within_180s_rate": 0.5},
        },
    ),
    TurnVector(
        "V3",
        _d(" ".join(f"B10:00:{second:02d}" for second in range(0, 50, 5))),
        None,
        {
            "chitu": {"waits": [None], "average": None, "first": None},
            "taobao": {"average": 600, "within_180": 0, "turns": 1},
            "days": {0: "unreplied"},
            "report": {
                "turns": 1,
                "turns_unanswered": 1,
                "response_avg": None,
                "first_response_missed": 1,
                "buyers_unreplied": 1,
                "buyers_received": 0,
                "reply_rate": 0,
                "buyer_messages": 10,
            },
        },
    ),
    TurnVector(
        "V4",
        _d("A10:00:00 B10:00:30 A10:00:50"),
        None,
        {
            "chitu": {"waits": [20], "average": 20, "first": None, "first_any": 20},
            "taobao": {"average": 20, "within_180": 1, "turns": 1},
            "days": {0: "received"},
            "report": {
                "response_avg": 20,
                "first_response_avg": None,
                "first_response_any_avg": 20,
                "first_response_missed": 0,
                "agent_initiated": 1,
                "buyer_initiated": 0,
            },
        },
    ),
    TurnVector(
        "V5",
        _d("B10:00:00 A10:12:00"),
        None,
        {
            "chitu": {"waits": [None], "late": [720], "average": None, "first": None},
            "taobao": {"average": 600, "within_180": 0, "turns": 1},
            "days": {0: "received"},
            "report": {
                "turns": 1,
                "turns_unanswered": 1,
                "turns_late": 1,
                "response_avg": None,
                "first_response_avg": None,
                "first_response_missed": 1,
                "buyers_received": 1,
            },
        },
    ),
    TurnVector(
        "V6",
        _d("B10:00:00 B10:05:00 B10:09:00 A10:12:00"),
        None,
        {
            "chitu": {"waits": [720], "average": 720, "first": 720},
            "taobao": {"average": 600, "within_180": 0, "turns": 1},
            "days": {0: "received"},
            "report": {"turns": 1, "turns_late": 0, "response_avg": 720, "first_response_avg": 720},
        },
    ),
    TurnVector(
        "V7",
        _d(_V7),
        None,
        {
            "chitu": {"waits": [40], "average": 40, "first": 40},
            "taobao": {"average": None, "within_180": 0, "turns": 0},
            "days": {0: "received", 1: "spill"},
            "report": {
                "response_avg": 40,
                "buyers_chatted": 1,
                "buyers_received": 1,
                "agent_messages": 0,
                "days_active": 1,
                "first_message_at": "2024-11-05T00:00:20+08:00",
            },
        },
    ),
    TurnVector(
        "V8",
        _d("B10:00:00 x10:00:00 B10:00:20 A10:00:45 A10:00:50 A10:01:00"),
        None,
        {
            "chitu": {"waits": [45], "average": 45, "first": 45},
            "taobao": {"average": 45, "within_180": 1, "turns": 1},
            "days": {0: "received"},
            "messages": {0: (2, 3)},
            "report": {
                "response_avg": 45,
                "buyer_messages": 2,
                "agent_messages": 3,
                "answer_ratio": 1.5,
                "auto_messages": 1,
                "agent_characters": 12,
            },
        },
    ),
    TurnVector(
        "V9",
        _d("B22:59:50 A23:00:30 B23:00:40 A23:00:45 B23:30:00"),
        None,
        {
            "chitu": {"waits": [40, 5, None], "average": 22.5, "first": 40},
            "taobao": {"average": 40, "within_180": 1, "turns": 1},
            "days": {0: "received"},
            "report": {"turns": 3, "turns_answered": 2, "response_avg": 22.5, "first_response_avg": 40},
        },
    ),
    TurnVector(
        "V10",
        _d("B10:00:00 B10:15:00 A10:15:30"),
        None,
        {
            "chitu": {"waits": [None, 30], "average": 30, "first": None},
            "taobao": {"average": 600, "within_180": 0, "turns": 1},
            "days": {0: "received"},
            "report": {
                "turns": 2,
                "turns_unanswered": 1,
                "turns_late": 0,
                "response_avg": 30,
                "first_response_avg": None,
                "first_response_missed": 1,
            },
        },
    ),
    TurnVector(
        "V11",
        _d("B23:30:00 A08:30:00+1"),
        None,
        {
            "chitu": {"waits": [None], "late": [32400], "average": None, "first": None},
            "taobao": {"average": None, "within_180": 0, "turns": 0},
            "days": {0: "unreplied", 1: "monologue"},
            "report": {
                "turns_unanswered": 1,
                "turns_late": 1,
                "buyers_chatted": 2,
                "buyers_unreplied": 1,
                "buyers_filtered": 1,
                "agent_messages": 0,
                "first_message_at": None,
                "days_active": 0,
            },
        },
    ),
    TurnVector(
        "V12",
        _d(_V7 + " B00:00:30+1 A00:00:35+1"),
        None,
        {
            "chitu": {"waits": [40, 5], "average": 22.5, "first": 22.5},
            # spec 8 prints "outside" for the whole case
            "taobao": {"average": None, "within_180": 0, "turns": 0},
            "days": {0: "received", 1: "received"},
            "report": {"turns": 2, "buyers_received": 2, "inquiries": 1, "buyers_received_distinct": 1},
            "report_by_day": {
                0: {"response_avg": 40, "inquiries": 1},
                1: {"response_avg": 5, "inquiries": 0},
            },
        },
    ),
    TurnVector(
        "V13",
        _d("A10:00:00"),
        None,
        {
            "chitu": {"waits": [], "average": None, "first": None},
            "taobao": {"average": None, "within_180": 0, "turns": 0},
            "days": {0: "monologue"},
            "report": {"turns": 0, "buyers_chatted": 1, "buyers_filtered": 1, "buyers_consulted": 0},
        },
    ),
    TurnVector(
        "V14",
        _d("B10:00:00 A10:03:00 B10:04:00 A10:07:01"),
        None,
        {
            "chitu": {"waits": [180, 181], "average": 180.5, "first": 180},
            "taobao": {"average": 180.5, "within_180": 1, "turns": 2},
            "days": {0: "received"},
            "report": {
                "response_avg": 180.5,
                "within_180s_rate": 0.5,
                "response_p50": 180,
                "response_p90": 181,
            },
        },
    ),
    TurnVector(
        "V15 censored",
        _d("B23:58:00"),
        (0, "23:59:00"),
        {
            "chitu": {"waits": [], "average": None, "first": None},
            "days": {0: "unreplied"},
            "report": {"turns": 0, "buyers_unreplied": 1},
        },
    ),
    TurnVector(
        "V15 final",
        _d("B23:58:00"),
        (1, "00:10:00"),
        {
            "chitu": {"waits": [None], "average": None, "first": None},
            "days": {0: "unreplied"},
            "report": {"turns": 1, "turns_unanswered": 1, "buyers_unreplied": 1},
        },
    ),
]

CONCURRENCY_VECTORS = [
    ConcurrencyVector(
        "V16",
        [("10:00:00", "10:05:00"), ("10:05:00", "10:06:00"), ("10:05:01", "10:05:30")],
        2,
    ),
    ConcurrencyVector("V16 no overlap", [("10:00:00", "10:05:00"), ("10:05:01", "10:05:30")], 1),
]


def _chat(agent, *lines):
    """Lines of one agent's contact block: _chat("A", "B10:00:00", "A10:00:10+1")."""
    return [(day, clock, who, agent) for day, clock, who in _d(" ".join(lines))]


ORDER_VECTORS = [
    OrderVector(
        "O1",
        _chat("A", "B10:00:00 A10:01:00 A10:05:00") + _chat("B", "B10:06:00 A10:07:00 B10:15:00 A10:20:00"),
        [("1", (0, "10:06:00"), (0, "10:25:00"))],
        {"order": "A", "payment": "B", "order_first": "A"},
    ),
    OrderVector(
        "O2",
        _chat("A", "B10:29:00 A10:30:00"),
        [("1", (0, "10:00:00"), (0, "10:40:00"))],
        {"order": None, "payment": "A", "order_first": "A"},
    ),
    OrderVector(
        "O3",
        _chat("A", "B10:29:00 A10:30:00"),
        [("1", (0, "09:00:00"), (0, "09:10:00"))],
        {"order": None, "payment": None, "order_first": None},
    ),
    OrderVector(
        "O4 48 h",
        _chat("A", "B10:29:00 A10:30:00"),
        [("1", (2, "10:30:00"), (2, "10:30:00"))],
        {"order": "A", "payment": "A", "order_first": "A"},
    ),
    OrderVector(
        "O4 48 h 1 s",
        _chat("A", "B10:29:00 A10:30:00"),
        [("1", (2, "10:30:01"), (2, "10:30:01"))],
        {"order": None, "payment": None, "order_first": None},
    ),
    OrderVector(
        "O5",
        _chat("A", "B09:59:00 A10:00:00") + _chat("B", "B17:59:00 A18:00:00"),
        [("1", (0, "10:10:00"), (0, "18:05:00"))],
        {"order": "A", "payment": "B", "order_first": "A"},
    ),
]

_CHAT = _chat("A", "B10:00:00 A10:00:10")


def _outcome(ordered=(0, 0), paid=(0, 0, 0), lost=0, order_lost=0):
    """Figures of one inquiry: ordered (same day, finally), paid (same day, next day, finally), lost."""
    return {
        "inquiries": 1,
        "inquiries_ordered_same_day": ordered[0],
        "inquiries_ordered": ordered[1],
        "inquiries_paid_same_day": paid[0],
        "inquiries_paid_next_day": paid[1],
        "inquiries_paid": paid[2],
        "inquiries_lost": lost,
        "orders_lost": order_lost,
        "assists": 0,
    }


ENQUIRY_VECTORS = [
    EnquiryVector(
        "E1",
        _CHAT,
        [("1", (1, "09:00:00"), (3, "09:00:00"))],
        {"A": _outcome(ordered=(0, 1), paid=(0, 0, 1))},
    ),
    EnquiryVector("E2", _CHAT, [("1", (2, "09:00:00"), (2, "09:00:00"))], {"A": _outcome(lost=1)}),
    EnquiryVector(
        "E3",
        _CHAT,
        [("1", (-5, "09:00:00"), (-5, "09:00:00"))],
        {"A": {"inquiries": 0, "assists": 0, "buyers_received": 1}},
    ),
    EnquiryVector(
        "E4",
        _CHAT,
        [("1", (-5, "09:00:00"), (-5, "09:00:00")), ("2", (1, "09:00:00"), (1, "09:00:00"))],
        {"A": _outcome(ordered=(0, 1), paid=(0, 1, 1))},
    ),
    EnquiryVector(
        "E5",
        _CHAT + _chat("B", "B11:00:00 A11:00:10"),
        [("1", (0, "11:30:00"), (0, "11:31:00"))],
        {
            "A": {"inquiries": 0, "assists": 1},
            "B": {**_outcome(ordered=(1, 1), paid=(1, 1, 1)), "sales_amount": Decimal("100.00")},
        },
    ),
    EnquiryVector("E6", _CHAT, [], {"A": _outcome(lost=1)}),
    EnquiryVector("E7", _CHAT, [("1", (0, "10:30:00"), None)], {"A": _outcome(ordered=(1, 1), order_lost=1)}),
    EnquiryVector("E8", _CHAT, [("1", (0, "09:10:00"), (0, "10:20:00"))], {"A": _outcome(paid=(1, 1, 1))}),
    EnquiryVector(
        "E9",
        _CHAT,
        [("1", (1, "09:00:00"), (5, "09:00:00"))],
        {"A": _outcome(ordered=(0, 1), order_lost=1)},
    ),
    EnquiryVector(
        "E10",
        _CHAT,
        [("1", (0, "09:10:00"), (0, "09:20:00"))],
        {"A": {"inquiries": 0, "assists": 0, "buyers_received": 1}},
    ),
]

# R1: (buyer, agent, wait in seconds), every turn at its own hour; the shop's mean is a ratio of sums
RATIO_VECTOR = {
    "turns": [(f"buyer_{number}", "1", 10) for number in range(10)] + [("buyer_x", "2", 100)],
    "response_avg": 200 / 11,
    "mean_of_agents": 55,
}
