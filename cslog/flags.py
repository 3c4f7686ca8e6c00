"""What can be said of a fact, as bits of an integer: kernels set them, measures ask for them by name.

A measure adds a fact up when all flags that it needs are set, so what is not said here cannot be counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

LEVELS = (6, 30, 60, 180)
"""Seconds N of the within-N rates."""


def _bits(*names: str) -> Mapping[str, int]:
    return {name: 1 << place for place, name in enumerate(names)}


TURN = _bits(
    "counted",  # consulted, and opened inside the profile's window
    "consulted",  # its peer-day is received or unreplied
    "in_window",
    "answered",
    "unanswered",
    "late",  # unanswered, and the next message of the thread is the agent's
    "in_mean",  # has a cost
    "first",  # of its peer-day
    "first_response",  # the one whose wait is the first response
    "first_answered",  # first_response and answered
    "any_first_answered",  # first and answered
    "by_buyer",  # its session was
    "night",
    "night_answered",
    *(f"within_{level}s" for level in LEVELS),
    *(f"first_within_{level}s" for level in LEVELS),
)

PEER_DAY = _bits(
    "received",
    "unreplied",
    "filtered",
    "spill",
    "by_buyer",
    "forwarded_in",
    "forwarded_out",
    "continuation",
    "visible",
    "slow",
    "long",
    "turned",
    *(f"tardy_{level}s" for level in LEVELS),
    "inquiry",
    "after_sale",
    "after_sale_asked",
    "assist",
    "ordered_same_day",
    "ordered",
    "paid_same_day",
    "paid_next_day",
    "paid",
    "lost",
    "order_lost",
    "consult_ordered",
)

UNIT = _bits(
    "received",
    "unreplied",
    "filtered",
    "chatted",
    "consulted",
    "direct",
    "forwarded_in",
    "forwarded_out",
    "by_buyer",
    "buyer_initiated",
    "agent_initiated",
    "slow",
    "long",
    "turned",
    *(f"within_{level}s" for level in LEVELS),
    "inquiry",
    "assist",
    "ordered_same_day",
    "ordered",
    "paid_same_day",
    "paid_next_day",
    "paid",
    "lost",
    "order_lost",
    "consult_ordered",
)
"""What people are counted by: a peer-day, or a buyer's whole day."""

MESSAGE = _bits("counted", "active")  # active: shows that its agent was there (definitions 15)
SESSION = _bits("counted")
QUESTION = _bits("counted", *(f"within_{level}s" for level in LEVELS))
AUTO = _bits("counted")
ORDER = _bits("sold", "credited", "silent")

BITS: Mapping[str, Mapping[str, int]] = {
    "turns": TURN,
    "units": UNIT,
    "messages": MESSAGE,
    "sessions": SESSION,
    "questions": QUESTION,
    "autos": AUTO,
    "orders": ORDER,
}
"""The flags of each table that measures add up."""


def mask(bits: Mapping[str, int], names: Iterable[str]) -> int:
    """The bits of several flags."""
    return sum(bits[name] for name in names)
