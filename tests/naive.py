"""The slow, obvious version of every KPI: the oracle the fast program is compared with on random data.

Written from the KPI specification ("spec") and `docs/definitions.md` ("definitions") alone, in pure
standard-library Python; it imports nothing from cslog. Nothing here is clever, on purpose: every file is
merged, every thread is walked message by message, every second of a session is counted. Sections:

1 time, 2 reading a line, 3 merging files (I2), 4 whose buyer message is it (I3), 5 rosters and the shift
clock, 6 threads and transfers, 7 turns, sessions, filters, peer-days (reference code of spec 7), 8 orders,
credit, enquiry, 9 facts of a shop, 10 rows of a report, 11 the list of orders.
"""

import re
from bisect import bisect_right
from collections import Counter, defaultdict, namedtuple
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

DAY = 86400

# ---- input ----------------------------------------------------------------------------------------
Line = namedtuple("Line", "ts sender text")
Block = namedtuple("Block", "buyer lines")
Export = namedtuple("Export", "shop login blocks")
OrderRow = namedtuple(
    "OrderRow",
    "shop order_id buyer created paid shipped state amount items refund memo flag post_fee",
    defaults=("", "", 0),
)

# ---- what the reference code of spec 7 works on ---------------------------------------------------
# who: 'B' buyer, 'A' staff, 'V' voids the open turn (a transfer marker seen from the agent it leaves).
# valid=False: auto reply or full robot. real=False: the re-opening of a turn by a transfer (definitions 8).
Msg = namedtuple(
    "Msg", "ts agent buyer who valid seq kind characters real text", defaults=(0, "text", 1, True, "")
)
# began: first second of the session in which the turn opens; worked: its wait on the shift clock; seq: of its
# opening. They are filled in for a whole shop (section 9); without `worked` a turn has its wall wait.
Turn = namedtuple(
    "Turn", "agent buyer day open reply nb first init late began worked seq", defaults=(None, None, None)
)
Question = namedtuple("Question", "message began wait")  # wait None: no staff message came
Night = namedtuple("Night", "turn answered")
Order = namedtuple(
    "Order",
    "oid buyer created paid amount items shipped memo flag excluded",
    defaults=(0, None, "", "", False),
)

# One copy of a message in one file, and the message merged from all its copies.
Copy = namedtuple("Copy", "key number rank sender_class text stated exporter")
Merged = namedtuple("Merged", "ts sender agent buyer sender_class kind text stated exporters seq")

PeerDay = namedtuple(
    "PeerDay",
    "shop agent buyer day klass hour first_seq first_buyer_ts initiator"
    " forwarded_in forwarded_out slow long continuation first_buyer_seq turns",
    defaults=(None, ()),
)
Fact = namedtuple("Fact", "kind shop agent day hour value team shift", defaults=(None, None))

# ---- profiles: the table of spec 6 and definitions 30 to 40 ----------------------------------------


def four_rates(level):
    return {6: level, 30: level, 60: level, 180: level}


CHITU = {
    "max_wait": 600,
    "cap": None,
    "unanswered": None,  # what an unanswered turn counts in the mean
    "day_close": False,
    "clock": "wall",
    "window": None,
    "window_of": "turn",
    "day_cut": 0,
    "first_any": False,  # a first response also where the agent spoke first
    "transfer": "neutral",
    "assist_valid": True,
    "levels": four_rates("turn"),
    "shop_mean": "ratio",
    "night": (82800, 32400),
    "night_due": 34200,
    "filters": ("internal", "empty", "monologue"),
    "slow_s": 120,
    "slow_times": 3,
    "long_s": 3600,
    "lookup": "asof",
    "lookback": 2 * DAY,
    "after_sale": "paid",
    "after_sale_days": 21,
    "order_days": 2,
    "unpaid_days": 3,
    "urge_limit": 0,
    "post_fee": "in",
    "refunds": "in",
}
TAOBAO = {
    **CHITU,
    "max_wait": None,
    "cap": 600,
    "unanswered": 600,
    "day_close": True,
    "clock": "window",
    "window": (8 * 3600, 23 * 3600),
    "first_any": True,
    "transfer": "strict",
}
JD = {
    **CHITU,
    "clock": "window",
    "window": (9 * 3600, 23 * 3600),
    "window_of": "session",
    "assist_valid": False,
    "levels": four_rates("first_turn"),
}
PDD = {
    **CHITU,
    "max_wait": None,
    "day_close": True,
    "clock": "window",
    "window": (8 * 3600, 23 * 3600),
    "assist_valid": False,
    "levels": {**four_rates("message"), 180: "peer_day"},
    "first_any": True,
    "transfer": "strict",
}
DOUYIN = {
    **CHITU,
    "max_wait": None,
    "day_close": True,
    "clock": "window",
    "window": (8 * 3600, 23 * 3600),
    "levels": four_rates("message"),
}
VIP = {
    **CHITU,
    "clock": "window",
    "window": (9 * 3600, 23 * 3600),
    "assist_valid": False,
    "first_any": True,
    "shop_mean": "agents",
}
PROFILES = {"chitu": CHITU, "taobao": TAOBAO, "jd": JD, "pdd": PDD, "douyin": DOUYIN, "vip": VIP}


def own_profile(base, changes):
    """A profile of one's own: `base` with some switches changed, named as in the profiles' TOML files."""
    P = {**PROFILES[base], "levels": dict(PROFILES[base]["levels"])}
    for name, value in changes.items():
        if name in ("id", "base", "session_gap_s"):
            continue  # the gap of sessions is max_wait, or 600 s where there is none (spec 6)
        if name == "first_response":
            P["first_any"] = value == "any"
        elif name.startswith("within_"):
            P["levels"][int(name[7:-1])] = value
        elif name in ("window", "night"):
            P[name] = tuple(seconds_of_clock(text) for text in value)
        elif name in ("day_cut_s", "night_due_s"):
            P[name[:-2]] = seconds_of_clock(value)
        elif name in ("max_wait_s", "cap_s", "unanswered_s"):
            P[name[:-2]] = value or None
        elif name in ("lookback_s", "urge_limit_s"):
            P[name[:-2]] = value
        else:
            assert name in P, name
            P[name] = value
    P["day_close"] = P["max_wait"] is None
    return P


def seconds_of_clock(text):
    hours, minutes = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60


# ---- what a shop may configure (cslog.toml) --------------------------------------------------------
NO_SETTINGS = {
    "filters": [],
    "auto": {},
    "teams": {},
    "assistants": [],
    "roster": [],
    "rostered": frozenset(),
    "flags": {},
    "memo": None,
    "excluded_orders": [],
}


def whole_settings(settings):
    return {**NO_SETTINGS, **(settings or {})}


SESSION_GAP = 600  # sessions of profiles without max_wait (spec 6)
SLOW_SECONDS, SLOW_TURNS, LONG_SECONDS = 120, 3, 3600
AUTO_MARKER = "[自动回复]"
KINDS = {"[图片]": "image", "[卡片]": "card", "[语音]": "voice", "[视频]": "video"}
TRANSFER = re.compile(r"^由\s*(.+?)\s*转交给\s*(.+?)([，,]原因.*)?$")
RECALL = re.compile(r"^(.*)撤回了(一|1)条消息$")
# over several copies the first one holds (definitions 6)
CLASS_ORDER = ("transfer", "system", "auto", "assist", "human", "buyer")


# ==== 1. time (spec T1, T2) ========================================================================


def bday(ts, P):
    """Business day number of an instant (T2)."""
    return (ts - P["day_cut"]) // DAY


def clock_hour(ts):
    return ts % DAY // 3600


def day_date(day):
    return date(1970, 1, 1) + timedelta(days=day)


def day_text(day):
    return day_date(day).isoformat()


def week_text(day):
    year, week, _ = day_date(day).isocalendar()
    return f"{year:04d}-W{week:02d}"


def month_text(day):
    return day_date(day).strftime("%Y-%m")


def instant_text(ts):
    return (datetime(1970, 1, 1) + timedelta(seconds=ts)).isoformat() + "+08:00"


# ==== 2. reading a line (spec I1, M1, M2; formats 6) ===============================================


