"""From sorted rows to turns, sessions and peer-days: which arrays the kernels get, and in what order they run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from cslog.facts.arrays import DutyArrays, Names, People, array
from cslog.facts.circumstances import Circumstances
from cslog.kernels import duty, owners, threads

_NO_LIMIT = np.int64(2**62)


@dataclass(frozen=True)
class Walked:
    """Results of the kernels, with the arrays they refer to.

    Per event: its row, type, second, and the ``notes`` of the walk. Per row: its ``owner`` (agent code).
    """

    event_row: np.ndarray
    event_type: np.ndarray
    event_at: np.ndarray
    thread_buyer: np.ndarray
    thread_agent: np.ndarray
    thread_shop: np.ndarray
    thread_end: np.ndarray
    turns: threads.Turns
    sessions: threads.Sessions
    peer_days: threads.PeerDays
    notes: threads.EventNotes
    owner: np.ndarray

    @property
    def written(self) -> np.ndarray:
        """Events that are messages, not marks of a transfer."""
        return np.flatnonzero(self.event_type <= threads.STAFF)

    def thread_columns(self, thread: np.ndarray, people: People, names: Names) -> dict[str, pl.Series]:
        """Shop, buyer_key and agent of threads."""
        agent = names.to_series(self.thread_agent[thread])
        return people.columns(self.thread_buyer[thread]) | {"agent": agent}

    def shop_and_agent(self, thread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shop and agent codes of threads."""
        return self.thread_shop[thread], self.thread_agent[thread]


def walk(rows: pl.DataFrame, people: People, names: Names, circumstances: Circumstances) -> Walked:
    """Run the kernels over ``rows`` (of arrays.kernel_rows) of ``people``."""
    profile = circumstances.profile
    on_duty = DutyArrays.rostered(circumstances.duty, people, names)
    at, who = array(rows, "sent_at", np.int64), array(rows, "who", np.int8)
    origin, target = (array(rows, f"transfer_{end}_code", np.int32) for end in ("from", "to"))
    owner = owners.infer_owners(
        people.starts,
        at,
        who,
        array(rows, "agent_code", np.int32),
        array(rows, "exporter_code", np.int32),
        target,
        profile.max_wait_s or profile.session_gap_s,
    )
    voided, reopened = owners.transfer_effects(
        people.starts,
        at,
        who,
        owner,
        origin,
        target,
        people.shop_code,
        on_duty.number,
        on_duty.ranges,
        profile.max_wait_s,
        profile.day_cut_s,
        profile.transfer == "neutral",
    )
    event_row, event_type, starts, thread_buyer, thread_agent = threads.order_threads(
        people.starts, who, owner, voided, reopened
    )
    event_at = at[event_row]
    thread_shop = people.shop_code[thread_buyer]
    number = on_duty.of(thread_shop, thread_agent)
    ends = people.frame["shop"].replace_strict(circumstances.data_ends, default=0, return_dtype=pl.Int64)
    thread_end = ends.to_numpy()[thread_buyer]
    turns, sessions, peer_days, notes = threads.walk_threads(
        starts,
        event_at,
        on_duty.elapsed(number, event_at, np.diff(starts)),
        event_type,
        array(rows, "visible", np.int8)[event_row],
        array(rows, "characters", np.int32)[event_row],
        thread_end,
        on_duty.elapsed(number, thread_end),
        np.where(number >= 0, np.int64(duty.DAY), _NO_LIMIT),
        profile.max_wait_s,
        profile.session_gap_s,
        profile.day_cut_s,
        profile.long_s,
    )
    return Walked(
        event_row, event_type, event_at, thread_buyer, thread_agent, thread_shop, thread_end,
        turns, sessions, peer_days, notes, owner,
    )  # fmt: skip
