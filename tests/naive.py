"""The slow, obvious version of every KPI: the oracle the fast program is compared with on random data.

Written from the KPI specification ("spec") and `docs/definitions.md` ("definitions") alone, in pure
standard-library Python; it imports nothing from cslog. Nothing here is clever, on purpose: every file is
merged, every thread is walked message by message, every second of a session is counted. Sections:

1 time, 2 reading a line, 3 merging files (I2), 4 whose buyer message is it (I3), 5 threads and transfers,
6 turns, sessions, peer-days (reference code of spec 7), 7 orders, credit, enquiry, 8 facts of a shop,
9 rows of a report.
"""

import re
from bisect import bisect_right
from collections import Counter, defaultdict, namedtuple
from datetime import date, datetime, timedelta
from decimal import Decimal

DAY = 86400

# ---- input ----------------------------------------------------------------------------------------
Line = namedtuple("Line", "ts sender text")
Block = namedtuple("Block", "buyer lines")
Export = namedtuple("Export", "shop login blocks")
OrderRow = namedtuple("OrderRow", "shop order_id buyer created paid shipped state amount items refund")

# ---- what the reference code of spec 7 works on ---------------------------------------------------
# who: 'B' buyer, 'A' staff, 'V' voids the open turn (a transfer marker seen from the agent it leaves).
# valid=False: auto reply or full robot. real=False: the re-opening of a turn by a transfer (definitions 8).
Msg = namedtuple("Msg", "ts agent buyer who valid seq kind characters real", defaults=(0, "text", 1, True))
Turn = namedtuple("Turn", "agent buyer day open reply nb first init late")
Order = namedtuple("Order", "oid buyer created paid amount items", defaults=(0,))

# One copy of a message in one file, and the message merged from all its copies.
Copy = namedtuple("Copy", "key number rank sender_class text stated exporter")
Merged = namedtuple("Merged", "ts sender agent buyer sender_class kind text stated exporters seq")

PeerDay = namedtuple(
    "PeerDay",
    "shop agent buyer day klass hour first_seq first_buyer_ts initiator"
    " forwarded_in forwarded_out slow long continuation",
)
Fact = namedtuple("Fact", "kind shop agent day hour value")

CHITU = {
    "max_wait": 600,
    "cap": None,
    "day_close": False,
    "window": None,
    "day_cut": 0,
    "first_any": False,
    "transfer": "neutral",
    "assist_valid": True,
    "filters": ("internal", "empty", "monologue"),
}
TAOBAO = {
    **CHITU,
    "max_wait": None,
    "cap": 600,
    "day_close": True,
    "window": (8 * 3600, 23 * 3600),
    "first_any": True,
    "transfer": "strict",
}

SESSION_GAP = 600  # sessions of profiles without max_wait (spec 6)
SLOW_SECONDS, SLOW_TURNS, LONG_SECONDS = 120, 3, 3600
AUTO_MARKER = "[自动回复]"
KINDS = {"[图片]": "image", "[卡片]": "card", "[语音]": "voice", "[视频]": "video"}
TRANSFER = re.compile(r"^由\s*(.+?)\s*转交给\s*(.+?)([，,]原因.*)?$")
RECALL = re.compile(r"^(.*)撤回了(一|1)条消息$")
# over several copies the first one holds (definitions 6)
CLASS_ORDER = ("transfer", "system", "auto", "assist", "human", "buyer")
FILTERED = ("internal", "empty", "monologue")


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


def class_of(sender, buyer, shop, text, robots):
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
    return "human"


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


def copies_of(export, robots, as_of):
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
                    sender_class=class_of(sender, buyer, export.shop, line.text, robots),
                    text=line.text,
                    stated=stated,
                    exporter=short_agent(export.login, export.shop),
                )
            )
            numbers[key] += 1
            ranks[buyer, line.ts] += 1
    return copies


def merge(shop, exports, robots, as_of):
    """{buyer: messages in order} from all files of a shop; no rule looks at the order of files."""
    groups = defaultdict(list)
    for export in exports:
        for copy in copies_of(export, robots, as_of):
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


# ==== 5. threads and transfers (spec 2, definitions 8 to 10) =======================================


def open_turn(thread, ts, P):
    """The message that opened the turn still open at ts in this thread, else None."""
    _, pending, opener, previous = walk(thread, P)
    if pending is None:
        return None
    if P["max_wait"] and ts - previous.ts >= P["max_wait"]:
        return None  # the session is over, the turn closed unanswered
    if P["day_close"] and bday(ts, P) != bday(previous.ts, P):
        return None
    return opener


