"""Buyers and agents who write again long after a turn was over: what makes an unanswered turn a late one."""

from __future__ import annotations

import numpy as np
from numba import njit

from cslog.kernels.signatures import I8, I32, I64


@njit([(I64, I32, I64, I64, I64, I8, I32, I32)], cache=True, nogil=True)
def first_after(buyer, agent, after, starts, at, who, owner, reopened):  # type: ignore[no-untyped-def]
    """Per turn of ``buyer`` (a position) and ``agent`` the second of the first event of their thread later than
    ``after``, -1 for none (int64); and whether it is a message of the agent (bool).

    Rows as in kernels.owners, with what that says of them. A marker that voids a turn is no event here, one that
    re-opens a turn is.
    """
    found = np.full(buyer.size, -1, np.int64)
    by_agent = np.zeros(buyer.size, np.bool_)
    for i in range(buyer.size):
        for row in range(starts[buyer[i]], starts[buyer[i] + 1]):
            whose = reopened[row] if who[row] == 2 else owner[row]
            if at[row] > after[i] and whose == agent[i] and (who[row] != 2 or whose >= 0):
                found[i] = at[row]
                by_agent[i] = who[row] == 1
                break
    return found, by_agent
