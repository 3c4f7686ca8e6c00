"""The model of the invented shops: sessions, messages and orders as flat numpy arrays.

The owner of every message (``Shop.owner``) is the one that kpi-spec I3 finds in the Txt files: sessions handed over
half-way never pass midnight and hold no silence of ``max_wait``, the first agent has answered before the hand-over,
and two sessions of one buyer lie at least half an hour apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import layouts, phrases

if TYPE_CHECKING:
    import polars as pl

DAY = 86400
EPOCH = date(1970, 1, 1)

BUYER, AGENT, ROBOT, SYSTEM, TRANSFER = range(5)
"""Roles of a message. System lines and transfer markers carry the buyer's nick, as in real exports."""

SHARE_UNANSWERED = 0.06  # sessions in which nobody answers
SHARE_MONOLOGUE = 0.01  # sessions in which only the agent writes
SHARE_AGENT_FIRST = 0.08
SHARE_ROBOT = 0.55  # sessions greeted by the robot: about 5 % of all messages
SHARE_ROBOT_HANDS_OVER = 0.05  # greeted sessions with a marker robot -> agent
SHARE_SYSTEM = 0.06
SHARE_TRANSFER = 0.06  # sessions handed over between two agents
SHARE_SLOW = 0.012  # answers that take longer than max_wait
SHARE_TAIL = 0.35  # plain texts with a tail, so that texts do not repeat too much
SHARE_ORDER = 0.10  # buyer-days followed by an order
SIDE_SWITCH = 0.62  # chance that the other side writes next
BETWEEN_SESSIONS_S = 1800
LONGEST_SESSION = 150  # messages

# Median seconds from one message to the next, [previous side][this side]; sides: buyer, agent.
_GAP_MEDIAN = np.array([[9.0, 25.0], [45.0, 6.0]])
_GAP_SIGMA = np.array([[0.9, 1.0], [0.9, 0.8]])
_HOUR_WEIGHTS = np.array(
    [3, 1.5, 0.6, 0.3, 0.3, 0.5, 1, 2, 4, 7, 8, 8, 6, 6.5, 8, 8, 7, 5.5, 5, 7, 9, 9.5, 8, 5]
)


@dataclass(frozen=True)
class Config:
    """What to invent. ``messages`` is met to about 0.2 %."""

    messages: int = 1_000_000
    seed: int = 7
    shops: int = 1
    agents: int = 30
    month: str = "2024-11"
    day: int = 0  # only this day of the month; 0: all of it

    @property
    def first_day(self) -> date:
        """First day of the month, or the only one."""
        return date.fromisoformat(f"{self.month}-{self.day or 1:02d}")

    @property
    def days(self) -> int:
        """Days in the month, or one."""
        if self.day:
            return 1
        return ((self.first_day + timedelta(days=31)).replace(day=1) - self.first_day).days

    @property
    def start_at(self) -> int:
        """First second of the month (seconds since 1970 on the wall clock)."""
        return (self.first_day - EPOCH).days * DAY


@dataclass
class Orders:
    """Orders of one shop; one entry per order. Instants are seconds, -1 = never; money in cents.

    ``buyer`` indexes ``Shop.buyers`` (silent buyers come after those who chat); ``masked`` orders show the nick
    as ``t**1`` in the export.
    """

    order_id: np.ndarray
    buyer: np.ndarray
    masked: np.ndarray
    created_at: np.ndarray
    paid_at: np.ndarray
    shipped_at: np.ndarray
    finished_at: np.ndarray
    closed_at: np.ndarray
    refunded_at: np.ndarray
    amount_cents: np.ndarray
    fee_cents: np.ndarray
    refund_cents: np.ndarray
    items: np.ndarray
    goods: np.ndarray


