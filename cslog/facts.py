"""Messages and orders of some buyers → facts: one row per turn, session, peer-day, credited order.

Facts are what a report adds up and what an explanation shows. Kernels run over flat arrays
(cslog.arrays) and their results become frames again here. Buyers are never split, so facts of disjoint
sets of buyers can be computed anywhere and put together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from cslog.arrays import Names, People, array, coded, kernel_rows, people_of
from cslog.kernels import attribution, owners, threads
from cslog.profile import Profile
from cslog.schema import MessageClass

COLUMNS = [
    "shop", "buyer_key", "sent_at", "rank", "message_class", "kind", "agent", "exporter",
    "transfer_from", "transfer_to", "characters",
]  # fmt: skip
"""Columns of schema.MESSAGES that facts need."""


@dataclass(frozen=True)
class Facts:
    """Everything countable about a set of buyers. ``agent`` is null where nobody is known.

    turns: shop, agent, buyer_key, day, open_at, wait_s (null: unanswered), cost_s (what
    the mean counts), late_s, unfollowed, first, first_response, by_buyer, in_window, counted
    sessions: shop, agent, buyer_key, day, first_at, last_at, counted
    peer_days: shop, agent, buyer_key, day, received, unreplied, filtered, asked_at, first_at, …
    messages: shop, agent, buyer_key, day, at, rank, from_buyer, characters, counted, filtered
    autos: shop, agent, buyer_key, at, rank
    orders: shop, buyer_key, order_id, created_at, paid_at, order_agent, payment_agent, credited, …
    ``counted`` is false for what lies in a filtered peer-day or opens outside the profile's window.
    """

    turns: pl.DataFrame
    sessions: pl.DataFrame
    peer_days: pl.DataFrame
    messages: pl.DataFrame
    autos: pl.DataFrame
    orders: pl.DataFrame


def compute(
    messages: pl.DataFrame, orders: pl.DataFrame, profile: Profile, rule: str, data_ends: dict[str, int]
) -> Facts:
    """Facts of the buyers in ``messages`` (COLUMNS) and ``orders`` (order_versions.ORDER_COLUMNS, of the same
    buyers).

    ``rule``: order, payment or order_first (kpi-spec 4.3). ``data_ends``: last second per shop.
    """
    names, messages = coded(messages)
    autos = messages.filter(pl.col("message_class") == int(MessageClass.AUTO)).select(
        "shop", "buyer_key", "rank", agent=names.of("agent_code"), at="sent_at"
    )
    rows = kernel_rows(messages, profile)
    people = people_of(rows, orders)
    walked = _walk(rows, people, profile, data_ends)
    peer_days = _peer_days(walked, rows, people, names, profile)
    credited = _credit(walked, rows, orders, people, names, profile, rule)
    peer_days = peer_days.with_columns(**_outcomes(peer_days, credited, people, profile))
    counted = (peer_days["received"] | peer_days["unreplied"]).to_numpy()
    return Facts(
        turns=_turns(walked, people, names, profile, counted),
        sessions=_sessions(walked, people, names, counted),
        peer_days=peer_days.drop("person", "agent_code"),
        messages=_messages(walked, rows, people, names, peer_days),
        autos=autos,
        orders=credited.drop("person", "credited_code"),
    )


@dataclass(frozen=True)
class _Walked:
    """Results of the kernels, with the arrays they refer to."""

    event_row: np.ndarray
    event_type: np.ndarray
    event_at: np.ndarray
    event_characters: np.ndarray
    event_peer_day: np.ndarray
    thread_buyer: np.ndarray
    thread_agent: np.ndarray
    turns: tuple[np.ndarray, ...]
    sessions: tuple[np.ndarray, ...]
    peer_days: tuple[np.ndarray, ...]
    owner: np.ndarray


def _walk(rows: pl.DataFrame, people: People, profile: Profile, data_ends: dict[str, int]) -> _Walked:
    at, who = array(rows, "sent_at", np.int64), array(rows, "who", np.int8)
    origin, target = (array(rows, f"transfer_{end}_code", np.int32) for end in ("from", "to"))
    gap = profile.max_wait_s or profile.session_gap_s
    owner = owners.infer_owners(
        people.starts,
        at,
        who,
        array(rows, "agent_code", np.int32),
        array(rows, "exporter_code", np.int32),
        target,
        gap,
    )
    voided, reopened = owners.transfer_effects(
        people.starts,
        at,
        who,
        owner,
        origin,
        target,
        profile.max_wait_s,
        profile.day_cut_s,
        profile.transfer == "neutral",
    )
    event_row, event_type, thread_starts, thread_buyer, thread_agent = threads.order_threads(
        people.starts, who, owner, voided, reopened
    )
    shop_ends = people.frame["shop"].replace_strict(data_ends, default=0, return_dtype=pl.Int64).to_numpy()
    event_at = at[event_row]
    event_characters = array(rows, "characters", np.int32)[event_row]
    turns, sessions, peer_days, event_peer_day = threads.walk_threads(
        thread_starts,
        event_at,
        event_type,
        array(rows, "visible", np.int8)[event_row],
        event_characters,
        shop_ends[thread_buyer],
        profile.max_wait_s,
        profile.session_gap_s,
        profile.day_cut_s,
        profile.slow_s,
        profile.long_s,
        *profile.hours,
    )
    return _Walked(
        event_row, event_type, event_at, event_characters, event_peer_day, thread_buyer, thread_agent,
        turns, sessions, peer_days, owner,
    )  # fmt: skip


def _thread_columns(
    walked: _Walked, thread: np.ndarray, people: People, names: Names
) -> dict[str, pl.Series]:
    return people.columns(walked.thread_buyer[thread]) | {
        "agent": names.to_series(walked.thread_agent[thread])
    }


def _peer_days(
    walked: _Walked, rows: pl.DataFrame, people: People, names: Names, profile: Profile
) -> pl.DataFrame:
    (
        thread, day, category, continuation, buyer_messages, staff_messages, characters,
        asked_at, first_at, started_by, slow_turns, long_session,
    ) = walked.peer_days  # fmt: skip
    frame = pl.DataFrame(
        _thread_columns(walked, thread, people, names)
        | {
            "person": walked.thread_buyer[thread],
            "agent_code": walked.thread_agent[thread],
            "day": day,
            "received": category == threads.RECEIVED,
            "unreplied": category == threads.UNREPLIED,
            "filter": pl.Series(category).replace_strict(
                {threads.EMPTY: "empty", threads.MONOLOGUE: "monologue"}, default=None, return_dtype=pl.String
            ),
            "continuation": continuation.astype(bool),
            "buyer_messages": buyer_messages,
            "agent_messages": staff_messages,
            "agent_characters": characters,
            "asked_at": pl.Series(asked_at).replace(-1, None),
            "first_at": first_at,
            "first_row": _first_rows(walked),
            "by_buyer": started_by == threads.BUYER,
            "slow": slow_turns >= profile.slow_times,
            "long": long_session.astype(bool),
        }
    )
    markers = (
        rows.with_row_index("row")
        .filter(pl.col("who") == 2)
        .with_columns(
            person=np.searchsorted(
                people.starts, np.flatnonzero(array(rows, "who", np.int8) == 2), side="right"
            )
            - 1,
            day=(pl.col("sent_at") - profile.day_cut_s).floordiv(threads.DAY),
        )
    )
    key = ["person", "agent_code", "day"]
    for flag, end in (("forwarded_out", "transfer_from_code"), ("forwarded_in", "transfer_to_code")):
        moved = markers.select(
            "person", pl.col(end).alias("agent_code"), "day", pl.lit(True).alias(flag)
        ).unique()
        frame = frame.join(moved, on=key, how="left", maintain_order="left").with_columns(
            pl.col(flag).fill_null(False)
        )
    return frame


def _first_rows(walked: _Walked) -> np.ndarray:
    """The row of each peer-day's first message; inside a buyer, rows are in the order of T1."""
    events = np.flatnonzero(walked.event_peer_day >= 0)
    first = np.searchsorted(walked.event_peer_day[events], np.arange(walked.peer_days[1].size))
    return walked.event_row[events[first]]


