"""Which agents wrote to which buyers, as each file of messages notes it: whether a buyer's agent ever wrote again is
known without a look into later months.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from cslog.schema import MessageClass

COLUMNS = ("buyer_key", "agent_key", "message_class")
"""What a digest is made of."""

NOTE = "cslog.contacts"
"""Name of the note in the file."""


def digest_of(columns: Mapping[str, Any]) -> np.ndarray:
    """The digest of COLUMNS (anything that NumPy takes as an array) by cslog.scan.digests."""
    from cslog.scan import digests

    buyer_key, agent_key = (
        np.ascontiguousarray(columns[name], dtype=np.int64) for name in ("buyer_key", "agent_key")
    )
    by_staff = np.isin(columns["message_class"], (MessageClass.HUMAN, MessageClass.ASSIST))
    return digests.digest_of(buyer_key, agent_key, by_staff)


def note_of(columns: Mapping[str, Any]) -> str:
    """The digest as text."""
    return base64.b64encode(digest_of(columns).astype("<u8").tobytes()).decode("ascii")


def noted(note: str) -> np.ndarray:
    """The digest of ``note_of``."""
    return np.frombuffer(base64.b64decode(note), "<u8").astype(np.uint64, copy=False)


def may_hold(digest: np.ndarray, buyer_key: np.ndarray, agent_key: np.ndarray) -> np.ndarray:
    """Whether each pair (int64 both) may have a message of that agent to that buyer: never false when it has."""
    from cslog.scan import digests

    return digests.holds(digest, buyer_key, agent_key)
