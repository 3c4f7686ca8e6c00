"""Facts to sums per shop and agent with Polars: the second half of polars_frames."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from benchmarks.peers import inputs
from benchmarks.peers.finishing import finished
from benchmarks.peers.inputs import DAY, Inputs

THREAD = ["buyer_key", "owner"]
ROW = ["shop", "owner"]
side = pl.col("side")


def outcomes(people: pl.DataFrame, credited: pl.DataFrame) -> pl.DataFrame:
    """What became of each peer-day's question (kpi-spec 4.7)."""
    asked, day = pl.col("asked") // 2**24, pl.col("day")
    created, paid = pl.col("created_at"), pl.col("paid_at")
    prior = (paid >= asked - inputs.AFTER_SALE_DAYS * DAY) & (paid < asked)
    after = (created >= asked) & (pl.col("created_day") < day + inputs.ORDER_DAYS)
    pending = (
        (created >= asked - inputs.UNPAID_DAYS * DAY) & (created < asked) & (paid.is_null() | (paid >= asked))
    )
    related, paid_day = pl.col("after") | pl.col("pending"), pl.col("paid_day")
    last_paid = day + inputs.ORDER_DAYS - 1 + inputs.UNPAID_DAYS
    return (
        people.lazy()
        .filter("consulted")
        .select("unit", "buyer_key", "owner", "day", "asked")
        .join(credited.lazy().filter("joinable"), on="buyer_key")
        .with_columns(prior=prior.fill_null(False), after=after, pending=pending)
        .with_columns(
            related=related, foreign=related & (pl.col("credited") != pl.col("owner")).fill_null(False)
        )
        .with_columns(
            ordered_same_day=pl.col("after") & (pl.col("created_day") == day),
            paid=(pl.col("related") & (paid_day <= last_paid)).fill_null(False),
            paid_same_day=(pl.col("related") & (paid_day == day)).fill_null(False),
            paid_next_day=(pl.col("related") & (paid_day <= day + 1)).fill_null(False),
        )
        .group_by("unit")
        .agg(
            pl.col("related", "foreign").sum(),
            pl.col("ordered_same_day", "paid", "paid_same_day", "paid_next_day", "prior").any(),
            ordered=pl.col("after").any(),
        )
        .with_columns(
            after_sale=pl.col("prior") & (pl.col("related") == 0),
            assisting=(pl.col("related") > 0) & (pl.col("foreign") == pl.col("related")),
        )
    ).collect()


@dataclass(frozen=True)
class Facts:
    """Everything countable; ``hard`` holds the transfer markers, ``ends`` the last second of each shop."""

    hard: pl.DataFrame
    events: pl.DataFrame
    turns: pl.DataFrame
    sessions: pl.DataFrame
    people: pl.DataFrame
    credited: pl.DataFrame
    ends: pl.DataFrame


def report(
    given: Inputs, shops: pl.DataFrame, agents: pl.DataFrame, automatic: pl.DataFrame, facts: Facts
) -> pl.DataFrame:
    """Sums per shop and agent, then the quotients."""
    turns, sessions, people, credited = facts.turns, facts.sessions, facts.people, facts.credited
    inside = pl.col("day").is_between(given.first_day, given.last_day)
    people = people.filter(inside)
    consulted = people.lazy().filter("consulted").select("unit", "first_turn")
    counted = (
        (turns.lazy().filter(inside).join(consulted, on="unit"))
        .collect()
        .with_columns(first=pl.col("opened") == pl.col("first_turn"))
        .with_columns(first_response=pl.col("first") & (pl.col("started_by") == 0))
    )
    parts = [
        _people(people.join(outcomes(people, credited), on="unit", how="left"), facts.hard),
        _turns(counted),
        _nights(counted, facts.events),
        _sessions(sessions.lazy().filter(inside).join(consulted, on="unit", how="semi").collect()),
        automatic,
    ]
    sold = pl.col("paid_day").is_between(given.first_day, given.last_day)
    money = credited.filter(sold).rename({"shop": "shop_name"}).join(shops, on="shop_name")
    parts.append(
        money.filter(pl.col("credited").is_not_null())
        .group_by("shop", owner="credited")
        .agg(
            sales_cents=pl.col("amount_cents").sum(),
            sales_orders=pl.len(),
            sales_items=pl.col("items").sum(),
            sales_buyers=pl.struct("buyer_key", "paid_day").n_unique(),
        )
    )
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.join(part, on=ROW, how="full", coalesce=True)
    whole = (
        whole.join(facts.ends, on="shop", how="left")
        .join(money.group_by("shop").agg(paid_cents=pl.col("amount_cents").sum()), on="shop", how="left")
        .join(shops, on="shop")
        .join(agents, on="owner")
    )
    return pl.DataFrame(finished(whole.iter_rows(named=True)))


