"""From sorted rows to turns, sessions and peer-days: which arrays the kernels get, and in what order they run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cslog.facts.arrays import Rows
from cslog.facts.circumstances import Circumstances
from cslog.facts.duty import DutyArrays
from cslog.kernels import owners, threads

_NO_LIMIT = np.int64(2**62)


@dataclass(frozen=True, eq=False)
class Walked:
    """Results of the kernels, with the arrays they refer to. Buyers are positions in ``Rows.gathered``.

    Per event: its row, type, second, and the ``notes`` of the walk. Per row: its ``owner`` (account code). Per
    thread: buyer, agent, shop, data end. ``thread_events``, ``buyer_threads``, ``thread_days``: offsets.
    """

    event_row: np.ndarray
    event_type: np.ndarray
    event_at: np.ndarray
    thread_events: np.ndarray
    thread_buyer: np.ndarray
    thread_agent: np.ndarray
    thread_shop: np.ndarray
    thread_end: np.ndarray
    buyer_threads: np.ndarray
    thread_days: np.ndarray
    turns: threads.Turns
    sessions: threads.Sessions
    peer_days: threads.PeerDays
    notes: threads.EventNotes
    owner: np.ndarray

    @property
    def written(self) -> np.ndarray:
        """Events that are messages, not marks of a transfer."""
        return np.flatnonzero(self.event_type <= threads.STAFF)


@dataclass(frozen=True, eq=False)
class Owned:
    """Per row the account (code) whose thread it is in, and for markers whose turn they void and re-open; -1: none."""

    owner: np.ndarray
    voided: np.ndarray
    reopened: np.ndarray


def owned(rows: Rows, circumstances: Circumstances) -> Owned:
    """Whose threads the ``rows`` belong to."""
    profile, found = circumstances.profile, rows.gathered
    on_duty = DutyArrays.rostered(circumstances.duty, circumstances.names)
    # A row's accounts mean what it is: sender and exporter, or where a marker goes to and comes from.
    agent, exporter, target, origin = found.agent, found.second, found.agent, found.second
    gap = profile.max_wait_s or profile.session_gap_s
    owner = owners.infer_owners(found.starts, found.at, found.who, agent, exporter, target, gap)
    voided, reopened = owners.transfer_effects(
        found.starts,
        found.at,
        found.who,
        owner,
        origin,
        target,
        found.shop,
        on_duty.number,
        on_duty.ranges,
        profile.max_wait_s,
        profile.day_cut_s,
        profile.transfer == "neutral",
    )
    return Owned(owner, voided, reopened)


def walk(rows: Rows, circumstances: Circumstances, *, every_event: bool) -> Walked:
    """Run the kernels over ``rows``; ``every_event`` as in kernels.threads."""
    profile, found = circumstances.profile, rows.gathered
    on_duty = DutyArrays.rostered(circumstances.duty, circumstances.names)
    of_rows = owned(rows, circumstances)
    (
        event_row,
        event_type,
        event_at,
        visible,
        characters,
        thread_events,
        thread_buyer,
        thread_agent,
    ) = threads.order_threads(
        found.starts,
        found.at,
        found.who,
        found.visible,
        found.characters,
        of_rows.owner,
        of_rows.voided,
        of_rows.reopened,
    )
    thread_shop = found.shop[thread_buyer]
    number = on_duty.of(thread_shop, thread_agent)
    ends = np.array([circumstances.data_ends[shop] for shop in circumstances.names.shops], np.int64)
    thread_end = ends[thread_shop]
    turns, sessions, days, notes = threads.walk_threads(
        thread_events,
        event_at,
        on_duty.elapsed(number, event_at, np.diff(thread_events)),
        event_type,
        visible,
        characters,
        thread_end,
        on_duty.elapsed(number, thread_end),
        np.where(number >= 0, np.int64(threads.DAY), _NO_LIMIT),
        profile.max_wait_s,
        profile.session_gap_s,
        profile.day_cut_s,
        profile.long_s,
        every_event,
    )
    buyers, number_of_threads = found.shop.size, thread_buyer.size
    return Walked(
        event_row=event_row,
        event_type=event_type,
        event_at=event_at,
        thread_events=thread_events,
        thread_buyer=thread_buyer,
        thread_agent=thread_agent,
        thread_shop=thread_shop,
        thread_end=thread_end,
        buyer_threads=_offsets(thread_buyer, buyers),
        thread_days=_offsets(days.thread, number_of_threads),
        turns=turns,
        sessions=sessions,
        peer_days=days,
        notes=notes,
        owner=of_rows.owner,
    )


def _offsets(groups: np.ndarray, number: int) -> np.ndarray:
    """Where each of ``number`` groups begins in the ascending ``groups``, and the end; int64."""
    return np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=number))]).astype(np.int64)
