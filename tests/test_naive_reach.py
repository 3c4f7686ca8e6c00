"""The random shops really reach every rule: what no example meets, no comparison checks."""

from __future__ import annotations

from collections import Counter

import msgspec
import naive
import pytest
import worlds
from hypothesis import HealthCheck, given, settings

from cslog import config, profile

FILTERS = ("keywords", "exact", "mass", "single_sentence", "accounts", "forwards", "empty", "monologue")
LABELS = (
    "excluded",
    "unpaid",
    "one_agent",
    "two_agents",
    "order_agent_only",
    "won_at_payment",
    "followed_up",
    "silent",
)
WANTED = (
    *(f"filter {rule}" for rule in FILTERS),
    *(f"auto {rule}" for rule in ("prefix", "text", "statistical", "marked")),
    *(f"label {label}" for label in LABELS),
    *(f"level {level}" for level in worlds.LEVELS),
    *(f"lookup {lookup} matters" for lookup in ("first", "same_day", "covering")),
    *(f"base {base}" for base in naive.PROFILES),
    "assistant valid", "assistant invisible", "worked wait is shorter", "extension matters",
    "turn kept open by rostered silence", "turn closed after 24 h", "agent without roster on the shift clock",
    "shift", "no shift", "shift of a silent order", "two shifts at once", "team", "no team",
    "window of sessions matters", "question in a void turn", "censored turn", "night answered", "night missed",
    "night undecided", "mean of agents differs", "credited by memo", "memo without a match",
    "memo of a masked buyer", "excluded by flag", "excluded by number", "excluded order is a colleague's",
    "urge limit matters", "post fee out", "refund out", "shipped after-sale matters", "unanswered in the mean",
    "capped wait",
)  # fmt: skip


def look_at(world, seen: Counter) -> None:
    exports, order_rows, its, base, changes = world
    P, robots = naive.own_profile(base, changes), ("服务助手",)
    seen[f"base {base}"] += 1
    chats = naive.chats_of(worlds.SHOP, exports, P, None, robots, its)
    if chats.data_end is not None:
        look_at_chats(exports, its, P, chats, seen)
    look_at_orders(exports, order_rows, its, P, chats, seen)
    rows = naive.report(exports, order_rows, worlds.FIRST_DAY - 3, worlds.FIRST_DAY + 12, (), P, settings=its)
    for row in rows:
        seen["mean of agents differs"] += row["response_avg"] != row["response_avg_of_agents"] is not None
        for limit, level in P["levels"].items():
            seen[f"level {level}"] += bool(row[f"within_{limit}s_rate"])


def look_at_chats(exports, its, P, chats, seen):
    merged = naive.merge(worlds.SHOP, exports, ("服务助手",), None, its["assistants"])
    seen["auto marked"] += any(m.sender_class == "auto" for ms in merged.values() for m in ms)
    for rule in naive.automatic_by_setting(merged, its["auto"], P).values():
        seen[f"auto {rule}"] += 1
    names = {f["name"] or f["rule"]: f["rule"] for f in its["filters"]}
    for days in chats.peer_days.values():
        for p in days:
            seen[f"filter {names.get(p.klass, p.klass)}"] += 1
    if any(m.sender_class == "assist" for ms in chats.talks.values() for m in ms):
        seen["assistant valid" if P["assist_valid"] else "assistant invisible"] += 1

    plain = naive.ShiftClock(its)  # without extensions
    for (buyer, agent), thread in chats.threads.items():
        clock, state = chats.clock, naive.walk(thread, P, chats.clock)
        seen["censored turn"] += naive.is_censored(state, P, chats.data_end, clock)
        asked = sum(m.who == "B" for m in thread)
        seen["question in a void turn"] += any(m.who == "V" for m in thread) and asked > len(
            state.asked + state.waiting
        )
        for t in chats.turns[buyer, agent]:
            by_turn = naive.counts_in_window(t.open, t.began, {**P, "window_of": "turn"})
            seen["window of sessions matters"] += by_turn != naive.counts_in_window(t.open, t.began, P)
            seen["unanswered in the mean"] += t.reply is None and P["unanswered"] is not None
            seen["capped wait"] += t.reply is not None and naive.wait_of(t) > (P["cap"] or 10**9)
            night = naive.night_question(t, thread, P, chats.data_end)
            if night:
                seen["night answered" if night.answered else "night missed"] += 1
            elif naive.night_question(t, thread, P, 10**12):
                seen["night undecided"] += 1
            if clock and not clock.names(agent):
                seen["agent without roster on the shift clock"] += 1
            elif clock and t.reply is not None:
                seen["worked wait is shorter"] += 0 < t.worked < t.reply - t.open
                seen["extension matters"] += t.worked != plain.wait(agent, t.open, t.reply)
                on_the_wall = {other.seq for other in wall_answered(thread, P)}
                seen["turn kept open by rostered silence"] += t.seq not in on_the_wall
            elif clock and P["max_wait"] and t.late is not None and t.late >= naive.DAY:
                last = max(m.ts for m in thread if m.ts < t.open + t.late)
                silence = clock.silence(agent, last, t.open + t.late)
                seen["turn closed after 24 h"] += silence < P["max_wait"]
    for f in naive.shop_facts(worlds.SHOP, chats, [], P, "order_first", its):
        seen["shift" if f.shift else "no shift"] += bool(its["roster"])
        seen["team" if f.team else "no team"] += bool(its["teams"])
        instant = f.value.open if f.kind == "turn" else None
        if instant:
            here = [s for s in naive.roster_of(its) if s.agent == f.agent and s.begin <= instant < s.end]
            seen["two shifts at once"] += len(here) > 1