def threads_of(messages, shop, P):
    """{agent: thread} of one (shop, buyer), `neutral` transfers worked in as V and re-opening B."""
    threads = defaultdict(list)
    for m in messages:
        if m.sender_class == "buyer":
            threads[m.agent].append(
                Msg(m.ts, m.agent, m.buyer, "B", True, m.seq, m.kind, characters_of(m.text))
            )
        elif is_valid_staff(m, P):
            threads[m.agent].append(
                Msg(m.ts, m.agent, m.buyer, "A", True, m.seq, m.kind, characters_of(m.text))
            )
        elif m.sender_class == "transfer" and P["transfer"] == "neutral":
            leaving, taking = transfer_names(m.text, shop)
            apply_transfer(threads, m, leaving, taking, P)
    return {agent: thread for agent, thread in threads.items() if thread}


def apply_transfer(threads, marker, leaving, taking, P):
    """Definitions 8: void the open turn of the agent it leaves, re-open it for the agent who takes over."""
    if leaving == taking:
        return
    opener = open_turn(threads[leaving], marker.ts, P)
    if opener is None:
        return
    if any(m.who == "A" and m.seq > opener.seq for m in threads[taking]):
        return  # answered before
    taking_has_open_turn = open_turn(threads[taking], marker.ts, P) is not None
    void = Msg(marker.ts, leaving, marker.buyer, "V", True, marker.seq, "text", 0, False)
    threads[leaving].append(void)
    if not taking_has_open_turn:
        threads[taking].append(void._replace(agent=taking, who="B"))


# ==== 6. turns, sessions, peer-days: the reference code of spec 7 ==================================


def walk(thread, P):
    """-> (closed turns, the turn still open or None, the message that opened it, the last message)."""
    out, op, nb, prev, seen, init, op_init = [], None, 0, None, set(), None, None

    def make(reply, late):
        d = bday(op.ts, P)
        return Turn(op.agent, op.buyer, d, op.ts, reply, nb, d not in seen, op_init, late)

    def close(reply, late=None):
        nonlocal op, nb
        out.append(make(reply, late))
        seen.add(out[-1].day)
        op, nb = None, 0

    for m in thread:
        if m.who == "A" and not m.valid:
            continue  # auto replies are invisible to the state machine
        if m.who == "V":
            op, nb = None, 0  # a transfer took the turn away: it is in no figure
            continue
        new_session = prev is None or m.ts - prev.ts >= session_gap(P)
        if op is not None:
            another_day = prev is not None and bday(m.ts, P) != bday(prev.ts, P)
            if (P["max_wait"] and new_session) or (P["day_close"] and another_day):
                close(None, m.ts - op.ts if m.who == "A" else None)  # out of the mean, kept as `late`
        if new_session:
            init = m.who
        if m.who == "B":
            if op is None:
                op, op_init = m, init  # the clock starts at the FIRST unanswered buyer message
            nb += m.real
        elif op is not None:
            close(m.ts)  # further agent messages are follow-ups, no turn
        prev = m
    return out, (make(None, None) if op is not None else None), op, prev


def every_turn(thread, P, data_end):
    """Turns of ONE (shop, agent, buyer) thread, the window not yet applied."""
    closed, pending, _, previous = walk(thread, P)
    if pending is not None and not (P["max_wait"] and data_end - previous.ts < P["max_wait"]):
        closed.append(pending)  # else: censored
    return closed


def in_window(some_turns, P):
    """Clock `window` (spec 5): only turns that OPEN inside it, waits uncut."""
    if not P["window"]:
        return some_turns
    return [t for t in some_turns if P["window"][0] <= t.open % DAY < P["window"][1]]


def turns(thread, P, data_end):
    return in_window(every_turn(thread, P, data_end), P)


def wait_of(turn):
    return None if turn.reply is None else turn.reply - turn.open


def response_waits(some_turns, P):
    """The waits in the mean: capped, and with a cap an unanswered turn counts the cap (profile taobao)."""
    waits = [wait_of(t) for t in some_turns if t.reply is not None]
    if P["cap"]:
        waits = [min(w, P["cap"]) for w in waits] + [P["cap"]] * sum(t.reply is None for t in some_turns)
    return waits


def is_first_response(t, P):
    """Spec 3: the first turn of a peer-day, when the buyer began its session; taobao takes any session."""
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


def peer_days(thread, P, tl):
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
        elif "empty" in P["filters"] and is_empty(items[d]):
            c = "empty"
        elif not spoke:
            c = "monologue"
        else:
            c = "received" if na or d in answered else "unreplied"
        res[d] = (nb, na, c)
    return res


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