def strip_site(name):
    """`cntaobao某店:小美` -> `某店:小美` (I1)."""
    for prefix in ("cntaobao", "cnalichn"):
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def short_agent(name, shop):
    """The agent's name: what follows `shop:`; the main account is the agent named like the shop (I1)."""
    name = strip_site(name)
    return name[len(shop) + 1 :] if name.startswith(shop + ":") else name


def is_staff(name, shop):
    return name == shop or name.startswith(shop + ":")


def kind_of(text):
    return KINDS.get(text, "text")


def transfer_names(text, shop):
    """(X, Y) of the marker `由 X 转交给 Y`, else None. A second line may hold nothing but the reason."""
    first_line, _, rest = text.strip().partition("\n")
    if rest and not rest.strip().startswith("原因"):
        return None
    match = TRANSFER.match(first_line.strip())
    if match is None:
        return None
    return short_agent(match[1], shop), short_agent(match[2], shop)


def is_system(text):
    return text.startswith(("当前用户来自", "该用户来自")) or text == "消息已撤回" or bool(RECALL.match(text))


def class_of(sender, buyer, shop, text, robots, assistants=()):
    """Message class of spec M1. Transfer markers are attributed to the buyer (formats 6)."""
    if sender == buyer and transfer_names(text, shop):
        return "transfer"
    if is_system(text):
        return "system"
    if sender == buyer:
        return "buyer"
    if not is_staff(sender, shop):
        raise ValueError(f"sender {sender!r} is neither the buyer nor staff of {shop!r}")
    if text.startswith(AUTO_MARKER) or short_agent(sender, shop) in robots:
        return "auto"
    return "assist" if short_agent(sender, shop) in assistants else "human"  # definitions 7a


def writable_in_gbk(character):
    try:
        character.encode("gbk")
    except UnicodeEncodeError:
        return False
    return True


def without_marker(text):
    for marker in (AUTO_MARKER, "(自动回复)"):
        if text.startswith(marker):
            return text[len(marker) :]
    return text


def normalised(text):
    """Definitions 1: equal for two copies of one message whatever the encoding of their files."""
    if kind_of(text) != "text":
        return ""
    return "".join(
        c for c in without_marker(text) if not c.isspace() and c not in "?？\ufffd" and writable_in_gbk(c)
    )


def characters_of(text):
    """Code points without white space, auto marker removed; 0 for what is not text."""
    if kind_of(text) != "text":
        return 0
    return sum(not c.isspace() for c in without_marker(text))


# ==== 3. merging files (spec I2, definitions 1, 2, 6) ==============================================


def is_internal(block, shop):
    """Both sides are staff (M1): invisible everywhere (M3)."""
    return is_staff(strip_site(block.buyer), shop)


def known_lines(block, as_of):
    """Definitions 28: with --as-of later messages are as if unknown."""
    return [line for line in block.lines if as_of is None or line.ts <= as_of]


def stated_agent(lines, shop, login, robots):
    """Definitions 3: what a contact block states about the agent of its buyer messages; None: nothing."""
    speakers = set()
    for line in lines:
        sender = strip_site(line.sender)
        if is_system(line.text):
            continue
        if sender.startswith(shop + ":") and short_agent(sender, shop) not in robots:
            speakers.add(short_agent(sender, shop))
    if not speakers:
        return short_agent(login, shop)
    return speakers.pop() if len(speakers) == 1 else None


def copies_of(export, robots, as_of, assistants=()):
    """Every message of one file with its number (I2) and rank (definitions 2)."""
    numbers, ranks, copies = Counter(), Counter(), []
    for block in export.blocks:
        if is_internal(block, export.shop):
            continue
        buyer, lines = strip_site(block.buyer), known_lines(block, as_of)
        # What a block states is read off the file, whatever instant a report looks back to.
        stated = stated_agent(block.lines, export.shop, export.login, robots)
        for line in lines:
            sender = strip_site(line.sender)
            key = (buyer, sender, line.ts, kind_of(line.text), normalised(line.text))
            copies.append(
                Copy(
                    key=key,
                    number=numbers[key],
                    rank=ranks[buyer, line.ts],
                    sender_class=class_of(sender, buyer, export.shop, line.text, robots, assistants),
                    text=line.text,
                    stated=stated,
                    exporter=short_agent(export.login, export.shop),
                )
            )
            numbers[key] += 1
            ranks[buyer, line.ts] += 1
    return copies


def merge(shop, exports, robots, as_of, assistants=()):
    """{buyer: messages in order} from all files of a shop; no rule looks at the order of files."""
    groups = defaultdict(list)
    for export in exports:
        for copy in copies_of(export, robots, as_of, assistants):
            groups[copy.key, copy.number].append(copy)
    by_buyer = defaultdict(list)
    for (key, number), copies in groups.items():
        buyer, sender, ts, kind, text_key = key
        rank = max(copy.rank for copy in copies)
        side = 2 if sender != buyer else 1 if any(copy.sender_class == "transfer" for copy in copies) else 0
        order = (ts, rank, side, sender, kind, text_key, number)
        by_buyer[buyer].append((order, copies))
    return {
        buyer: [merged_message(shop, copies, seq) for seq, (_, copies) in enumerate(sorted(entries))]
        for buyer, entries in by_buyer.items()
    }


def merged_message(shop, copies, seq):
    buyer, sender, ts, kind, _ = copies[0].key
    stated = [copy.stated for copy in copies if copy.stated is not None]
    return Merged(
        ts=ts,
        sender=sender,
        agent=None if sender == buyer else short_agent(sender, shop),
        buyer=buyer,
        sender_class=min((copy.sender_class for copy in copies), key=CLASS_ORDER.index),
        kind=kind,
        text=max((copy.text for copy in copies), key=lambda text: (characters_of(text), text)),
        stated=min(stated, default=None),
        exporters={copy.exporter for copy in copies},
        seq=seq,
    )


def automatic_by_setting(conversations, auto, P):
    """Definitions 49: {(buyer, seq): rule} of staff messages that the configuration calls automatic."""
    found, candidates = {}, defaultdict(list)
    for buyer, messages in conversations.items():
        asked_at = None
        for m in messages:
            if m.sender_class == "buyer":
                asked_at = m.ts
            if m.sender_class not in ("human", "assist"):
                continue
            words = normalised(m.text)
            if any(words.startswith(normalised(prefix)) for prefix in auto.get("prefixes", ())):
                found[buyer, m.seq] = "prefix"
            elif words in [normalised(text) for text in auto.get("texts", ())]:
                found[buyer, m.seq] = "text"
            elif m.kind == "text" and asked_at is not None and m.ts - asked_at <= auto.get("seconds", 1):
                same = (m.sender, m.kind, normalised(m.text), bday(m.ts, P))
                candidates[same].append((buyer, m.seq))
    if auto.get("statistical"):
        for copies in candidates.values():
            if len({buyer for buyer, _ in copies}) >= auto.get("buyers", 20):
                found.update(dict.fromkeys(copies, "statistical"))
    return found


def with_automatic(conversations, auto, P):
    found = automatic_by_setting(conversations, auto, P)
    return {
        buyer: [m._replace(sender_class="auto") if (buyer, m.seq) in found else m for m in messages]
        for buyer, messages in conversations.items()
    }


# ==== 4. whose buyer message is it (spec I3, definitions 3 to 5) ===================================


def is_valid_staff(message, P):
    return message.sender_class == "human" or (message.sender_class == "assist" and P["assist_valid"])


def is_countable(message, P):
    return message.sender_class == "buyer" or is_valid_staff(message, P)


def session_gap(P):
    return P["max_wait"] or SESSION_GAP


def runs(messages, P):
    """Maximal rows of countable messages with gaps < max_wait, all agents together (definitions 4)."""
    out = []
    for message in messages:
        if not is_countable(message, P):
            continue
        if out and message.ts - out[-1][-1].ts < session_gap(P):
            out[-1].append(message)
        else:
            out.append([message])
    return out


def inferred_agent(message, run, markers, shop, P):
    """Definitions 4, for a buyer message no copy states."""
    before = [m for m in markers if run[0].ts <= m.ts <= run[-1].ts and m.seq < message.seq]
    if before:
        return transfer_names(before[-1].text, shop)[1]
    staff_after = [m for m in run if is_valid_staff(m, P) and m.seq > message.seq]
    if staff_after:
        return staff_after[0].agent
    staff_before = [m for m in run if is_valid_staff(m, P) and m.seq < message.seq]
    if staff_before:
        return staff_before[-1].agent
    return min(message.exporters, default=None)


