"""Buyers and agents who write again long after a turn was over: what makes an unanswered turn a late one."""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.kernels.signatures import I8, I32, I64


@njit([(I64, I32, I64, I64, I32, I64, I64, I8)], cache=True, nogil=True)
def staff_after(  # type: ignore[no-untyped-def]
    buyer, agent, high, buyer_threads, thread_agent, thread_events, event_at, event_type
):
    """Second of the first message after ``high`` in the thread of ``buyer`` (a position) and ``agent``, when it is
    the agent's; -1 when the buyer's comes first, or none.
    """
    found = np.full(buyer.size, -1, np.int64)
    for i in range(buyer.size):
        for thread in range(buyer_threads[buyer[i]], buyer_threads[buyer[i] + 1]):
            if thread_agent[thread] != agent[i]:
                continue
            for event in range(thread_events[thread], thread_events[thread + 1]):
                if event_at[event] > high[i] and event_type[event] != 2:
                    if event_type[event] == 1:
                        found[i] = event_at[event]
                    break
    return found