@dataclass
class Shop:
    """One shop's month: sessions sorted by (buyer, start), messages in conversation order, orders.

    Senders are numbered: 0..A-1 the agents, A the robot, A+1.. the buyers.
    """

    config: Config
    name: str
    agents: list[str]  # full accounts, shop:agent
    buyers: list[str]
    heads: list[str]  # texts; a message is heads[head] + tails[tail]
    tails: list[str]
    session_buyer: np.ndarray
    session_agent: np.ndarray
    session_next_agent: np.ndarray  # agent after the hand-over, -1 without one
    session_offset: np.ndarray  # first message of each session, and the total at the end
    sent_at: np.ndarray
    role: np.ndarray
    sender: np.ndarray
    owner: np.ndarray  # agent the message sits with
    head: np.ndarray
    tail: np.ndarray
    orders: Orders

    def __len__(self) -> int:
        return len(self.sent_at)

    @cached_property
    def accounts(self) -> list[str]:
        """Names by sender number."""
        return [*self.agents, f"{self.name}:{layouts.ROBOT}", *self.buyers]

    @cached_property
    def session(self) -> np.ndarray:
        """Session number of each message."""
        return np.repeat(np.arange(len(self.session_buyer)), np.diff(self.session_offset))

    def text(self, index: int) -> str:
        """Text of one message."""
        return self.heads[self.head[index]] + self.tails[self.tail[index]]

    def frame(self) -> pl.DataFrame:
        """The truth, one row per message: shop, buyer, sender, agent (owner), role, sent_at, text, session."""
        import polars as pl

        def names(values: list[str], codes: np.ndarray) -> pl.Series:
            return pl.Series(values, dtype=pl.String).gather(codes)

        return pl.DataFrame(
            {
                "shop": pl.Series([self.name]).gather(np.zeros(len(self), dtype=np.int64)),
                "buyer": names(self.buyers, self.session_buyer[self.session]),
                "sender": names(self.accounts, self.sender),
                "agent": names(self.agents, self.owner),
                "role": self.role,
                "sent_at": self.sent_at,
                "text": names(self.heads, self.head) + names(self.tails, self.tail),
                "session": self.session,
            }
        )

    def order_frame(self, as_of: int | None = None) -> pl.DataFrame:
        """Orders as an export made at ``as_of`` states them (everything known when null)."""
        import polars as pl

        rows = [
            {
                "order_id": str(row["订单编号"]),
                "buyer": row["买家会员名"],
                "created_at": row["created"],
                "paid_at": row["paid"],
                "state": row["订单状态"],
                "amount_cents": row["amount"],
                "refund_cents": row["refund"],
            }
            for row in order_rows(self, as_of)
        ]
        whole = ("created_at", "paid_at", "amount_cents", "refund_cents")
        kinds = dict.fromkeys(("order_id", "buyer", "state"), pl.String) | dict.fromkeys(whole, pl.Int64)
        return pl.DataFrame(rows, schema_overrides=kinds)


@dataclass
class Month:
    """Everything that was invented."""

    config: Config
    shops: list[Shop]

    def __len__(self) -> int:
        return sum(len(shop) for shop in self.shops)


def generate(config: Config) -> Month:
    """Invent a month of all shops. For sizes that do not fit in memory iterate over ``shops`` instead."""
    return Month(config, list(shops(config)))


def small_month(
    seed: int, messages: int = 600, agents: int = 3, shops_: int = 1, month: str = "2024-11"
) -> Month:
    """A month small enough for a test."""
    return generate(Config(messages=messages, seed=seed, shops=shops_, agents=agents, month=month))


def shops(config: Config) -> Iterator[Shop]:
    """The shops one by one; each depends on the seed and its own number only."""
    for index in range(config.shops):
        quota = config.messages // config.shops + (index < config.messages % config.shops)
        yield _shop(config, index, quota)


