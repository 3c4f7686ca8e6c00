"""The month's figures with Polars data frames: ``python -m benchmarks.peers.polars_frames STORE MONTH OUT
[--streaming]``. The same steps as kpi.sql; threads are sorted once, and what stands beside a row is a shift.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from benchmarks.peers import inputs
from benchmarks.peers.inputs import DAY, Inputs, parsed
from benchmarks.peers.polars_sums import Facts, report

THREAD = ["buyer_key", "owner"]
NAMES = ("agent", "exporter", "transfer_from", "transfer_to")
at, pos, side = pl.col("pos") // 2**24, pl.col("pos"), pl.col("side")


def run(given: Inputs) -> None:
    """Compute and write the table."""
    months = Months(given)
    orders = current_orders(given)
    reach = reach_of(orders, given)
    hard = months.hard_rows(reach)
    owned = owners(hard)
    moved = transfers(owned)
    events = months.events(reach, hard, owned, moved)
    ends = months.data_ends()
    turns, sessions = turns_and_sessions(events, ends)
    people = peer_days(events, turns, sessions)
    credited = credit(orders, events, people)
    turns = with_late_answers(turns, months, reach, given)
    facts = Facts(hard, events, turns, sessions, people, credited, ends)
    report(given, months.shops, months.agents, months.automatic(), facts).write_parquet(given.out)


class Months:
    """The messages of the files. Agents and shops are the integer keys of the store; null is nobody."""

    def __init__(self, given: Inputs) -> None:
        self.given = given
        near = pl.scan_parquet(given.messages, hive_partitioning=False)
        agents = near.group_by(owner="agent_key").agg(pl.col("agent").first())
        shops = near.group_by(shop="shop_key").agg(shop_name=pl.col("shop").first())
        self.agents, self.shops = pl.collect_all([agents, shops])

    def stored(self, files: list[str]) -> pl.LazyFrame:
        """Messages that count, and transfer markers."""
        message_class = pl.col("message_class")
        staff = message_class.is_in([1, 2])
        return (
            pl.scan_parquet(files, hive_partitioning=False)
            .filter(staff | message_class.is_in([0, 5]))
            .select(
                "buyer_key",
                "sent_at",
                *(
                    pl.when(pl.col(f"{name}_key") != inputs.NOBODY).then(f"{name}_key").alias(name)
                    for name in NAMES
                ),
                "characters",
                shop="shop_key",
                visible=(pl.col("kind") != 0) | (pl.col("characters") > 0),
                who=pl.when(staff).then(1).when(message_class == 5).then(2).otherwise(0).cast(pl.Int8),
                pos=pl.col("sent_at") * 2**24
                + pl.col("rank").cast(pl.Int64) * 16
                + pl.when(staff).then(4).when(message_class == 5).then(2).otherwise(0),
            )
        )

    def loaded(self, reach: pl.DataFrame) -> pl.LazyFrame:
        """Those of the month and its padding, and of some buyers further."""
        usual = pl.col("sent_at").is_between(self.given.low, self.given.high)
        stored = self.stored(self.given.messages)
        if reach.is_empty():
            return stored.filter(usual)
        further = (
            stored.filter(~usual)
            .join(reach.lazy(), on="buyer_key")
            .filter(pl.col("sent_at").is_between("low", "high"))
            .drop("low", "high")
        )
        return pl.concat([stored.filter(usual), further])

    def hard_rows(self, reach: pl.DataFrame) -> pl.DataFrame:
        """Everything of the buyers with a transfer or a message that no export assigns to an agent."""
        undecided = (pl.col("who") == 2) | ((pl.col("who") == 0) & pl.col("agent").is_null())
        buyers = (self.stored(self.given.messages).filter(undecided).select("buyer_key").unique()).collect()
        return (self.loaded(reach).join(buyers.lazy(), on="buyer_key", how="semi")).collect()

    def events(
        self, reach: pl.DataFrame, hard: pl.DataFrame, owned: pl.DataFrame, moved: pl.DataFrame
    ) -> pl.DataFrame:
        """All threads, sorted, with what stands before and after each event. ``unit`` numbers the peer-days."""
        easy = self.loaded(reach).join(hard.lazy().select("buyer_key").unique(), on="buyer_key", how="anti")
        columns = ["shop", "buyer_key", "owner", "pos", "side", "written", "characters", "visible"]
        parts = [
            easy.select(
                "shop", "buyer_key", "pos", "characters", "visible", owner="agent", side="who", written=True
            ),
            owned.lazy()
            .filter(pl.col("who") < 2)
            .select("shop", "buyer_key", "owner", "pos", "characters", "visible", side="who", written=True),
        ]
        if moved.height:
            nothing = {"written": False, "characters": pl.lit(0, pl.Int32), "visible": False}
            parts.append(
                moved.lazy().select(
                    "shop",
                    "buyer_key",
                    owner="transfer_from",
                    pos=pl.col("last_pos") + 1,
                    side=pl.lit(2, pl.Int8),
                    **nothing,
                )
            )
            parts.append(
                moved.lazy()
                .filter(~pl.col("held"))
                .select("shop", "buyer_key", "pos", owner="transfer_to", side=pl.lit(0, pl.Int8), **nothing)
            )
        first = (pl.col("buyer_key") != pl.col("buyer_key").shift(1)) | (
            pl.col("owner") != pl.col("owner").shift(1)
        )
        sorted_threads = (
            pl.concat([part.select(columns) for part in parts])
            .filter(pl.col("owner").is_not_null())
            .sort(*THREAD, "pos")
            .with_columns(first=first.fill_null(True), at=at)
        )
        return (
            sorted_threads.with_columns(
                begins=pl.col("first") | (pl.col("at") - pl.col("at").shift(1) >= inputs.MAX_WAIT),
                last=pl.col("first").shift(-1, fill_value=True),
                day=pl.col("at") // DAY,
            )
            .with_columns(
                ends=pl.col("last") | pl.col("begins").shift(-1, fill_value=True),
                unit=(pl.col("first") | (pl.col("day") != pl.col("day").shift(1))).cum_sum(),
                next_at=pl.when(~pl.col("last")).then(pl.col("at").shift(-1)),
                next_side=pl.when(~pl.col("last")).then(side.shift(-1)),
            )
            .with_columns(
                opens=(side == 0) & (pl.col("begins") | (side.shift(1) != 0)),
                closes=(side == 0) & (pl.col("ends") | (side.shift(-1) != 0)),
            )
        ).collect()

    def data_ends(self) -> pl.DataFrame:
        """The last second of each shop."""
        files = list(dict.fromkeys([*self.given.messages, *self.given.newest]))
        messages = pl.scan_parquet(files, hive_partitioning=False)
        return (messages.group_by(shop="shop_key").agg(data_end=pl.col("sent_at").max())).collect()

    def automatic(self) -> pl.DataFrame:
        """Automatic replies of the month per shop and agent."""
        day = pl.col("sent_at") // DAY
        return (
            pl.scan_parquet(self.given.messages, hive_partitioning=False)
            .filter(pl.col("message_class") == 3, day.is_between(self.given.first_day, self.given.last_day))
            .group_by(shop="shop_key", owner="agent_key")
            .agg(auto_messages=pl.len())
        ).collect()


def current_orders(given: Inputs) -> pl.DataFrame:
    """The current version of every order that can matter."""
    created, paid = pl.col("created_at"), pl.col("paid_at")
    joinable = pl.col("joinable")
    oldest = given.begin - (inputs.AFTER_SALE_DAYS + 1) * DAY
    versions = pl.scan_parquet(given.orders, hive_partitioning=False).filter(
        created < given.end + inputs.ORDER_DAYS * DAY
    )
    return (
        versions.sort(
            "state", pl.col("refund_cents").fill_null(0), pl.col("shipped_at").fill_null(-1), "content_key"
        )
        .group_by("platform", "shop", "order_id")
        .agg(
            created.min(),
            paid.min(),
            joinable.any(),
            buyer_key=pl.coalesce(pl.col("buyer_key").filter(joinable).min(), pl.col("buyer_key").last()),
            amount_cents=pl.max_horizontal(pl.col("amount_cents").last(), 0),
            items=pl.col("items").last(),
        )
        .filter((created >= oldest) | (paid >= oldest))
        .with_columns(created_day=created // DAY, paid_day=paid // DAY)
    ).collect()


def reach_of(orders: pl.DataFrame, given: Inputs) -> pl.DataFrame:
    """Buyers whose orders need messages from outside the usual range."""
    created, paid = pl.col("created_at"), pl.col("paid_at")
    asked = created.is_between(given.begin - inputs.UNPAID_DAYS * DAY, given.end + inputs.ORDER_DAYS * DAY)
    margin = inputs.SETTLED_DAYS * DAY
    return (
        orders.filter(pl.col("joinable") & (asked | paid.is_between(given.begin, given.end)))
        .group_by("buyer_key")
        .agg(
            low=pl.min_horizontal(created.min(), paid.min()) - inputs.LOOKBACK_S - margin,
            high=pl.max_horizontal(created.max(), paid.max()) + margin,
        )
        .filter((pl.col("low") < given.low) | (pl.col("high") > given.high))
    )


def owners(rows: pl.DataFrame) -> pl.DataFrame:
    """``rows`` with the agent whom each message belongs to (kpi-spec I3)."""
    countable, sent_at = pl.col("who") < 2, pl.col("sent_at")
    before = pl.when(countable).then(sent_at).forward_fill().shift(1).over("buyer_key")
    marker, staff = pl.col("who") == 2, pl.col("who") == 1
    return (
        rows.lazy()
        .sort("buyer_key", "pos")
        .with_columns(begins=countable & (before.is_null() | (sent_at - before >= inputs.MAX_WAIT)))
        .with_columns(
            run=pl.col("begins").cum_sum(),
            run_begin=pl.when("begins").then(sent_at).forward_fill().over("buyer_key"),
            marked_for=pl.when(marker).then("transfer_to").forward_fill().over("buyer_key"),
            marked_at=pl.when(marker).then(sent_at).forward_fill().over("buyer_key"),
        )
        .with_columns(
            following=pl.when(staff).then("agent").backward_fill().over("run"),
            spoke=pl.when(staff).then("agent").forward_fill().over("run"),
        )
        .with_columns(
            owner=pl.when(countable).then(
                pl.coalesce(
                    "agent",
                    pl.when(pl.col("marked_at") >= pl.col("run_begin")).then("marked_for"),
                    "following",
                    "spoke",
                    "exporter",
                )
            )
        )
        .collect()
    )


def transfers(owned: pl.DataFrame) -> pl.DataFrame:
    """Transfers X → Y that take X's open turn away; ``held``: Y had one open already. Chains of transfers inside
    one open turn are not followed.
    """
    markers = owned.filter(pl.col("who") == 2, pl.col("transfer_from") != pl.col("transfer_to")).select(
        "shop", "buyer_key", "pos", "sent_at", "transfer_from", "transfer_to"
    )
    spoken = owned.filter(pl.col("who") < 2, pl.col("owner").is_not_null()).select(*THREAD, "pos", "who")

    def last_before(side_of: str, suffix: str) -> Any:
        right = spoken.rename({"pos": f"pos{suffix}", "who": f"who{suffix}", "owner": side_of}).sort(
            f"pos{suffix}"
        )
        return {
            "other": right, "left_on": "pos", "right_on": f"pos{suffix}", "by": ["buyer_key", side_of],
            "allow_exact_matches": False, "coalesce": False, "check_sortedness": False,
        }  # fmt: skip

    def is_open(suffix: str) -> pl.Expr:
        silence = pl.col("sent_at") - pl.col(f"pos{suffix}") // 2**24
        return (pl.col(f"who{suffix}") == 0) & (silence < inputs.MAX_WAIT)

    here = (
        markers.sort("pos")
        .join_asof(**last_before("transfer_from", "_from"))
        .filter(is_open("_from"))
        .join_asof(**last_before("transfer_to", "_to"))
        .with_columns(held=is_open("_to").fill_null(False), last_pos="pos_from")
    )
    key = ["buyer_key", "pos", "transfer_from", "transfer_to"]
    of_buyer = (
        here.select(key)
        .join(spoken.rename({"pos": "said", "who": "by"}), on="buyer_key")
        .filter(pl.col("said") < pos)
    )
    mine = (
        of_buyer.filter(pl.col("owner") == pl.col("transfer_from"))
        .sort(*key, "said")
        .with_columns(
            gap=pl.col("said") // 2**24 - (pl.col("said").shift(1) // 2**24).over(key),
            by_before=pl.col("by").shift(1).over(key),
        )
    )
    new = pl.col("gap").is_null() | (pl.col("by_before") == 1) | (pl.col("gap") >= inputs.MAX_WAIT)
    opened = mine.filter((pl.col("by") == 0) & new).group_by(key).agg(opened=pl.col("said").max())
    answered = of_buyer.filter((pl.col("owner") == pl.col("transfer_to")) & (pl.col("by") == 1)).join(
        opened, on=key
    )
    answered = answered.filter(pl.col("said") > pl.col("opened"))
    return here.join(answered, on=key, how="anti")


def turns_and_sessions(events: pl.DataFrame, ends: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Turns close at the last buyer message before an answer, a silence or a transfer; sessions at a silence."""
    filled = {
        "opened": pl.when("opens").then("pos"),
        "opened_unit": pl.when("opens").then("unit"),
        "session_pos": pl.when("begins").then("pos"),
        "session_unit": pl.when("begins").then("unit"),
        "started_by": pl.when("begins").then("side"),
    }
    boundaries = (
        events.lazy()
        .filter(pl.col("begins") | pl.col("ends") | pl.col("opens") | pl.col("closes"))
        .select(
            "shop", *THREAD, "at", "next_at", "next_side", "ends", "closes",
            **{name: value.forward_fill() for name, value in filled.items()},
        )
        .collect()
    )  # fmt: skip
    sessions = (
        boundaries.lazy()
        .filter("ends")
        .select(
            "shop", *THREAD, "session_pos", "started_by", unit="session_unit", first_at=pl.col("session_pos") // 2**24,
            last_at="at",
        )
        .with_columns(day=pl.col("first_at") // DAY)
    ).collect()  # fmt: skip
    voided = ~pl.col("ends") & (pl.col("next_side") == 2)
    censored = pl.col("next_at").is_null() & (pl.col("data_end") - pl.col("at") < inputs.MAX_WAIT)
    opened_at = pl.col("opened") // 2**24
    turns = (
        boundaries.lazy()
        .filter("closes")
        .join(ends.lazy(), on="shop", how="left", maintain_order="left")
        .filter(~voided.fill_null(False), ~censored)
        .select(
            "shop", *THREAD, "opened", "started_by", "data_end", unit="opened_unit", opened_at=opened_at, day=opened_at // DAY,
            wait_s=pl.when(~pl.col("ends")).then(pl.col("next_at") - opened_at),
            late=(pl.col("ends") & (pl.col("next_side") == 1)).fill_null(False),
            unfollowed=pl.col("ends") & pl.col("next_at").is_null(),
        )
    ).collect()  # fmt: skip
    return turns, sessions


def peer_days(events: pl.DataFrame, turns: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """One row per agent, buyer and day, ``unit`` its number."""
    buyer, staff = side == 0, side == 1
    said = (
        events.lazy()
        .filter(side < 2)
        .group_by("unit")
        .agg(
            pl.col("shop", *THREAD, "day").first(),
            buyer_messages=(buyer & pl.col("written")).sum(),
            agent_messages=staff.sum(),
            agent_characters=pl.when(staff).then("characters").otherwise(0).cast(pl.Int64).sum(),
            visible=pl.col("visible").any(),
            asked=pl.when(buyer).then("pos").min(),
            first_pos=pos.min(),
            first_side=side.first(),
            first_begin=pl.when("begins").then("pos").min(),
            staff_first=pl.when(staff).then("at").min(),
            staff_last=pl.when(staff).then("at").max(),
        )
    )
    slow = pl.col("wait_s").is_null() | (pl.col("wait_s") > inputs.SLOW_S)
    turned = (
        turns.lazy()
        .group_by("unit")
        .agg(
            first_turn=pl.col("opened").min(),
            answered=pl.col("wait_s").is_not_null().any(),
            slow=slow.sum() >= inputs.SLOW_TIMES,
        )
    )
    is_long = pl.col("last_at") - pl.col("first_at") > inputs.LONG_S
    long = sessions.lazy().filter(is_long).select("unit", long=True).unique()
    asked, first_begin = pl.col("asked"), pl.col("first_begin")
    filtered = asked.is_null() | (
        ~pl.col("visible") & (pl.col("buyer_messages") + pl.col("agent_messages") > 0)
    )
    replied = (pl.col("agent_messages") > 0) | pl.col("answered")
    before = pl.col("unit").is_not_null() & pl.all_horizontal(
        pl.col(name) == pl.col(name).shift(1) for name in THREAD
    )
    carries = asked.is_not_null() & (first_begin.is_null() | (asked < first_begin))
    people = (
        said.join(turned, on="unit", how="left")
        .join(long, on="unit", how="left")
        .sort("unit")
        .with_columns(
            pl.col("answered", "slow", "long").fill_null(False), spill=asked.is_null() & first_begin.is_null()
        )
        .with_columns(filtered=~pl.col("spill") & filtered)
        .with_columns(spoken=~pl.col("spill") & ~pl.col("filtered"))
        .with_columns(received=pl.col("spoken") & replied, unreplied=pl.col("spoken") & ~replied)
        .with_columns(
            consulted=pl.col("received") | pl.col("unreplied"),
            continuation=(
                carries & before & (pl.col("day") == pl.col("day").shift(1) + 1) & pl.col("received").shift(1)
            ).fill_null(False),
        )
        .collect()
    )
    # Who began the session that a peer-day's first message lies in.
    carried = people.filter(first_begin.is_null() | (pl.col("first_pos") < first_begin)).select(
        *THREAD, "unit", "first_pos"
    )
    began = carried.sort("first_pos").join_asof(
        sessions.select(*THREAD, "session_pos", "started_by").sort("session_pos"),
        left_on="first_pos", right_on="session_pos", by=THREAD, check_sortedness=False,
    )  # fmt: skip
    return people.join(
        began.select("unit", "started_by"), on="unit", how="left", maintain_order="left"
    ).with_columns(by_buyer=pl.coalesce("started_by", "first_side") == 0)


def credit(orders: pl.DataFrame, events: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Orders with the agent who gets the money (kpi-spec 4)."""
    buyers = orders.lazy().filter("joinable").select("buyer_key").unique()
    eligible = (
        events.lazy()
        .filter(side == 1)
        .select("buyer_key", "owner", "pos", "unit")
        .join(buyers, on="buyer_key", how="semi")
        .join(people.lazy().filter("received").select("unit"), on="unit", how="semi")
        .select("buyer_key", agent="owner", said="pos")
        .sort("said")
    ).collect()

    def agent_at(frame: pl.DataFrame, instant: str, name: str) -> pl.DataFrame:
        known = frame.filter(pl.col("joinable"), pl.col(instant).is_not_null())
        until = (pl.col(instant) + 1) * 2**24
        found = (
            known.select("order_number", "buyer_key", instant, until=until)
            .sort("until")
            .join_asof(
                eligible, left_on="until", right_on="said", by="buyer_key", allow_exact_matches=False, coalesce=False,
                check_sortedness=False,
            )
            .filter(pl.col(instant) - pl.col("said") // 2**24 <= inputs.LOOKBACK_S)
        )  # fmt: skip
        return frame.join(
            found.select("order_number", pl.col("agent").alias(name)), on="order_number", how="left"
        )

    frame = orders.with_row_index("order_number")
    frame = agent_at(agent_at(frame, "created_at", "order_agent"), "paid_at", "payment_agent")
    return frame.with_columns(credited=pl.coalesce("order_agent", "payment_agent"))


def with_late_answers(
    turns: pl.DataFrame, months: Months, reach: pl.DataFrame, given: Inputs
) -> pl.DataFrame:
    """``late`` where the next message of the thread lies beyond what was read."""
    waiting = (
        turns.filter("unfollowed", pl.col("day").is_between(given.first_day, given.last_day))
        .select("buyer_key")
        .unique()
        .join(reach.select("buyer_key", "high"), on="buyer_key", how="left")
        .with_columns(pl.col("high").fill_null(given.high).clip(given.high))
    )
    rows = (
        months.stored([*given.messages, *given.later])
        .filter(pl.col("sent_at") > given.high)
        .join(waiting.lazy(), on="buyer_key")
        .filter(pl.col("sent_at") > pl.col("high"))
        .drop("high")
    ).collect()
    found = (
        owners(rows)
        .filter(pl.col("who") < 2)
        .group_by(THREAD)
        .agg(pl.col("who").sort_by("pos").first())
        .filter(pl.col("who") == 1)
        .select(*THREAD, found=True)
    )
    return turns.join(found, on=THREAD, how="left").with_columns(
        late=pl.col("late") | (pl.col("unfollowed") & pl.col("found").fill_null(False))
    )


if __name__ == "__main__":
    chosen, flags = parsed((__doc__ or "").splitlines()[0], "streaming")
    pl.Config.set_engine_affinity("streaming" if "streaming" in flags else "in-memory")
    run(chosen)
