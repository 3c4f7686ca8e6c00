"""Orders and who they are credited to, and what became of inquiries (kpi-spec 4, definitions 50-56)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from cslog import patterns
from cslog.config import Config, Memo
from cslog.credit_rules import WHO_FIRST
from cslog.facts.arrays import Orders, Rows, array, instants
from cslog.facts.circumstances import Circumstances
from cslog.facts.walk import Walked
from cslog.flags import PEER_DAY
from cslog.kernels import attribution, threads
from cslog.profile import Profile

_CONSULTED = PEER_DAY["received"] | PEER_DAY["unreplied"]
_OUTCOMES = {
    "ordered_same_day": attribution.ORDERED_SAME_DAY,
    "ordered": attribution.ORDERED,
    "paid_same_day": attribution.PAID_SAME_DAY,
    "paid_next_day": attribution.PAID_NEXT_DAY,
    "paid": attribution.PAID,
    "lost": attribution.LOST,
    "order_lost": attribution.ORDER_LOST,
}
_MARKS = np.array(
    [sum(PEER_DAY[name] for name, bit in _OUTCOMES.items() if bits & bit) for bits in range(512)], np.int64
)
"""Flags of an inquiry by the bits of its outcome."""


def memo_agents(orders: pl.DataFrame, config: Config) -> pl.Series:
    """The agent whom the seller memo of each order names (definitions 51)."""
    named = pl.Series("memo_agent", [None], dtype=pl.String).new_from_index(0, orders.height)
    for name, shop in config.shops.items():
        if shop.memo:
            mine = orders["shop"] == name
            if shop.memo.claimed_only:
                claims = [flag for flag, meaning in shop.flags.items() if meaning == "claim"]
                mine &= orders["flag"].is_in(claims).fill_null(False)
            named = _named_in(orders["memo"], shop.memo).zip_with(mine, named)
    return named.alias("memo_agent")


def _named_in(memos: pl.Series, rule: Memo) -> pl.Series:
    """The agent whom each memo names, if it can be read by ``rule``."""
    whole, *groups = patterns.compiled(rule.pattern).searched(memos)
    number = groups[0] if groups else whole
    return number.replace({"": None}).replace(rule.numbers) if rule.numbers else number.replace({"": None})


def _excluded(config: Config) -> pl.Expr:
    out = pl.lit(False)
    for name, shop in config.shops.items():
        colours = [colour for colour, meaning in shop.flags.items() if meaning == "exclude"]
        marked = pl.col("flag").is_in(colours) | pl.col("order_id").is_in(list(shop.excluded_orders))
        out = out | ((pl.col("shop") == name) & marked.fill_null(False))
    return out


def _amount(profile: Profile) -> pl.Expr:
    """Cents that count as sales (definitions 54)."""
    amount = pl.col("amount_cents")
    if profile.post_fee == "out":
        amount = amount - pl.col("post_fee_cents").fill_null(0)
    if profile.refunds == "out":
        amount = amount - pl.col("refund_cents").fill_null(0)
    return pl.max_horizontal(amount, pl.lit(0, pl.Int64))


def orders_of(orders: pl.DataFrame, circumstances: Circumstances) -> Orders:
    """Orders (order_versions.ORDER_COLUMNS, of the shops asked for) as every task needs them."""
    profile, config, names = circumstances.profile, circumstances.config, circumstances.names
    frame = orders.with_columns(
        memo_agents(orders, config), amount_cents=_amount(profile), excluded=_excluded(config)
    ).sort("buyer_key", "created_at", "order_id")
    return Orders(
        frame=frame,
        buyer_key=array(frame, "buyer_key", np.int64),
        shop=names.shop_codes(frame["shop"]),
        joinable=array(frame, "joinable", np.bool_),
        created=instants(frame, "created_at"),
        paid=instants(frame, "paid_at"),
        shipped=instants(frame, "shipped_at"),
        amount_cents=array(frame, "amount_cents", np.int64),
        items=array(frame.with_columns(pl.col("items").fill_null(0)), "items", np.int64),
        excluded=array(frame, "excluded", np.bool_),
        memo_agent=names.codes_of(frame["memo_agent"]),
    )


@dataclass(frozen=True, eq=False)
class Credited:
    """Per order: ``buyer`` (position in the rows, -1 for masked nicks), account codes of who was with the buyer at
    creation and payment and of whom the rule credits (-1: nobody), and whether somebody wrote after the payment.
    """

    orders: Orders
    buyer: np.ndarray
    at_creation: np.ndarray
    at_payment: np.ndarray
    credited: np.ndarray
    chats: Chats

    @cached_property
    def spoke_after(self) -> np.ndarray:
        """Whether an eligible message follows the payment within the lookback."""
        paid = self.orders.paid
        return self.chats.spoke_between(
            self.buyer, paid + 1, np.where(paid >= 0, paid + self.chats.profile.lookback_s, -1)
        )


def credit_orders(
    walked: Walked, rows: Rows, orders: Orders, received: np.ndarray, circumstances: Circumstances
) -> Credited:
    """Who was with the buyers of ``orders``; ``received``: per peer-day."""
    profile = circumstances.profile
    buyer = np.searchsorted(rows.gathered.buyer_key, orders.buyer_key)
    buyer = np.where(orders.joinable, buyer, -1).astype(np.int64)
    chats = Chats(walked, rows, np.unique(buyer[buyer >= 0]), received, profile)
    created, paid = orders.created, orders.paid
    at_creation = chats.agents(buyer, created, np.full(created.size, -1, np.int64))
    limited = (profile.urge_limit_s > 0) & (at_creation < 0) & (paid > created)
    not_begun = np.where(limited, created + profile.urge_limit_s, -1)
    at_payment = chats.agents(buyer, paid, not_begun)
    return Credited(
        orders,
        buyer,
        at_creation,
        at_payment,
        _credited(at_creation, at_payment, orders, circumstances.rule),
        chats,
    )


def _credited(at_creation: np.ndarray, at_payment: np.ndarray, orders: Orders, rule: str) -> np.ndarray:
    known = {"order_agent": at_creation, "payment_agent": at_payment, "memo_agent": orders.memo_agent}
    credited = np.full(at_creation.size, -1, np.int32)
    for name in WHO_FIRST[rule]:
        credited = np.where(credited < 0, known[name], credited)
    return np.where(orders.excluded, np.int32(-1), credited)


def labels(credited: Credited) -> pl.Series:
    """What happened around each order: a key of credit_rules.LABELS (definitions 56)."""
    ordered, paid = (pl.Series(c).replace(-1, None) for c in (credited.at_creation, credited.at_payment))
    frame = pl.DataFrame(
        {
            "ordered": ordered,
            "at_payment": paid,
            "excluded": credited.orders.excluded,
            "unpaid": credited.orders.paid < 0,
            "spoke_after": credited.spoke_after,
        }
    )
    ordered_by, paid_by = pl.col("ordered"), pl.col("at_payment")
    return frame.select(
        label=pl.when("excluded")
        .then(pl.lit("excluded"))
        .when("unpaid")
        .then(pl.lit("unpaid"))
        .when(ordered_by == paid_by)
        .then(pl.lit("one_agent"))
        .when(ordered_by.is_not_null() & paid_by.is_not_null())
        .then(pl.lit("two_agents"))
        .when(ordered_by.is_not_null())
        .then(pl.lit("order_agent_only"))
        .when(paid_by.is_not_null())
        .then(pl.lit("won_at_payment"))
        .when("spoke_after")
        .then(pl.lit("followed_up"))
        .otherwise(pl.lit("silent"))
    ).to_series()


class Chats:
    """Who talked to a buyer when, as the profile's ``lookup`` sees it (definitions 50)."""

    def __init__(
        self, walked: Walked, rows: Rows, buyers: np.ndarray, received: np.ndarray, profile: Profile
    ) -> None:
        self.profile = profile
        self._starts, self._at, self._agent = attribution.eligible_messages(
            buyers.astype(np.int64),
            rows.gathered.starts,
            walked.buyer_threads,
            walked.thread_events,
            walked.event_row,
            walked.event_type,
            walked.notes.peer_day,
            received.astype(np.int8),
            rows.gathered.at,
            walked.owner,
        )
        self._spans = _spans(walked, rows, received) if profile.lookup == "covering" else None

    def agents(self, buyer: np.ndarray, instant: np.ndarray, not_begun: np.ndarray) -> np.ndarray:
        """Agent codes at instants (-1: none); what was said or began at or before ``not_begun`` does not count."""
        earliest = instant - self.profile.lookback_s
        if self._spans is not None:
            starts, first, last, agent = self._spans
            from cslog.kernels import covering

            return covering.agents_covering(starts, first, last, agent, buyer, instant, earliest, not_begun)
        if self.profile.lookup == "same_day":
            cut = self.profile.day_cut_s
            earliest = (instant - cut) // threads.DAY * threads.DAY + cut
        earliest = np.where(not_begun >= 0, np.maximum(earliest, not_begun + 1), earliest)
        return attribution.agents_at(
            self._starts, self._at, self._agent, buyer, earliest, instant, self.profile.lookup == "first"
        )

    def spoke_between(self, buyer: np.ndarray, earliest: np.ndarray, latest: np.ndarray) -> np.ndarray:
        """Whether any eligible message lies between the instants, both included."""
        found = attribution.agents_at(self._starts, self._at, self._agent, buyer, earliest, latest, False)
        return found >= 0