def _shop(config: Config, index: int, quota: int) -> Shop:
    rng = np.random.default_rng([config.seed, index])
    name = _shop_name(index)
    agents = [f"{name}:{_agent_name(number)}" for number in range(config.agents)]
    heads = [*phrases.BUYER, *phrases.AGENT, *phrases.ROBOT, *phrases.SYSTEM, *_markers(config.agents)]
    tails = _tails(rng)

    # Sessions, in random order: how many messages, which extras. Cut where the quota is reached.
    count = int(quota / 7) + 20
    size = np.minimum(1 + rng.gamma(1.6, 5.4, count).astype(np.int64), LONGEST_SESSION)
    fate = rng.random(count)
    unanswered = fate < SHARE_UNANSWERED
    monologue = ~unanswered & (fate < SHARE_UNANSWERED + SHARE_MONOLOGUE)
    size = np.where(unanswered, np.minimum(size, 3), np.where(monologue, np.minimum(size, 2), size))
    first_side = np.where(
        unanswered, 0, np.where(monologue, 1, rng.random(count) < SHARE_AGENT_FIRST)
    ).astype(np.int8)
    robot = (rng.random(count) < SHARE_ROBOT) & (first_side == 0)
    hands_over = robot & (rng.random(count) < SHARE_ROBOT_HANDS_OVER)
    system = rng.random(count) < SHARE_SYSTEM
    wants_transfer = (
        (rng.random(count) < SHARE_TRANSFER) & (size >= 4) & ~unanswered & ~monologue & (config.agents > 1)
    )
    total = np.cumsum(size + robot + hands_over + system + wants_transfer)
    count = max(1, int(np.searchsorted(total, quota, side="right")))
    size, first_side, robot = size[:count], first_side[:count], robot[:count]
    hands_over, system, wants_transfer = hands_over[:count], system[:count], wants_transfer[:count]
    one_sided = (unanswered | monologue)[:count]

    # Returning buyers: sessions per buyer follow a zipf law.
    visits = np.minimum(rng.zipf(2.2, count), 30)
    buyer = np.repeat(np.arange(count), visits)[:count]
    buyers = int(buyer[-1]) + 1

    # Messages of the sessions, robot and markers still missing.
    offset = np.concatenate(([0], np.cumsum(size)))
    opening = np.zeros(offset[-1], dtype=bool)
    opening[offset[:-1]] = True
    session = np.repeat(np.arange(count), size)
    switch = (rng.random(len(session)) < SIDE_SWITCH) & ~opening & ~one_sided[session]
    turned = np.cumsum(switch)
    side = first_side[session] ^ ((turned - turned[offset[:-1]][session]) & 1).astype(np.int8)
    before = np.concatenate(([0], side[:-1]))
    gap = _GAP_MEDIAN[before, side] * np.exp(_GAP_SIGMA[before, side] * rng.standard_normal(len(session)))
    slow = (before == 0) & (side == 1) & (rng.random(len(session)) < SHARE_SLOW)
    gap = np.where(slow, rng.uniform(600, 2400, len(session)), gap)
    gap = np.minimum(gap, np.where(wants_transfer, 500, 3000)[session]).astype(np.int64)
    gap[opening] = 0
    clock = np.cumsum(gap)
    clock -= clock[offset[:-1]][session]
    duration = clock[offset[1:] - 1]

    start = _session_starts(rng, config, buyer, duration)
    agent, other = _session_agents(rng, config.agents, start)
    hand_over_at = _hand_over_positions(session, offset, side, size, wants_transfer, start, duration)
    next_agent = np.where(hand_over_at >= 0, other, -1)

    # Put everything into one row of slots per session: 8 slots a message.
    position = np.arange(len(session)) - offset[:-1][session]
    robot_at = np.flatnonzero(robot)
    hands_at, system_at, transfer_at = map(np.flatnonzero, (hands_over, system, hand_over_at >= 0))
    second = np.minimum(offset[:-1] + 1, len(gap) - 1)
    robot_delay = np.where(size > 1, np.minimum(gap[second], 1), 1)
    slot = np.concatenate(
        (
            8 * position + 1,
            np.full(len(robot_at), 2),
            np.full(len(hands_at), 3),
            np.zeros(len(system_at), dtype=np.int64),
            8 * hand_over_at[transfer_at],
        )
    )
    rows_session = np.concatenate((session, robot_at, hands_at, system_at, transfer_at))
    rows_role = np.concatenate(
        (
            np.where(side == 0, BUYER, AGENT),
            np.full(len(robot_at), ROBOT),
            np.full(len(hands_at), TRANSFER),
            np.full(len(system_at), SYSTEM),
            np.full(len(transfer_at), TRANSFER),
        )
    ).astype(np.uint8)
    rows_at = np.concatenate(
        (
            start[session] + clock,
            (start + robot_delay)[robot_at],
            (start + robot_delay)[hands_at],
            start[system_at],
            start[transfer_at] + clock[offset[transfer_at] + hand_over_at[transfer_at] - 1],
        )
    )
    order = np.argsort(rows_session * 4096 + slot, kind="stable")
    rows_session, rows_role, rows_at, slot = (
        rows_session[order],
        rows_role[order],
        rows_at[order],
        slot[order],
    )
    moved = (hand_over_at[rows_session] >= 0) & (slot > 8 * hand_over_at[rows_session])
    owner = np.where(moved, next_agent[rows_session], agent[rows_session])
    robot_number = config.agents
    sender = np.where(
        rows_role == AGENT,
        owner,
        np.where(rows_role == ROBOT, robot_number, robot_number + 1 + buyer[rows_session]),
    )
    head, tail = _texts(
        rng, config.agents, rows_role, slot, agent[rows_session], next_agent[rows_session], tails
    )

    session_offset = np.concatenate(([0], np.cumsum(np.bincount(rows_session, minlength=count))))
    last_agent_at = np.full(count, -1, dtype=np.int64)
    spoken = rows_role == AGENT
    np.maximum.at(last_agent_at, rows_session[spoken], rows_at[spoken])
    orders = _orders(rng, config, index, buyer, start, last_agent_at, buyers)
    return Shop(
        config=config,
        name=name,
        agents=agents,
        buyers=_buyer_nicks(rng, int(max(buyers, orders.buyer.max(initial=-1) + 1))),
        heads=heads,
        tails=tails,
        session_buyer=buyer.astype(np.int32),
        session_agent=agent.astype(np.int16),
        session_next_agent=next_agent.astype(np.int16),
        session_offset=session_offset,
        sent_at=rows_at,
        role=rows_role,
        sender=sender.astype(np.int32),
        owner=owner.astype(np.int16),
        head=head.astype(np.int16),
        tail=tail.astype(np.int16),
        orders=orders,
    )


