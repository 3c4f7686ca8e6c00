"""The month's figures with pandas: ``python -m benchmarks.peers.pandas_frames STORE MONTH OUT``.

The same steps as kpi.sql. Everything is an integer, threads are sorted once (numpy.lexsort), and what stands beside
a row is a shift.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from benchmarks.peers import inputs
from benchmarks.peers.inputs import DAY, Inputs, parsed
from benchmarks.peers.pandas_sums import Facts, report

THREAD = ["buyer_key", "owner"]
PLAIN = ("buyer_key", "sent_at", "rank", "message_class", "kind", "characters")
KEYS = ("shop", "agent", "exporter", "transfer_from", "transfer_to")
NONE = inputs.NOBODY  # no agent, and no position


def run(given: Inputs) -> None:
    """Compute and write the table."""
    months = Months(given)
    orders = current_orders(given)
    reach = reach_of(orders, given)
    loaded, automatic, shops, agents, ends = months.loaded(reach)
    undecided = (loaded["who"] == 2) | ((loaded["who"] == 0) & (loaded["agent"] == NONE))
    is_hard = loaded["buyer_key"].isin(loaded.loc[undecided, "buyer_key"].unique())
    hard = loaded[is_hard]
    owned = owners(hard)
    events = threads(loaded[~is_hard], owned, transfers(owned))
    del loaded
    turns, sessions = turns_and_sessions(events, ends)
    people = peer_days(events, turns, sessions)
    credited = credit(orders, events, people)
    turns = with_late_answers(turns, months, reach)
    facts = Facts(hard, events, turns, sessions, people, credited, ends)
    report(given, shops, agents, automatic, facts).to_parquet(given.out)


class Months:
    """The messages of the files. Agents and shops are the integer keys of the store."""

    def __init__(self, given: Inputs) -> None:
        self.given = given

    def read(self, files: list[str], rows: pc.Expression) -> pd.DataFrame:
        """Rows of the files as numbers."""
        columns = {name: pc.field(name) for name in PLAIN} | {name: pc.field(f"{name}_key") for name in KEYS}
        return ds.dataset(files).to_table(columns=columns, filter=rows).to_pandas()

    def loaded(
        self, reach: pd.DataFrame
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.Series]:
        """Messages that count and markers; automatic replies; names of shops and agents; ends of the data."""
        given = self.given
        sent_at = pc.field("sent_at")
        buyers = pc.field("buyer_key").isin(pa.array(reach.index))
        usual = (sent_at >= given.low) & (sent_at <= given.high)
        everything = self.read(given.messages, usual | buyers)
        at = everything["sent_at"]
        inside = (at >= given.low) & (at <= given.high)
        if len(reach):
            bounds = reach.reindex(everything.loc[~inside, "buyer_key"])
            far = at[~inside].to_numpy()
            inside[~inside] = (far >= bounds["low"].to_numpy()) & (far <= bounds["high"].to_numpy())
            everything = everything[inside]
        day = everything["sent_at"] // DAY
        automatic = everything[
            (everything["message_class"] == 3) & day.between(given.first_day, given.last_day)
        ]
        automatic = automatic.groupby(["shop", "agent"]).size().rename("auto_messages").reset_index()
        shops, agents = self._names()
        return counting(everything), automatic.rename(columns={"agent": "owner"}), shops, agents, self._ends()

    def _names(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        def pairs(key: str, name: str) -> pd.DataFrame:
            layout = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(dictionary_columns=[name]))
            table = ds.dataset(self.given.messages, format=layout).to_table(columns=[key, name])
            return table.unify_dictionaries().group_by([key, name]).aggregate([]).to_pandas().dropna()

        shops = pairs("shop_key", "shop").set_axis(["shop", "shop_name"], axis=1)
        return shops.astype({"shop_name": str}), pairs("agent_key", "agent").set_axis(
            ["owner", "agent"], axis=1
        )

    def _ends(self) -> pd.Series:
        files = list(dict.fromkeys([*self.given.messages, *self.given.newest]))
        found = ds.dataset(files).to_table(columns=["shop_key", "sent_at"])
        found = found.group_by("shop_key").aggregate([("sent_at", "max")])
        return found.to_pandas().set_index("shop_key")["sent_at_max"]


def counting(messages: pd.DataFrame) -> pd.DataFrame:
    """Buyer and valid staff messages and transfer markers: ``who`` 0, 1, 2."""
    who = np.array([0, 1, 1, -1, -1, 2, -1], np.int8)[messages["message_class"]]
    side = np.array([0, 4, 2])[who]
    rows = messages.assign(
        who=who,
        pos=messages["sent_at"] * 2**24 + messages["rank"].astype(np.int64) * 16 + side,
        visible=(messages["kind"] != 0) | (messages["characters"] > 0),
    )
    return rows[who >= 0].drop(columns=["rank", "message_class", "kind"])


def current_orders(given: Inputs) -> pd.DataFrame:
    """The current version of every order that can matter; instants are -1 where there is none."""
    columns = [
        "platform", "shop", "order_id", "buyer_key", "joinable", "created_at", "paid_at", "state", "amount_cents",
        "items", "refund_cents", "shipped_at", "content_key",
    ]  # fmt: skip
    early = pc.field("created_at") < given.end + inputs.ORDER_DAYS * DAY
    versions = ds.dataset(given.orders).to_table(columns=columns, filter=early).to_pandas()
    versions["refund_cents"] = versions["refund_cents"].fillna(0)
    versions["shipped_at"] = versions["shipped_at"].fillna(-1)
    versions = versions.sort_values(["state", "refund_cents", "shipped_at", "content_key"])
    key = ["platform", "shop", "order_id"]
    exact = versions.loc[versions["joinable"]].groupby(key)["buyer_key"].min().rename("clear_key")
    found = versions.groupby(key).agg(
        created_at=("created_at", "min"), paid_at=("paid_at", "min"), joinable=("joinable", "max"),
        buyer_key=("buyer_key", "last"), amount_cents=("amount_cents", "last"), items=("items", "last"),
    )  # fmt: skip
    found.loc[exact.index, "buyer_key"] = exact  # of the versions that do not mask the buyer
    found["paid_at"] = found["paid_at"].fillna(-1).astype(np.int64)
    found["amount_cents"] = found["amount_cents"].clip(lower=0)
    oldest = given.begin - (inputs.AFTER_SALE_DAYS + 1) * DAY
    found = found[(found["created_at"] >= oldest) | (found["paid_at"] >= oldest)].reset_index()
    found["created_day"] = found["created_at"] // DAY
    found["paid_day"] = np.where(found["paid_at"] >= 0, found["paid_at"] // DAY, -1)
    return found


def reach_of(orders: pd.DataFrame, given: Inputs) -> pd.DataFrame:
    """Buyers (index) whose orders need messages from outside the usual range."""
    created, paid = orders["created_at"], orders["paid_at"]
    asked = created.between(given.begin - inputs.UNPAID_DAYS * DAY, given.end + inputs.ORDER_DAYS * DAY)
    mine = orders[orders["joinable"] & (asked | paid.between(given.begin, given.end))]
    early = np.where(
        mine["paid_at"] >= 0, np.minimum(mine["created_at"], mine["paid_at"]), mine["created_at"]
    )
    late = np.maximum(mine["created_at"], mine["paid_at"])
    margin = inputs.SETTLED_DAYS * DAY
    found = pd.DataFrame({"low": early - inputs.LOOKBACK_S - margin, "high": late + margin})
    found = found.groupby(mine["buyer_key"].to_numpy()).agg(low=("low", "min"), high=("high", "max"))
    return found[(found["low"] < given.low) | (found["high"] > given.high)].rename_axis("buyer_key")


def owners(rows: pd.DataFrame) -> pd.DataFrame:
    """``rows`` sorted, with the agent whom each message belongs to (kpi-spec I3)."""
    rows = rows.iloc[np.lexsort((rows["pos"], rows["buyer_key"]))].reset_index(drop=True)
    buyer, who = rows["buyer_key"], rows["who"].to_numpy()
    sent_at = rows["sent_at"].astype("float64")  # exact for seconds, and it knows nothings

    def known(values: pd.Series, where: np.ndarray) -> pd.Series:
        return values.where(where)

    countable = who < 2
    last = known(sent_at, countable).groupby(buyer).ffill()
    before = last.groupby(buyer).shift(1)
    begins = countable & (before.isna() | (sent_at - before >= inputs.MAX_WAIT)).to_numpy()
    run = np.cumsum(begins)
    run_begin = known(sent_at, begins).groupby(buyer).ffill()
    marked_at = known(sent_at, who == 2).groupby(buyer).ffill()
    marked_for = known(rows["transfer_to"].astype("Int64"), who == 2).groupby(buyer).ffill()
    staff = known(rows["agent"].astype("Int64"), who == 1)
    found = rows["agent"].astype("Int64").where(rows["agent"] != NONE)
    for candidate in (
        marked_for.where(marked_at >= run_begin),
        staff.groupby(run).bfill(),
        staff.groupby(run).ffill(),
        rows["exporter"],
    ):
        found = found.fillna(candidate.astype("Int64"))
    return rows.assign(owner=np.where(countable, found.fillna(NONE).astype(np.int64), NONE))


def last_before(markers: pd.DataFrame, spoken: pd.DataFrame, end: str, suffix: str) -> pd.DataFrame:
    """``markers`` with the row of ``spoken`` that is the last of the thread of the agent in column ``end``, -1 for
    none, and whether his turn is open.
    """
    right = spoken.assign(row=np.arange(len(spoken))).rename(columns={"owner": end, "pos": "said"})
    found = pd.merge_asof(
        markers.sort_values("pos"), right[["buyer_key", end, "said", "row"]].sort_values("said"), left_on="pos",
        right_on="said", by=["buyer_key", end], allow_exact_matches=False,
    )  # fmt: skip
    row = found["row"].fillna(-1).astype(np.int64)
    silence = found["sent_at"] - spoken["pos"].to_numpy()[row] // 2**24
    is_open = (row >= 0) & (spoken["who"].to_numpy()[row] == 0) & (silence < inputs.MAX_WAIT)
    return found.drop(columns=["said", "row"]).assign(**{f"row{suffix}": row, f"open{suffix}": is_open})


def transfers(owned: pd.DataFrame) -> pd.DataFrame:
    """Transfers X → Y that take X's open turn away; ``held``: Y had one open already. Chains of transfers inside
    one open turn are not followed.
    """
    markers = owned[(owned["who"] == 2) & (owned["transfer_from"] != owned["transfer_to"])]
    markers = markers[["shop", "buyer_key", "pos", "sent_at", "transfer_from", "transfer_to"]]
    spoken = owned.loc[(owned["who"] < 2) & (owned["owner"] != NONE), [*THREAD, "pos", "who"]]

    if markers.empty or spoken.empty:
        return markers.head(0).assign(held=False, last_pos=0)
    here = last_before(markers, spoken, "transfer_from", "_from")
    here = last_before(here[here["open_from"]], spoken, "transfer_to", "_to")
    here = here.assign(held=here["open_to"], last_pos=spoken["pos"].to_numpy()[here["row_from"]])
    key = ["buyer_key", "pos", "transfer_from", "transfer_to"]
    said = here[key].merge(spoken.rename(columns={"pos": "said", "who": "by"}), on="buyer_key")
    said = said[said["said"] < said["pos"]].sort_values([*key, "said"])
    mine = said[said["owner"] == said["transfer_from"]]
    group = mine.groupby(key)
    gap = mine["said"] // 2**24 - group["said"].shift(1) // 2**24
    new = gap.isna() | (group["by"].shift(1) == 1) | (gap >= inputs.MAX_WAIT)
    opened = mine[(mine["by"] == 0) & new].groupby(key)["said"].max().rename("opened").reset_index()
    answered = said[(said["owner"] == said["transfer_to"]) & (said["by"] == 1)].merge(opened, on=key)
    answered = answered.loc[answered["said"] > answered["opened"], key].drop_duplicates()
    here = here.merge(answered.assign(answered=True), on=key, how="left")
    return here[here["answered"].isna()]


def threads(easy: pd.DataFrame, owned: pd.DataFrame, moved: pd.DataFrame) -> pd.DataFrame:
    """All threads, sorted, with what stands before and after each event. ``unit`` numbers the peer-days."""
    columns = ["shop", "buyer_key", "owner", "pos", "side", "written", "characters", "visible"]
    parts = [
        easy.rename(columns={"agent": "owner", "who": "side"}).assign(written=True),
        owned[owned["who"] < 2].drop(columns="agent").rename(columns={"who": "side"}).assign(written=True),
    ]
    if len(moved):
        nothing = {"written": False, "characters": 0, "visible": False}
        parts.append(moved.assign(owner=moved["transfer_from"], pos=moved["last_pos"] + 1, side=2, **nothing))
        parts.append(moved[~moved["held"]].assign(owner=moved["transfer_to"], side=0, **nothing))
    events = pd.concat([part[columns] for part in parts], ignore_index=True)
    events = events[events["owner"] != NONE]
    events = events.iloc[np.lexsort((events["pos"], events["owner"], events["buyer_key"]))].reset_index(
        drop=True
    )
    buyer, owner, side = (events[name].to_numpy() for name in ("buyer_key", "owner", "side"))
    at = events["pos"].to_numpy() // 2**24
    day = at // DAY

    def changes(values: np.ndarray) -> np.ndarray:
        return np.concatenate(([True], values[1:] != values[:-1]))

    def following(values: np.ndarray, nothing: object) -> np.ndarray:
        return np.concatenate((values[1:], [nothing]))

    first = changes(buyer) | changes(owner)
    begins = first | (np.diff(at, prepend=at[:1]) >= inputs.MAX_WAIT)
    ends, last = following(begins, True), following(first, True)
    next_side = np.where(last, -1, following(side, -1))
    previous = np.concatenate(([1], side[:-1]))
    return events.assign(
        at=at, day=day, begins=begins, ends=ends, next_side=next_side,
        next_at=np.where(last, -1, following(at, -1)),
        unit=np.cumsum(first | changes(day)),
        opens=(side == 0) & (begins | (previous != 0)),
        closes=(side == 0) & (ends | (next_side != 0)),
    )  # fmt: skip


def turns_and_sessions(events: pd.DataFrame, data_ends: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turns close at the last buyer message before an answer, a silence or a transfer; sessions at a silence."""
    opens, begins = (np.flatnonzero(events[name]) for name in ("opens", "begins"))
    closing = np.flatnonzero(events["closes"])
    opened = opens[np.searchsorted(opens, closing, side="right") - 1]
    session = begins[np.searchsorted(begins, closing, side="right") - 1]
    column = {name: events[name].to_numpy() for name in events.columns}
    ends, next_at, next_side = (
        column["ends"][closing],
        column["next_at"][closing],
        column["next_side"][closing],
    )
    opened_at = column["at"][opened]
    turns = pd.DataFrame(
        {
            **{name: column[name][closing] for name in ("shop", *THREAD)},
            "opened": column["pos"][opened],
            "opened_at": opened_at,
            "unit": column["unit"][opened],
            "day": column["day"][opened],
            "started_by": column["side"][session],
            "wait_s": np.where(ends, -1, next_at - opened_at),
            "late": ends & (next_side == 1),
            "unfollowed": ends & (next_at < 0),
            "data_end": data_ends.reindex(column["shop"][closing]).to_numpy(),
        }
    )
    voided = ~ends & (next_side == 2)
    censored = (next_at < 0) & (turns["data_end"] - column["at"][closing] < inputs.MAX_WAIT)
    last = np.flatnonzero(events["ends"])
    sessions = pd.DataFrame(
        {
            **{name: column[name][begins] for name in ("shop", *THREAD, "unit", "day")},
            "session_pos": column["pos"][begins],
            "started_by": column["side"][begins],
            "first_at": column["at"][begins],
            "last_at": column["at"][last],
        }
    )
    return turns[~voided & ~censored].reset_index(drop=True), sessions