def _spans(
    walked: Walked, rows: Rows, received: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """First and last message of every received peer-day, by buyer, in the order of their last messages."""
    written = walked.written
    peer_day = walked.notes.peer_day[written]
    size = received.size
    first = np.searchsorted(peer_day, np.arange(size), side="left")
    last = np.searchsorted(peer_day, np.arange(size), side="right") - 1
    chosen = np.flatnonzero(received & (last >= first))
    first_event, last_event = written[first[chosen]], written[last[chosen]]
    order = np.argsort(walked.event_row[last_event], kind="stable")
    last_rows = walked.event_row[last_event][order]
    thread = walked.peer_days.thread[chosen][order]
    return (
        np.searchsorted(last_rows, rows.gathered.starts).astype(np.int64),
        walked.event_at[first_event][order],
        walked.event_at[last_event][order],
        walked.thread_agent[thread],
    )


def outcomes(walked: Walked, flags: np.ndarray, credited: Credited, profile: Profile) -> np.ndarray:
    """``flags`` of peer-days with what became of each one's inquiry (kpi-spec 4.7)."""
    days, orders = walked.peer_days, credited.orders
    joined = credited.buyer >= 0
    excluded = np.where(orders.excluded, np.int32(attribution.EXCLUDED), credited.credited)
    bits = attribution.inquiry_outcomes(
        walked.thread_buyer[days.thread],
        days.day,
        walked.thread_agent[days.thread],
        days.asked,
        np.searchsorted(credited.buyer[joined], np.arange(walked.buyer_threads.size)).astype(np.int64),
        orders.created[joined],
        orders.paid[joined],
        (orders.paid if profile.after_sale == "paid" else orders.shipped)[joined],
        excluded[joined].astype(np.int32),
        profile.day_cut_s,
        profile.after_sale_days,
        profile.order_days,
        profile.unpaid_days,
    )
    received, consulted = flags & PEER_DAY["received"] != 0, flags & _CONSULTED != 0
    after_sale, assist = bits & attribution.AFTER_SALE != 0, bits & attribution.ASSIST != 0
    inquiry = received & ~after_sale & ~assist & (flags & PEER_DAY["continuation"] == 0)
    found = flags | np.where(inquiry, _MARKS[bits], 0)
    for name, holds in (
        ("after_sale_asked", consulted & after_sale),
        ("consult_ordered", consulted & (bits & attribution.ORDERED != 0)),
        ("after_sale", received & after_sale),
        ("assist", received & ~after_sale & assist),
        ("inquiry", inquiry),
    ):
        found |= np.where(holds, np.int64(PEER_DAY[name]), 0)
    return found
