"""Random shops for the comparison with `naive.py`: what happened, the exports that show parts of it, and
the same as files in the layouts of the real clients; and shops with settings: rosters, teams, filters,
automatic replies, memos, flags, a profile of their own.
"""

from __future__ import annotations

import datetime
import itertools
import json
import random
from pathlib import Path

from hypothesis import strategies as st
from naive import DAY, PROFILES, Block, Export, Line, OrderRow

SHOP = "某旗舰店"
AGENTS = ("小美", "阿强", "小丽")
FIRST_DAY = (datetime.date(2024, 11, 28) - datetime.date(1970, 1, 1)).days  # four days over a month's end
DAYS = 5
BEGIN = FIRST_DAY * DAY
STATES = (
    "等待买家付款",
    "买家已付款，等待卖家发货",
    "部分发货",
    "卖家已发货，等待买家确认",
    "交易成功",
    "交易关闭",
)

TEXTS = (
    "在吗",
    "在吗？",
    "有货",
    "[图片]",
    "[卡片]",
    "好的 亲\n有的",
    "[自动回复]您好",
    "当前用户来自 商品详情页",
    "",
)
GAPS = (0, 0, 1, 20, 40, 90, 150, 599, 600, 601, 1800, 4000, 30_000, 80_000)


@st.composite
def stories(draw):
    """What happened: {buyer: chronological [(ts, speaker, text)]}, speaker an account or the buyer."""
    happened = {}
    buyers = draw(st.integers(1, 5))
    for number in range(buyers):
        buyer = draw(st.sampled_from([f"buyer_{number}", f"买家({number})", f"t**{number}"]))
        at = BEGIN + draw(st.integers(0, 3 * DAY))
        if draw(st.booleans()):  # near midnight
            at = BEGIN + draw(st.integers(1, 3)) * DAY - draw(st.integers(1, 300))
        people = draw(st.sampled_from([AGENTS[:1], AGENTS[1:2], AGENTS[:2], AGENTS]))
        lines = []
        for _ in range(draw(st.integers(1, 14))):
            speaker = draw(
                st.sampled_from(
                    [buyer] * 4
                    + [f"{SHOP}:{name}" for name in people] * 3
                    + [SHOP, f"{SHOP}:服务助手"]
                    + ["transfer"] * (len(people) > 1)
                )
            )
            if speaker == "transfer":
                pair = draw(st.permutations([*people, "服务助手"]))
                lines.append((at, buyer, f"由 {pair[0]} 转交给 {pair[1]}"))
            else:
                lines.append((at, speaker, draw(st.sampled_from(TEXTS))))
            at += draw(st.sampled_from(GAPS))
        happened[buyer] = lines
    return happened


@st.composite
def exports_of(draw, happened):
    """Export files that each show some buyers over some range of time; together they may overlap."""
    files = []
    for _ in range(draw(st.integers(1, 4))):
        login = draw(st.sampled_from([SHOP, *(f"{SHOP}:{name}" for name in AGENTS)]))
        low = BEGIN + draw(st.integers(-1, 3)) * DAY
        high = low + draw(st.integers(1, 9)) * DAY
        blocks = []
        for buyer in draw(st.permutations(sorted(happened))):
            seen = [Line(*line) for line in happened[buyer] if low <= line[0] < high]
            if seen and draw(st.integers(0, 3)):
                blocks.append(Block(buyer, seen))
        files.append(Export(SHOP, login, blocks))
    return files


