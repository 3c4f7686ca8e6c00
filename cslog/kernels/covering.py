"""Who was with a buyer by the spans of chats, not by single messages (kpi-spec 4, ``agent_at_covering``)."""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.kernels.signatures import I32, I64


@njit([(I64, I64, I64, I32, I64, I64, I64, I64)], cache=True, nogil=True)
def agents_covering(starts, first, last, agent, buyer, instant, earliest, not_begun):  # type: ignore[no-untyped-def]
    """Agent of the chat span that covers ``instant``, else of the span that ended last before it (lookup
    ``covering``).

    ``starts``, ``first``, ``last``, ``agent``: spans grouped by buyer, those whose last message comes later
    behind. Of spans that cover, and of those that ended at or after ``earliest``, the one with the latest end,
    then the latest beginning, wins. Spans that begin at or before ``not_begun`` do not count.
    """
    result = np.full(instant.size, -1, np.int32)
    for i in range(instant.size):
        if instant[i] < 0 or buyer[i] < 0:
            continue
        best, best_covers = -1, False
        for span in range(starts[buyer[i]], starts[buyer[i] + 1]):
            if first[span] > instant[i] or first[span] <= not_begun[i]:
                continue
            covers = instant[i] < last[span]
            if not covers and not earliest[i] <= last[span] <= instant[i]:
                continue
            if best >= 0:
                if best_covers and not covers:
                    continue
                if best_covers == covers:
                    if last[span] < last[best]:
                        continue
                    if last[span] == last[best] and first[span] < first[best]:
                        continue
            best, best_covers = span, covers
        if best >= 0:
            result[i] = agent[best]
    return result
