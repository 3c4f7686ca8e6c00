"""The month's figures with Polars data frames: ``python -m benchmarks.peers.polars_frames STORE MONTH OUT
[--streaming]``. The same steps as kpi.sql; threads are sorted once, and what stands beside a row is a shift.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from benchmarks.peers import inputs
from benchmarks.peers.inputs import DAY, Inputs, parsed

ENGINE: Any = "in-memory"
THREAD = ["buyer_key", "owner"]
ROW = ["shop", "owner"]
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
    report(given, months, hard, turns, sessions, people, credited, events, ends).write_parquet(given.out)


class Months:
    """The messages of the files. Agents and shops are integers: those of the store, else codes of the names."""

    def __init__(self, given: Inputs) -> None:
        self.given = given
        self.keyed = given.column("agent") != "agent"
        near = pl.scan_parquet(given.messages, hive_partitioning=False)
        if self.keyed:
            agent, shop = given.column("agent"), given.column("shop")
            self.agents = _collected(
                near.filter(pl.col(agent).is_not_null())
                .group_by(owner=agent)
                .agg(agent=pl.col("agent").first())
            )
            self.shops = _collected(near.group_by(code=shop).agg(shop=pl.col("shop").first())).rename(
                {"shop": "shop_name", "code": "shop"}
            )
            return
        names = _collected(
            pl.concat([near.select(pl.col(c).alias("name").unique()) for c in NAMES])
            .unique()
            .drop_nulls()
            .sort("name")
        )["name"]
        shops = _collected(near.select(pl.col("shop").unique()).sort("shop"))["shop"]
        self.name_type, self.shop_type = pl.Enum(names), pl.Enum(shops)
        self.agents = pl.DataFrame(
            {"owner": range(len(names)), "agent": names}, schema_overrides={"owner": pl.UInt32}
        )
        self.shops = pl.DataFrame(
            {"shop": range(len(shops)), "shop_name": shops}, schema_overrides={"shop": pl.UInt32}
        )

    def code(self, name: str) -> pl.Expr:
        """A column of names as integers."""
        if self.keyed:
            return pl.col(self.given.column(name)).alias(name)
        kind = self.shop_type if name == "shop" else self.name_type
        return pl.col(name).cast(kind).to_physical().cast(pl.UInt32)

    def stored(self, files: list[str]) -> pl.LazyFrame:
        """Messages that count, and transfer markers."""
        message_class = pl.col("message_class")
        staff = message_class.is_in([1, 2])
        return (
            pl.scan_parquet(files, hive_partitioning=False)
            .filter(staff | message_class.is_in([0, 5]))
            .select(
                self.code("shop"),
                "buyer_key",
                "sent_at",
                *(self.code(name) for name in NAMES),
                "characters",
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
        buyers = _collected(self.stored(self.given.messages).filter(undecided).select("buyer_key").unique())
        return _collected(self.loaded(reach).join(buyers.lazy(), on="buyer_key", how="semi"))

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
        return _collected(
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
        )

    def data_ends(self) -> pl.DataFrame:
        """The last second of each shop."""
        files = list(dict.fromkeys([*self.given.messages, *self.given.newest]))
        messages = pl.scan_parquet(files, hive_partitioning=False)
        return _collected(messages.group_by(self.code("shop")).agg(data_end=pl.col("sent_at").max()))

    def automatic(self) -> pl.DataFrame:
        """Automatic replies of the month per shop and agent."""
        day = pl.col("sent_at") // DAY
        return _collected(
            pl.scan_parquet(self.given.messages, hive_partitioning=False)
            .filter(pl.col("message_class") == 3, day.is_between(self.given.first_day, self.given.last_day))
            .group_by(self.code("shop"), self.code("agent").alias("owner"))
            .agg(auto_messages=pl.len())
        )


def _collected(frame: pl.LazyFrame) -> pl.DataFrame:
    return frame.collect(engine=ENGINE)


def current_orders(given: Inputs) -> pl.DataFrame:
    """The current version of every order that can matter."""
    created, paid = pl.col("created_at"), pl.col("paid_at")
    joinable = pl.col("joinable")
    oldest = given.begin - (inputs.AFTER_SALE_DAYS + 1) * DAY
    versions = pl.scan_parquet(given.orders, hive_partitioning=False).filter(
        created < given.end + inputs.ORDER_DAYS * DAY
    )
    return _collected(
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
    )


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
        .collect(engine=ENGINE)
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
        .collect(engine=ENGINE)
    )  # fmt: skip
    sessions = _collected(
        boundaries.lazy()
        .filter("ends")
        .select(
            "shop", *THREAD, "session_pos", "started_by", unit="session_unit", first_at=pl.col("session_pos") // 2**24,
            last_at="at",
        )
        .with_columns(day=pl.col("first_at") // DAY)
    )  # fmt: skip
    voided = ~pl.col("ends") & (pl.col("next_side") == 2)
    censored = pl.col("next_at").is_null() & (pl.col("data_end") - pl.col("at") < inputs.MAX_WAIT)
    opened_at = pl.col("opened") // 2**24
    turns = _collected(
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
    )  # fmt: skip
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
        .collect(engine=ENGINE)
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
    eligible = _collected(
        events.lazy()
        .filter(side == 1)
        .select("buyer_key", "owner", "pos", "unit")
        .join(buyers, on="buyer_key", how="semi")
        .join(people.lazy().filter("received").select("unit"), on="unit", how="semi")
        .select("buyer_key", agent="owner", said="pos")
        .sort("said")
    )

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
    return _collected(
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
    )


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
    rows = _collected(
        months.stored([*given.messages, *given.later])
        .filter(pl.col("sent_at") > given.high)
        .join(waiting.lazy(), on="buyer_key")
        .filter(pl.col("sent_at") > pl.col("high"))
        .drop("high")
    )
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


def report(
    given: Inputs,
    months: Months,
    hard: pl.DataFrame,
    turns: pl.DataFrame,
    sessions: pl.DataFrame,
    people: pl.DataFrame,
    credited: pl.DataFrame,
    events: pl.DataFrame,
    ends: pl.DataFrame,
) -> pl.DataFrame:
    """Sums per shop and agent, then the quotients."""
    inside = pl.col("day").is_between(given.first_day, given.last_day)
    people = people.filter(inside)
    consulted = people.lazy().filter("consulted").select("unit", "first_turn")
    counted = (
        _collected(turns.lazy().filter(inside).join(consulted, on="unit"))
        .with_columns(first=pl.col("opened") == pl.col("first_turn"))
        .with_columns(first_response=pl.col("first") & (pl.col("started_by") == 0))
    )
    parts = [
        _people(people.join(outcomes(people, credited), on="unit", how="left"), hard),
        _turns(counted),
        _nights(counted, events),
        _sessions(
            sessions.lazy().filter(inside).join(consulted, on="unit", how="semi").collect(engine=ENGINE)
        ),
        months.automatic(),
    ]
    sold = pl.col("paid_day").is_between(given.first_day, given.last_day)
    money = credited.filter(sold).rename({"shop": "shop_name"}).join(months.shops, on="shop_name")
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
    return _divided(
        whole.join(ends, on="shop", how="left")
        .join(money.group_by("shop").agg(paid_cents=pl.col("amount_cents").sum()), on="shop", how="left")
        .join(months.shops, on="shop")
        .join(months.agents, on="owner")
    )


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
    return _collected(
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
    )


def _turns(counted: pl.DataFrame) -> pl.DataFrame:
    wait, first, response = pl.col("wait_s"), pl.col("first"), pl.col("first_response")

    def percentile(values: pl.Expr, percent: int) -> pl.Expr:
        return values.sort().get((values.len().cast(pl.Int64) * percent + 99) // 100 - 1, null_on_oob=True)

    waits, firsts = wait.drop_nulls(), wait.filter(response).drop_nulls()
    return _collected(
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
    )


def _nights(counted: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    clock = pl.col("opened_at") % DAY
    night = counted.filter((clock >= inputs.NIGHT_BEGIN) | (clock < inputs.NIGHT_END)).with_columns(
        due=pl.col("opened_at") + (inputs.NIGHT_DUE - clock) % DAY
    )
    open_ones = night.filter(pl.col("wait_s").is_null()).select("buyer_key").unique().lazy()
    answers = _collected(
        events.lazy()
        .filter(side == 1)
        .select(*THREAD, "pos")
        .join(open_ones, on="buyer_key", how="semi")
        .sort("pos")
        .with_columns(answered_at=at)
    )
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
    return _collected(swept.join(served, on=ROW, how="full", coalesce=True))


def _divided(rows: pl.DataFrame) -> pl.DataFrame:
    keep = {
        "shop",
        "owner",
        "last_received_day",
        "data_end",
        "paid_cents",
        "first_message_at",
        "last_message_at",
    }
    keep |= {f"{name}_p{percent}" for name in ("response", "first_response") for percent in (50, 90)}
    numbers = [name for name, dtype in rows.schema.items() if dtype.is_numeric() and name not in keep]
    rows = rows.with_columns(pl.col(numbers).fill_null(0).cast(pl.Int64))
    days = (pl.col("data_end") // DAY) - pl.col("last_received_day")
    same_day, next_day, payment = ((days >= n).fill_null(True) for n in (1, 2, 5))

    def ratio(above: str, below: str) -> pl.Expr:
        return pl.when(pl.col(below) != 0).then(pl.col(above) / pl.col(below))

    def cents(above: str, below: str) -> pl.Expr:
        numerator, denominator = pl.col(above), pl.col(below)
        return pl.when(denominator != 0).then((2 * numerator + denominator) // (2 * denominator))

    def final(condition: pl.Expr, value: pl.Expr | str) -> pl.Expr:
        return pl.when(condition).then(pl.col(value) if isinstance(value, str) else value)

    plain = (
        "buyers_chatted buyers_filtered buyers_consulted buyers_received buyers_unreplied buyers_received_distinct "
        "buyers_direct buyers_forwarded_in buyers_forwarded_out buyer_initiated agent_initiated turns turns_answered "
        "turns_late first_response_missed first_response_p50 first_response_p90 response_p50 response_p90 "
        "night_questions slow_buyers long_buyers max_concurrent buyer_messages agent_messages agent_characters "
        "auto_messages first_message_at last_message_at days_active sales_orders sales_buyers sales_items"
    ).split()
    return rows.select(
        "agent",
        *plain,
        shop="shop_name",
        reply_rate=ratio("buyers_received", "buyers_consulted"),
        turns_unanswered=pl.col("turns") - pl.col("turns_answered"),
        first_response_avg=ratio("first_wait_s", "first_turns"),
        first_response_any_avg=ratio("first_any_wait_s", "first_any_turns"),
        first_response_wall_avg=ratio("first_wait_s", "first_turns"),
        response_avg=ratio("wait_s", "turns_answered"),
        response_wall_avg=ratio("wait_s", "turns_answered"),
        **{f"within_{level}s_rate": ratio(f"within_{level}s", "turns") for level in inputs.LEVELS},
        night_answered_rate=ratio("night_answered", "night_questions"),
        service_time_avg=ratio("session_s", "buyers_received"),
        avg_concurrent=ratio("chat_seconds", "busy_seconds"),
        answer_ratio=ratio("agent_messages", "buyer_messages"),
        inquiries=final(next_day, "inquiries"),
        inquiries_ordered_same_day=final(same_day, "inquiries_ordered_same_day"),
        inquiries_ordered=final(next_day, "inquiries_ordered"),
        inquiries_paid_same_day=final(same_day, "inquiries_paid_same_day"),
        inquiries_paid_next_day=final(next_day, "inquiries_paid_next_day"),
        inquiries_paid=final(payment, "inquiries_paid"),
        inquiry_to_order_rate=final(next_day, ratio("inquiries_ordered", "inquiries")),
        inquiry_to_payment_same_day_rate=final(next_day, ratio("inquiries_paid_same_day", "inquiries")),
        inquiry_to_payment_next_day_rate=final(next_day, ratio("inquiries_paid_next_day", "inquiries")),
        inquiry_to_payment_rate=final(payment, ratio("inquiries_paid", "inquiries")),
        order_per_consult_rate=final(next_day, ratio("consults_ordered", "buyers_consulted")),
        inquiries_lost=final(next_day, "inquiries_lost"),
        orders_lost=final(payment, "orders_lost"),
        assists=final(next_day, "assists"),
        sales_amount="sales_cents",
        average_order_value=cents("sales_cents", "sales_buyers"),
        items_per_buyer=ratio("sales_items", "sales_buyers"),
        average_item_price=cents("sales_cents", "sales_items"),
        sales_share=ratio("sales_cents", "paid_cents"),
    ).sort("shop", "agent")


if __name__ == "__main__":
    chosen, flags = parsed((__doc__ or "").splitlines()[0], "streaming")
    ENGINE = "streaming" if "streaming" in flags else "in-memory"
    run(chosen)
