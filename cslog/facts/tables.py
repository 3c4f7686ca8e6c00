"""Facts as tables of arrays, the same for every kind: where a row counts, what can be said of it, its numbers.

``cslog.measures`` says which numbers of which rows make a figure.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cslog import flags
from cslog.flags import AUTO, ORDER, QUESTION, SESSION
from cslog.kernels import peer_days, threads

if TYPE_CHECKING:
    from cslog.facts import Facts


class Table:
    """One element per fact in each array: ``buyer`` (position, -1 for a masked nick), ``shop`` and ``agent`` codes
    (-1: nobody), business ``day``, ``at`` (wall second that dates it), ``flags`` (cslog.flags.BITS), ``values``; and
    the ``peer_day`` that has the same agent and day, where there is one.

    ``column`` gives buyer, shop, agent and day by name; few figures ask for them.
    """

    def __init__(
        self,
        at: np.ndarray,
        flags: np.ndarray,
        values: dict[str, np.ndarray],
        column: Callable[[str], np.ndarray],
        peer_day: np.ndarray | None = None,
    ) -> None:
        self.at = at
        self.flags = flags
        self.values = values
        self.peer_day = peer_day
        self._column = column

    @cached_property
    def buyer(self) -> np.ndarray:
        """Position of the buyer, -1 for a masked nick."""
        return self._column("buyer")

    @cached_property
    def shop(self) -> np.ndarray:
        """Code of the shop."""
        return self._column("shop")

    @cached_property
    def agent(self) -> np.ndarray:
        """Code of the agent, -1 for nobody."""
        return self._column("agent")

    @cached_property
    def day(self) -> np.ndarray:
        """Business day."""
        return self._column("day")

    def where(self, wanted: np.ndarray) -> Table:
        """The rows for which ``wanted`` is true, or with these positions."""
        return Table(
            self.at[wanted],
            self.flags[wanted],
            {name: values[wanted] for name, values in self.values.items()},
            lambda name: self._column(name)[wanted],
            None if self.peer_day is None else self.peer_day[wanted],
        )


def of_peer_days(facts: Facts, name: str) -> np.ndarray:
    """``buyer``, ``shop``, ``agent`` or ``day`` of every peer-day."""
    walked = facts.walked
    if name == "day":
        return walked.peer_days.day
    of_threads = {"buyer": walked.thread_buyer, "shop": walked.thread_shop, "agent": walked.thread_agent}
    return of_threads[name][walked.peer_days.thread]


def _of_threads(
    facts: Facts, peer_day: np.ndarray, at: np.ndarray, bits: np.ndarray, **values: np.ndarray
) -> Table:
    return Table(at, bits, values, lambda name: of_peer_days(facts, name)[peer_day], peer_day)


def turns(facts: Facts) -> Table:
    """Waits of a buyer: wait_s, cost_s, raw_wait_s, late_s (-1: none); cslog.flags.TURN."""
    found, judged = facts.walked.turns, facts.judged
    raw = judged.wait  # on the wall clock already
    if facts.circumstances.duty is not None:
        raw = np.where(found.reply >= 0, found.reply - found.opened, -1)
    return _of_threads(
        facts, found.peer_day, found.opened, judged.flags,
        wait_s=judged.wait, cost_s=judged.cost, raw_wait_s=raw, late_s=judged.late,
    )  # fmt: skip


def sessions(facts: Facts) -> Table:
    """Sessions: last_at, session_s; cslog.flags.SESSION."""
    found = facts.walked.sessions
    counted = facts.consulted[found.peer_day] * np.int64(SESSION["counted"])
    return _of_threads(
        facts, found.peer_day, found.first, counted,
        last_at=found.last, session_s=found.last - found.first,
    )  # fmt: skip


def units(facts: Facts, agent_wanted: np.ndarray, by_agent: bool, group: np.ndarray) -> Table:
    """What people are counted by: peer-days, or where rows are not ``by_agent`` the day of a buyer (and ``group``, a
    number per peer-day): asked_at (-1: never), first_at; ``peer_day`` is the one that dates it; cslog.flags.UNIT.

    ``agent_wanted``: per peer-day, false to leave it out.
    """
    walked = facts.walked
    days = walked.peer_days
    bits = np.where(agent_wanted, peer_days.units(facts.peer_day_flags), 0)
    if by_agent:
        chosen = np.flatnonzero(bits)
        bits, asked, first = bits[chosen], days.asked[chosen], days.first[chosen]
    else:
        from cslog.kernels import buyer_days

        bits, chosen, asked = buyer_days.units_of_buyers(
            bits,
            walked.thread_buyer[days.thread],
            days.day,
            days.asked,
            days.first,
            walked.event_row[days.first_event],
            group,
        )
        first = days.first[chosen]
    at = np.where(asked >= 0, asked, first)
    return _of_threads(facts, chosen, at, bits, asked_at=asked, first_at=first)


def talks(facts: Facts) -> Table:
    """The messages of each peer-day together: buyer_messages, agent_messages, agent_characters, first_at and last_at
    of staff messages; cslog.flags.MESSAGE. For rows that no hour or shift splits.
    """
    days = facts.walked.peer_days
    spoke = days.first_staff >= 0
    return _of_threads(
        facts, np.arange(days.day.size), days.first, facts.message_flags(spoke),
        buyer_messages=days.buyer_messages, agent_messages=days.staff_messages,
        agent_characters=days.staff_characters, first_at=days.first_staff, last_at=days.last_staff,
    )  # fmt: skip


def messages(facts: Facts) -> Table:
    """The same message by message, with event (its position)."""
    walked = facts.walked
    event = walked.written
    peer_day = walked.notes.peer_day[event]
    by_buyer = walked.event_type[event] == threads.BUYER
    characters = facts.rows.gathered.characters[walked.event_row[event]].astype(np.int64)
    at = walked.event_at[event]
    return _of_threads(
        facts, peer_day, at, facts.message_flags(~by_buyer, peer_day),
        buyer_messages=by_buyer.astype(np.int64), agent_messages=(~by_buyer).astype(np.int64),
        agent_characters=np.where(by_buyer, 0, characters), first_at=at, last_at=at, event=event,
    )  # fmt: skip


def questions(facts: Facts) -> Table:
    """Messages that wait for an answer, each with its own wait (definitions 35): wait_s, event; QUESTION."""
    walked = facts.walked
    event = np.flatnonzero(walked.notes.question == 1)
    peer_day = walked.notes.peer_day[event]
    thread = walked.peer_days.thread[peer_day]
    wait = facts.waits_of_questions(event, thread)
    counted = (facts.consulted[peer_day] == 1) & facts.inside_window(event)
    bits = counted * np.int64(QUESTION["counted"])
    for level in flags.LEVELS:
        bits |= np.where(counted & (wait >= 0) & (wait <= level), np.int64(QUESTION[f"within_{level}s"]), 0)
    return _of_threads(facts, peer_day, walked.event_at[event], bits, wait_s=wait, event=event)


def autos(facts: Facts) -> Table:
    """Automatic replies by their senders: source (row of the frame); cslog.flags.AUTO."""
    found = facts.rows.gathered
    at = found.auto_at
    columns = {
        "buyer": found.auto_buyer,
        "shop": found.shop[found.auto_buyer],
        "agent": found.auto_agent,
        "day": (at - facts.circumstances.profile.day_cut_s) // threads.DAY,
    }
    bits = np.full(at.size, AUTO["counted"], np.int64)
    return Table(at, bits, {"source": found.auto_source.astype(np.int64)}, columns.__getitem__)


def orders(facts: Facts) -> Table:
    """Orders, dated by what the rule looks at: amount_cents, items; cslog.flags.ORDER. ``agent``: the one credited."""
    credited = facts.credited
    found = credited.orders
    sold = found.paid >= 0
    sold_at = np.where(sold, found.created if facts.circumstances.rule == "order" else found.paid, -1)
    bits = np.where(sold, np.int64(ORDER["sold"]), 0)
    bits |= np.where(credited.credited >= 0, np.int64(ORDER["credited"]), np.int64(ORDER["silent"]))
    columns = {
        "buyer": credited.buyer,
        "shop": found.shop,
        "agent": credited.credited,
        "day": (sold_at - facts.circumstances.profile.day_cut_s) // threads.DAY,
    }
    values = {"amount_cents": found.amount_cents, "items": found.items}
    return Table(sold_at, bits, values, columns.__getitem__)