def with_agents(messages, shop, P):
    """The messages of one (shop, buyer), every countable one with its agent (None: nobody, definitions 5)."""
    markers = [m for m in messages if m.sender_class == "transfer"]
    agents = {}
    for run in runs(messages, P):
        for m in run:
            if m.sender_class == "buyer":
                agents[m.seq] = m.stated if m.stated is not None else inferred_agent(m, run, markers, shop, P)
    return [m._replace(agent=agents.get(m.seq, m.agent)) for m in messages]


# ==== 5. rosters and the shift clock (spec 5, definitions 42 to 45) ================================

Shift = namedtuple("Shift", "agent name begin end hours")


def roster_of(settings):
    """Every rostered shift of the shop; `hours` are its half-open ranges, breaks left out."""
    return [Shift(*entry) for entry in whole_settings(settings)["roster"]]


def union(ranges):
    """Disjoint half-open ranges, in order, that cover the same seconds."""
    out = []
    for begin, end in sorted(ranges):
        if out and begin <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((begin, end))
    return out


def seconds_inside(ranges, begin, end):
    """Seconds of [begin, end) that any of the ranges covers."""
    return sum(max(0, min(end, last) - max(begin, first)) for first, last in union(ranges))


class ShiftClock:
    """Rostered and worked time of the agents whom the roster names; everybody else keeps the wall clock."""

    def __init__(self, settings):
        self.shifts = roster_of(settings)
        self.agents = set(whole_settings(settings)["rostered"]) | {shift.agent for shift in self.shifts}
        self.rostered = {agent: [] for agent in self.agents}
        for shift in self.shifts:
            self.rostered[shift.agent] += shift.hours
        self.worked = {agent: list(ranges) for agent, ranges in self.rostered.items()}

    def names(self, agent):
        return agent is not None and agent in self.agents

    def extend(self, agent, spans):
        """Definitions 43; spans = [(first second, last second)] of all sessions of the agent."""
        for shift in self.shifts:
            if shift.agent == agent:
                ends = [last + 1 for first, last in spans if first < shift.end <= last]
                if ends:
                    self.worked[agent].append((shift.end, max(ends)))

    def silence(self, agent, begin, end):
        """Seconds that a silence counts: rostered time, without extensions (definitions 42)."""
        return seconds_inside(self.rostered[agent], begin, end) if self.names(agent) else end - begin

    def wait(self, agent, begin, end):
        """Worked time in [begin, end) (definitions 44)."""
        return seconds_inside(self.worked[agent], begin, end) if self.names(agent) else end - begin


def clock_of(settings, P):
    return ShiftClock(settings) if P["clock"] == "shift" else None


def shift_at(shifts, agent, ts):
    """Definitions 45: the name of the shift that covers ts, breaks included, extensions not; None: none.

    `agent` None asks for any agent of the shop (silent orders).
    """
    covering = [s for s in shifts if (agent is None or s.agent == agent) and s.begin <= ts < s.end]
    return min(covering, key=lambda s: (s.begin, s.name)).name if covering else None


def team_of(teams, agent):
    """Definitions 46: the first team by name that lists the agent."""
    return min((name for name, agents in teams.items() if agent in agents), default=None)


# ==== 6. threads and transfers (spec 2, definitions 8 to 10) =======================================


def silence_is_over(opener, previous, ts, P, clock):
    """Has a silence of max_wait since the thread's last message closed the open turn before ts?"""
    if not P["max_wait"]:
        return False
    if clock is None or not clock.names(opener.agent):
        return ts - previous.ts >= P["max_wait"]
    return clock.silence(opener.agent, previous.ts, ts) >= P["max_wait"] or ts - opener.ts >= DAY


def day_is_over(previous, ts, P):
    """Without max_wait an open turn closes at the end of its day (definitions 40)."""
    return P["day_close"] and bday(ts, P) != bday(previous.ts, P)


def open_turn(thread, ts, P, clock=None):
    """The message that opened the turn still open at ts in this thread, else None."""
    state = walk(thread, P, clock)
    if state.pending is None:
        return None
    if silence_is_over(state.opener, state.previous, ts, P, clock) or day_is_over(state.previous, ts, P):
        return None
    return state.opener


def threads_of(messages, shop, P, clock=None):
    """{agent: thread} of one (shop, buyer), `neutral` transfers worked in as V and re-opening B."""
    threads = defaultdict(list)
    for m in messages:
        if m.sender_class == "buyer" or is_valid_staff(m, P):
            who = "B" if m.sender_class == "buyer" else "A"
            characters = characters_of(m.text)
            threads[m.agent].append(
                Msg(m.ts, m.agent, m.buyer, who, True, m.seq, m.kind, characters, True, m.text)
            )
        elif m.sender_class == "transfer" and P["transfer"] == "neutral":
            leaving, taking = transfer_names(m.text, shop)
            apply_transfer(threads, m, leaving, taking, P, clock)
    return {agent: thread for agent, thread in threads.items() if thread}


def apply_transfer(threads, marker, leaving, taking, P, clock=None):
    """Definitions 8: void the open turn of the agent it leaves, re-open it for the agent who takes over."""
    if leaving == taking:
        return
    opener = open_turn(threads[leaving], marker.ts, P, clock)
    if opener is None:
        return
    if any(m.who == "A" and m.seq > opener.seq for m in threads[taking]):
        return  # answered before
    taking_has_open_turn = open_turn(threads[taking], marker.ts, P, clock) is not None
    void = Msg(marker.ts, leaving, marker.buyer, "V", True, marker.seq, "text", 0, False)
    threads[leaving].append(void)
    if not taking_has_open_turn:
        threads[taking].append(void._replace(agent=taking, who="B"))


# ==== 7. turns, sessions, filters, peer-days: the reference code of spec 7 =========================

# turns: the closed ones; pending, opener: the turn still open and the message that opened it, or None;
# previous: the last message; openers: of the closed turns; asked: all buyer messages of the closed turns;
# waiting: those of the open turn.
Walk = namedtuple("Walk", "turns pending opener previous openers asked waiting")


def walk(thread, P, clock=None):
    out, op, nb, prev, seen, init, op_init = [], None, 0, None, set(), None, None
    openers, asked, waiting = [], [], []

    def make(reply, late):
        d = bday(op.ts, P)
        return Turn(op.agent, op.buyer, d, op.ts, reply, nb, d not in seen, op_init, late)

    def close(reply, late=None):
        nonlocal op, nb, asked, waiting
        out.append(make(reply, late))
        openers.append(op)
        seen.add(out[-1].day)
        asked, waiting = asked + waiting, []
        op, nb = None, 0

    for m in thread:
        if m.who == "A" and not m.valid:
            continue  # auto replies are invisible to the state machine
        if m.who == "V":
            op, nb, waiting = None, 0, []  # a transfer took the turn away: it is in no figure
            continue
        new_session = prev is None or m.ts - prev.ts >= session_gap(P)
        if op is not None and (silence_is_over(op, prev, m.ts, P, clock) or day_is_over(prev, m.ts, P)):
            close(None, m.ts - op.ts if m.who == "A" else None)  # out of the mean, kept as `late`
        if new_session:
            init = m.who
        if m.who == "B":
            if op is None:
                op, op_init = m, init  # the clock starts at the FIRST unanswered buyer message
            nb += m.real
            waiting.append(m)
        elif op is not None:
            close(m.ts)  # further agent messages are follow-ups, no turn
        prev = m
    return Walk(out, make(None, None) if op is not None else None, op, prev, openers, asked, waiting)


def is_censored(state, P, data_end, clock=None):
    """The data end before the silence is over: the turn that is still open is in no figure."""
    if state.pending is None or not P["max_wait"]:
        return False
    return not silence_is_over(state.opener, state.previous, data_end, P, clock)


def every_turn(thread, P, data_end, clock=None):
    """Turns of ONE (shop, agent, buyer) thread, the window not yet applied."""
    state = walk(thread, P, clock)
    if state.pending is None or is_censored(state, P, data_end, clock):
        return state.turns
    return [*state.turns, state.pending]


