"""Messages and orders of some buyers → facts: turns, sessions, peer-days, credited orders.

Facts are what a report adds up (``facts.tables``) and what an explanation shows (``facts.frames``). Kernels run
over flat arrays (``facts.arrays``, ``facts.walk``); frames are only made for people. Buyers are never split, so
facts of disjoint sets of buyers can be computed anywhere and put together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from cslog.clock import Period
from cslog.facts import frames, peer_days, rules
from cslog.facts.arrays import NUMBERS, Orders, Rows, rows_of
from cslog.facts.circumstances import Circumstances
from cslog.facts.credit import Credited, credit_orders, orders_of, outcomes
from cslog.facts.duty import DutyArrays
from cslog.facts.walk import Walked, owned, walk
from cslog.flags import LEVELS, MESSAGE, PEER_DAY, TURN
from cslog.kernels import threads
from cslog.kernels import turns as turn_kernels

__all__ = ["NUMBERS", "Facts", "Judged", "Orders", "compute", "orders_of"]


@dataclass(frozen=True, eq=False)
class Judged:
    """Per turn: flags (cslog.flags.TURN), wait, cost and lateness in seconds, -1 for none."""

    flags: np.ndarray
    wait: np.ndarray
    cost: np.ndarray
    late: np.ndarray


@dataclass(frozen=True, eq=False)
class Facts:
    """Everything countable about a set of buyers, as arrays; the frames for people are made when asked for.

    ``peer_day_flags``: cslog.flags.PEER_DAY per peer-day; ``filtered_by``: position of its filter, -1 for none.
    """

    circumstances: Circumstances
    rows: Rows
    walked: Walked
    judged: Judged
    peer_day_flags: np.ndarray
    filtered_by: np.ndarray
    credited: Credited

    @cached_property
    def consulted(self) -> np.ndarray:
        """1 per peer-day that is received or unreplied; int8."""
        return _consulted(self.peer_day_flags)

    def unanswered_turns(self, period: Period) -> np.ndarray:
        """Numbers of the turns of the period without reply."""
        turns = self.walked.turns
        turn = np.flatnonzero(turns.reply < 0)
        day = self.walked.peer_days.day[turns.peer_day[turn]]
        return turn[(day >= period.first_day) & (day <= period.last_day)]

    def people_of(self, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Buyer keys (int64) and agents (codes, int32) of turns."""
        thread = self.walked.turns.thread[turn]
        return (
            self.rows.gathered.buyer_key[self.walked.thread_buyer[thread]],
            self.walked.thread_agent[thread],
        )

    def next_events(
        self, turn: np.ndarray, settled: int, messages: pl.DataFrame
    ) -> tuple[np.ndarray, np.ndarray]:
        """Per turn the second of the first event of its thread among ``messages`` that comes after the turn and after
        ``settled``, -1 for none (int64), and whether it is a message of the agent (bool).
        """
        from cslog.kernels import returns

        circumstances = self.circumstances
        rows = _rows(messages, self.credited.orders.between(1, 0), circumstances)  # of no orders
        of_rows, found = owned(rows, circumstances), rows.gathered
        keys, agent = self.people_of(turn)
        buyer = np.searchsorted(found.buyer_key, keys)
        wrote = buyer < found.buyer_key.size
        wrote[wrote] = found.buyer_key[buyer[wrote]] == keys[wrote]
        at, by_agent = np.full(keys.size, -1, np.int64), np.zeros(keys.size, np.bool_)
        at[wrote], by_agent[wrote] = returns.first_after(
            buyer[wrote],
            agent[wrote],
            np.maximum(self.walked.turns.last[turn[wrote]], settled),
            found.starts,
            found.at,
            found.who,
            of_rows.owner,
            of_rows.reopened,
        )
        return at, by_agent

    def answered_late(self, turn: np.ndarray, at: np.ndarray) -> Facts:
        """These facts, where the agents of these turns wrote again at these seconds, or not (-1)."""
        late, flags = self.judged.late.copy(), self.judged.flags.copy()
        answered = at >= 0
        late[turn] = np.where(answered, at - self.walked.turns.opened[turn], -1)
        flags[turn] = np.where(answered, flags[turn] | TURN["late"], flags[turn] & ~TURN["late"])
        return replace(self, judged=replace(self.judged, flags=flags, late=late))

    def message_flags(self, by_staff: np.ndarray, peer_day: np.ndarray | None = None) -> np.ndarray:
        """cslog.flags.MESSAGE of each peer-day, or of messages in ``peer_day``; int64."""
        filtered = self.peer_day_flags & PEER_DAY["filtered"] != 0
        consulted = self.consulted
        if peer_day is not None:
            filtered, consulted = filtered[peer_day], consulted[peer_day]
        active = np.where(by_staff & ~filtered, np.int64(MESSAGE["active"]), 0)
        return active | consulted * np.int64(MESSAGE["counted"])

    def inside_window(self, event: np.ndarray) -> np.ndarray:
        """Whether the profile's window holds what opens with these events (definitions 37)."""
        profile = self.circumstances.profile
        at = self.walked.event_at[event]
        if profile.window_of == "session":
            at = self.walked.sessions.first[self.walked.notes.session[event]]
        begin, end = profile.hours
        return (at % threads.DAY >= begin) & (at % threads.DAY < end)

    def waits_of_questions(self, event: np.ndarray, thread: np.ndarray) -> np.ndarray:
        """Seconds until the next staff message of the thread on the profile's clock, -1 for never."""
        walked = self.walked
        worked = DutyArrays.worked(self.circumstances.duty, self.circumstances.names)
        number = worked.of(walked.thread_shop[thread], walked.thread_agent[thread])
        at, reply = walked.event_at[event], walked.notes.reply[event]
        return np.where(reply >= 0, worked.elapsed(number, reply) - worked.elapsed(number, at), -1)

    @cached_property
    def turns(self) -> pl.DataFrame:
        """See frames.turns."""
        return frames.turns(self)

    @cached_property
    def questions(self) -> pl.DataFrame:
        """See frames.questions."""
        return frames.questions(self)

    @cached_property
    def sessions(self) -> pl.DataFrame:
        """See frames.sessions."""
        return frames.sessions(self)

    @cached_property
    def peer_days(self) -> pl.DataFrame:
        """See frames.peer_days."""
        return frames.peer_days(self)

    @cached_property
    def messages(self) -> pl.DataFrame:
        """See frames.messages."""
        return frames.messages(self)

    @cached_property
    def autos(self) -> pl.DataFrame:
        """See frames.autos."""
        return frames.autos(self)

    @cached_property
    def orders(self) -> pl.DataFrame:
        """See frames.orders."""
        return frames.orders(self)


