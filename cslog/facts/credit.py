"""Orders and who they are credited to, and what became of inquiries (kpi-spec 4, definitions 50-56)."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from cslog.config import Config, Shop
from cslog.credit_rules import credited_under
from cslog.facts.arrays import Names, People, array
from cslog.facts.circumstances import Circumstances
from cslog.facts.walk import Walked
from cslog.kernels import attribution, threads
from cslog.profile import Profile


def memo_agents(orders: pl.DataFrame, config: Config) -> pl.Series:
    """The agent whom the seller memo of each order names (definitions 51)."""
    return pl.Series(
        "memo_agent",
        [
            _named_in(memo, flag, config.shops[shop]) if shop in config.shops else None
            for shop, memo, flag in orders.select("shop", "memo", "flag").iter_rows()
        ],
        dtype=pl.String,
    )


def _named_in(memo: str | None, flag: str | None, shop: Shop) -> str | None:
    rule = shop.memo
    if rule is None or memo is None or (rule.claimed_only and shop.flags.get(flag or "") != "claim"):
        return None
    found = re.search(rule.pattern, memo)
    if found is None:
        return None
    number = found[1] if found.re.groups else found[0]
    return rule.numbers.get(number, number) if number else None


def _excluded(orders: pl.DataFrame, config: Config) -> pl.Expr:
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


def credit(
    walked: Walked,
    rows: pl.DataFrame,
    orders: pl.DataFrame,
    people: People,
    names: Names,
    received: np.ndarray,
    circumstances: Circumstances,
) -> pl.DataFrame:
    """``orders`` (with ``memo_agent``) with the agents at creation and payment, the one credited, and the label;
    sorted by person. ``received``: per peer-day.
    """
    profile, config = circumstances.profile, circumstances.config
    frame = (
        orders.join(people.frame.select("shop", "buyer_key", "person"), on=["shop", "buyer_key"], how="left")
        .with_columns(
            person=pl.when("joinable").then(pl.col("person")).fill_null(-1),
            amount_cents=_amount(profile),
            excluded=_excluded(orders, config),
        )
        .sort("person", "created_at", "order_id")
    )
    chats = _Chats(walked, rows, people, received, profile)
    person = array(frame, "person", np.int64)
    created, paid = (_instants(frame, name) for name in ("created_at", "paid_at"))
    at_creation = chats.agents(person, created, np.full(created.size, -1, np.int64))
    urged = created + profile.urge_limit_s
    limited = (profile.urge_limit_s > 0) & (at_creation < 0) & (paid > created)
    not_begun = np.where(limited, urged, -1)
    at_payment = chats.agents(person, paid, not_begun)
    after = chats.spoke_between(person, paid + 1, np.where(paid >= 0, paid + profile.lookback_s, -1))
    frame = frame.with_columns(
        order_agent=names.to_series(at_creation),
        payment_agent=names.to_series(at_payment),
        # A sale is dated by what the rule looks at, and it is one only when it was paid.
        sold_at=pl.when(pl.col("paid_at").is_not_null()).then(
            pl.col("created_at") if circumstances.rule == "order" else pl.col("paid_at")
        ),
    ).with_columns(credited=credited_under(circumstances.rule), label=_label(pl.Series(after)))
    return frame.with_columns(
        credited_code=pl.when("excluded")
        .then(pl.lit(attribution.EXCLUDED, pl.Int32))
        .otherwise(names.code_of("credited"))
    )


def _instants(frame: pl.DataFrame, name: str) -> np.ndarray:
    return np.ascontiguousarray(frame[name].fill_null(-1).to_numpy(), dtype=np.int64)


def _label(spoke_after: pl.Series) -> pl.Expr:
    ordered, paid = pl.col("order_agent"), pl.col("payment_agent")
    return (
        pl.when("excluded")
        .then(pl.lit("excluded"))
        .when(pl.col("paid_at").is_null())
        .then(pl.lit("unpaid"))
        .when(ordered == paid)
        .then(pl.lit("one_agent"))
        .when(ordered.is_not_null() & paid.is_not_null())
        .then(pl.lit("two_agents"))
        .when(ordered.is_not_null())
        .then(pl.lit("order_agent_only"))
        .when(paid.is_not_null())
        .then(pl.lit("won_at_payment"))
        .when(pl.lit(spoke_after))
        .then(pl.lit("followed_up"))
        .otherwise(pl.lit("silent"))
    )


class _Chats:
    """Who talked to a buyer when, as the profile's ``lookup`` sees it (definitions 50)."""

    def __init__(
        self, walked: Walked, rows: pl.DataFrame, people: People, received: np.ndarray, profile: Profile
    ) -> None:
        self._profile = profile
        eligible = attribution.eligible_rows(
            walked.event_row, walked.event_type, walked.notes.peer_day, received.astype(np.int64)
        )
        self._starts = np.searchsorted(eligible, people.starts).astype(np.int64)
        self._at = array(rows, "sent_at", np.int64)[eligible]
        self._agent = walked.owner[eligible]
        self._spans = _spans(walked, people, received) if profile.lookup == "covering" else None

    def agents(self, person: np.ndarray, instant: np.ndarray, not_begun: np.ndarray) -> np.ndarray:
        """Agent codes at instants (-1: none); what was said or began at or before ``not_begun`` does not count."""
        earliest = instant - self._profile.lookback_s
        if self._spans is not None:
            starts, first, last, agent = self._spans
            return attribution.agents_covering(
                starts, first, last, agent, person, instant, earliest, not_begun
            )
        if self._profile.lookup == "same_day":
            cut = self._profile.day_cut_s
            earliest = (instant - cut) // threads.DAY * threads.DAY + cut
        earliest = np.where(not_begun >= 0, np.maximum(earliest, not_begun + 1), earliest)
        return attribution.agents_at(
            self._starts, self._at, self._agent, person, earliest, instant, self._profile.lookup == "first"
        )

    def spoke_between(self, person: np.ndarray, earliest: np.ndarray, latest: np.ndarray) -> np.ndarray:
        """Whether any eligible message lies between the instants, both included."""
        found = attribution.agents_at(self._starts, self._at, self._agent, person, earliest, latest, False)
        return found >= 0


def _spans(
    walked: Walked, people: People, received: np.ndarray
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
        np.searchsorted(last_rows, people.starts).astype(np.int64),
        walked.event_at[first_event][order],
        walked.event_at[last_event][order],
        walked.thread_agent[thread],
    )


def outcomes(
    peer_days: pl.DataFrame, credited: pl.DataFrame, people: People, profile: Profile
) -> dict[str, pl.Series]:
    """What became of each peer-day's inquiry (kpi-spec 4.7): columns of flags."""
    joined = credited.filter(pl.col("person") >= 0)
    order_starts = np.searchsorted(array(joined, "person", np.int64), np.arange(people.frame.height + 1))
    bits = attribution.inquiry_outcomes(
        array(peer_days, "person", np.int64),
        array(peer_days, "day", np.int64),
        array(peer_days, "agent_code", np.int32),
        _instants(peer_days, "asked_at"),
        order_starts.astype(np.int64),
        array(joined, "created_at", np.int64),
        _instants(joined, "paid_at"),
        _instants(joined, "paid_at" if profile.after_sale == "paid" else "shipped_at"),
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
        "after_sale_asked": consulted & has(attribution.AFTER_SALE),
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
