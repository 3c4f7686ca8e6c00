"""Facts to sums per shop and agent with pandas: the second half of pandas_frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.peers import inputs
from benchmarks.peers.finishing import finished
from benchmarks.peers.inputs import DAY, Inputs

THREAD = ["buyer_key", "owner"]
ROW = ["shop", "owner"]
NONE = inputs.NOBODY


@dataclass(frozen=True)
class Facts:
    """Everything countable; ``hard`` holds the transfer markers, ``ends`` the last second of each shop."""

    hard: pd.DataFrame
    events: pd.DataFrame
    turns: pd.DataFrame
    sessions: pd.DataFrame
    people: pd.DataFrame
    credited: pd.DataFrame
    ends: pd.Series


def report(
    given: Inputs, shops: pd.DataFrame, agents: pd.DataFrame, automatic: pd.DataFrame, facts: Facts
) -> pd.DataFrame:
    """Sums per shop and agent, then the quotients."""

    def inside(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["day"].between(given.first_day, given.last_day)]

    people = inside(facts.people)
    consulted = facts.people["consulted"]
    turns = inside(facts.turns)
    turns = turns[consulted.reindex(turns["unit"]).to_numpy()]
    sessions = inside(facts.sessions)
    sessions = sessions[consulted.reindex(sessions["unit"]).to_numpy()]
    money = facts.credited[facts.credited["paid_day"].between(given.first_day, given.last_day)]
    money = money.rename(columns={"shop": "shop_name"}).merge(shops, on="shop_name")
    parts = [
        _people(people, _outcomes(people, facts.credited), facts.hard),
        _turns(
            turns.assign(
                first=turns["opened"] == facts.people["first_turn"].reindex(turns["unit"]).to_numpy()
            )
        ),
        _nights(turns, facts.events),
        _sessions(sessions),
        automatic.set_index(ROW),
        _sales(money),
    ]
    whole = pd.concat(parts, axis=1, join="outer").rename_axis(ROW).reset_index()
    whole["data_end"] = facts.ends.reindex(whole["shop"]).to_numpy()
    whole["paid_cents"] = money.groupby("shop")["amount_cents"].sum().reindex(whole["shop"]).to_numpy()
    whole = whole.merge(shops, on="shop").merge(agents, on="owner")
    return pd.DataFrame(finished(whole.to_dict("records")))


def _outcomes(people: pd.DataFrame, credited: pd.DataFrame) -> pd.DataFrame:
    """What became of each peer-day's question (kpi-spec 4.7), by unit."""
    asked = people.loc[people["consulted"], ["unit", *THREAD, "day", "asked"]]
    pairs = asked.merge(credited[credited["joinable"]], on="buyer_key")
    asked_at, day = pairs["asked"] // 2**24, pairs["day"]
    created, paid, paid_day = pairs["created_at"], pairs["paid_at"], pairs["paid_day"]
    is_paid = paid >= 0
    prior = is_paid & (paid >= asked_at - inputs.AFTER_SALE_DAYS * DAY) & (paid < asked_at)
    after = (created >= asked_at) & (pairs["created_day"] < day + inputs.ORDER_DAYS)
    pending = (
        (created >= asked_at - inputs.UNPAID_DAYS * DAY)
        & (created < asked_at)
        & (~is_paid | (paid >= asked_at))
    )
    related = after | pending
    foreign = related & (pairs["credited"] != NONE) & (pairs["credited"] != pairs["owner"])
    won = related & is_paid
    flags = pd.DataFrame(
        {
            "prior": prior, "related": related, "foreign": foreign, "ordered": after,
            "ordered_same_day": after & (pairs["created_day"] == day),
            "paid": won & (paid_day <= day + inputs.ORDER_DAYS - 1 + inputs.UNPAID_DAYS),
            "paid_same_day": won & (paid_day == day),
            "paid_next_day": won & (paid_day <= day + 1),
        }
    )  # fmt: skip
    return flags.groupby(pairs["unit"]).sum()


