"""Facts and the rows of a report that they count in: what is added up, and what an explanation lists.

By what an explanation calls them: turns, nights (the same turns, by when they opened), questions, units (what
people are counted by), sessions, messages, staff (the messages that show who was there), autos, sales (orders by
the agent credited), silent (orders credited to nobody), paid (all of them).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from cslog.facts import Facts, frames, tables
from cslog.facts.tables import Table
from cslog.flags import MESSAGE, ORDER, TURN, UNIT
from cslog.kernels import sums
from cslog.row_keys import RowKeys

FACTS = ("turns", "questions", "units", "sessions", "messages", "autos", "sales", "silent", "paid")


@dataclass(frozen=True, eq=False)
class Cells:
    """The days of agents in the period, few beside the peer-days: ``of_peer_day`` is the position of each one's, -1
    outside the period; ``shop`` and ``agent`` codes and the ``day`` of each.
    """

    of_peer_day: np.ndarray
    shop: np.ndarray
    agent: np.ndarray
    day: np.ndarray

    @classmethod
    def of(cls, keys: RowKeys, shop: np.ndarray, agent: np.ndarray, day: np.ndarray) -> Cells:
        """Cells of peer-days."""
        days = keys.split.period.days
        # In 64 bits: many shops, accounts and days are more than 32 hold.
        number = (shop.astype(np.int64) * (len(keys.names.accounts) + 1) + agent + 1) * len(days)
        number += day - days[0]
        places, distinct = sums.small_codes(np.where((day >= days[0]) & (day <= days[-1]), number, -1))
        rest, offset = np.divmod(distinct, len(days))
        shops, agents = np.divmod(rest, len(keys.names.accounts) + 1)
        return cls(places, shops.astype(np.int32), (agents - 1).astype(np.int32), offset + days[0])


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
        found = self._codes_of_peer_days.take(table.peer_day)
        found[~self._counts(fact, table.flags)] = -1
        return found, self._codes_of_cells[1]

    @cached_property
    def cells(self) -> Cells:
        """Days of agents in the facts."""
        shop, agent, day = (tables.of_peer_days(self.facts, name) for name in ("shop", "agent", "day"))
        return Cells.of(self.keys, shop, agent, day)

    @cached_property
    def _codes_of_cells(self) -> tuple[np.ndarray, np.ndarray]:
        cells = self.cells
        codes, keys = sums.intern(self.keys.of_days(cells.shop, cells.agent, cells.day, self._agents))
        return np.append(codes, np.int32(-1)), keys  # the last for peer-days without cell

    @cached_property
    def _codes_of_peer_days(self) -> np.ndarray:
        return self._codes_of_cells[0].take(self.cells.of_peer_day)

    def by_cell(self, table: Table, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of the report by day of agent: the place of each row of ``table``, int32, -1 for none; and of each
        place the code of the row, as in ``codes``, and the cell.
        """
        assert table.peer_day is not None
        cell, number = self.cells.of_peer_day[table.peer_day], self.cells.day.size
        if not self.keys.by_moment:
            return np.where(codes >= 0, cell, np.int32(-1)), self._codes_of_cells[0][:-1], np.arange(number)
        places, distinct = sums.intern(np.where(codes >= 0, codes.astype(np.int64) * number + cell, -1))
        return places, *np.divmod(distinct, max(number, 1))

    def staff_keys(self, table: Table) -> np.ndarray:
        """Whose the rows of ``table`` are: keys of RowKeys.without_time, int64."""
        whose, cells = self.keys.without_time(), self.cells
        if self.keys.split.by_shift:
            of_days = whose.of_days(table.shop, table.agent, table.day)
            return whose.at(of_days, table.shop, table.agent, table.at)
        assert table.peer_day is not None
        of_cells = np.append(whose.of_days(cells.shop, cells.agent, cells.day), np.int64(-1))
        return of_cells[cells.of_peer_day[table.peer_day]]

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