def questions_of(thread, P, data_end, clock=None):
    """Definitions 35: buyer messages, those of void and censored turns aside; the window not yet applied."""
    state = walk(thread, P, clock)
    return state.asked + ([] if is_censored(state, P, data_end, clock) else state.waiting)


def next_staff(thread, seq):
    """The second of the thread's next valid staff message after the message `seq`, else None."""
    return next((m.ts for m in thread if m.who == "A" and m.valid and m.seq > seq), None)


def openers_of(thread, P, clock=None):
    """The buyer messages that opened the turns of a thread, in the order of `every_turn`."""
    state = walk(thread, P, clock)
    return [*state.openers, state.opener]


def session_begin(thread_sessions, ts):
    return next(s[0].ts for s in thread_sessions if s[0].ts <= ts <= s[-1].ts)


def counts_in_window(instant, began, P):
    """Clock `window` (spec 5): what opens inside it, waits uncut; jd asks for the session's begin."""
    if P["clock"] != "window" or not P["window"]:
        return True
    asked = began if P["window_of"] == "session" else instant
    return P["window"][0] <= asked % DAY < P["window"][1]


def in_window(some_turns, P):
    return [t for t in some_turns if counts_in_window(t.open, t.began, P)]


def turns(thread, P, data_end):
    return in_window(every_turn(thread, P, data_end), P)


def wall_wait_of(turn):
    return None if turn.reply is None else turn.reply - turn.open


def wait_of(turn):
    return wall_wait_of(turn) if turn.worked is None else turn.worked


def response_waits(some_turns, P):
    """The waits in the mean: capped, and an unanswered turn counts what the profile says, if anything."""
    waits = [wait_of(t) for t in some_turns if t.reply is not None]
    if P["cap"]:
        waits = [min(w, P["cap"]) for w in waits]
    if P["unanswered"]:
        waits += [P["unanswered"]] * sum(t.reply is None for t in some_turns)
    return waits


def is_first_response(t, P):
    """Spec 3: the first turn of a peer-day, when the buyer began its session; some profiles take any session."""
    return t.first and (t.init == "B" or P["first_any"])


def first_waits(some_turns, P):
    return [wait_of(t) for t in some_turns if is_first_response(t, P) and t.reply is not None]


def first_waits_any(some_turns):
    return [wait_of(t) for t in some_turns if t.first and t.reply is not None]


def within(some_turns, limit):
    """Turns answered in <= limit seconds; an unanswered turn is a miss."""
    return sum(t.reply is not None and wait_of(t) <= limit for t in some_turns)


def response(some_turns, P, limit=180):
    """The `response` function of spec 7."""
    waits, first = response_waits(some_turns, P), first_waits(some_turns, {**P, "first_any": False})
    return {
        "turns": len(some_turns),
        "answered": sum(t.reply is not None for t in some_turns),
        "cost": sum(waits),
        "times": len(waits),
        "avg": mean(waits),
        "frt": mean(first),
        "within": within(some_turns, limit),
    }


def sessions(thread, P):
    out = []
    for m in thread:
        if m.who == "V" or (m.who == "A" and not m.valid):
            continue
        if out and m.ts - out[-1][-1].ts < session_gap(P):
            out[-1].append(m)
        else:
            out.append([m])
    return out


def peer_days(thread, P, tl, filters=(), forwards=frozenset()):
    """-> {day: (buyer messages, agent messages, class)}; a filtered day has the name of its rule as class."""
    items, own = defaultdict(list), set()
    for s in sessions(thread, P):
        own.add(bday(s[0].ts, P))
        for m in s:
            items[bday(m.ts, P)].append(m)
    answered = {t.day for t in tl if t.reply is not None}
    res = {}
    for d in sorted(items):
        spoke = any(m.who == "B" for m in items[d])  # a re-opening counts too (definitions 8)
        nb = sum(m.who == "B" and m.real for m in items[d])
        na = sum(m.who == "A" for m in items[d])
        if not spoke and d not in own:
            c = "spill"  # only the tail of yesterday's session
        else:
            c = filter_of(items[d], filters, ("out", items[d][0].agent, d) in forwards, P)
            c = c or ("received" if na or d in answered else "unreplied")
        res[d] = (nb, na, c)
    return res


def filter_of(items, filters, forwarded_out, P):
    """Definitions 48: the name of the first rule that matches a peer-day, else None."""
    configured = [f["rule"] for f in filters]
    built_in = [{"rule": r} for r in ("empty", "monologue") if r in P["filters"] and r not in configured]
    for f in [*filters, *built_in]:
        if filter_matches(f, items, forwarded_out):
            return f.get("name") or f["rule"]
    return None


def filter_matches(f, items, forwarded_out):
    real = [m for m in items if m.real]
    from_buyer = [m for m in real if m.who == "B"]
    from_staff = [m for m in real if m.who == "A"]
    rule = f["rule"]
    if rule == "empty":
        return is_empty(items)
    if rule == "monologue":
        return not any(m.who == "B" for m in items)
    if rule == "single_sentence":
        return len(from_buyer) == 1 and len(real) < f["fewer_than"]
    if rule == "accounts":
        return items[0].agent in f["accounts"] or items[0].buyer in f["accounts"]
    if rule == "forwards":
        return forwarded_out and len(from_staff) <= f.get("replies", 0)
    side = f.get("from") or ("any" if rule == "mass" else "buyer")
    looked_at = {"buyer": from_buyer, "agent": from_staff, "any": real}[side]
    texts = [m for m in looked_at if m.kind == "text"]
    if f.get("shorter_than") is not None:
        texts = [m for m in texts if m.characters < f["shorter_than"]]
    if f.get("fewer_than") is not None and not len(real) < f["fewer_than"]:
        return False
    said = [normalised(m.text) for m in texts]
    if rule == "mass":
        return any(words.startswith("@") for words in said)
    if rule == "keywords":
        return any(normalised(word) in words for words in said for word in f["words"])
    assert rule == "exact", rule
    return any(normalised(text) == words for words in said for text in f["texts"])


def is_empty(items):
    """Definitions 11: every message is a text without any visible character."""
    real = [m for m in items if m.real]
    return bool(real) and all(m.kind == "text" and m.characters == 0 for m in real)


def max_concurrent(ss):
    """Half-open [start, end + 1 s): an end frees the slot before a start takes it."""
    ev = sorted([(s[0].ts, 1) for s in ss] + [(s[-1].ts + 1, -1) for s in ss])
    cur = best = 0
    for _, x in ev:
        cur += x
        best = max(best, cur)
    return best


# ==== 8. orders, credit, enquiry (spec 4, definitions 50 to 56, reference code of spec 7) ==========


def fold_orders(order_rows, as_of, P=CHITU, settings=None):
    """{shop: [Order]}: versions folded (spec 4.6), what lies after as_of forgotten (definitions 28)."""
    S = whole_settings(settings)
    versions = defaultdict(list)
    for row in order_rows:
        versions[row.shop, row.order_id].append(row)
    out = defaultdict(list)
    for (shop, order_id), rows in sorted(versions.items()):
        current = max(rows, key=version_rank)
        created = min(r.created for r in rows if r.created is not None)
        paid = min((r.paid for r in rows if r.paid is not None), default=None)
        if as_of is not None and created > as_of:
            continue
        if as_of is not None and paid is not None and paid > as_of:
            paid = None
        out[shop].append(
            Order(
                oid=order_id,
                buyer=strip_site(current.buyer),
                created=created,
                paid=paid,
                amount=sales_amount_of(current, P),
                items=current.items,
                shipped=current.shipped,
                memo=current.memo or "",
                flag=current.flag or "",
                excluded=S["flags"].get(current.flag) == "exclude" or order_id in S["excluded_orders"],
            )
        )
    return out


def sales_amount_of(row, P):
    """Definitions 54."""
    amount = row.amount
    if P["post_fee"] == "out":
        amount -= row.post_fee or 0
    if P["refunds"] == "out":
        amount -= row.refund or 0
    return max(0, amount)


def version_rank(row):
    """Spec 4.6. What stands for the content hash decides only between versions that differ in nothing else."""

    def known(value):
        return -1 if value is None else value

    content = (row.amount, row.items, row.buyer, known(row.created), known(row.paid))
    return (row.state, row.refund or 0, known(row.shipped), *content)