# ==== 7. orders, credit, enquiry (spec 4, reference code of spec 7) ================================


def fold_orders(order_rows, as_of):
    """{shop: [Order]}: versions folded (spec 4.6), what lies after as_of forgotten (definitions 28)."""
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
            Order(order_id, strip_site(current.buyer), created, paid, current.amount, current.items)
        )
    return out


def version_rank(row):
    def known(value):
        return -1 if value is None else value

    return (
        row.state,
        row.refund or 0,
        known(row.shipped),
        row.amount,
        row.items,
        row.buyer,
        known(row.created),
        known(row.paid),
    )


def is_masked(nick):
    return "*" in nick


def agent_at(elig, buyer, t, lookback=2 * DAY):
    """`asof`, the default. elig[buyer] = [(ts, agent)] of eligible messages (spec 4.1) in their order."""
    L = elig.get(buyer, [])
    i = bisect_right(L, t, key=lambda entry: entry[0]) - 1
    return L[i][1] if i >= 0 and t - L[i][0] <= lookback else None


def agent_at_covering(spans, t, lookback=2 * DAY):
    """Compatibility mode; spans = [(start, end, agent)] of one buyer."""
    cov = [s for s in spans if s[0] <= t < s[1]]
    if cov:
        return max(cov, key=lambda s: (s[1], s[0]))[2]
    prv = [s for s in spans if t - lookback <= s[1] <= t]
    return max(prv, key=lambda s: (s[1], s[0]))[2] if prv else None


def credit(elig, o, rule):
    """-> (credited agent, order agent, payment agent)."""
    if is_masked(o.buyer):
        return None, None, None  # never joined (definitions 26)
    oa = agent_at(elig, o.buyer, o.created)
    pa = agent_at(elig, o.buyer, o.paid) if o.paid is not None else None
    return {"order": oa, "payment": pa, "order_first": oa or pa}[rule], oa, pa


def sale_instant(o, rule):
    """The instant a paid order is dated by (spec 4.3)."""
    return o.created if rule == "order" else o.paid


def enquiry(a, b, d, t0, orders, elig, P, rule="order_first", after=21, n_order=2, unpaid_close=3):
    """Outcome of one received peer-day (a, b, d); t0 = its first buyer message."""
    mine = [o for o in orders if o.buyer == b and not is_masked(b)]
    prior = any(o.paid is not None and t0 - after * DAY <= o.paid < t0 for o in mine)
    post = [o for o in mine if o.created >= t0 and bday(o.created, P) < d + n_order]  # ordered after asking
    pend = [o for o in mine if t0 - unpaid_close * DAY <= o.created < t0 and (o.paid is None or o.paid >= t0)]
    rel = post + pend
    if prior and not rel:
        return "after_sale"
    if rel and all(credit(elig, o, rule)[0] not in (a, None) for o in rel):
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


# ==== 8. facts of a shop ===========================================================================


def data_end_of(exports, as_of):
    """Definitions 28: --as-of, else the shop's last message of any class; None when nothing is known."""
    if as_of is not None:
        return as_of
    blocks = [block for export in exports for block in export.blocks]
    return max((line.ts for block in blocks for line in block.lines), default=None)


def peer_day_list(shop, agent, buyer, thread, all_turns, forwards, P):
    """Every peer-day of one thread, with all its flags."""
    classes = peer_days(thread, P, all_turns)
    thread_sessions = sessions(thread, P)
    out = []
    for day, (_, _, klass) in classes.items():
        items = [m for s in thread_sessions for m in s if bday(m.ts, P) == day]
        buyer_items = [m for m in items if m.who == "B"]
        first_session = next(s for s in thread_sessions if items[0] in s)
        of_day = [t for t in in_window(all_turns, P) if t.day == day]
        slow = sum(t.reply is None or wait_of(t) > SLOW_SECONDS for t in of_day) >= SLOW_TURNS
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
                long=any(s[-1].ts - s[0].ts > LONG_SECONDS for s in own_sessions),
                continuation=continuation,
            )
        )
    return out


def forward_flags(messages, shop, P):
    """Definitions 9: {("out", X, day), ("in", Y, day)} of every marker X -> Y."""
    flags = set()
    for m in messages:
        if m.sender_class == "transfer":
            leaving, taking = transfer_names(m.text, shop)
            flags |= {("out", leaving, bday(m.ts, P)), ("in", taking, bday(m.ts, P))}
    return flags


