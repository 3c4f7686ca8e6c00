"""Facts in words: what one row of a fact table says, and by which rule it counts or does not."""

from __future__ import annotations

import datetime

import polars as pl

from cslog import clock
from cslog.credit_rules import LABELS
from cslog.profile import Profile

_LOOKUPS = {
    "asof": "last",
    "first": "first",
    "same_day": "last of the same day's",
    "covering": "covering or last ended",
}


def words(fact: str, rows: pl.DataFrame, profile: Profile) -> dict[str, pl.Expr]:
    """``at``, ``what`` and ``why`` of the rows of one fact table."""
    if fact in ("turns", "nights"):
        late = pl.format("unanswered in time, the agent wrote after {} s (超时)", "late_s")
        plain = pl.format("answered after {} s", "wait_s")
        on_duty = pl.format("answered after {} s on duty ({} s by the clock)", "wait_s", "raw_wait_s")
        waited = pl.when(pl.col("wait_s") == pl.col("raw_wait_s")).then(plain).otherwise(on_duty)
        what = pl.coalesce(waited, late, pl.lit("unanswered (未回复)"))
        first = (
            pl.when("first").then(pl.lit("first turn of the day (首响)")).otherwise(pl.lit("further turn"))
        )
        starter = pl.when("by_buyer").then(pl.lit("the buyer")).otherwise(pl.lit("the agent"))
        ignored = (
            pl.when(~pl.col("in_window"))
            .then(pl.lit("; not counted: opened outside the profile's hours"))
            .when(~pl.col("counted"))
            .then(pl.lit("; not counted: its buyer-day is filtered or spill"))
            .otherwise(pl.lit(""))
        )
        return {
            "at": pl.col("open_at"),
            "what": what,
            "why": pl.format("{}, session started by {}{}", first, starter, ignored),
        }
    if fact in ("units", "peer_days"):
        return {"at": pl.coalesce("asked_at", "first_at"), **_people_words(rows, profile)}
    if fact in ("sessions", "concurrent"):
        return {
            "at": pl.col("first_at"),
            "what": pl.format("session of {} s", pl.col("last_at") - pl.col("first_at")),
            "why": pl.lit(f"no silence of {profile.max_wait_s or profile.session_gap_s} s inside"),
        }
    if fact in ("messages", "staff"):
        said = pl.format("staff message, {} characters", "characters")
        return {
            "at": pl.col("at"),
            "what": pl.when("from_buyer").then(pl.lit("buyer message")).otherwise(said),
            "why": pl.lit(""),
        }
    if fact == "questions":
        answered = pl.format("question answered after {} s", "wait_s")
        return {
            "at": pl.col("at"),
            "what": pl.coalesce(answered, pl.lit("question never answered (未回复)")),
            "why": pl.lit(""),
        }
    if fact == "autos":
        return {"at": pl.col("at"), "what": pl.lit("auto reply (自动回复)"), "why": pl.lit("")}
    return {"at": pl.col("sold_at").fill_null(pl.col("created_at")), **_order_words(profile)}


def _people_words(rows: pl.DataFrame, profile: Profile) -> dict[str, pl.Expr]:
    state = (
        pl.when("received")
        .then(pl.lit("received (接待)"))
        .when("unreplied")
        .then(pl.lit("unreplied (未回复)"))
        .when(pl.col("filter").is_not_null() if "filter" in rows.columns else pl.col("filtered"))
        .then(pl.lit("filtered (过滤)"))
        .otherwise(pl.lit("only the tail of yesterday's session"))
    )
    marks = {
        "inquiry": "inquiry (询单)",
        "after_sale": f"after-sale (售后): paid in the {profile.after_sale_days} days before, nothing ordered since",
        "assist": "assist (协助): its orders are credited to colleagues",
        "continuation": "continues yesterday's session, one inquiry",
        "ordered": "ordered by the next day",
        "paid_same_day": "paid on the day",
        "paid": f"paid by day + {profile.order_days - 1 + profile.unpaid_days}",
        "lost": "no order (询单流失)",
        "order_lost": "ordered, not paid in time (下单流失)",
        "forwarded_in": "transferred in (转入)",
        "forwarded_out": "transferred out (转出)",
        "slow": f"{profile.slow_times} turns slower than {profile.slow_s} s (慢响应)",
        "long": f"a session longer than {profile.long_s} s (长接待)",
    }
    said: list[pl.Expr] = [
        pl.when(pl.col(name)).then(pl.lit(mark)) for name, mark in marks.items() if name in rows.columns
    ]
    if "filter" in rows.columns:
        said.insert(0, pl.format("filter {}", "filter"))
    return {"what": state, "why": pl.concat_str(said, separator="; ", ignore_nulls=True)}


def _order_words(profile: Profile) -> dict[str, pl.Expr]:
    money = (
        (pl.col("amount_cents") // 100).cast(pl.String)
        + "."
        + ((pl.col("amount_cents") % 100).cast(pl.String).str.zfill(2))
    )
    created = pl.from_epoch("created_at", time_unit="s").dt.strftime("%m-%d %H:%M:%S")
    paid = pl.from_epoch("paid_at", time_unit="s").dt.strftime("%m-%d %H:%M:%S").fill_null("never")
    nobody = pl.lit("nobody")
    return {
        "what": pl.format("order {} of {}, created {}, paid {}", "order_id", money, created, paid),
        "why": pl.format(
            "{}; {} chat within {} h: {} at creation, {} at payment; credited to {}",
            pl.col("label").replace(LABELS),
            pl.lit(_LOOKUPS[profile.lookup]),
            pl.lit(profile.lookback_s // 3600),
            pl.col("order_agent").fill_null(nobody),
            pl.col("payment_agent").fill_null(nobody),
            pl.col("credited").fill_null(nobody),
        ),
    }


def removals(rows: pl.DataFrame) -> str:
    """What `cslog forget` removed (Snapshot.removed_since), and when; not of whom."""
    said = []
    for row in rows.iter_rows(named=True):
        what = {
            "buyers": f"{row['buyers']} buyers forgotten (遗忘)",
            "months": "months beyond retention (保存期限) removed",
            "texts": "texts beyond retention (保存期限) removed",
        }[row["what"]]
        day = clock.iso(clock.seconds_of(datetime.datetime.fromisoformat(row["at"])))[:10]
        said.append(f"{what} on {day}: {row['messages']} messages, {row['orders']} orders")
    return "; ".join(said)