def compute(messages: pl.DataFrame, orders: Orders, circumstances: Circumstances) -> Facts:
    """Facts of the buyers in ``messages`` (NUMBERS and rules.message_columns; runs as in arrays.rows_of) and of
    ``orders`` of the same buyers.
    """
    profile = circumstances.profile
    rows = _rows(messages, orders, circumstances)
    walked = walk(rows, circumstances, every_event=_asks_for_events(circumstances))
    flags, filtered_by = peer_days.flags_and_filters(walked, rows, circumstances)
    judged, flags = _judged(walked, flags, circumstances)
    credited = credit_orders(walked, rows, orders, flags & PEER_DAY["received"] != 0, circumstances)
    flags = outcomes(walked, flags, credited, profile)
    return Facts(circumstances, rows, walked, judged, flags, filtered_by, credited)


def _rows(messages: pl.DataFrame, orders: Orders, circumstances: Circumstances) -> Rows:
    """Messages as kernels take them, what the configuration calls an automatic reply among the automatic ones."""
    profile, config = circumstances.profile, circumstances.config
    messages = rules.with_automatic_replies(messages, config, circumstances.automatic, profile.day_cut_s)
    return rows_of(messages, orders, circumstances.names, profile)


def _asks_for_events(circumstances: Circumstances) -> bool:
    profile = circumstances.profile
    return any(profile.level(seconds) == "message" for seconds in LEVELS)


def _consulted(flags: np.ndarray) -> np.ndarray:
    return (flags & (PEER_DAY["received"] | PEER_DAY["unreplied"]) != 0).astype(np.int8)


def _judged(
    walked: Walked, peer_day_flags: np.ndarray, circumstances: Circumstances
) -> tuple[Judged, np.ndarray]:
    """The turns, and the flags of peer-days with what turns say of them."""
    profile, turns = circumstances.profile, walked.turns
    worked_open, worked_reply = turns.opened, turns.reply
    if circumstances.duty is not None:
        worked = DutyArrays.worked(circumstances.duty, circumstances.names)
        number = worked.of(walked.thread_shop[turns.thread], walked.thread_agent[turns.thread])
        worked_open, worked_reply = (worked.elapsed(number, at) for at in (turns.opened, turns.reply))
    window_at = turns.opened
    if profile.window_of == "session":
        window_at = walked.sessions.first[turns.session]
    *of_turns, flags = turn_kernels.judge_turns(
        turns.opened,
        turns.reply,
        turns.late,
        turns.following,
        window_at,
        turns.first,
        turns.started_by,
        worked_open,
        worked_reply,
        peer_day_flags,
        turns.peer_day,
        turns.thread,
        walked.thread_end,
        *profile.hours,
        *profile.night,
        profile.night_due_s,
        profile.cap_s,
        profile.unanswered_s,
        profile.first_response == "any",
        profile.slow_s,
        profile.slow_times,
    )
    return Judged(*of_turns), flags