def is_masked(nick):
    return "*" in nick


def agent_at(elig, buyer, t, lookback=2 * DAY):
    """`asof`, the default. elig[buyer] = [(ts, agent)] of eligible messages (spec 4.1) in their order."""
    L = elig.get(buyer, [])
    i = bisect_right(L, t, key=lambda entry: entry[0]) - 1
    return L[i][1] if i >= 0 and t - L[i][0] <= lookback else None


def agent_at_first(elig, buyer, t, lookback=2 * DAY):
    return next((agent for ts, agent in elig.get(buyer, []) if t - lookback <= ts <= t), None)


def agent_at_same_day(elig, buyer, t, P):
    before = [agent for ts, agent in elig.get(buyer, []) if bday(ts, P) == bday(t, P) and ts <= t]
    return before[-1] if before else None


def agent_at_covering(spans, t, lookback=2 * DAY):
    """Spans of one buyer: (first, last, agent) or (first, last, agent, seq of the last message)."""
    cov = [s for s in spans if s[0] <= t < s[1]]
    prv = [s for s in spans if t - lookback <= s[1] <= t]
    best = max(cov or prv, key=lambda s: (s[1], s[0], s[3:]), default=None)
    return best[2] if best else None


def who_was_with(elig, spans, buyer, t, P):
    """Definitions 50. spans[buyer]: chat spans, see agent_at_covering."""
    if P["lookup"] == "covering":
        return agent_at_covering((spans or {}).get(buyer, []), t, P["lookback"])
    if P["lookup"] == "first":
        return agent_at_first(elig, buyer, t, P["lookback"])
    if P["lookup"] == "same_day":
        return agent_at_same_day(elig, buyer, t, P)
    return agent_at(elig, buyer, t, P["lookback"])


def order_and_payment_agent(elig, o, P, spans=None):
    """The two lookups behind the rules, the second under 催付限制 (definitions 53)."""
    if is_masked(o.buyer):
        return None, None  # never joined (definitions 26)
    order_agent = who_was_with(elig, spans, o.buyer, o.created, P)
    if o.paid is None:
        return order_agent, None
    if order_agent is None:  # nobody was with the buyer: who urged him to pay too soon wins nothing

        def too_soon(ts):
            return o.created < ts <= o.created + P["urge_limit"]

        elig = {o.buyer: [entry for entry in elig.get(o.buyer, []) if not too_soon(entry[0])]}
        spans = {o.buyer: [span for span in (spans or {}).get(o.buyer, []) if not too_soon(span[0])]}
    return order_agent, who_was_with(elig, spans, o.buyer, o.paid, P)


def memo_agent(o, settings):
    """Definitions 51: whom the seller memo names, else None."""
    S = whole_settings(settings)
    if S["memo"] is None:
        return None
    if S["memo"].get("claimed_only") and S["flags"].get(o.flag) != "claim":
        return None
    match = re.search(S["memo"]["pattern"], o.memo)
    if match is None:
        return None
    found = match[1] if match.re.groups else match[0]
    return S["memo"].get("numbers", {}).get(found, found)


def credit(elig, o, rule, P=CHITU, spans=None, settings=None):
    """-> (credited agent, order agent, payment agent); exclusion is not looked at here."""
    oa, pa = order_and_payment_agent(elig, o, P, spans)
    credited = {
        "order": lambda: oa,
        "payment": lambda: pa,
        "order_first": lambda: oa or pa,
        "memo": lambda: memo_agent(o, settings),
    }[rule]()
    return credited, oa, pa


def seller_of(elig, o, rule, P, spans, settings):
    """Whose sale a paid order is; definitions 52: nobody's when it is excluded."""
    return None if o.excluded else credit(elig, o, rule, P, spans, settings)[0]


def sale_instant(o, rule):
    """The instant a paid order is dated by (spec 4.3)."""
    return o.created if rule == "order" else o.paid


def enquiry(a, b, d, t0, orders, elig, P, rule="order_first", spans=None, settings=None):
    """Outcome of one received peer-day (a, b, d); t0 = its first buyer message."""
    after, n_order, unpaid_close = P["after_sale_days"], P["order_days"], P["unpaid_days"]
    mine = [o for o in orders if o.buyer == b and not is_masked(b)]
    bought = [o.shipped if P["after_sale"] == "shipped" else o.paid for o in mine]  # definitions 55
    prior = any(ts is not None and t0 - after * DAY <= ts < t0 for ts in bought)
    post = [o for o in mine if o.created >= t0 and bday(o.created, P) < d + n_order]  # ordered after asking
    pend = [o for o in mine if t0 - unpaid_close * DAY <= o.created < t0 and (o.paid is None or o.paid >= t0)]
    rel = post + pend
    if prior and not rel:
        return "after_sale"

    def a_colleagues(o):  # an excluded order counts as one (definitions 52)
        return o.excluded or credit(elig, o, rule, P, spans, settings)[0] not in (a, None)

    if rel and all(a_colleagues(o) for o in rel):
        return "assist"
    fin = [o for o in rel if o.paid is not None and bday(o.paid, P) <= d + n_order - 1 + unpaid_close]
    return {
        "order_today": any(bday(o.created, P) == d for o in post),
        "order_final": bool(post),
        "paid_today": any(bday(o.paid, P) == d for o in fin),
        "paid_next": any(bday(o.paid, P) <= d + 1 for o in fin),
        "paid_final": bool(fin),
        "enquiry_lost": not rel,
        "order_lost": bool(rel) and not fin,
    }


def ordered_after(peer_day, orders, P):
    """Definitions 25: an order created after the first buyer message, on that day or the next."""
    return any(
        o.buyer == peer_day.buyer
        and not is_masked(o.buyer)
        and o.created >= peer_day.first_buyer_ts
        and bday(o.created, P) <= peer_day.day + 1
        for o in orders
    )


# ==== 9. facts of a shop ===========================================================================


def data_end_of(exports, as_of):
    """Definitions 28: --as-of, else the shop's last message of any class; None when nothing is known."""
    if as_of is not None:
        return as_of
    blocks = [block for export in exports for block in export.blocks]
    return max((line.ts for block in blocks for line in block.lines), default=None)


def peer_day_list(shop, agent, buyer, thread, all_turns, forwards, P, filters=()):
    """Every peer-day of one thread, with all its flags."""
    classes = peer_days(thread, P, all_turns, filters, forwards)
    thread_sessions = sessions(thread, P)
    out = []
    for day, (_, _, klass) in classes.items():
        items = [m for s in thread_sessions for m in s if bday(m.ts, P) == day]
        buyer_items = [m for m in items if m.who == "B"]
        first_session = next(s for s in thread_sessions if items[0] in s)
        of_day = [t for t in in_window(all_turns, P) if t.day == day]
        slow = sum(t.reply is None or wait_of(t) > P["slow_s"] for t in of_day) >= P["slow_times"]
        own_sessions = [s for s in thread_sessions if bday(s[0].ts, P) == day]
        continuation = False
        if buyer_items:
            its_session = next(s for s in thread_sessions if buyer_items[0] in s)
            yesterday_received = day - 1 in classes and classes[day - 1][2] == "received"
            continuation = bday(its_session[0].ts, P) < day and yesterday_received
        out.append(
            PeerDay(
                shop=shop,
                agent=agent,
                buyer=buyer,
                day=day,
                klass=klass,
                hour=clock_hour((buyer_items or items)[0].ts),
                first_seq=items[0].seq,
                first_buyer_ts=buyer_items[0].ts if buyer_items else None,
                initiator=first_session[0].who,
                forwarded_in=("in", agent, day) in forwards,
                forwarded_out=("out", agent, day) in forwards,
                slow=slow,
                long=any(s[-1].ts - s[0].ts > P["long_s"] for s in own_sessions),
                continuation=continuation,
                first_buyer_seq=buyer_items[0].seq if buyer_items else None,
                turns=tuple(of_day),
            )
        )
    return out


def instant_of(peer_day, thread):
    """Definitions 21: of a peer-day, its first buyer message, else its first message."""
    if peer_day.first_buyer_ts is not None:
        return peer_day.first_buyer_ts
    return next(m.ts for m in thread if m.seq == peer_day.first_seq)