def _shop_name(index: int) -> str:
    words, trades = phrases.SHOP_WORDS, phrases.SHOP_TRADES
    number = "" if index < len(words) * len(trades) else str(index)
    return f"{words[index % len(words)]}{trades[index // len(words) % len(trades)]}{number}旗舰店"


def _agent_name(number: int) -> str:
    names = phrases.AGENT_NAMES
    return names[number] if number < len(names) else f"{names[number % len(names)]}{number // len(names) + 1}"


def _markers(agents: int) -> list[str]:
    """Transfer markers: robot to agent with each reason, then every agent to every agent."""
    short = [_agent_name(number) for number in range(agents)]
    robot = [f"由 {layouts.ROBOT} 转交给 {to}{reason}" for reason in phrases.ROBOT_REASONS for to in short]
    return robot + [f"由 {source} 转交给 {to}" for source in short for to in short]


def _tails(rng: np.random.Generator) -> list[str]:
    """Tail 0 is empty; the last thousand are order numbers for texts that end with a colon."""
    numbers = rng.integers(3_100_000_000_000_000_000, 3_199_999_999_999_999_999, 1000)
    plain = ["，谢谢", "~", "，急", "哈", "！", "……", "，麻烦了", " 亲", "哦", "呢"]
    return ["", *plain, *(f"，款号YD{number:04d}" for number in range(3000)), *map(str, numbers.tolist())]