def shop_facts(shop, exports, orders, P, rule, as_of, robots):
    """Everything a report counts, as Fact(kind, shop, agent, day, hour, value)."""
    data_end = data_end_of(exports, as_of)
    facts, elig = [], {}

    def add(kind, agent, ts, value, day=None, hour=None):
        day = bday(ts, P) if day is None else day
        facts.append(Fact(kind, shop, agent, day, clock_hour(ts) if hour is None else hour, value))

    for buyer, messages in sorted(merge(shop, exports, robots, as_of).items()):
        messages = with_agents(messages, shop, P)
        forwards = forward_flags(messages, shop, P)
        eligible = []
        for m in messages:
            if m.sender_class == "auto":
                add("auto", m.agent, m.ts, m)
        for agent, thread in threads_of(messages, shop, P).items():
            all_turns = every_turn(thread, P, data_end)
            days = peer_day_list(shop, agent, buyer, thread, all_turns, forwards, P)
            klass = {p.day: p.klass for p in days}
            for p in days:
                if p.klass != "spill":
                    add("peer_day", agent, None, p, p.day, p.hour)
            for t in in_window(all_turns, P):
                if klass[t.day] in ("received", "unreplied"):
                    add("turn", agent, t.open, t)
            for s in sessions(thread, P):
                if klass[bday(s[0].ts, P)] in ("received", "unreplied"):
                    add("session", agent, s[0].ts, (s[0].ts, s[-1].ts))
            for m in thread:
                its_class = klass.get(bday(m.ts, P))
                if m.real and its_class in ("received", "unreplied"):
                    add("message", agent, m.ts, m)
                if m.who == "A" and its_class in ("received", "unreplied", "spill"):
                    add("staff", agent, m.ts, m)
                if m.who == "A" and its_class == "received":
                    eligible.append((m.ts, m.seq, agent))
        elig[buyer] = [(ts, agent) for ts, _, agent in sorted(eligible)]

    for o in orders:
        if o.paid is not None:
            add("order", credit(elig, o, rule)[0], sale_instant(o, rule), o)
    return facts, elig, data_end


# ==== 9. rows of a report ==========================================================================


def mean(values):
    return sum(values) / len(values) if values else None


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


# definitions 29: figures that are final once day d + N is finished
MATURE_AFTER = {
    "inquiries_ordered_same_day": 0,
    "inquiries_paid_same_day": 0,
    "inquiry_to_payment_same_day_rate": 1,
    "inquiries": 1,
    "inquiries_ordered": 1,
    "inquiries_paid_next_day": 1,
    "inquiries_lost": 1,
    "assists": 1,
    "order_per_consult_rate": 1,
    "inquiry_to_order_rate": 1,
    "inquiry_to_payment_next_day_rate": 1,
    "inquiries_paid": 4,
    "orders_lost": 4,
    "inquiry_to_payment_rate": 4,
}


def time_key(part, day, hour):
    return {
        "day": lambda: day_text(day),
        "hour": lambda: hour,
        "week": lambda: week_text(day),
        "month": lambda: month_text(day),
    }[part]()


def row_key(fact, by):
    parts = [part for part in by if part != "shop"]
    return (fact.shop,) + tuple(
        fact.agent if part == "agent" else time_key(part, fact.day, fact.hour) for part in parts
    )


def concurrency_facts(facts, by, P):
    """Definitions 19, 21, 22: every second of the sessions that began on a day; one fact per day and hour.

    The value is (greatest number at once, session seconds, seconds with at least one session).
    """
    groups = defaultdict(list)
    for fact in facts:
        if fact.kind == "session":
            groups[fact.shop, fact.agent if "agent" in by else None, fact.day].append(fact.value)
    last_hour = clock_hour(P["day_cut"] - 1)
    out = []
    for (shop, agent, day), spans in groups.items():
        seconds = Counter(second for first, last in spans for second in range(first, last + 1))
        hours = defaultdict(list)
        for second, number in seconds.items():
            hours[clock_hour(second) if bday(second, P) == day else last_hour].append(number)
        for hour, numbers in hours.items():
            value = (max(numbers), sum(numbers), len(numbers))
            out.append(Fact("concurrency", shop, agent, day, hour, value))
    return out


def people_of(rows_peer_days, split_by_agent):
    """The people of a row, each a list of peer-days: one peer-day, or in shop rows all of a (buyer, day)."""
    if split_by_agent:
        return [[p] for p in rows_peer_days]
    groups = defaultdict(list)
    for p in rows_peer_days:
        groups[p.buyer, p.day].append(p)
    return list(groups.values())