def _people(people: pl.DataFrame, hard: pl.DataFrame) -> pl.DataFrame:
    markers = hard.lazy().filter(pl.col("who") == 2).with_columns(day=pl.col("sent_at") // DAY)
    key = [*THREAD, "day"]
    moved = {
        name: markers.select(
            "buyer_key", "day", pl.col(end).alias("owner"), pl.lit(True).alias(name)
        ).unique()
        for name, end in (("is_out", "transfer_from"), ("is_in", "transfer_to"))
    }
    flags = [
        "ordered_same_day",
        "paid",
        "paid_same_day",
        "paid_next_day",
        "ordered",
        "after_sale",
        "assisting",
    ]
    received, consulted, filtered = pl.col("received"), pl.col("consulted"), pl.col("filtered")
    inquiry, has_none, paid = pl.col("inquiry"), pl.col("related") == 0, pl.col("paid")
    return (
        people.lazy()
        .join(moved["is_out"], on=key, how="left")
        .join(moved["is_in"], on=key, how="left")
        .with_columns(pl.col("is_out", "is_in", *flags).fill_null(False), pl.col("related").fill_null(0))
        .with_columns(
            assist=received & pl.col("assisting"),
            inquiry=received & ~pl.col("after_sale") & ~pl.col("assisting") & ~pl.col("continuation"),
        )
        .group_by(ROW)
        .agg(
            buyers_chatted=(consulted | filtered).sum(),
            buyers_filtered=filtered.sum(),
            buyers_consulted=consulted.sum(),
            buyers_received=received.sum(),
            buyers_unreplied=pl.col("unreplied").sum(),
            buyers_received_distinct=pl.col("buyer_key").filter(received).n_unique(),
            buyers_direct=(received & ~pl.col("is_in")).sum(),
            buyers_forwarded_in=(received & pl.col("is_in")).sum(),
            buyers_forwarded_out=(received & pl.col("is_out")).sum(),
            buyer_initiated=(consulted & pl.col("by_buyer")).sum(),
            agent_initiated=(consulted & ~pl.col("by_buyer")).sum(),
            slow_buyers=(pl.col("slow") & ~filtered).sum(),
            long_buyers=(pl.col("long") & ~filtered).sum(),
            buyer_messages=pl.col("buyer_messages").filter(consulted).cast(pl.Int64).sum(),
            agent_messages=pl.col("agent_messages").filter(consulted).cast(pl.Int64).sum(),
            agent_characters=pl.col("agent_characters").filter(consulted).sum(),
            first_message_at=pl.col("staff_first").filter(~filtered).min(),
            last_message_at=pl.col("staff_last").filter(~filtered).max(),
            days_active=pl.col("day").filter(~filtered & pl.col("staff_first").is_not_null()).n_unique(),
            inquiries=inquiry.sum(),
            inquiries_ordered_same_day=(inquiry & pl.col("ordered_same_day")).sum(),
            inquiries_ordered=(inquiry & pl.col("ordered")).sum(),
            inquiries_paid_same_day=(inquiry & pl.col("paid_same_day")).sum(),
            inquiries_paid_next_day=(inquiry & pl.col("paid_next_day")).sum(),
            inquiries_paid=(inquiry & paid).sum(),
            inquiries_lost=(inquiry & has_none).sum(),
            orders_lost=(inquiry & ~has_none & ~paid).sum(),
            assists=pl.col("assist").sum(),
            consults_ordered=(consulted & pl.col("ordered")).sum(),
            last_received_day=pl.col("day").filter(received).max(),
        )
    ).collect()


def _turns(counted: pl.DataFrame) -> pl.DataFrame:
    wait, first, response = pl.col("wait_s"), pl.col("first"), pl.col("first_response")

    def percentile(values: pl.Expr, percent: int) -> pl.Expr:
        return values.sort().get((values.len().cast(pl.Int64) * percent + 99) // 100 - 1, null_on_oob=True)

    waits, firsts = wait.drop_nulls(), wait.filter(response).drop_nulls()
    return (
        counted.lazy()
        .group_by(ROW)
        .agg(
            turns=pl.len(),
            turns_answered=wait.count(),
            turns_late=pl.col("late").sum(),
            wait_s=wait.sum(),
            first_wait_s=wait.filter(response).sum(),
            first_turns=wait.filter(response).count(),
            first_response_missed=(response & wait.is_null()).sum(),
            first_any_wait_s=wait.filter(first).sum(),
            first_any_turns=wait.filter(first).count(),
            response_p50=percentile(waits, 50),
            response_p90=percentile(waits, 90),
            first_response_p50=percentile(firsts, 50),
            first_response_p90=percentile(firsts, 90),
            **{f"within_{level}s": (wait <= level).sum() for level in inputs.LEVELS},
        )
    ).collect()


def _nights(counted: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    clock = pl.col("opened_at") % DAY
    night = counted.filter((clock >= inputs.NIGHT_BEGIN) | (clock < inputs.NIGHT_END)).with_columns(
        due=pl.col("opened_at") + (inputs.NIGHT_DUE - clock) % DAY
    )
    open_ones = night.filter(pl.col("wait_s").is_null()).select("buyer_key").unique().lazy()
    answers = (
        events.lazy()
        .filter(side == 1)
        .select(*THREAD, "pos")
        .join(open_ones, on="buyer_key", how="semi")
        .sort("pos")
        .with_columns(answered_at=pl.col("pos") // 2**24)
    ).collect()
    reply = pl.coalesce(pl.col("opened_at") + pl.col("wait_s"), "answered_at")
    return (
        night.sort("opened")
        .join_asof(
            answers, left_on="opened", right_on="pos", by=THREAD, strategy="forward", allow_exact_matches=False,
            check_sortedness=False,
        )
        .with_columns(reply=reply)
        .filter(pl.col("reply").is_not_null() | (pl.col("data_end") >= pl.col("due")))
        .group_by(ROW)
        .agg(night_questions=pl.len(), night_answered=(pl.col("reply") <= pl.col("due")).sum())
    )  # fmt: skip


def _sessions(counted: pl.DataFrame) -> pl.DataFrame:
    """Service time, and chats at once: every day's changes add up to nothing, so one running sum does for all."""
    key = [*ROW, "day"]
    changes = pl.concat(
        [
            counted.lazy().select(*key, second="first_at", step=pl.lit(1, pl.Int64)),
            counted.lazy().select(*key, second=pl.col("last_at") + 1, step=pl.lit(-1, pl.Int64)),
        ]
    )
    level, seconds = pl.col("level"), pl.col("seconds")
    swept = (
        changes.sort(*key, "second", "step")
        .with_columns(level=pl.col("step").cum_sum(), seconds=pl.col("second").shift(-1) - pl.col("second"))
        .filter(level > 0)
        .group_by(ROW)
        .agg(max_concurrent=level.max(), chat_seconds=(level * seconds).sum(), busy_seconds=seconds.sum())
    )
    served = counted.lazy().group_by(ROW).agg(session_s=(pl.col("last_at") - pl.col("first_at")).sum())
    return (swept.join(served, on=ROW, how="full", coalesce=True)).collect()
