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


@njit([(I64, I64, I64, I64, I64, I8, I8)], cache=True, nogil=True)
def met_again(  # type: ignore[no-untyped-def]
    buyer_key, agent_key, runs, later_buyer_key, later_agent_key, later_class, roles
):
    """Which of the pairs of a buyer and an agent, by ascending buyer key, have a later valid message of the agent.

    The later rows hold ``runs`` by buyer key; ``roles`` says per message class what a row is (facts.arrays).
    """
    met = np.zeros(buyer_key.size, np.bool_)
    for run in range(runs.size - 1):
        first = 0
        for row in range(runs[run], runs[run + 1]):
            if roles[later_class[row]] != 1:
                continue
            key = later_buyer_key[row]
            while first < buyer_key.size and buyer_key[first] < key:
                first += 1
            pair = first
            while pair < buyer_key.size and buyer_key[pair] == key:
                if agent_key[pair] == later_agent_key[row]:
                    met[pair] = True
                pair += 1
    return met