def _session_starts(
    rng: np.random.Generator, config: Config, buyer: np.ndarray, duration: np.ndarray
) -> np.ndarray:
    """Start of every session; ascending for a buyer, with half an hour between two sessions."""
    days = np.ones(config.days)
    days += 0.15 * np.sin(np.arange(config.days) * 2 * np.pi / 7)
    festival = {"11": 11, "06": 18, "12": 12}.get(config.month[-2:])
    if festival and festival <= config.days:
        days[festival - 1] *= 6
    day = rng.choice(config.days, len(buyer), p=days / days.sum())
    hour = rng.choice(24, len(buyer), p=_HOUR_WEIGHTS / _HOUR_WEIGHTS.sum())
    drawn = day * DAY + hour * 3600 + rng.integers(0, 3600, len(buyer))
    drawn = drawn[np.lexsort((drawn, buyer))]
    # start[k] = max over j <= k of drawn[j] + the sessions and pauses from j to k: a running maximum per buyer.
    ahead = np.cumsum(duration + BETWEEN_SESSIONS_S) - (duration + BETWEEN_SESSIONS_S)
    ahead -= ahead[np.searchsorted(buyer, buyer)]
    apart = 10 * config.days * DAY
    lifted = np.maximum.accumulate(drawn - ahead + buyer * apart) - buyer * apart
    return config.start_at + lifted + ahead


