"""Facts and the rows of a report that they count in: what is added up, and what an explanation lists.

By what an explanation calls them: turns, nights (the same turns, by when they opened), questions, units (what
people are counted by), sessions, messages, staff (the messages that show who was there), autos, sales (orders by
the agent credited), silent (orders credited to nobody), paid (all of them).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import polars as pl

from cslog.facts import Facts, frames, tables
from cslog.facts.tables import Table
from cslog.flags import MESSAGE, ORDER, TURN, UNIT
from cslog.kernels import sums
from cslog.row_keys import RowKeys

FACTS = ("turns", "questions", "units", "sessions", "messages", "autos", "sales", "silent", "paid")


class Counted:
    """The tables of ``facts`` with the keys of the rows they count in; ``agents`` limits them to what these did.

    ``by_message``: messages one by one also where those of a peer-day could be taken together.
    """

    def __init__(
        self, facts: Facts, keys: RowKeys, agents: frozenset[str] | None = None, *, by_message: bool = False
    ) -> None:
        self.facts = facts
        self.keys = keys
        self._agents = agents
        self._by_message = by_message or keys.by_moment

    def table(self, fact: str) -> Table:
        """The rows of a fact that may count."""
        if fact == "units":
            return self._units()
        if fact in ("messages", "staff"):
            return tables.messages(self.facts) if self._by_message else tables.talks(self.facts)
        if fact in ("sales", "silent", "paid"):
            orders = tables.orders(self.facts)
            return orders.where(orders.flags & ORDER["sold"] != 0)
        return {"turns": tables.turns, "nights": tables.turns, "sessions": tables.sessions,
                "questions": tables.questions, "autos": tables.autos}[fact](self.facts)  # fmt: skip

    def codes(self, fact: str, table: Table) -> tuple[np.ndarray, np.ndarray]:
        """Which row of the report each row of ``table`` counts in: int32 codes, -1 for none; and the rows' keys by
        code, among them rows that nothing of this table counts in.
        """
        if table.peer_day is None or self.keys.by_moment:
            return sums.intern(self.rows(fact, table))
        codes, keys = self._codes_of_peer_days
        return np.where(self._counts(fact, table.flags), codes[table.peer_day], np.int32(-1)), keys

    @cached_property
    def _codes_of_peer_days(self) -> tuple[np.ndarray, np.ndarray]:
        walked = self.facts.walked
        thread = walked.peer_days.thread
        shop, agent = walked.thread_shop[thread], walked.thread_agent[thread]
        return sums.intern(self.keys.of_days(shop, agent, walked.peer_days.day, self._agents))

    def rows(self, fact: str, table: Table) -> np.ndarray:
        """The key of the row of the report that each row of ``table`` counts in, -1 for none; int64."""
        if fact == "paid":
            return self._keys_of(self.keys.without_staff(), table, None)
        if fact == "silent":
            if self.keys.split.by_agent or self.keys.split.by_team:
                return np.full(table.at.size, -1, np.int64)
            found = self._keys_of(self.keys, table, None)
            return np.where(table.flags & ORDER["silent"] != 0, found, -1)
        found = self._keys_of(self.keys, table, table.agent)
        return np.where(self._counts(fact, table.flags), found, -1)

    def _counts(self, fact: str, flags: np.ndarray) -> np.ndarray:
        """Whether rows count at all: what is only context makes no row of a report."""
        if fact == "sales":
            return flags & ORDER["credited"] != 0
        if fact in ("turns", "nights"):
            by_night = TURN["consulted"] | TURN["night"]
            return (flags & TURN["counted"] != 0) | (flags & by_night == by_night)
        return flags != 0

    def frame(self, fact: str) -> pl.DataFrame:
        """The rows of a fact for people, with ``flags`` and the key columns; only those that count in some row."""
        table = self.table(fact)
        keys = self.rows(fact, table)
        counts = keys >= 0
        if fact == "staff":
            counts &= table.flags & MESSAGE["active"] != 0
        shown = self.keys.without_staff() if fact == "paid" else self.keys
        frame = self._shown(fact, table).with_columns(flags=pl.Series(table.flags))
        return frame.filter(pl.Series(counts)).hstack(shown.frame(keys[counts]))

    def _shown(self, fact: str, table: Table) -> pl.DataFrame:
        facts = self.facts
        if fact == "units":
            rows = pl.DataFrame(
                frames.base(facts, table)
                | {"asked_at": frames.seconds(table.values["asked_at"]), "first_at": table.values["first_at"]}
                | frames.unpacked(table.flags, UNIT, *UNIT)
            )
            if not self.keys.split.by_agent:
                return rows
            assert table.peer_day is not None
            days = facts.peer_days[pl.Series(table.peer_day)]
            more = ["filter", "continuation", "after_sale", "buyer_messages", "agent_messages"]
            return rows.hstack(days.select(more))
        if fact in ("messages", "staff"):
            values = {name: pl.Series(table.values[name]) for name in
                      ("buyer_messages", "agent_messages", "agent_characters")}  # fmt: skip
            return facts.messages.with_columns(**values)
        if fact in ("sales", "silent", "paid"):
            sold = facts.orders.filter(pl.col("sold_at").is_not_null())
            return sold.with_columns(day=pl.Series(table.day))
        if fact == "sessions":
            return facts.sessions.with_columns(session_s=pl.Series(table.values["session_s"]))
        if fact == "autos":
            return facts.autos
        return facts.questions if fact == "questions" else facts.turns

    def _units(self) -> Table:
        facts, keys = self.facts, self.keys
        days = facts.walked.peer_days
        agent = facts.walked.thread_agent[days.thread]
        shop = facts.walked.thread_shop[days.thread]
        wanted = keys.agent_wanted(self._agents)[agent] == 1
        return tables.units(facts, wanted, keys.split.by_agent, keys.team_of(shop, agent))

    def _keys_of(self, keys: RowKeys, table: Table, agent: np.ndarray | None) -> np.ndarray:
        """Keys of the table's rows as done by ``agent``; None: by nobody, in the shifts of the shop."""
        who = np.full_like(table.agent, -1) if agent is None else agent
        found = keys.of_days(table.shop, who, table.day, None if agent is None else self._agents)
        return keys.at(found, table.shop, agent, table.at)
