"""Profiles (口径): the switches of kpi-spec section 6, read from TOML, hashed into every report."""

from __future__ import annotations

import datetime
from importlib import resources
from typing import Literal

import msgspec

from cslog.errors import UsageError


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way of counting. Durations in seconds, ``*_days`` in business days."""

    id: str
    title: str
    title_zh: str
    valid_from: datetime.date
    max_wait_s: int
    cap_s: int
    window: tuple[int, int]
    first_response: Literal["buyer_first", "any"]
    session_gap_s: int
    transfer: Literal["neutral", "strict"]
    assist_valid: bool
    day_cut_s: int
    lookback_s: int
    after_sale_days: int
    order_days: int
    unpaid_days: int
    slow_s: int
    slow_times: int
    long_s: int


def available() -> list[Profile]:
    """All profiles that ship with cslog, by id."""
    folder = resources.files("cslog") / "profiles"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return [msgspec.toml.decode(file.read_bytes(), type=Profile) for file in files]


def load(profile_id: str) -> Profile:
    """The profile ``profile_id``; UsageError names those that exist."""
    profiles = {profile.id: profile for profile in available()}
    if profile_id not in profiles:
        raise UsageError(f"no profile {profile_id!r}", f"use one of: {', '.join(profiles)}")
    return profiles[profile_id]