def _session_agents(
    rng: np.random.Generator, agents: int, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The agent of each session and a colleague: even numbers work early, odd ones late; a few get most chats."""
    early = start % DAY < 16.5 * 3600
    drawn = []
    for _ in range(2):
        choice = np.zeros(len(start), dtype=np.int64)
        for shift, mask in ((0, early), (1, ~early)):
            team = np.arange(shift, agents, 2) if agents > 1 else np.zeros(1, dtype=np.int64)
            weights = 1 / (1 + np.arange(len(team))) ** 0.8
            choice[mask] = team[rng.choice(len(team), int(mask.sum()), p=weights / weights.sum())]
        drawn.append(choice)
    first, other = drawn
    return first, np.where(other == first, (first + 1) % agents, other)


def _hand_over_positions(
    session: np.ndarray,
    offset: np.ndarray,
    side: np.ndarray,
    size: np.ndarray,
    wanted: np.ndarray,
    start: np.ndarray,
    duration: np.ndarray,
) -> np.ndarray:
    """Position of the first message after the hand-over in each session, -1 where there is none.

    The agent has just answered and a colleague speaks later in the session; the session stays within one day.
    """
    position = np.arange(len(session)) - offset[:-1][session]
    after = np.concatenate((np.cumsum(side[::-1] == 1)[::-1], [0]))
    later_answers = after[np.minimum(np.arange(len(side)) + 1, len(side))] - after[offset[1:]][session]
    same_day = start // DAY == (start + duration) // DAY
    fits = (
        (side == 1)
        & (later_answers > 0)
        & (2 * (position + 1) >= size[session])
        & (wanted & same_day)[session]
    )
    result = np.full(len(size), -1, dtype=np.int64)
    found = np.flatnonzero(fits)[::-1]  # backwards, so that the earliest place wins
    result[session[found]] = position[found] + 1
    return result


def _texts(
    rng: np.random.Generator,
    agents: int,
    role: np.ndarray,
    slot: np.ndarray,
    agent: np.ndarray,
    next_agent: np.ndarray,
    tails: list[str],
) -> tuple[np.ndarray, np.ndarray]:
    """Head and tail of every message."""
    tables = (phrases.BUYER, phrases.AGENT, phrases.ROBOT, phrases.SYSTEM)
    first = np.cumsum([0, *map(len, tables)])
    pick = rng.random(len(role))
    lengths = np.array([*map(len, tables), len(phrases.ROBOT_REASONS)])
    head = (pick * lengths[role]).astype(np.int64)  # for markers: the number of the reason
    between_agents = slot % 8 == 0
    marker = np.where(
        between_agents,
        agents * len(phrases.ROBOT_REASONS) + agent * agents + next_agent,
        head * agents + agent,
    )
    head = np.where(role == TRANSFER, marker, head) + first[role]

    texts = [*phrases.BUYER, *phrases.AGENT, *phrases.ROBOT, *phrases.SYSTEM]
    takes = np.zeros(first[-1] + agents * (agents + len(phrases.ROBOT_REASONS)), dtype=np.int8)
    for number, text in enumerate(texts[: first[2]]):
        takes[number] = (
            2
            if text.endswith("：")
            else int(text[0] not in "[￥h·?？" and "\n" not in text and "/:" not in text)
        )
    with_tail = rng.random(len(role)) < SHARE_TAIL
    draw = rng.integers(1, len(tails) - 1000, len(role))
    short = rng.random(len(role)) < 0.6
    tail = np.where(with_tail & (takes[head] == 1), np.where(short, 1 + draw % 10, draw), 0)
    return head, np.where(takes[head] == 2, len(tails) - 1000 + draw % 1000, tail)


def _buyer_nicks(rng: np.random.Generator, count: int) -> list[str]:
    """Unique nicks; some hold brackets, dashes, dots and underscores, all can be written in GBK."""
    words = phrases.BUYER_WORDS
    shapes = (rng.random(count) * 12).astype(np.int64).tolist()
    picks = rng.integers(0, len(words), count).tolist()
    nicks = []
    for number, (shape, pick) in enumerate(zip(shapes, picks, strict=True)):
        word = words[pick]
        if shape < 6:
            nicks.append(f"tb{number * 7 + 1000003:d}")
        elif shape < 9:
            nicks.append(f"{word}{number}")
        elif shape == 9:
            nicks.append(f"{word}({number})-{shape}")
        elif shape == 10:
            nicks.append(f"{word}_{number}_{words[(pick + 3) % len(words)]}")
        else:
            nicks.append(f"{word}·{number}")
    return nicks


def _orders(
    rng: np.random.Generator,
    config: Config,
    shop: int,
    buyer: np.ndarray,
    start: np.ndarray,
    last_agent_at: np.ndarray,
    buyers: int,
) -> Orders:
    """A tenth of the buyer-days leads to an order; some orders come from buyers who never chat."""
    day = (start - config.start_at) // DAY
    _, session = np.unique(buyer * 64 + day, return_index=True)
    session = session[rng.random(len(session)) < SHARE_ORDER]
    silent = round(len(session) * 0.15)
    count = len(session) + silent

    begun = start[session]
    heard = np.where(last_agent_at[session] >= 0, last_agent_at[session], begun)
    soon = np.exp(np.log(900) + 1.2 * rng.standard_normal(len(session))).astype(np.int64)
    kind = rng.random(len(session))
    edge = heard + 2 * DAY + rng.integers(0, 2, len(session))  # at exactly 48 h and one second later
    later = begun + rng.integers(DAY, 4 * DAY, len(session))
    created = np.select(
        [kind < 0.70, kind < 0.82, kind < 0.90, kind < 0.93],
        [begun + soon, begun + DAY - soon % 40000, begun - soon, edge],
        later,
    )
    created = np.concatenate((created, config.start_at + rng.integers(0, config.days * DAY, silent)))
    who = np.concatenate((buyer[session], buyers + np.arange(silent)))

    kind = rng.random(count)
    quick = np.exp(np.log(40) + 0.9 * rng.standard_normal(count)).astype(np.int64)
    wait = np.select(
        [kind < 0.78, kind < 0.84], [quick, rng.integers(600, DAY, count)], rng.integers(DAY, 3 * DAY, count)
    )
    paid = np.where(kind < 0.88, created + wait, -1)
    is_paid = paid >= 0
    shipped = np.where(is_paid, paid + rng.integers(4 * 3600, 40 * 3600, count), -1)
    finished = np.where(is_paid, shipped + rng.integers(3 * DAY, 12 * DAY, count), -1)
    goods = rng.integers(0, len(phrases.GOODS), count)
    items = np.minimum(rng.geometric(0.75, count), 9)
    fee = np.where(rng.random(count) < 0.1, 800, 0)
    amount = (
        np.array([price for _, price in phrases.GOODS])[goods] * items - rng.integers(0, 30, count) * 10 + fee
    )
    refund_kind = np.where(is_paid, rng.random(count), 1.0)
    refunded = np.where(refund_kind < 0.06, paid + rng.integers(DAY // 2, 6 * DAY, count), -1)
    whole = refund_kind < 0.045
    refund = np.where(refunded >= 0, np.where(whole, amount, amount // 5), 0)
    closed = np.where(whole, refunded, np.where(~is_paid & (rng.random(count) < 0.8), created + 3 * DAY, -1))
    shipped = np.where((closed >= 0) & (shipped > closed), -1, shipped)
    finished = np.where(closed >= 0, -1, finished)

    order = np.argsort(created, kind="stable")
    order_id = 3_500_000_000_000_000_000 + shop * 1_000_000_000_000_000 + np.arange(count) * 1009 + 17
    return Orders(
        order_id=order_id,
        buyer=who[order],
        masked=(rng.random(count) < 0.01)[order],
        created_at=created[order],
        paid_at=paid[order],
        shipped_at=shipped[order],
        finished_at=finished[order],
        closed_at=closed[order],
        refunded_at=refunded[order],
        amount_cents=amount[order],
        fee_cents=fee[order],
        refund_cents=refund[order],
        items=items[order],
        goods=goods[order],
    )


def order_rows(shop: Shop, as_of: int | None) -> Iterator[dict]:
    """Cells of each order that exists at ``as_of``, and its plain values under English keys."""
    orders = shop.orders
    fields = {name: getattr(orders, name).tolist() for name in orders.__dataclass_fields__}
    for values in zip(*fields.values(), strict=True):
        order = dict(zip(fields, values, strict=True))
        if as_of is not None and order["created_at"] > as_of:
            continue
        known = {
            name: at if at >= 0 and (as_of is None or at <= as_of) else None
            for name, at in order.items()
            if name.endswith("_at")
        }
        state, reason = layouts.WAIT_PAY, "订单未关闭"
        if known["closed_at"] is not None:
            state, reason = layouts.CLOSED, "退款" if known["refunded_at"] is not None else "买家未付款"
        elif known["finished_at"] is not None:
            state = layouts.FINISHED
        elif known["shipped_at"] is not None:
            state = layouts.SHIPPED
        elif known["paid_at"] is not None:
            state = layouts.PAID
        title, _ = phrases.GOODS[order["goods"]]
        refund = order["refund_cents"] if known["refunded_at"] is not None else 0
        paid = order["amount_cents"] if known["paid_at"] is not None else 0
        nick = shop.buyers[order["buyer"]]
        yield {
            "created": order["created_at"],
            "paid": known["paid_at"],
            "amount": paid,
            "refund": refund,
            "订单编号": str(order["order_id"]),
            "买家会员名": f"{nick[0]}**{nick[-1]}" if order["masked"] else nick,
            "买家应付货款": _yuan(order["amount_cents"] - order["fee_cents"]),
            "买家应付邮费": _yuan(order["fee_cents"]),
            "总金额": _yuan(order["amount_cents"]),
            "买家实际支付金额": _yuan(paid),
            "订单状态": state,
            "订单创建时间": _instant(order["created_at"]),
            "订单付款时间 ": _instant(known["paid_at"]),
            "宝贝标题 ": title,
            "宝贝总数量": str(order["items"]),
            "店铺名称": shop.name,
            "订单关闭原因": reason,
            "退款金额": _yuan(refund),
            "确认收货时间": _instant(known["finished_at"]),
            "打款商家金额": f"{_yuan(paid - refund if known['finished_at'] is not None else 0)}元",
        }


def _yuan(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _instant(at: int | None) -> str:
    if at is None:
        return ""
    day, second = divmod(at, DAY)
    return f"{EPOCH + timedelta(days=day)} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
