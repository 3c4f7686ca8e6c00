"""Which form of the stress tests runs: the short one with all other tests, or the long one."""

from __future__ import annotations

import os

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "explore"
"""Hundreds of kills, races and jumps of the clock, new examples, and files of a gigabyte: about half an hour."""


def at_length(short: float, long: float) -> float:
    """How long, or how often, in the form that runs."""
    return long if LONG else short