def _turns(
    walked: _Walked, people: People, names: Names, profile: Profile, counted: np.ndarray
) -> pl.DataFrame:
    thread, peer_day, opened, reply, late, first, started_by = walked.turns
    wait = np.where(reply >= 0, reply - opened, -1)
    capped = np.minimum(wait, profile.cap_s) if profile.cap_s else wait
    cost = np.where(wait >= 0, capped, profile.unanswered_s or -1)  # (kpi-spec 7, ``response``)
    window_from, window_to = profile.hours
    in_window = (opened % threads.DAY >= window_from) & (opened % threads.DAY < window_to)
    by_buyer = started_by == threads.BUYER
    return pl.DataFrame(
        _thread_columns(walked, thread, people, names)
        | {
            "day": walked.peer_days[1][peer_day],
            "open_at": opened,
            "wait_s": pl.Series(wait).replace(-1, None),
            "cost_s": pl.Series(cost).replace(-1, None),
            "late_s": pl.Series(np.where(late >= 0, late - opened, -1)).replace(-1, None),
            "unfollowed": late == -2,
            "first": first.astype(bool),
            "first_response": first.astype(bool) & (by_buyer | (profile.first_response == "any")),
            "by_buyer": by_buyer,
            "in_window": in_window,
            "counted": counted[peer_day] & in_window,
        }
    )


def _sessions(walked: _Walked, people: People, names: Names, counted: np.ndarray) -> pl.DataFrame:
    thread, peer_day, first, last = walked.sessions
    return pl.DataFrame(
        _thread_columns(walked, thread, people, names)
        | {
            "day": walked.peer_days[1][peer_day],
            "first_at": first,
            "last_at": last,
            "counted": counted[peer_day],
        }
    )