def peer_days(events: pd.DataFrame, turns: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """One row per agent, buyer and day, ``unit`` (the index too) its number. NONE stands for no position."""
    events = events[events["side"] < 2]
    side, pos = events["side"].to_numpy(), events["pos"].to_numpy()
    unit = events["unit"].to_numpy()
    starts = np.flatnonzero(np.concatenate(([True], unit[1:] != unit[:-1])))
    never = np.iinfo(np.int64).max

    def total(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values.astype(np.int64), starts)

    def earliest(where: np.ndarray) -> np.ndarray:
        found = np.minimum.reduceat(np.where(where, pos, never), starts)
        return np.where(found == never, NONE, found)

    staff = side == 1
    people = events.iloc[starts][["shop", *THREAD, "day", "unit"]].set_index("unit", drop=False)
    staff_last = np.maximum.reduceat(np.where(staff, pos, NONE), starts)
    staff_first = earliest(staff)
    people = people.assign(
        buyer_messages=total((side == 0) & events["written"].to_numpy()),
        agent_messages=total(staff),
        agent_characters=total(np.where(staff, events["characters"], 0)),
        visible=total(events["visible"].to_numpy()) > 0,
        asked=earliest(side == 0),
        first_pos=pos[starts],
        first_side=side[starts],
        first_begin=earliest(events["begins"].to_numpy()),
        staff_first=np.where(staff_first == NONE, -1, staff_first // 2**24),
        staff_last=np.where(staff_last == NONE, -1, staff_last // 2**24),
    )
    size = int(events["unit"].iloc[-1]) + 1

    def of_turns(which: Callable[[pd.DataFrame], pd.Series]) -> np.ndarray:
        return np.bincount(turns.loc[which(turns), "unit"], minlength=size)[people["unit"]]

    long = sessions.loc[sessions["last_at"] - sessions["first_at"] > inputs.LONG_S, "unit"]
    people["first_turn"] = turns.groupby("unit")["opened"].min().reindex(people["unit"], fill_value=-1)
    people["slow"] = (
        of_turns(lambda t: (t["wait_s"] < 0) | (t["wait_s"] > inputs.SLOW_S)) >= inputs.SLOW_TIMES
    )
    answered = of_turns(lambda t: t["wait_s"] >= 0) > 0
    people["long"] = people["unit"].isin(long)
    never_asked, no_begin = people["asked"] == NONE, people["first_begin"] == NONE
    spill = never_asked & no_begin
    blank = ~people["visible"] & (people["buyer_messages"] + people["agent_messages"] > 0)
    people["filtered"] = ~spill & (never_asked | blank)
    spoken = ~spill & ~people["filtered"]
    replied = (people["agent_messages"] > 0) | answered
    people["received"], people["unreplied"] = spoken & replied, spoken & ~replied
    people["consulted"] = spoken
    carries = ~never_asked & (no_begin | (people["asked"] < people["first_begin"]))
    yesterday = people[[*THREAD, "day", "received"]].shift(1)
    people["continuation"] = (
        carries
        & (yesterday["buyer_key"] == people["buyer_key"])
        & (yesterday["owner"] == people["owner"])
        & (yesterday["day"] + 1 == people["day"])
        & (yesterday["received"] == True)  # noqa: E712  the first row has none
    )
    # Who began the session that a peer-day's first message lies in.
    carried = np.flatnonzero(no_begin | (people["first_pos"] < people["first_begin"]))
    # Sessions are sorted like peer-days, and every peer-day that begins none lies in the session before it.
    begun = np.searchsorted(sessions["unit"], people["unit"].iloc[carried], side="left") - 1
    by_buyer = people["first_side"].to_numpy() == 0
    by_buyer[carried] = sessions["started_by"].to_numpy()[begun] == 0
    people["by_buyer"] = by_buyer
    return people


def credit(orders: pd.DataFrame, events: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Orders with the agent who gets the money (kpi-spec 4); NONE for nobody."""
    buyers = orders.loc[orders["joinable"], "buyer_key"].unique()
    staff = events[events["side"] == 1]
    staff = staff[staff["buyer_key"].isin(buyers)]
    eligible = staff[people["received"].reindex(staff["unit"]).to_numpy()]
    # Where nothing is found merge_asof makes floats, which cannot hold a key: the row's place goes along instead.
    eligible = eligible[[*THREAD, "pos"]].sort_values("pos").reset_index(drop=True)
    agent = eligible["owner"].to_numpy()
    places = eligible[["buyer_key", "pos"]].assign(at=eligible["pos"] // 2**24, place=eligible.index)

    def agent_at(instant: str) -> pd.Series:
        known = orders.loc[orders["joinable"] & (orders[instant] >= 0), ["buyer_key", instant]]
        known = known.assign(number=known.index, until=(known[instant] + 1) * 2**24).sort_values("until")
        found = pd.merge_asof(
            known, places, left_on="until", right_on="pos", by="buyer_key", allow_exact_matches=False
        )
        found = found[found[instant] - found["at"] <= inputs.LOOKBACK_S]
        agents = pd.Series(agent[found["place"].astype(np.int64)], index=found["number"])
        return agents.reindex(orders.index, fill_value=NONE)

    ordered, paid = agent_at("created_at"), agent_at("paid_at")
    return orders.assign(credited=ordered.where(ordered != NONE, paid))


def with_late_answers(turns: pd.DataFrame, months: Months, reach: pd.DataFrame) -> pd.DataFrame:
    """``late`` where the next message of the thread lies beyond what was read."""
    given = months.given
    waiting = turns[turns["unfollowed"] & turns["day"].between(given.first_day, given.last_day)]
    buyers = pd.Index(waiting["buyer_key"].unique())
    known_until = reach["high"].reindex(buyers).fillna(given.high).clip(lower=given.high)
    later = (pc.field("sent_at") > given.high) & pc.field("buyer_key").isin(pa.array(buyers))
    rows = counting(months.read([*given.messages, *given.later], later))
    rows = rows[rows["sent_at"].to_numpy() > known_until.reindex(rows["buyer_key"]).to_numpy()]
    if rows.empty:
        return turns
    rows = owners(rows)
    first = rows[rows["who"] < 2].drop_duplicates(THREAD)
    found = pd.MultiIndex.from_frame(first.loc[first["who"] == 1, THREAD])
    is_found = pd.MultiIndex.from_frame(turns[THREAD]).isin(found)
    return turns.assign(late=turns["late"] | (turns["unfollowed"] & is_found))


if __name__ == "__main__":
    run(parsed((__doc__ or "").splitlines()[0])[0])