def forward_flags(messages, shop, P):
    """Definitions 9: {("out", X, day), ("in", Y, day)} of every marker X -> Y."""
    flags = set()
    for m in messages:
        if m.sender_class == "transfer":
            leaving, taking = transfer_names(m.text, shop)
            flags |= {("out", leaving, bday(m.ts, P)), ("in", taking, bday(m.ts, P))}
    return flags


def chat_spans(thread, klass, P):
    """Definitions 50: (first, last, agent, seq of the last) over the countable messages of received peer-days."""
    days = defaultdict(list)
    for m in thread:
        if m.real and klass.get(bday(m.ts, P)) == "received":
            days[bday(m.ts, P)].append(m)
    return [(ms[0].ts, ms[-1].ts, ms[0].agent, ms[-1].seq) for ms in days.values()]


def night_question(turn, thread, P, data_end):
    """Definitions 38: Night(turn, answered) of a turn that opens in the night and is judged, else None."""
    begin, end = P["night"]
    at = turn.open % DAY
    if not (begin <= at < end if begin <= end else at >= begin or at < end):
        return None
    due = turn.open - at + P["night_due"]
    if due <= turn.open:
        due += DAY
    reply = next_staff(thread, turn.seq)
    if reply is not None and reply <= due:
        return Night(turn, True)
    return Night(turn, False) if data_end >= due else None


# What is known of the chats of a shop. talks: {buyer: messages in order}, threads: {(buyer, agent): thread},
# turns: {(buyer, agent): all turns}, peer_days: {(buyer, agent): peer-days}, elig and spans: {buyer: …}.
Chats = namedtuple("Chats", "talks threads turns peer_days elig spans data_end clock")


def chats_of(shop, exports, P, as_of, robots, settings):
    S = whole_settings(settings)
    data_end, clock = data_end_of(exports, as_of), clock_of(settings, P)
    talks = with_automatic(merge(shop, exports, robots, as_of, S["assistants"]), S["auto"], P)
    talks = {buyer: with_agents(messages, shop, P) for buyer, messages in sorted(talks.items())}
    threads = {
        (buyer, agent): thread
        for buyer, messages in talks.items()
        for agent, thread in threads_of(messages, shop, P, clock).items()
    }
    if clock:
        for agent in clock.agents:
            mine = [s for (_, a), thread in threads.items() if a == agent for s in sessions(thread, P)]
            clock.extend(agent, [(s[0].ts, s[-1].ts) for s in mine])

    all_turns, days, elig, spans = {}, {}, defaultdict(list), defaultdict(list)
    for (buyer, agent), thread in threads.items():
        thread_sessions = sessions(thread, P)
        all_turns[buyer, agent] = found = [
            t._replace(
                began=session_begin(thread_sessions, t.open),
                worked=clock.wait(agent, t.open, t.reply) if clock and t.reply is not None else None,
                seq=opener.seq,
            )
            for t, opener in zip(
                every_turn(thread, P, data_end, clock), openers_of(thread, P, clock), strict=False
            )
        ]
        forwards = forward_flags(talks[buyer], shop, P)
        own = peer_day_list(shop, agent, buyer, thread, found, forwards, P, S["filters"])
        klass = {p.day: p.klass for p in own}
        days[buyer, agent] = own
        spans[buyer] += chat_spans(thread, klass, P)
        elig[buyer] += [
            (m.ts, m.seq, agent) for m in thread if m.who == "A" and klass[bday(m.ts, P)] == "received"
        ]
    elig = {buyer: [(ts, agent) for ts, _, agent in sorted(found)] for buyer, found in elig.items()}
    return Chats(talks, threads, all_turns, days, elig, dict(spans), data_end, clock)


def shop_facts(shop, chats, orders, P, rule, settings):
    """Everything a report counts, as Fact(kind, shop, agent, day, hour, value, team, shift)."""
    S, shifts, facts = whole_settings(settings), roster_of(settings), []

    def add(kind, agent, ts, value, day=None):
        day = bday(ts, P) if day is None else day
        shift = None if agent is None else shift_at(shifts, agent, ts)
        facts.append(Fact(kind, shop, agent, day, clock_hour(ts), value, team_of(S["teams"], agent), shift))

    for messages in chats.talks.values():
        for m in messages:
            if m.sender_class == "auto":
                add("auto", m.agent, m.ts, m)

    for (buyer, agent), thread in chats.threads.items():
        thread_sessions, data_end, clock = sessions(thread, P), chats.data_end, chats.clock
        klass = {p.day: p.klass for p in chats.peer_days[buyer, agent]}

        def is_consulted(ts, klass=klass):
            return klass.get(bday(ts, P)) in ("received", "unreplied")

        for p in chats.peer_days[buyer, agent]:
            if p.klass != "spill":
                add("peer_day", agent, instant_of(p, thread), p, p.day)
        for t in chats.turns[buyer, agent]:
            if is_consulted(t.open) and counts_in_window(t.open, t.began, P):
                add("turn", agent, t.open, t)
            night = night_question(t, thread, P, data_end)
            if is_consulted(t.open) and night:
                add("night", agent, t.open, night)
        for m in questions_of(thread, P, data_end, clock):
            began, reply = session_begin(thread_sessions, m.ts), next_staff(thread, m.seq)
            if is_consulted(m.ts) and counts_in_window(m.ts, began, P):
                wait = None if reply is None else clock.wait(agent, m.ts, reply) if clock else reply - m.ts
                add("question", agent, m.ts, Question(m, began, wait))
        for s in thread_sessions:
            if is_consulted(s[0].ts):
                add("session", agent, s[0].ts, (s[0].ts, s[-1].ts))
        for m in thread:
            if m.real and is_consulted(m.ts):
                add("message", agent, m.ts, m)
            if m.who == "A" and (is_consulted(m.ts) or klass.get(bday(m.ts, P)) == "spill"):
                add("staff", agent, m.ts, m)

    for o in orders:
        if o.paid is not None:
            seller, ts = seller_of(chats.elig, o, rule, P, chats.spans, settings), sale_instant(o, rule)
            add("order", seller, ts, o)
            if seller is None:
                facts[-1] = facts[-1]._replace(shift=shift_at(shifts, None, ts))  # definitions 45
    return facts


# ==== 10. rows of a report =========================================================================


def mean(values):
    return sum(values) / len(values) if values else None


def mean_of_means(groups):
    """The mean over the groups that have a value of their means, exactly (definitions 39)."""
    means = [Fraction(sum(values), len(values)) for values in groups if values]
    return float(sum(means) / len(means)) if means else None


def ratio(numerator, denominator):
    return numerator / denominator if denominator else None