@st.composite
def orders_of(draw, happened):
    """Order versions near what was said: at the 48 h edge, before the chat, paid later or never."""
    rows = []
    moments = [ts for lines in happened.values() for ts, _, _ in lines]
    edges = (0, 1, -1, 600, -600, 2 * DAY, 2 * DAY + 1, 2 * DAY - 1, DAY, -3 * DAY, -DAY)
    for number in range(draw(st.integers(0, 6))):
        buyer = draw(st.sampled_from([*sorted(happened), "silent_buyer"]))
        created = draw(st.sampled_from(moments)) + draw(st.sampled_from(edges))
        paid = (
            created + draw(st.sampled_from((0, 10, 3600, DAY, 2 * DAY, 5 * DAY)))
            if draw(st.booleans())
            else None
        )
        amount = draw(st.integers(0, 99_999))
        items = draw(st.integers(1, 3))
        final = OrderRow(
            SHOP, f"90000000{number:08d}", buyer, created, paid, None, 1 if paid else 0, amount, items, 0
        )
        versions = [final]
        if paid is not None and draw(st.booleans()):
            versions.append(final._replace(state=0, paid=None))  # an older export
        if paid is not None and draw(st.booleans()):
            versions.append(final._replace(state=3, shipped=paid + 7200))
        if paid is not None and draw(st.booleans()):
            versions.append(final._replace(state=5, shipped=paid + 7200, refund=amount))
        rows += draw(st.permutations(versions))
    return rows


@st.composite
def worlds(draw):
    """(exports, order rows)."""
    happened = draw(stories())
    return draw(exports_of(happened)), draw(orders_of(happened))


LONG_GAPS = (20, 599, 700, 3 * DAY, 9 * DAY, 20 * DAY, 31 * DAY, 45 * DAY)


