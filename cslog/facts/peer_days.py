"""One entry per agent, buyer and day: received, unreplied, filtered and by which rule (kpi-spec 2, definitions 11-15,
34-36, 48).
"""

from __future__ import annotations

import numpy as np

from cslog.facts import rules
from cslog.facts.arrays import Rows
from cslog.facts.circumstances import Circumstances
from cslog.facts.walk import Walked
from cslog.kernels import peer_days


def flags_and_filters(
    walked: Walked, rows: Rows, circumstances: Circumstances
) -> tuple[np.ndarray, np.ndarray]:
    """Flags of every peer-day (cslog.flags.PEER_DAY) but those that turns and orders add, and the position of the
    filter that matched it in ``rules.filters_of``, -1 for none; both int64.
    """
    days, found = walked.peer_days, rows.gathered
    moved = peer_days.forwards(
        found.starts,
        found.at,
        found.who,
        found.second,
        found.agent,
        walked.buyer_threads,
        walked.thread_agent,
        walked.thread_days,
        days.day,
        circumstances.profile.day_cut_s,
    )
    configured = rules.filters_of(circumstances.config)
    filtered_by = rules.filtered_by(configured, rows, walked, moved, circumstances.names)
    flags = peer_days.classify(
        moved,
        days.thread,
        days.day,
        days.staff_messages,
        days.asked,
        filtered_by,
        days.started_by,
        days.visible,
        days.answered,
        days.own_session,
        days.carried,
        days.long_session,
    )
    spill = (days.asked < 0) & (days.own_session == 0)
    return flags, np.where(spill, -1, filtered_by)