def percentile(values, percent):
    """Nearest rank: value number ceil(p * n) of the sorted values (spec 3)."""
    return sorted(values)[-(-percent * len(values) // 100) - 1] if values else None


def money(cents, parts=1):
    """Cents divided by parts, in yuan, rounded half up to two decimals; None when parts is 0."""
    if not parts:
        return None
    rounded = (2 * cents + parts) // (2 * parts)
    return Decimal(rounded).scaleb(-2).quantize(Decimal("0.01"))


def mature_after(P):
    """Definitions 29: figures that are final once day d + N is finished."""
    ordered = P["order_days"] - 1  # orders may come until that day, and be paid `unpaid_days` later
    return {
        "inquiries_ordered_same_day": 0,
        "inquiries_paid_same_day": 0,
        "inquiry_to_payment_same_day_rate": ordered,
        "inquiries": ordered,
        "inquiries_ordered": ordered,
        "inquiries_paid_next_day": max(1, ordered),
        "inquiries_lost": ordered,
        "assists": ordered,
        "order_per_consult_rate": 1,
        "inquiry_to_order_rate": ordered,
        "inquiry_to_payment_next_day_rate": max(1, ordered),
        "inquiries_paid": ordered + P["unpaid_days"],
        "orders_lost": ordered + P["unpaid_days"],
        "inquiry_to_payment_rate": ordered + P["unpaid_days"],
    }


MATURE_AFTER = mature_after(CHITU)


def time_key(part, day, hour):
    return {
        "day": lambda: day_text(day),
        "hour": lambda: hour,
        "week": lambda: week_text(day),
        "month": lambda: month_text(day),
    }[part]()


def row_key(fact, by):
    def value(part):
        if part in ("agent", "team", "shift"):
            return getattr(fact, part)
        return time_key(part, fact.day, fact.hour)

    return (fact.shop,) + tuple(value(part) for part in by if part != "shop")


def concurrency_facts(facts, by, P):
    """Definitions 19, 21, 22, 46: every second of the sessions that began on a day; one fact per day and hour.

    The value is (greatest number at once, session seconds, seconds with at least one session).
    """
    groups = defaultdict(list)
    for fact in facts:
        if fact.kind == "session":
            who = tuple(getattr(fact, part) if part in by else None for part in ("agent", "team", "shift"))
            groups[fact.shop, who, fact.day].append(fact.value)
    last_hour = clock_hour(P["day_cut"] - 1)
    out = []
    for (shop, (agent, team, shift), day), spans in groups.items():
        seconds = Counter(second for first, last in spans for second in range(first, last + 1))
        hours = defaultdict(list)
        for second, number in seconds.items():
            hours[clock_hour(second) if bday(second, P) == day else last_hour].append(number)
        for hour, numbers in hours.items():
            value = (max(numbers), sum(numbers), len(numbers))
            out.append(Fact("concurrency", shop, agent, day, hour, value, team, shift))
    return out


def people_of(rows_peer_days, split_by_agent):
    """The people of a row, each a list of peer-days: one peer-day, or in shop rows all of a (buyer, day)."""
    if split_by_agent:
        return [[p] for p in rows_peer_days]
    groups = defaultdict(list)
    for p in rows_peer_days:
        groups[p.buyer, p.day].append(p)
    return list(groups.values())


def with_the_first_thread(facts, by):
    """Definitions 21, 45: where rows are not split by agent, a buyer's day has one hour and one shift.

    They are those of the thread with the earliest first buyer message, else of the earliest first message;
    in rows by team, of the threads of that team (people are distinct per team, definitions 46).
    """

    def person(fact):
        return fact.value.buyer, fact.day, fact.team if "team" in by else None

    groups = defaultdict(list)
    for fact in facts:
        if fact.kind == "peer_day":
            groups[person(fact)].append(fact)
    firsts = {}
    for key, group in groups.items():
        asked = [f for f in group if f.value.first_buyer_ts is not None]
        firsts[key] = (
            min(asked, key=lambda f: f.value.first_buyer_seq)
            if asked
            else min(group, key=lambda f: f.value.first_seq)
        )
    return [
        f._replace(hour=firsts[person(f)].hour, shift=firsts[person(f)].shift) if f.kind == "peer_day" else f
        for f in facts
    ]


def person_class(person):
    """Definitions 18: received if any thread received, else unreplied if any, else filtered."""
    classes = {p.klass for p in person}
    for klass in ("received", "unreplied"):
        if klass in classes:
            return klass
    return "filtered"


def people_metrics(people):
    """Metrics that count people (spec 3, definitions 9, 18)."""
    received = [[p for p in person if p.klass == "received"] for person in people]
    consulted = [[p for p in person if p.klass in ("received", "unreplied")] for person in people]
    classes = Counter(person_class(person) for person in people)
    initiators = Counter(min(person, key=lambda p: p.first_seq).initiator for person in consulted if person)
    buyers_consulted = classes["received"] + classes["unreplied"]
    return {
        "buyers_chatted": len(people),
        "buyers_filtered": classes["filtered"],
        "buyers_consulted": buyers_consulted,
        "buyers_received": classes["received"],
        "buyers_unreplied": classes["unreplied"],
        "buyers_received_distinct": len({p.buyer for person in received for p in person}),
        "reply_rate": ratio(classes["received"], buyers_consulted),
        "buyers_direct": sum(any(not p.forwarded_in for p in person) for person in received),
        "buyers_forwarded_in": sum(any(p.forwarded_in for p in person) for person in received),
        "buyers_forwarded_out": sum(any(p.forwarded_out for p in person) for person in received),
        "buyer_initiated": initiators["B"],
        "agent_initiated": initiators["A"],
        "slow_buyers": sum(any(p.slow for p in person) for person in consulted),
        "long_buyers": sum(any(p.long for p in person) for person in consulted),
    }


def turn_metrics(row_turns, split_by_agent, P):
    """Turns and waits (spec 3, definitions 31, 39, 44)."""
    number = len(row_turns)
    answered = [t for t in row_turns if t.reply is not None]
    waits, first = response_waits(row_turns, P), first_waits(row_turns, P)
    of_agent = defaultdict(list)
    for t in row_turns:
        if t.agent is not None:
            of_agent[t.agent].append(t)
    first_of_agents = mean_of_means([first_waits(some, P) for some in of_agent.values()])
    response_of_agents = mean_of_means([response_waits(some, P) for some in of_agent.values()])
    means_of_agents = P["shop_mean"] == "agents" and not split_by_agent
    return {
        "turns": number,
        "turns_answered": len(answered),
        "turns_unanswered": number - len(answered),
        "turns_late": sum(t.late is not None for t in row_turns),
        "first_response_avg": first_of_agents if means_of_agents else mean(first),
        "first_response_avg_of_agents": None if split_by_agent else first_of_agents,
        "first_response_wall_avg": mean([wall_wait_of(t) for t in answered if is_first_response(t, P)]),
        "first_response_missed": sum(is_first_response(t, P) and t.reply is None for t in row_turns),
        "first_response_any_avg": mean(first_waits_any(row_turns)),
        "first_response_p50": percentile(first, 50),
        "first_response_p90": percentile(first, 90),
        "response_avg": response_of_agents if means_of_agents else mean(waits),
        "response_avg_of_agents": None if split_by_agent else response_of_agents,
        "response_wall_avg": mean([wall_wait_of(t) for t in answered]),
        "response_p50": percentile(waits, 50),
        "response_p90": percentile(waits, 90),
    }


def within_rate(limit, row_turns, questions, people, P):
    """The share of answers within `limit` seconds, at the profile's level (definitions 34 to 36)."""
    level = P["levels"][limit]
    if level == "turn":
        return ratio(within(row_turns, limit), len(row_turns))
    if level == "first_turn":
        first = [t for t in row_turns if is_first_response(t, P)]
        return ratio(within(first, limit), len(first))
    if level == "message":
        return ratio(sum(q.wait is not None and q.wait <= limit for q in questions), len(questions))
    assert level == "peer_day", level
    asked = [
        [t for p in person if p.klass in ("received", "unreplied") for t in p.turns] for person in people
    ]
    asked = [some for some in asked if some]
    return ratio(sum(within(some, limit) == len(some) for some in asked), len(asked))


def night_metrics(nights):
    return {
        "night_questions": len(nights),
        "night_answered_rate": ratio(sum(night.answered for night in nights), len(nights)),
    }


def work_metrics(facts, buyers_received):
    """Sessions, messages, presence (spec 3)."""
    concurrency = facts["concurrency"]
    messages = [f.value for f in facts["message"]]
    from_buyer = sum(m.who == "B" for m in messages)
    from_agent = [m for m in messages if m.who == "A"]
    staff = [f.value.ts for f in facts["staff"]]
    return {
        "service_time_avg": ratio(sum(f.value[1] - f.value[0] for f in facts["session"]), buyers_received),
        "max_concurrent": max((f.value[0] for f in concurrency), default=0),
        "avg_concurrent": ratio(sum(f.value[1] for f in concurrency), sum(f.value[2] for f in concurrency)),
        "buyer_messages": from_buyer,
        "agent_messages": len(from_agent),
        "agent_characters": sum(m.characters for m in from_agent),
        "answer_ratio": ratio(len(from_agent), from_buyer),
        "auto_messages": len(facts["auto"]),
        "first_message_at": instant_text(min(staff)) if staff else None,
        "last_message_at": instant_text(max(staff)) if staff else None,
        "days_active": len({(f.agent, f.day) for f in facts["staff"]}),
    }


def inquiry_metrics(people, buyers_consulted, orders, chats, P, rule, settings):
    """Inquiry -> order -> payment (spec 4.7, definitions 18, 25)."""

    def outcome_of(p):
        when = (p.day, p.first_buyer_ts)
        return enquiry(p.agent, p.buyer, *when, orders, chats.elig, P, rule, chats.spans, settings)

    inquiries, assists, ordered = [], 0, 0
    for person in people:
        received = [p for p in person if p.klass == "received"]
        outcomes = [(p, outcome_of(p)) for p in received]
        assists += any(outcome == "assist" for _, outcome in outcomes)
        mine = [outcome for p, outcome in outcomes if isinstance(outcome, dict) and not p.continuation]
        if mine:
            inquiries.append(mine)
        consulted = [p for p in person if p.klass in ("received", "unreplied")]
        ordered += any(ordered_after(p, orders, P) for p in consulted)

    def count(name):
        return sum(any(outcome[name] for outcome in person) for person in inquiries)

    lost = orders_lost = 0
    for person in inquiries:
        nothing_ordered = all(outcome["enquiry_lost"] for outcome in person)
        nothing_paid = not any(outcome["paid_final"] for outcome in person)
        lost += nothing_ordered
        orders_lost += nothing_paid and not nothing_ordered
    return {
        "inquiries": len(inquiries),
        "inquiries_ordered_same_day": count("order_today"),
        "inquiries_ordered": count("order_final"),
        "inquiries_paid_same_day": count("paid_today"),
        "inquiries_paid_next_day": count("paid_next"),
        "inquiries_paid": count("paid_final"),
        "inquiry_to_order_rate": ratio(count("order_final"), len(inquiries)),
        "inquiry_to_payment_same_day_rate": ratio(count("paid_today"), len(inquiries)),
        "inquiry_to_payment_next_day_rate": ratio(count("paid_next"), len(inquiries)),
        "inquiry_to_payment_rate": ratio(count("paid_final"), len(inquiries)),
        "order_per_consult_rate": ratio(ordered, buyers_consulted),
        "inquiries_lost": lost,
        "orders_lost": orders_lost,
        "assists": assists,
    }


def sales_metrics(order_facts, shop_total, with_silent):
    """Money (spec 4, definitions 20, 27, 46). `order_facts` of a row, silent orders with agent None."""
    credited = [f for f in order_facts if f.agent is not None]
    silent = [f for f in order_facts if f.agent is None]
    amount = sum(f.value.amount for f in credited)
    items = sum(f.value.items for f in credited)
    buyers = len({(f.value.buyer, f.day) for f in credited})
    return {
        "sales_amount": money(amount),
        "sales_orders": len(credited),
        "sales_buyers": buyers,
        "sales_items": items,
        "average_order_value": money(amount, buyers),
        "items_per_buyer": ratio(items, buyers),
        "average_item_price": money(amount, items),
        "sales_share": ratio(amount, shop_total),
        "silent_amount": money(sum(f.value.amount for f in silent)) if with_silent else None,
        "silent_orders": len(silent) if with_silent else None,
    }


NOT_MEASURED = (
    "refund_amount",
    "refund_rate",
    "satisfaction_rate",
    "rating_invite_rate",
    "rating_return_rate",
)


def day_is_finished(day, data_end, P):
    """Definitions 29."""
    return data_end is not None and data_end >= (day + 1) * DAY + P["day_cut"]


def immature_keys(row_peer_days, data_end, P):
    days = {p.day for p in row_peer_days if p.klass == "received"}
    return sorted(
        key
        for key, after in mature_after(P).items()
        if not all(day_is_finished(day + after, data_end, P) for day in days)
    )


def is_in_a_row(fact, by):
    """Nobody's facts are in no row of an agent (definitions 5, 20), silent orders in none of a team (46)."""
    if fact.agent is not None:
        return True
    return "agent" not in by and not (fact.kind == "order" and "team" in by)


def report(
    exports,
    order_rows,
    first_day,
    last_day,
    by,
    P=CHITU,
    rule="order_first",
    as_of=None,
    robots=("服务助手",),
    settings=None,
):
    """All rows of one report: grouping keys, every metric key of spec section 3, `immature`.

    first_day and last_day are day numbers (both included); `by` is a tuple out of shop, agent, team, shift,
    day, hour, week, month. A row exists where any fact of the period falls into it (see `shop_facts`).
    """
    by = tuple(by)
    split_by_agent = "agent" in by
    names = ["shop"] + [part for part in by if part != "shop"]
    orders = fold_orders(order_rows, as_of, P, settings)
    shops = sorted({export.shop for export in exports} | set(orders))
    out = []
    for shop in shops:
        own_exports = [export for export in exports if export.shop == shop]
        chats = chats_of(shop, own_exports, P, as_of, robots, settings)
        facts = shop_facts(shop, chats, orders[shop], P, rule, settings)
        facts = [f for f in facts if first_day <= f.day <= last_day]
        facts += concurrency_facts(facts, by, P)
        if not split_by_agent:
            facts = with_the_first_thread(facts, by)

        time_only = tuple(part for part in by if part not in ("agent", "team", "shift"))
        shop_totals = Counter()
        for f in facts:
            if f.kind == "order":
                shop_totals[row_key(f, time_only)] += f.value.amount

        rows = defaultdict(lambda: defaultdict(list))
        for f in facts:
            if is_in_a_row(f, by):
                rows[row_key(f, by)][f.kind].append(f)

        for key, row_facts in rows.items():
            row = dict(zip(names, key, strict=True))
            values = {kind: [f.value for f in some] for kind, some in row_facts.items()}
            row_turns, questions = values.get("turn", []), values.get("question", [])
            row_peer_days = values.get("peer_day", [])
            people = people_of(row_peer_days, split_by_agent)
            total_key = (shop,) + tuple(row[name] for name in time_only if name != "shop")
            row.update(people_metrics(people))
            row.update(turn_metrics(row_turns, split_by_agent, P))
            for limit in (6, 30, 60, 180):
                row[f"within_{limit}s_rate"] = within_rate(limit, row_turns, questions, people, P)
            row.update(night_metrics(values.get("night", [])))
            row.update(work_metrics(row_facts, row["buyers_received"]))
            row.update(
                inquiry_metrics(people, row["buyers_consulted"], orders[shop], chats, P, rule, settings)
            )
            with_silent = "agent" not in by and "team" not in by
            row.update(sales_metrics(row_facts["order"], shop_totals[total_key], with_silent))
            row.update(dict.fromkeys(NOT_MEASURED))
            row["immature"] = immature_keys(row_peer_days, chats.data_end, P)
            row.update(dict.fromkeys(row["immature"]))
            out.append(row)
    return sorted(out, key=lambda row: [(row[name] is not None, row[name]) for name in names])


# ==== 11. the list of orders (spec 4.3, 4.4, definitions 56) =======================================

RULES = ("order_first", "order", "payment", "memo")
ListedOrder = namedtuple("ListedOrder", "shop oid order_agent payment_agent memo_agent credited label")


def label_of(o, order_agent, payment_agent, eligible, P):
    """Definitions 56: the first that fits."""
    if o.excluded:
        return "excluded"
    if o.paid is None:
        return "unpaid"
    if order_agent is not None and payment_agent is not None:
        return "one_agent" if order_agent == payment_agent else "two_agents"
    if order_agent is not None:
        return "order_agent_only"
    if payment_agent is not None:
        return "won_at_payment"
    if not is_masked(o.buyer) and any(o.paid < ts <= o.paid + P["lookback"] for ts, _ in eligible):
        return "followed_up"
    return "silent"


def order_list(
    exports,
    order_rows,
    P=CHITU,
    rule="order_first",
    as_of=None,
    robots=("服务助手",),
    settings=None,
):
    """Every order with the agents behind it, whose sale it is under each rule, and its label.

    `credited` is None under every rule for an order that is unpaid or excluded; `rule` changes nothing here.
    """
    orders = fold_orders(order_rows, as_of, P, settings)
    out = []
    for shop in sorted(orders):
        own_exports = [export for export in exports if export.shop == shop]
        chats = chats_of(shop, own_exports, P, as_of, robots, settings)
        for o in orders[shop]:
            order_agent, payment_agent = order_and_payment_agent(chats.elig, o, P, chats.spans)
            credited = {
                name: seller_of(chats.elig, o, name, P, chats.spans, settings) if o.paid is not None else None
                for name in RULES
            }
            label = label_of(o, order_agent, payment_agent, chats.elig.get(o.buyer, []), P)
            memo = memo_agent(o, settings)
            out.append(ListedOrder(shop, o.oid, order_agent, payment_agent, memo, credited, label))
    return out