def _people(people: pd.DataFrame, outcomes: pd.DataFrame, hard: pd.DataFrame) -> pd.DataFrame:
    markers = hard.loc[hard["who"] == 2, ["buyer_key", "sent_at", "transfer_from", "transfer_to"]]
    places = pd.MultiIndex.from_frame(people[[*THREAD, "day"]])

    def moved(end: str) -> np.ndarray:
        keys = pd.MultiIndex.from_arrays([markers["buyer_key"], markers[end], markers["sent_at"] // DAY])
        return places.isin(keys)

    o = outcomes.reindex(people.index).fillna(0)
    is_out, is_in = moved("transfer_from"), moved("transfer_to")
    received, consulted, filtered = (
        people[name].to_numpy() for name in ("received", "consulted", "filtered")
    )
    assisting = (o["related"] > 0) & (o["foreign"] == o["related"])
    after_sale = (o["prior"] > 0) & (o["related"] == 0)
    inquiry = received & ~after_sale & ~assisting & ~people["continuation"]
    paid = o["paid"] > 0
    spoke = ~filtered & (people["staff_first"] >= 0)
    sums = pd.DataFrame(
        {
            "buyers_chatted": consulted | filtered,
            "buyers_filtered": filtered,
            "buyers_consulted": consulted,
            "buyers_received": received,
            "buyers_unreplied": people["unreplied"],
            "buyers_direct": received & ~is_in,
            "buyers_forwarded_in": received & is_in,
            "buyers_forwarded_out": received & is_out,
            "buyer_initiated": consulted & people["by_buyer"],
            "agent_initiated": consulted & ~people["by_buyer"],
            "slow_buyers": people["slow"] & ~filtered,
            "long_buyers": people["long"] & ~filtered,
            "buyer_messages": people["buyer_messages"] * consulted,
            "agent_messages": people["agent_messages"] * consulted,
            "agent_characters": people["agent_characters"] * consulted,
            "inquiries": inquiry,
            "inquiries_ordered_same_day": inquiry & (o["ordered_same_day"] > 0),
            "inquiries_ordered": inquiry & (o["ordered"] > 0),
            "inquiries_paid_same_day": inquiry & (o["paid_same_day"] > 0),
            "inquiries_paid_next_day": inquiry & (o["paid_next_day"] > 0),
            "inquiries_paid": inquiry & paid,
            "inquiries_lost": inquiry & (o["related"] == 0),
            "orders_lost": inquiry & (o["related"] > 0) & ~paid,
            "assists": received & assisting,
            "consults_ordered": consulted & (o["ordered"] > 0),
        }
    )  # fmt: skip
    found = sums.groupby([people[name] for name in ROW]).sum()
    seen = people[received].groupby(ROW)
    found["buyers_received_distinct"] = seen["buyer_key"].nunique()
    found["last_received_day"] = seen["day"].max()
    active = people[spoke].groupby(ROW)
    found["first_message_at"], found["last_message_at"] = (
        active["staff_first"].min(),
        active["staff_last"].max(),
    )
    found["days_active"] = active["day"].nunique()
    return found


def _turns(turns: pd.DataFrame) -> pd.DataFrame:
    wait, first = turns["wait_s"], turns["first"]
    answered, response = wait >= 0, first & (turns["started_by"] == 0)
    sums = pd.DataFrame(
        {
            "turns": 1,
            "turns_answered": answered,
            "turns_late": turns["late"],
            "wait_s": wait.where(answered, 0),
            "first_wait_s": wait.where(answered & response, 0),
            "first_turns": answered & response,
            "first_response_missed": response & ~answered,
            "first_any_wait_s": wait.where(answered & first, 0),
            "first_any_turns": answered & first,
            **{f"within_{level}s": answered & (wait <= level) for level in inputs.LEVELS},
        }
    )
    found = sums.groupby([turns[name] for name in ROW]).sum()
    for name, population in (("response", answered), ("first_response", answered & response)):
        mine = turns.loc[population, [*ROW, "wait_s"]].sort_values([*ROW, "wait_s"])
        sizes = mine.groupby(ROW).size()
        begins = sizes.cumsum() - sizes
        for percent in (50, 90):
            place = begins + (sizes * percent + 99) // 100 - 1
            found[f"{name}_p{percent}"] = pd.Series(mine["wait_s"].to_numpy()[place], index=sizes.index)
    return found


def _nights(turns: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    clock = turns["opened_at"] % DAY
    night = turns[(clock >= inputs.NIGHT_BEGIN) | (clock < inputs.NIGHT_END)]
    due = night["opened_at"] + (inputs.NIGHT_DUE - night["opened_at"] % DAY) % DAY
    night = night.assign(due=due).sort_values("opened")
    waiting = night.loc[night["wait_s"] < 0, "buyer_key"].unique()
    answers = events.loc[(events["side"] == 1) & events["buyer_key"].isin(waiting), [*THREAD, "pos"]]
    answers["answered_at"] = answers["pos"] // 2**24
    night = pd.merge_asof(
        night, answers.sort_values("pos"), left_on="opened", right_on="pos", by=THREAD, direction="forward",
        allow_exact_matches=False,
    )  # fmt: skip
    answered = night["wait_s"] >= 0
    reply = (night["opened_at"] + night["wait_s"]).where(answered, night["answered_at"])
    known = reply.notna() | (night["data_end"] >= night["due"])
    night = night.assign(night_questions=1, night_answered=reply <= night["due"])[known]
    return night.groupby(ROW)[["night_questions", "night_answered"]].sum()


def _sessions(sessions: pd.DataFrame) -> pd.DataFrame:
    """Service time, and chats at once: every day's changes add up to nothing, so one running sum does for all."""
    key = [*ROW, "day"]
    begins = sessions[key].assign(second=sessions["first_at"], step=1)
    ends = sessions[key].assign(second=sessions["last_at"] + 1, step=-1)
    changes = pd.concat([begins, ends], ignore_index=True)
    order = np.lexsort([changes[name] for name in ("step", "second", "day", "owner", "shop")])
    changes = changes.iloc[order]
    level, second = changes["step"].cumsum().to_numpy(), changes["second"].to_numpy()
    seconds = np.diff(second, append=second[-1:])
    busy = level > 0
    swept = changes[busy].assign(level=level[busy], busy_seconds=seconds[busy])
    swept["chat_seconds"] = swept["level"] * swept["busy_seconds"]
    found = swept.groupby(ROW).agg(
        max_concurrent=("level", "max"),
        chat_seconds=("chat_seconds", "sum"),
        busy_seconds=("busy_seconds", "sum"),
    )
    served = sessions["last_at"] - sessions["first_at"]
    found["session_s"] = served.groupby([sessions[name] for name in ROW]).sum()
    return found


def _sales(money: pd.DataFrame) -> pd.DataFrame:
    sold = money[money["credited"] != NONE].assign(owner=lambda frame: frame["credited"], sales_orders=1)
    sold = sold.rename(columns={"amount_cents": "sales_cents", "items": "sales_items"})
    found = sold.groupby(ROW)[["sales_cents", "sales_orders", "sales_items"]].sum()
    found["sales_buyers"] = sold.drop_duplicates([*ROW, "buyer_key", "paid_day"]).groupby(ROW).size()
    return found
