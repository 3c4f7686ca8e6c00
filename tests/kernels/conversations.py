"""Conversations for the kernel tests: as the reference program has them, and as the kernels' flat arrays."""

from __future__ import annotations

import datetime

import numpy as np
from hypothesis import strategies as st
from naive import CHITU, DAY, Merged, Msg, ShiftClock, kind_of, transfer_names, union

SHOP = "某旗舰店"
NAMES = ("丙", "乙", "甲")
"""Agents in the order of their codes, which is that of their names."""
BEGIN = (datetime.date(2024, 11, 4) - datetime.date(1970, 1, 1)).days * DAY

GAPS = (0, 0, 1, 19, 60, 121, 300, 599, 600, 601, 1900, 3601, 9_000, 40_000, 46_400, DAY - 1, DAY)
"""Seconds between messages; some of them add up to a day."""
DAY_CLOSING = {**CHITU, "max_wait": None, "day_close": True}
NIGHT_SHIFT = {**CHITU, "day_cut": 4 * 3600}
SHORT_WAIT = {**CHITU, "max_wait": 60}
PROFILES = (CHITU, DAY_CLOSING, NIGHT_SHIFT, SHORT_WAIT, {**DAY_CLOSING, "day_cut": 4 * 3600})


def code(name: str | None) -> int:
    """The agent's code; -1 for nobody."""
    return -1 if name is None else NAMES.index(name)