def with_the_buyers_hour(facts):
    """Definitions 21: where rows are not split by agent, a buyer's day has one hour, that of the first thread."""
    groups = defaultdict(list)
    for fact in facts:
        if fact.kind == "peer_day":
            groups[fact.value.buyer, fact.day].append(fact)
    hours = {}
    for key, group in groups.items():
        asked = [f for f in group if f.value.first_buyer_ts is not None]
        first = (
            min(asked, key=lambda f: f.value.first_buyer_ts)
            if asked
            else min(group, key=lambda f: f.value.first_seq)
        )
        hours[key] = first.hour
    return [f._replace(hour=hours[f.value.buyer, f.day]) if f.kind == "peer_day" else f for f in facts]


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


def turn_metrics(row_turns, P):
    """Turns and waits (spec 3)."""
    number = len(row_turns)
    answered = sum(t.reply is not None for t in row_turns)
    waits, first = response_waits(row_turns, P), first_waits(row_turns, P)
    return {
        "turns": number,
        "turns_answered": answered,
        "turns_unanswered": number - answered,
        "turns_late": sum(t.late is not None for t in row_turns),
        "first_response_avg": mean(first),
        "first_response_missed": sum(is_first_response(t, P) and t.reply is None for t in row_turns),
        "first_response_any_avg": mean(first_waits_any(row_turns)),
        "first_response_p50": percentile(first, 50),
        "first_response_p90": percentile(first, 90),
        "response_avg": mean(waits),
        "response_p50": percentile(waits, 50),
        "response_p90": percentile(waits, 90),
        **{f"within_{limit}s_rate": ratio(within(row_turns, limit), number) for limit in (6, 30, 60, 180)},
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


def inquiry_metrics(people, buyers_consulted, orders, elig, P, rule):
    """Inquiry -> order -> payment (spec 4.7, definitions 18, 25)."""
    inquiries, assists, ordered = [], 0, 0
    for person in people:
        received = [p for p in person if p.klass == "received"]
        outcomes = [
            (p, enquiry(p.agent, p.buyer, p.day, p.first_buyer_ts, orders, elig, P, rule)) for p in received
        ]
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


def sales_metrics(order_facts, shop_total, split_by_agent):
    """Money (spec 4, definitions 20, 27). `order_facts` of a row, silent orders with agent None."""
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
        "silent_amount": None if split_by_agent else money(sum(f.value.amount for f in silent)),
        "silent_orders": None if split_by_agent else len(silent),
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
        for key, after in MATURE_AFTER.items()
        if not all(day_is_finished(day + after, data_end, P) for day in days)
    )


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
):
    """All rows of one report: grouping keys, every metric key of spec section 3, `immature`.

    first_day and last_day are day numbers (both included); `by` is a tuple out of shop, agent, day, hour,
    week, month. A row exists where any fact of the period falls into it (see `shop_facts`).
    """
    by = tuple(by)
    split_by_agent = "agent" in by
    names = ["shop"] + [part for part in by if part != "shop"]
    orders = fold_orders(order_rows, as_of)
    shops = sorted({export.shop for export in exports} | set(orders))
    out = []
    for shop in shops:
        own_exports = [export for export in exports if export.shop == shop]
        facts, elig, data_end = shop_facts(shop, own_exports, orders[shop], P, rule, as_of, robots)
        facts = [f for f in facts if first_day <= f.day <= last_day]
        facts += concurrency_facts(facts, by, P)
        if not split_by_agent:
            facts = with_the_buyers_hour(facts)

        time_only = tuple(part for part in by if part != "agent")
        shop_totals = Counter()
        for f in facts:
            if f.kind == "order":
                shop_totals[row_key(f, time_only)] += f.value.amount

        rows = defaultdict(lambda: defaultdict(list))
        for f in facts:
            if not (split_by_agent and f.agent is None):
                rows[row_key(f, by)][f.kind].append(f)

        for key, row_facts in rows.items():
            row = dict(zip(names, key, strict=True))
            row_peer_days = [f.value for f in row_facts["peer_day"]]
            people = people_of(row_peer_days, split_by_agent)
            total_key = tuple(value for name, value in row.items() if name != "agent")
            row.update(people_metrics(people))
            row.update(turn_metrics([f.value for f in row_facts["turn"]], P))
            row.update(work_metrics(row_facts, row["buyers_received"]))
            row.update(inquiry_metrics(people, row["buyers_consulted"], orders[shop], elig, P, rule))
            row.update(sales_metrics(row_facts["order"], shop_totals[total_key], split_by_agent))
            row.update(dict.fromkeys(NOT_MEASURED))
            row["immature"] = immature_keys(row_peer_days, data_end, P)
            row.update(dict.fromkeys(row["immature"]))
            out.append(row)
    return sorted(out, key=lambda row: [row[name] for name in names])