@st.composite
def long_stories(draw):
    """Buyers who come back after weeks and months, some at a month's end: exports of it, no orders.

    One file has it all, or each account one of its own, so that some agents are told by nothing but the words around.
    """
    happened = {}
    for number in range(draw(st.integers(1, 4))):
        buyer, at, lines = f"buyer_{number}", BEGIN + draw(st.integers(0, 3 * DAY)), []
        for _ in range(draw(st.integers(1, 10))):
            speaker = draw(st.sampled_from([buyer] * 3 + [f"{SHOP}:{name}" for name in AGENTS[:2]] * 2))
            lines.append((at, speaker, draw(st.sampled_from(TEXTS[:3]))))
            if draw(st.integers(0, 4)) == 0:
                lines.append((at + 1, buyer, f"由 {AGENTS[0]} 转交给 {AGENTS[1]}"))
            at += draw(st.sampled_from(LONG_GAPS))
            edge = draw(st.sampled_from(["", "", "midnight", "loaded", "month"]))
            if edge in (
                "midnight",
                "loaded",
            ):  # the end of a day, and where messages that are loaded for it end
                at = (at // DAY + (1 if edge == "midnight" else 3)) * DAY + draw(st.integers(-60, 60))
            if edge == "month":
                day = datetime.date(1970, 1, 1) + datetime.timedelta(days=at // DAY)
                end = (day.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)
                at = (end - datetime.date(1970, 1, 1)).days * DAY + draw(st.integers(-60, 60))
        happened[buyer] = lines
    blocks = [Block(buyer, [Line(*line) for line in lines]) for buyer, lines in happened.items()]
    if draw(st.booleans()):
        return [Export(SHOP, SHOP, blocks)]
    logins = [f"{SHOP}:{name}" for name in AGENTS[:2]]
    return [
        Export(
            SHOP,
            login,
            [
                Block(b.buyer, seen)
                for b in blocks
                if (seen := [line for line in b.lines if draw(st.booleans())])
            ],
        )
        for login in logins
    ]


# ---- shops with settings --------------------------------------------------------------------------

ASSISTANT = "小蜜"
SHIFTS = {
    "早班": ("09:00-12:00", "13:00-18:00"),
    "短班": ("09:00-12:30",),
    "晚班": ("17:00-21:00", "21:30-01:00"),
}
EDGES = ("08:58", "10:00", "11:58", "12:29", "17:58", "20:58", "22:58", "23:30", "00:58")
"""Times of day just before something begins or ends."""
GREETING, WAIT, PREFIX = "欢迎光临本店", "稍等一下", "【自动】"
SETTLED_TEXTS = (
    *TEXTS,
    GREETING,
    WAIT,
    f" {PREFIX}马上回复您",
    "@全体 活动开始",
    "好评返现吗",
    "要退款",
    "收到",
)
MEMOS = ("", "工号01", "急 工号02 已核", "工号07", "已备注", "小丽的单")
FLAGS = ("", "", "", "红", "红", "黄", "蓝")


def shuffled(dice, values):
    return dice.sample(list(values), len(values))


def next_time(at: int, clock: str) -> int:
    """The first instant after `at` at that time of day."""
    second = int(clock[:2]) * 3600 + int(clock[3:]) * 60
    return at - at % DAY + second + DAY * (at % DAY >= second)


def scenes(dice, at, buyer, staff):
    """Lines of one piece of a conversation: something that a definition speaks of, or anything at all."""
    lines = []

    def say(speaker, text=None):
        lines.append((at, speaker, dice.choice(SETTLED_TEXTS) if text is None else text))

    def hand_over(leaving, taking):
        say(buyer, f"由 {leaving.split(':')[-1]} 转交给 {taking.split(':')[-1]}")

    first, second = shuffled(dice, staff)[:2] if len(staff) > 1 else staff * 2
    kind = dice.choice(
        [
            "chat",
            "chat",
            "slow",
            "overnight",
            "transfer",
            "greeting",
            "any",
            "one line",
            "relay",
            "relay",
            "days",
        ]
    )
    if kind in ("chat", "transfer"):
        for _ in range(dice.randint(1, 4)):
            say(buyer)
            at += dice.choice([0, 3, 20, 40, 90, 200, 400])
            if dice.choice((True, False)):
                say(buyer)
            if kind == "transfer" and dice.choice((True, False)):
                hand_over(first, second)
                first, second = second, first
                at += 15
            if dice.randint(0, 4):
                say(first)
            at += dice.choice([5, 60, 300, 500])
    elif kind == "slow":
        for _ in range(dice.randint(1, 4)):
            say(buyer)
            at += dice.choice([130, 599, 600, 900, 1800, 4000])
            say(dice.choice([first, first, buyer]))
            at += dice.choice([5, 599, 601])
    elif kind == "overnight":
        at = next_time(at, dice.choice(["17:59", "20:59", "22:50", "23:30", "00:58"])) + dice.randint(0, 90)
        say(buyer)
        at += dice.choice([10, 90, 300])
        say(dice.choice([first, buyer, buyer]))
        at = next_time(at, dice.choice(["08:30", "09:00", "09:29"])) + dice.randint(0, 120)
        say(dice.choice([first, first, buyer]))
    elif kind == "greeting":
        say(buyer)
        at += dice.randint(0, 2)
        say(first, dice.choice([GREETING, GREETING, "[图片]"]))
        at += 30
        say(dice.choice([first, buyer]))
    elif kind == "relay":
        for speaker in shuffled(dice, [first, second, second]):
            say(buyer)
            at += dice.choice([20, 100, 1300])
            say(speaker)
            at += dice.choice([900, 5000, 20_000])
    elif kind == "days":
        say(buyer)
        at += dice.choice([DAY - 1, DAY, 90_000, 2 * DAY, 3 * DAY])
        say(dice.choice([first, first, buyer]))
    elif kind == "one line":
        say(dice.choice([buyer, buyer, first]))
    else:
        for _ in range(dice.randint(1, 8)):
            speaker = dice.choice([buyer, buyer, *staff, SHOP, f"{SHOP}:服务助手", "transfer"])
            if speaker == "transfer":
                hand_over(*shuffled(dice, [*staff, f"{SHOP}:{ASSISTANT}"])[:2])
            else:
                say(speaker)
            at += dice.choice(GAPS[:-2])
    return lines


def settled_stories(dice):
    """As `stories`, out of scenes round the edges of shifts and windows, with texts that settings name."""
    happened = {}
    for number in range(dice.randint(2, 6)):
        buyer = dice.choice([f"buyer_{number}"] * 4 + [f"买家({number})"] * 2 + [f"t**{number}"])
        people = dice.choice([AGENTS[:1], AGENTS[:2], AGENTS, (*AGENTS[:2], ASSISTANT), AGENTS[1:]])
        lines = []
        for _ in range(dice.randint(1, 4)):
            at = lines[-1][0] if lines else BEGIN + dice.randint(0, 1) * DAY
            if lines and dice.choice((True, False)):
                at += dice.choice([0, 10, 599, 600, 3600, 7200])
            else:
                at = next_time(at, dice.choice(EDGES)) + dice.randint(0, 180)
            lines += scenes(dice, at, buyer, [f"{SHOP}:{name}" for name in people])
        happened[buyer] = lines
    return happened


def some_exports(dice, happened):
    """Files that each show some buyers over some range of time, as `exports_of`."""
    files = []
    for _ in range(dice.randint(1, 3)):
        login = dice.choice([SHOP, *(f"{SHOP}:{name}" for name in AGENTS)])
        low = BEGIN + dice.randint(-1, 3) * DAY
        high = low + dice.randint(1, 9) * DAY
        blocks = []
        for buyer in shuffled(dice, sorted(happened)):
            seen = [Line(*line) for line in happened[buyer] if low <= line[0] < high]
            if seen and dice.randint(0, 3):
                blocks.append(Block(buyer, seen))
        files.append(Export(SHOP, login, blocks))
    return files


def lines_seen(account, buyer, lines):
    """What an agent's own client has: his lines, and those of the buyer that he is the next to answer."""
    seen = []
    for n, (ts, speaker, text) in enumerate(lines):
        later = [line[1] for line in lines[n:] if line[1] != buyer]
        if account == (later[0] if speaker == buyer and later else speaker):
            seen.append(Line(ts, speaker, text))
    return seen


def settled_exports(dice, happened):
    """Parts of what happened, as `exports_of`, and mostly also all of it, by the agents or the main account."""
    files = some_exports(dice, happened)
    if dice.randint(0, 3):
        login = dice.choice([SHOP, f"{SHOP}:{AGENTS[0]}"])
        blocks = [Block(buyer, [Line(*line) for line in lines]) for buyer, lines in happened.items()]
        files.append(Export(SHOP, login, blocks))
    if dice.randint(0, 3):
        for name in AGENTS:
            blocks = [
                Block(buyer, lines_seen(f"{SHOP}:{name}", buyer, lines)) for buyer, lines in happened.items()
            ]
            files.append(Export(SHOP, f"{SHOP}:{name}", [block for block in blocks if block.lines]))
    return files


def range_seconds(day: int, hours: tuple[str, ...]) -> list[tuple[int, int]]:
    """The ranges of a shift on a day; what ends before it begins, or begins before the last, is past midnight."""
    out, last = [], 0
    for text in hours:
        begin, end = (int(clock[:2]) * 3600 + int(clock[3:]) * 60 for clock in text.split("-"))
        begin += DAY * (begin < last)
        end += DAY * (end <= begin)
        out.append((day * DAY + begin, day * DAY + end))
        last = end
    return out


def expanded(duties: list[dict]) -> list[tuple]:
    """The roster as the reference takes it: (agent, shift, begin, end, ranges) in wall seconds."""
    out = set()
    for duty in duties:
        for day in range(duty["from"], duty["to"] + 1):
            date = datetime.date(1970, 1, 1) + datetime.timedelta(days=day)
            if date.isoweekday() in duty["weekdays"] and day not in duty["off"]:
                ranges = tuple(range_seconds(day, SHIFTS[duty["shift"]]))
                for agent in duty["agents"]:
                    out.add((agent, duty["shift"], ranges[0][0], ranges[-1][1], ranges))
    return sorted(out)


def roster_of(some_duties: list[dict]) -> dict:
    """The settings that follow from the lines of a roster."""
    named = {agent for duty in some_duties for agent in duty["agents"]}
    return {"roster": expanded(some_duties), "rostered": named}


def duties(dice, clock=None):
    """Lines of a roster; some agents may never be in it, or only in another year."""
    out = []
    for _ in range(dice.choice([3, 2, 1, 4] if clock == "shift" else [0, 1, 2, 3])):
        first = FIRST_DAY + dice.randint(-2, 1)
        agents = dice.choice([AGENTS, AGENTS[:2], AGENTS[:1], AGENTS[1:], (AGENTS[0], ASSISTANT)])
        duty = {
            "agents": list(agents),
            "shift": dice.choice(sorted(SHIFTS)),
            "from": first,
            "to": first + dice.choice([14, 3, 1, 0, 14]),
            "weekdays": dice.choice([(1, 2, 3, 4, 5, 6, 7), (1, 2, 3, 4, 5), (4, 5, 6)]),
            "off": [FIRST_DAY + 1] * dice.randint(0, 1),
        }
        if dice.randint(0, 5) == 0:
            duty |= {"from": first - 400, "to": first - 399}
        out.append(duty)
    return out


def filters(dice):
    """Every rule now and then, in any order, with parameters that the texts meet."""
    sides, fewer = [None, "buyer", "agent", "any"], [None, None, 2, 3, 5]
    makers = {
        "keywords": lambda: {
            "words": dice.choice([["返现"], ["退款", "好评"], ["收到"]]),
            "from": dice.choice(sides),
            "shorter_than": dice.choice([None, 4, 5]),
            "fewer_than": dice.choice(fewer),
        },
        "exact": lambda: {
            "texts": dice.choice([["收到"], ["有货", WAIT]]),
            "from": dice.choice(sides),
            "shorter_than": dice.choice([None, 4, 3]),
            "fewer_than": dice.choice(fewer),
        },
        "mass": lambda: {"from": dice.choice(sides)},
        "single_sentence": lambda: {"fewer_than": dice.randint(2, 4)},
        "accounts": lambda: {
            "accounts": dice.choice([[AGENTS[2]], ["buyer_0", "买家(1)"], [SHOP], [ASSISTANT]])
        },
        "forwards": lambda: {"replies": dice.randint(0, 2)},
        "empty": dict,
        "monologue": dict,
    }
    rules = dice.choices(sorted(makers), k=dice.randint(0, 4))
    return [{"rule": rule, "name": dice.choice(["", f"{rule} 规则"]), **makers[rule]()} for rule in rules]


def settings_of(dice, clock=None):
    """What cslog.toml says of the shop; `duties` is where `roster` comes from."""
    roster = duties(dice, clock)
    pattern = dice.choice([r"工号(\d+)", r"工号(\d+)", "小[丽美]"])
    return {
        "filters": filters(dice) if dice.choice((True, False)) else [],
        "auto": {
            "prefixes": dice.choice([[], [PREFIX]]),
            "texts": dice.choice([[], [WAIT]]),
            "statistical": dice.choice((True, False)),
            "seconds": dice.choice([1, 1, 0]),
            "buyers": 2,
        },
        "teams": dice.choice(
            [
                {},
                {"售前": [*AGENTS[:2]], "售后": [*AGENTS[1:], SHOP]},
                {"乙组": [*AGENTS], "甲组": [AGENTS[0]]},
            ]
        ),
        "assistants": dice.choice([[], [ASSISTANT], [ASSISTANT, AGENTS[1]]]),
        "duties": roster,
        **roster_of(roster),
        "flags": dice.choice([{}, {"红": "claim", "黄": "exclude"}, {"红": "exclude", "蓝": "ignore"}]),
        "memo": dice.choice(
            [
                None,
                {
                    "pattern": pattern,
                    "numbers": {"01": AGENTS[0], "02": AGENTS[1]},
                    "claimed_only": dice.choice((True, False)),
                },
            ]
        ),
        "excluded_orders": [order_number(number) for number in dice.sample(range(6), dice.randint(0, 1))],
    }


def versions_of(dice, final: OrderRow) -> list[OrderRow]:
    """The order as several exports show it, in any order."""
    paid, versions = final.paid, [final]
    if paid is not None and dice.random() < 0.4:
        versions.append(final._replace(state=0, paid=None))  # an older export
    if paid is not None and dice.random() < 0.5:
        versions.append(final._replace(state=3, shipped=paid + dice.choice([7200, 2 * DAY])))
    if paid is not None and dice.random() < 0.3:
        refund = dice.choice([final.amount, final.amount // 3])
        versions.append(final._replace(state=5, shipped=paid + 7200, refund=refund))
    return shuffled(dice, versions)


def settled_orders(dice, happened):
    """As `orders_of`, mostly round a chat of the order's own buyer, with memos, flags and post fees."""
    rows = []
    edges = (
        0,
        1,
        60,
        60,
        900,
        900,
        7000,
        -60,
        -600,
        -3600,
        -DAY,
        DAY,
        2 * DAY,
        2 * DAY + 1,
        -3 * DAY,
        -21 * DAY,
    )
    for number in range(dice.randint(1, 8)):
        buyer = dice.choice(sorted(happened))
        created = dice.choice(dice.choice([happened[buyer], happened[buyer][-5:]]))[0] + dice.choice(edges)
        if dice.randint(0, 5) == 0:  # before anybody spoke
            created = happened[buyer][0][0] - dice.choice([1, 300, 1500])
        later = (10, 600, 3600, 3600, 7200, 7200, 30_000, DAY, 2 * DAY, 5 * DAY)
        paid = created + dice.choice(later) if dice.randint(0, 4) else None
        amount, items = dice.randint(0, 9999), dice.randint(1, 3)
        fee = dice.choice([0, 0, 700, 12_000])
        buyer = dice.choice([buyer] * 7 + ["silent_buyer"])
        state = 1 if paid else 0
        final = OrderRow(
            SHOP, order_number(number), buyer, created, paid, None, state, amount, items, 0, post_fee=fee
        )
        for row in versions_of(dice, final):
            memo, flag = dice.choice(MEMOS), dice.choice(FLAGS)
            rows.append(row._replace(memo=memo, flag=flag))
    return rows


def order_number(number: int) -> str:
    return f"90000000{number:08d}"


LEVELS = ("turn", "first_turn", "message", "peer_day")
CHANGES = {
    "clock": [{"clock": "shift"}] * 5
    + [{"clock": "wall"}]
    + [{"clock": "window", "window": ["09:00", "21:00"], "window_of": of} for of in ("turn", "session")],
    "waits": [
        {"max_wait_s": 300, "session_gap_s": 300},
        {"max_wait_s": 600, "session_gap_s": 600},
        {"max_wait_s": 1800, "session_gap_s": 1800},
        {"max_wait_s": 0, "session_gap_s": 600},
        {"cap_s": 100},
        {"cap_s": 100, "unanswered_s": 300},
        {"slow_s": 30, "slow_times": 1, "long_s": 600},
    ],
    "levels": [
        {f"within_{limit}s": level for limit, level in zip((6, 30, 60, 180), levels, strict=True)}
        for levels in itertools.permutations(LEVELS)
    ],
    "people": [
        {"day_cut_s": "04:00"},
        {"shop_mean": "agents"},
        {"first_response": "any"},
        {"first_response": "buyer_first"},
        {"transfer": "neutral"},
        {"transfer": "strict"},
        {"assist_valid": True},
        {"assist_valid": False},
        {"night": ["22:00", "08:00"], "night_due_s": "08:45"},
    ],
    "lookup": [
        {"lookup": name}
        for name in ("first", "first", "same_day", "same_day", "covering", "covering", "asof")
    ]
    + [{"lookback_s": 86_400}, {"lookup": "first", "lookback_s": 20_000}],
    "orders": [
        {"after_sale": "shipped"},
        {"after_sale": "shipped", "after_sale_days": 1},
        {"unpaid_days": 1},
        {"urge_limit_s": 1800},
        {"urge_limit_s": 7200, "lookup": "covering"},
        {"urge_limit_s": 4000},
        {"post_fee": "out"},
        {"refunds": "out"},
        {"post_fee": "out", "refunds": "out"},
    ],
}


def profile_changes(dice):
    """Switches in which the shop's own profile differs from its base; none: it uses the base itself."""
    changes = {}
    for name, alternatives in CHANGES.items():
        if dice.random() < (0.6 if name in ("clock", "lookup") else 0.4):
            changes |= dice.choice(alternatives)
    return changes


def settled_world(seed: int) -> tuple:
    """(exports, order rows, settings, id of the base profile, changes of the shop's own profile)."""
    dice = random.Random(seed)
    base, changes = dice.choice(sorted(PROFILES)), profile_changes(dice) if dice.random() < 0.8 else {}
    its = settings_of(dice, changes.get("clock"))
    happened = settled_stories(dice)
    orders = settled_orders(dice, happened)
    return settled_exports(dice, happened), orders, its, base, changes


def settled_worlds():
    """Shops with settings. They come from a seed, not from draws: hypothesis would make too few of them rich."""
    return st.integers(0, 2**32).map(settled_world)


def less_of(world):
    """Worlds with one thing less, big things first: to shrink a failing one, see test_against_naive."""
    exports, rows, its, base, changes = world
    for n in range(len(exports)):
        yield exports[:n] + exports[n + 1 :], rows, its, base, changes
    for row in {row.order_id: row for row in rows}.values():
        yield exports, [r for r in rows if r.order_id != row.order_id], its, base, changes
    for name in changes:
        if name not in ("window", "max_wait_s"):  # other switches need these
            yield exports, rows, its, base, {key: value for key, value in changes.items() if key != name}
    plain = {
        "filters": [], "auto": {}, "teams": {}, "assistants": [], "flags": {}, "memo": None,
        "excluded_orders": [], "duties": [],
    }  # fmt: skip
    for name, nothing in plain.items():
        if its[name]:
            fewer = {**its, name: nothing}
            yield exports, rows, fewer | roster_of(fewer["duties"]), base, changes
    for duty in its["duties"]:
        left = [other for other in its["duties"] if other is not duty]
        yield exports, rows, {**its, "duties": left, **roster_of(left)}, base, changes
    for buyer in sorted({block.buyer for export in exports for block in export.blocks}):
        less = [e._replace(blocks=[b for b in e.blocks if b.buyer != buyer]) for e in exports]
        yield less, rows, its, base, changes
    for instant in sorted({(b.buyer, line) for e in exports for b in e.blocks for line in b.lines}):
        yield [without_line(e, *instant) for e in exports], rows, its, base, changes
    for n in range(len(rows)):
        yield exports, rows[:n] + rows[n + 1 :], its, base, changes


def without_line(export: Export, buyer: str, line: Line) -> Export:
    blocks = [
        b._replace(lines=[other for other in b.lines if other != line]) if b.buyer == buyer else b
        for b in export.blocks
    ]
    return export._replace(blocks=[b for b in blocks if b.lines])


def shrunk(world, fails):
    """A smallest world of those that still fail."""
    while True:
        smaller = next((less for less in less_of(world) if fails(less)), None)
        if smaller is None:
            return world
        world = smaller


def toml(value) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)


def config_of(settings: dict, changes: dict | None = None, base: str = "chitu") -> str:
    """cslog.toml with these settings, and a profile ``ours`` on `base` when there are changes."""

    def table(heading: str, values: dict) -> list[str]:
        kept = {key: value for key, value in values.items() if value is not None and value != ""}
        return [heading, *(f"{key} = {toml(value)}" for key, value in kept.items()), ""]

    def date(day: int) -> datetime.date:
        return datetime.date(1970, 1, 1) + datetime.timedelta(days=day)

    shop = f"shops.{toml(SHOP)}"
    names = ("assistants", "teams", "flags", "memo", "excluded_orders")
    lines = table(f"[{shop}]", {name: settings[name] for name in names if settings[name]})
    lines += table("[auto_replies]", settings["auto"])
    for rule in settings["filters"]:
        lines += table("[[filters]]", rule)
    for name, hours in SHIFTS.items():
        lines += table(f"[{shop}.shifts.{toml(name)}]", {"hours": hours})
    for duty in settings["duties"]:
        dates = {
            "from": date(duty["from"]),
            "to": date(duty["to"]),
            "off": [date(day) for day in duty["off"]],
        }
        lines += table(f"[[{shop}.roster]]", duty | dates)
    if changes:
        lines += table("[[profiles]]", {"id": "ours", "base": base, **changes})
    return "\n".join(lines)


# ---- as files -------------------------------------------------------------------------------------


def clock_text(ts: int) -> str:
    """``2024-11-28 09:00:00``."""
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=ts)).isoformat(sep=" ")


def txt_bytes(export: Export, encoding: str = "gbk") -> bytes:
    """The export as the PC client writes it (formats 1.1)."""
    rule = "=" * 64
    lines = [export.login, "", rule, " " * 31 + "单聊" + " " * 29, rule, "", ""]
    for block in export.blocks:
        lines.append("-" * 28 + block.buyer + "-" * 28)
        for line in block.lines:
            lead = " " if line.text.startswith("[") else "  "
            lines += f"{line.sender}({clock_text(line.ts)}):{lead}{line.text}".split("\n")
    lines += ["", rule, " " * 31 + "群聊" + " " * 29, rule, ""]
    return "\r\n".join(lines).encode(encoding)


def order_bytes(rows: list[OrderRow]) -> bytes:
    """Order versions as an order export in GBK (formats 8.1); ``=`` outside the quotes."""
    header = [
        "订单编号", "买家会员名", "买家实际支付金额", "订单状态", "订单创建时间", "订单付款时间 ", "宝贝总数量",
        "店铺名称", "退款金额", "发货时间", "订单备注", "旗帜", "买家应付邮费",
    ]  # fmt: skip
    lines = [",".join(f'"{name}"' for name in header)]
    for row in rows:
        cells = [
            row.buyer,
            f"{row.amount // 100}.{row.amount % 100:02d}",
            STATES[row.state],
            clock_text(row.created),
            "" if row.paid is None else clock_text(row.paid),
            str(row.items),
            row.shop,
            f"{row.refund // 100}.{row.refund % 100:02d}",
            "" if row.shipped is None else clock_text(row.shipped),
            row.memo,
            row.flag,
            f"{row.post_fee // 100}.{row.post_fee % 100:02d}",
        ]
        lines.append(f'="{row.order_id}",' + ",".join(f'"{cell}"' for cell in cells))
    return ("\r\n".join(lines) + "\r\n").encode("gb18030")


def write_files(folder: Path, exports: list[Export], order_rows: list[OrderRow]) -> list[Path]:
    """The world as files; orders in two files when there are several versions."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, export in enumerate(exports):
        if export.blocks:
            written.append(folder / f"chat{number}.txt")
            written[-1].write_bytes(txt_bytes(export))
    half = len(order_rows) // 2
    for number, part in enumerate((order_rows[:half], order_rows[half:])):
        if part:
            written.append(folder / f"ExportOrderList{number}.csv")
            written[-1].write_bytes(order_bytes(part))
    return written
