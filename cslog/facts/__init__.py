"""Messages and orders of some buyers → facts: one row per turn, session, peer-day, credited order.

Facts are what a report adds up and what an explanation shows. Kernels run over flat arrays
(facts.arrays, facts.walk) and their results become frames again here. Buyers are never split, so facts of
disjoint sets of buyers can be computed anywhere and put together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from cslog.facts import rules
from cslog.facts.arrays import DutyArrays, Names, People, array, coded, kernel_rows, people_of
from cslog.facts.circumstances import Circumstances
from cslog.facts.credit import credit, memo_agents, outcomes
from cslog.facts.peer_days import peer_days_of, with_turns
from cslog.facts.walk import Walked, walk
from cslog.kernels import threads
from cslog.profile import LEVELS, Profile
from cslog.schema import MessageClass

COLUMNS = [
    "shop", "buyer_key", "sent_at", "rank", "message_class", "kind", "agent", "exporter",
    "transfer_from", "transfer_to", "characters",
]  # fmt: skip
"""Columns of schema.MESSAGES that facts need, beside those of rules.message_columns."""


@dataclass(frozen=True)
class Facts:
    """Everything countable about a set of buyers. ``agent`` is null where nobody is known.

    turns: shop, agent, buyer_key, day, open_at, wait_s (null: unanswered), raw_wait_s (on the wall clock),
    cost_s (what the mean counts), late_s, unfollowed, first, first_response, by_buyer, in_window, consulted,
    counted, night (null: not known yet), night_answered
    questions: shop, agent, buyer_key, day, at, rank, wait_s, counted; only where a rate counts messages
    sessions: shop, agent, buyer_key, day, first_at, last_at, counted
    peer_days: shop, agent, buyer_key, day, received, unreplied, filter, asked_at, first_at, …
    messages: shop, agent, buyer_key, day, at, rank, from_buyer, characters, counted, filtered
    autos: shop, agent, buyer_key, at, rank
    orders: shop, buyer_key, order_id, created_at, paid_at, order_agent, payment_agent, memo_agent, excluded,
    credited, label, …
    ``consulted`` is false for what lies in a filtered peer-day, ``counted`` also for what opens outside the
    profile's window.
    """

    turns: pl.DataFrame
    questions: pl.DataFrame
    sessions: pl.DataFrame
    peer_days: pl.DataFrame
    messages: pl.DataFrame
    autos: pl.DataFrame
    orders: pl.DataFrame


def compute(messages: pl.DataFrame, orders: pl.DataFrame, circumstances: Circumstances) -> Facts:
    """Facts of the buyers in ``messages`` (COLUMNS and rules.message_columns) and ``orders``
    (order_versions.ORDER_COLUMNS, of the same buyers).
    """
    profile, config = circumstances.profile, circumstances.config
    orders = orders.with_columns(memo_agents(orders, config))
    messages = rules.with_automatic_replies(messages, config, circumstances.automatic, profile.day_cut_s)
    messages = messages.drop("auto_rule", "message_key", strict=False)
    names, messages = coded(messages, orders["memo_agent"])
    autos = messages.filter(pl.col("message_class") == int(MessageClass.AUTO)).select(
        "shop", "buyer_key", "rank", agent=names.of("agent_code"), at="sent_at"
    )
    rows = kernel_rows(messages, profile)
    people = people_of(rows, orders)
    walked = walk(rows, people, names, circumstances)
    peer_days = peer_days_of(walked, rows, people, names, circumstances)
    turns = _turns(walked, people, names, circumstances, peer_days)
    peer_days = with_turns(peer_days, walked.turns.peer_day, turns, profile)
    received = peer_days["received"].to_numpy()
    credited = credit(walked, rows, orders, people, names, received, circumstances)
    peer_days = peer_days.with_columns(**outcomes(peer_days, credited, people, profile))
    return Facts(
        turns=turns,
        questions=_questions(walked, rows, people, names, circumstances, peer_days),
        sessions=_sessions(walked, people, names, peer_days),
        peer_days=peer_days.drop("person", "agent_code"),
        messages=_messages(walked, rows, people, names, peer_days),
        autos=autos,
        orders=credited.drop("person", "credited_code"),
    )


def _consulted(peer_days: pl.DataFrame) -> np.ndarray:
    return (peer_days["received"] | peer_days["unreplied"]).to_numpy()


def _inside(walked: Walked, event: np.ndarray, profile: Profile) -> np.ndarray:
    """Whether the profile's window holds what opens with these events (definitions 37)."""
    at = walked.event_at[event]
    if profile.window_of == "session":
        at = walked.sessions.first[walked.notes.session[event]]
    begin, end = profile.hours
    return (at % threads.DAY >= begin) & (at % threads.DAY < end)