def wall_answered(thread, P):
    turns = zip(naive.walk(thread, P).turns, naive.walk(thread, P).openers, strict=True)
    return [opener for turn, opener in turns if turn.reply is not None]


def look_at_orders(exports, order_rows, its, P, chats, seen):
    for listed in naive.order_list(exports, order_rows, P, settings=its):
        seen[f"label {listed.label}"] += 1
    orders = naive.fold_orders(order_rows, None, P, its)[worlds.SHOP]
    gross = naive.fold_orders(order_rows, None, {**P, "post_fee": "in", "refunds": "in"}, its)[worlds.SHOP]
    for o, whole in zip(orders, gross, strict=True):
        paid = o.paid is not None
        if o.excluded:
            seen["excluded by number" if o.oid in its["excluded_orders"] else "excluded by flag"] += 1
        if its["memo"] and paid:
            named = naive.memo_agent(o, its) is not None
            seen["credited by memo" if named else "memo without a match"] += 1
            seen["memo of a masked buyer"] += named and naive.is_masked(o.buyer)
        agents = naive.order_and_payment_agent(chats.elig, o, P, chats.spans)
        without_limit = naive.order_and_payment_agent(chats.elig, o, {**P, "urge_limit": 0}, chats.spans)
        asof = naive.order_and_payment_agent(chats.elig, o, {**P, "lookup": "asof"}, chats.spans)
        seen["urge limit matters"] += agents != without_limit
        seen[f"lookup {P['lookup']} matters"] += agents != asof
        if paid and o.amount != whole.amount:
            seen["post fee out"] += P["post_fee"] == "out"
            seen["refund out"] += P["refunds"] == "out"
        if paid and naive.seller_of(chats.elig, o, "order_first", P, chats.spans, its) is None:
            seen["shift of a silent order"] += naive.shift_at(naive.roster_of(its), None, o.paid) is not None
    mine = (orders, chats.elig)
    for days in chats.peer_days.values():
        for p in days:
            if p.klass != "received":
                continue
            arguments = (p.agent, p.buyer, p.day, p.first_buyer_ts)
            rest = ("order_first", chats.spans, its)
            outcome = naive.enquiry(*arguments, *mine, P, *rest)
            paid = naive.enquiry(*arguments, *mine, {**P, "after_sale": "paid"}, *rest)
            seen["shipped after-sale matters"] += outcome != paid
            allowed = [o._replace(excluded=False) for o in orders]
            seen["excluded order is a colleague's"] += (
                outcome == "assist" != naive.enquiry(*arguments, allowed, chats.elig, P, *rest)
            )


@pytest.fixture(scope="module")
def seen():
    found = Counter()

    @settings(max_examples=400, suppress_health_check=list(HealthCheck))
    @given(worlds.settled_worlds())
    def look(world):
        look_at(world, found)

    look()
    return found


@pytest.mark.parametrize("what", WANTED)
def test_random_shops_reach(seen, what):
    assert seen[what] > 0


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(worlds.settled_worlds())
def test_cslog_toml_says_what_the_settings_say(world):
    _, _, its, base, changes = world
    found = msgspec.toml.decode(worlds.config_of(its, changes, base), type=config.Config)
    shop = found.shops[worlds.SHOP]
    assert {name: list(agents) for name, agents in shop.teams.items()} == its["teams"]
    assert [f.rule for f in found.filters] == [f["rule"] for f in its["filters"]]
    assert len(shop.roster) == len(its["duties"])
    assert list(found.auto_replies.prefixes) == its["auto"]["prefixes"]
    if changes:
        assert profile.load("ours", found.profiles).id == "ours"