def _messages(
    walked: _Walked, rows: pl.DataFrame, people: People, names: Names, peer_days: pl.DataFrame
) -> pl.DataFrame:
    written = np.flatnonzero(walked.event_type <= threads.STAFF)
    peer_day = walked.event_peer_day[written]
    thread = walked.peer_days[0][peer_day]
    return pl.DataFrame(
        _thread_columns(walked, thread, people, names)
        | {
            "day": walked.peer_days[1][peer_day],
            "at": walked.event_at[written],
            "rank": array(rows, "rank", np.int32)[walked.event_row[written]],
            "from_buyer": walked.event_type[written] == threads.BUYER,
            "characters": walked.event_characters[written],
            "counted": (peer_days["received"] | peer_days["unreplied"]).to_numpy()[peer_day],
            "filtered": peer_days["filter"].is_not_null().to_numpy()[peer_day],
        }
    )


def _credit(
    walked: _Walked,
    rows: pl.DataFrame,
    orders: pl.DataFrame,
    people: People,
    names: Names,
    profile: Profile,
    rule: str,
) -> pl.DataFrame:
    """Orders with the agents at creation and payment and the one they are credited to, sorted by person."""
    received = (walked.peer_days[2] == threads.RECEIVED).astype(np.int64)
    eligible = attribution.eligible_rows(walked.event_row, walked.event_type, walked.event_peer_day, received)
    starts = np.searchsorted(eligible, people.starts).astype(np.int64)
    at = array(rows, "sent_at", np.int64)[eligible]
    agent = walked.owner[eligible]
    frame = (
        orders.join(people.frame.select("shop", "buyer_key", "person"), on=["shop", "buyer_key"], how="left")
        .with_columns(person=pl.when("joinable").then(pl.col("person")).fill_null(-1))
        .sort("person", "created_at", "order_id")
    )
    person = array(frame, "person", np.int64)
    instants = frame["created_at"], frame["paid_at"].fill_null(-1)
    at_creation, at_payment = (
        attribution.agents_at(
            starts, at, agent, person, np.ascontiguousarray(instant.to_numpy()), profile.lookback_s
        )
        for instant in instants
    )
    credited = {
        "order": at_creation,
        "payment": at_payment,
        "order_first": np.where(at_creation >= 0, at_creation, at_payment),
    }[rule]
    return frame.with_columns(
        order_agent=names.to_series(at_creation),
        payment_agent=names.to_series(at_payment),
        credited=names.to_series(credited),
        credited_code=pl.Series(credited, dtype=pl.Int32),
        # A sale is dated by what the rule looks at, and it is one only when it was paid.
        sold_at=pl.when(pl.col("paid_at").is_not_null()).then(
            pl.col("created_at") if rule == "order" else pl.col("paid_at")
        ),
    )


def _outcomes(
    peer_days: pl.DataFrame, credited: pl.DataFrame, people: People, profile: Profile
) -> dict[str, pl.Series | pl.Expr]:
    joined = credited.filter(pl.col("person") >= 0)
    order_starts = np.searchsorted(array(joined, "person", np.int64), np.arange(people.frame.height + 1))
    bits = attribution.inquiry_outcomes(
        array(peer_days, "person", np.int64),
        array(peer_days, "day", np.int64),
        array(peer_days, "agent_code", np.int32),
        np.ascontiguousarray(peer_days["asked_at"].fill_null(-1).to_numpy()),
        order_starts.astype(np.int64),
        array(joined, "created_at", np.int64),
        np.ascontiguousarray(joined["paid_at"].fill_null(-1).to_numpy()),
        array(joined, "credited_code", np.int32),
        profile.day_cut_s,
        profile.after_sale_days,
        profile.order_days,
        profile.unpaid_days,
    )

    def has(bit: int) -> np.ndarray:
        return (bits & bit) != 0

    received = peer_days["received"].to_numpy()
    assist = received & has(attribution.ASSIST)
    after_sale = received & has(attribution.AFTER_SALE)
    inquiry = received & ~assist & ~after_sale & ~peer_days["continuation"].to_numpy()
    consulted = received | peer_days["unreplied"].to_numpy()
    columns = {
        "inquiry": inquiry,
        "after_sale": after_sale,
        "assist": assist,
        "ordered_same_day": inquiry & has(attribution.ORDERED_SAME_DAY),
        "ordered": inquiry & has(attribution.ORDERED),
        "paid_same_day": inquiry & has(attribution.PAID_SAME_DAY),
        "paid_next_day": inquiry & has(attribution.PAID_NEXT_DAY),
        "paid": inquiry & has(attribution.PAID),
        "lost": inquiry & has(attribution.LOST),
        "order_lost": inquiry & has(attribution.ORDER_LOST),
        "consult_ordered": consulted & has(attribution.ORDERED),
    }
    return {name: pl.Series(values) for name, values in columns.items()}