def _turns(
    walked: Walked,
    people: People,
    names: Names,
    circumstances: Circumstances,
    peer_days: pl.DataFrame,
) -> pl.DataFrame:
    profile, turns = circumstances.profile, walked.turns
    answered = turns.reply >= 0
    raw = np.where(answered, turns.reply - turns.opened, -1)
    worked = DutyArrays.worked(circumstances.duty, people, names)
    number = worked.of(*walked.shop_and_agent(turns.thread))
    passed = worked.elapsed(number, turns.reply) - worked.elapsed(number, turns.opened)
    wait = np.where(answered, passed, -1)
    capped = np.minimum(wait, profile.cap_s) if profile.cap_s else wait
    cost = np.where(answered, capped, profile.unanswered_s or -1)  # (kpi-spec 7, ``response``)
    in_window = _inside(walked, turns.event, profile)
    by_buyer = turns.started_by == threads.BUYER
    first = turns.first.astype(bool)
    consulted = _consulted(peer_days)[turns.peer_day]
    return pl.DataFrame(
        walked.thread_columns(turns.thread, people, names)
        | {
            "day": walked.peer_days.day[turns.peer_day],
            "open_at": turns.opened,
            "wait_s": pl.Series(wait).replace(-1, None),
            "raw_wait_s": pl.Series(raw).replace(-1, None),
            "cost_s": pl.Series(cost).replace(-1, None),
            "late_s": pl.Series(np.where(turns.late >= 0, turns.late - turns.opened, -1)).replace(-1, None),
            "unfollowed": turns.late == -2,
            "first": first,
            "first_response": first & (by_buyer | (profile.first_response == "any")),
            "by_buyer": by_buyer,
            "in_window": in_window,
            "consulted": consulted,
            "counted": consulted & in_window,
            **_nights(walked, profile),
        }
    )


def _nights(walked: Walked, profile: Profile) -> dict[str, pl.Series]:
    """Night questions and whether they were answered in the morning (definitions 38)."""
    opened = walked.turns.opened
    clock = opened % threads.DAY
    night = profile.at_night(clock)
    due = opened + (profile.night_due_s - clock) % threads.DAY
    reply = walked.notes.reply[walked.turns.event]
    known = (reply >= 0) | (walked.thread_end[walked.turns.thread] >= due)
    return {
        "night": pl.Series(night & known),
        "night_answered": pl.Series(night & (reply >= 0) & (reply <= due)),
    }


def _questions(
    walked: Walked,
    rows: pl.DataFrame,
    people: People,
    names: Names,
    circumstances: Circumstances,
    peer_days: pl.DataFrame,
) -> pl.DataFrame:
    """Messages that wait for an answer, each with its own wait (definitions 35)."""
    profile = circumstances.profile
    wanted = any(profile.level(seconds) == "message" for seconds in LEVELS)
    event = np.flatnonzero(walked.notes.question == 1) if wanted else np.zeros(0, np.int64)
    peer_day = walked.notes.peer_day[event]
    thread = walked.peer_days.thread[peer_day]
    at, reply = walked.event_at[event], walked.notes.reply[event]
    worked = DutyArrays.worked(circumstances.duty, people, names)
    number = worked.of(*walked.shop_and_agent(thread))
    wait = np.where(reply >= 0, worked.elapsed(number, reply) - worked.elapsed(number, at), -1)
    return pl.DataFrame(
        walked.thread_columns(thread, people, names)
        | {
            "day": walked.peer_days.day[peer_day],
            "at": at,
            "rank": array(rows, "rank", np.int32)[walked.event_row[event]],
            "wait_s": pl.Series(wait).replace(-1, None),
            "counted": _consulted(peer_days)[peer_day] & _inside(walked, event, profile),
        }
    )


def _sessions(walked: Walked, people: People, names: Names, peer_days: pl.DataFrame) -> pl.DataFrame:
    sessions = walked.sessions
    return pl.DataFrame(
        walked.thread_columns(sessions.thread, people, names)
        | {
            "day": walked.peer_days.day[sessions.peer_day],
            "first_at": sessions.first,
            "last_at": sessions.last,
            "counted": _consulted(peer_days)[sessions.peer_day],
        }
    )


def _messages(
    walked: Walked, rows: pl.DataFrame, people: People, names: Names, peer_days: pl.DataFrame
) -> pl.DataFrame:
    written = walked.written
    peer_day = walked.notes.peer_day[written]
    row = walked.event_row[written]
    return pl.DataFrame(
        walked.thread_columns(walked.peer_days.thread[peer_day], people, names)
        | {
            "day": walked.peer_days.day[peer_day],
            "at": walked.event_at[written],
            "rank": array(rows, "rank", np.int32)[row],
            "from_buyer": walked.event_type[written] == threads.BUYER,
            "characters": array(rows, "characters", np.int32)[row],
            "counted": _consulted(peer_days)[peer_day],
            "filtered": peer_days["filter"].is_not_null().to_numpy()[peer_day],
        }
    )