def read_only(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Copies that cannot be written to, as Arrow hands arrays out."""
    copies = tuple(array.copy() for array in arrays)
    for copy in copies:
        copy.setflags(write=False)
    return copies


@st.composite
def instants(draw, size: int) -> list[int]:
    """Ascending seconds, often beginning just before midnight or the day cut."""
    start = draw(st.sampled_from([0, 30_000, DAY - 200, DAY - 1, DAY, DAY + 4 * 3600 - 50]))
    at, out = BEGIN + start, []
    for _ in range(size):
        out.append(at)
        at += draw(st.sampled_from(GAPS))
    return out


@st.composite
def threads(draw, max_size: int = 14) -> list[Msg]:
    """Any thread of one agent and buyer: messages, turns taken away (V) and handed over (a B that is not real)."""
    size, agent = draw(st.integers(1, max_size)), draw(st.sampled_from([*NAMES, *NAMES, None]))
    out = []
    for seq, at in enumerate(draw(instants(size))):
        who = draw(st.sampled_from("BBBBAAAAVR"))
        kind, characters = draw(st.sampled_from([("text", 2), ("text", 0), ("text", 7), ("image", 0)]))
        if who in "VR":
            kind, characters = "text", 0
        out.append(
            Msg(at, agent, "buyer", "B" if who == "R" else who, True, seq, kind, characters, who in "BA")
        )
    return out


@st.composite
def conversations(draw, max_size: int = 12) -> list[Merged]:
    """All countable messages and transfer markers of one buyer, agents stated or not."""
    size = draw(st.integers(1, max_size))
    stated_at_all = draw(st.booleans())
    out = []
    for seq, at in enumerate(draw(instants(size))):
        speaker = draw(st.sampled_from(["buyer", "buyer", "buyer", *NAMES, "marker"]))
        agent, stated, exporters, sender_class = None, None, set(), "human"
        text = draw(st.sampled_from(["在吗", "在吗", "好的 亲", "", "[图片]"]))
        if speaker == "buyer":
            sender_class = "buyer"
            stated = draw(st.sampled_from([None, *NAMES])) if stated_at_all else None
            exporters = draw(st.sets(st.sampled_from(NAMES), max_size=2))
        elif speaker == "marker":
            leaving, taking = draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))
            sender_class, text = "transfer", f"由 {leaving} 转交给 {taking}"
        else:
            agent = speaker
        sender = f"{SHOP}:{agent}" if agent else "buyer"
        kind = kind_of(text)
        out.append(Merged(at, sender, agent, "buyer", sender_class, kind, text, stated, exporters, seq))
    return out


@st.composite
def rosters(draw, moments: list[int]) -> dict[str, list[tuple[int, int]]]:
    """{agent: hours}, which begin round the moments and may overlap; some are named and have no hours."""
    beginnings = st.builds(
        lambda moment, offset: moment + offset,
        st.sampled_from(moments),
        st.sampled_from([-DAY, -9 * 3600, -600, -599, -60, -1, 0, 0, 1, 60, 300]),
    )
    lengths = st.sampled_from([1, 59, 60, 599, 600, 601, 3600, 9 * 3600, 3 * DAY])
    hours = st.builds(lambda begin, length: (begin, begin + length), beginnings, lengths)
    return draw(st.dictionaries(st.sampled_from(NAMES), st.lists(hours, max_size=5), min_size=2))


class Rows:
    """Conversations of several buyers as the arrays that ``cslog.kernels.owners`` takes."""

    def __init__(self, buyers: list[list[Merged]]) -> None:
        rows = [message for messages in buyers for message in messages]
        markers = [transfer_names(m.text, SHOP) if m.sender_class == "transfer" else None for m in rows]
        self.starts = np.cumsum([0, *map(len, buyers)]).astype(np.int64)
        self.at = np.array([m.ts for m in rows], np.int64)
        self.who = np.array([{"buyer": 0, "human": 1, "transfer": 2}[m.sender_class] for m in rows], np.int8)
        self.agent = np.array([code(m.agent or m.stated) for m in rows], np.int32)
        self.exporter = np.array([code(min(m.exporters, default=None)) for m in rows], np.int32)
        self.origin = np.array([code(pair[0] if pair else None) for pair in markers], np.int32)
        self.target = np.array([code(pair[1] if pair else None) for pair in markers], np.int32)


class Duty:
    """Rosters of some shops, {agent: hours} each, as the reference's clocks and as the kernels' arrays.

    ``roster_of``: roster numbers by shop and agent code, in no order of the agents. ``ranges``: their
    disjoint ranges.
    """

    def __init__(self, *shops: dict[str, list[tuple[int, int]]]) -> None:
        self.clocks = []
        self.roster_of = np.full((len(shops), len(NAMES)), -1, np.int32)
        ranges = []
        for number, agents in enumerate(shops):
            shifts = [(agent, "班", *span, [span]) for agent, spans in agents.items() for span in spans]
            self.clocks.append(ShiftClock({"roster": shifts, "rostered": frozenset(agents)}))
            for agent in agents:
                self.roster_of[number, code(agent)] = len(ranges)
                ranges.append(union(agents[agent]))
        self.ranges = duty_arrays(ranges)

    def is_rostered(self, agent: str | None) -> bool:
        """Whether the first shop's roster names the agent."""
        return self.clocks[0].names(agent)

    def elapsed(self, agent: str | None, instant: int) -> int:
        """Seconds on the clock of the first shop's agent."""
        return self.clocks[0].silence(agent, 0, instant)


def duty_arrays(rosters: list[list[tuple[int, int]]]) -> tuple[np.ndarray, ...]:
    """Disjoint, ascending ranges of each roster as ``cslog.kernels.duty`` takes them."""
    ranges = [span for spans in rosters for span in spans]
    before = [
        sum(end - begin for begin, end in spans[:number]) for spans in rosters for number in range(len(spans))
    ]
    return (
        np.cumsum([0, *map(len, rosters)]).astype(np.int64),
        np.array([begin for begin, _ in ranges], np.int64),
        np.array([end for _, end in ranges], np.int64),
        np.array(before, np.int64),
    )


WALL = Duty({})


class Events:
    """Threads, and the ends of their data, as the arrays that ``walk_threads`` takes."""

    def __init__(self, some_threads: list[list[Msg]], data_ends: list[int], duty: Duty = WALL) -> None:
        events = [message for thread in some_threads for message in thread]
        self.starts = np.cumsum([0, *map(len, some_threads)]).astype(np.int64)
        self.at = np.array([m.ts for m in events], np.int64)
        self.kind = np.array([event_type(m) for m in events], np.int8)
        self.visible = np.array([m.kind != "text" or m.characters > 0 for m in events], np.int8)
        self.characters = np.array([m.characters for m in events], np.int32)
        self.elapsed = np.array([duty.elapsed(m.agent, m.ts) for m in events], np.int64)
        agents = [thread[0].agent for thread in some_threads]
        self.data_end = np.array(data_ends, np.int64)
        self.data_elapsed = np.array(list(map(duty.elapsed, agents, data_ends)), np.int64)
        self.age_limit = np.array([DAY if duty.is_rostered(agent) else 2**62 for agent in agents], np.int64)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        return (
            self.starts,
            self.at,
            self.elapsed,
            self.kind,
            self.visible,
            self.characters,
            self.data_end,
            self.data_elapsed,
            self.age_limit,
        )


def event_type(message: Msg) -> int:
    """BUYER, STAFF, VOID or REOPEN."""
    return {"B": 0 if message.real else 3, "A": 1, "V": 2}[message.who]
