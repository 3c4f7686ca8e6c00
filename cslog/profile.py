"""Profiles (口径): the switches of kpi-spec section 6, read from TOML, hashed into every report."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Literal

import msgspec

from cslog import clock
from cslog.errors import UsageError

Clock = Literal["wall", "window", "shift"]
Level = Literal["turn", "first_turn", "message", "peer_day"]
Lookup = Literal["asof", "covering", "first", "same_day"]

CLOCKS: tuple[Clock, ...] = ("wall", "window", "shift")
LOOKUPS: tuple[Lookup, ...] = ("asof", "covering", "first", "same_day")


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way of counting. Durations in seconds, ``*_days`` in business days, times of day in seconds."""

    id: str
    title: str
    title_zh: str
    valid_from: datetime.date
    # Sessions and turns
    max_wait_s: int
    session_gap_s: int
    transfer: Literal["neutral", "strict"]
    assist_valid: bool
    day_cut_s: int
    # Waits
    clock: Clock
    window: tuple[int, int]
    window_of: Literal["turn", "session"]
    cap_s: int
    unanswered_s: int
    first_response: Literal["buyer_first", "any"]
    within_6s: Level
    within_30s: Level
    within_60s: Level
    within_180s: Level
    shop_mean: Literal["ratio", "agents"]
    night: tuple[int, int]
    night_due_s: int
    slow_s: int
    slow_times: int
    long_s: int
    # Orders
    lookup: Lookup
    lookback_s: int
    after_sale: Literal["paid", "shipped"]
    after_sale_days: int
    order_days: int
    unpaid_days: int
    urge_limit_s: int
    post_fee: Literal["in", "out"]
    refunds: Literal["in", "out"]

    @property
    def hours(self) -> tuple[int, int]:
        """The window in which a turn must open under this clock: seconds of the day."""
        return self.window if self.clock == "window" else (0, clock.DAY_SECONDS)

    def level(self, seconds: int) -> Level:
        """What the rate within ``seconds`` counts (definitions 34)."""
        return getattr(self, f"within_{seconds}s")

    def at_night(self, clock: Any) -> Any:
        """Whether seconds of the day, an array or an expression, lie in the night (definitions 38)."""
        begin, end = self.night
        after, before = clock >= begin, clock < end
        return after & before if begin <= end else after | before

    def with_clock(self, wanted: str | None) -> Profile:
        """The profile under another clock; UsageError when it has no window to count by."""
        if wanted is None or wanted == self.clock:
            return self
        if wanted not in CLOCKS:
            raise UsageError(f"no clock {wanted!r}", f"use one of: {', '.join(CLOCKS)}")
        if wanted == "window" and self.window == (0, clock.DAY_SECONDS):
            raise UsageError(
                f"profile {self.id} has no window",
                "use --profile taobao, or a profile of your own with `window` in cslog.toml",
            )
        return msgspec.structs.replace(self, clock=wanted)

    def with_lookup(self, wanted: str | None) -> Profile:
        """The profile with another way of finding who was with the buyer (docs/definitions.md 50)."""
        if wanted is None:
            return self
        if wanted not in LOOKUPS:
            raise UsageError(f"no lookup {wanted!r}", f"use one of: {', '.join(LOOKUPS)}")
        return msgspec.structs.replace(self, lookup=wanted)


def available(own: Sequence[Mapping[str, Any]] = ()) -> list[Profile]:
    """Every version of all profiles, by id and date: those that ship with cslog, and ``own`` of cslog.toml.

    An own profile is a table with ``id`` and ``base`` and the switches in which it differs. Raises
    UsageError naming the profile and the key that is wrong.
    """
    folder = resources.files("cslog") / "profiles"
    found = [
        _decoded(tomllib.loads(file.read_text(encoding="utf-8")), file.name)
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    ]
    shipped = sorted(found, key=lambda profile: (profile.id, profile.valid_from))
    for changes in own:
        found.append(_extended(changes, shipped))
    return sorted(found, key=lambda profile: (profile.id, profile.valid_from))


def load(profile_id: str, own: Sequence[Mapping[str, Any]] = (), day: datetime.date | None = None) -> Profile:
    """The version of profile ``profile_id`` that is valid on ``day`` (else the newest).

    Before the first version that one is taken; a report warns of it. UsageError names those that exist.
    """
    profiles = available(own)
    versions = [profile for profile in profiles if profile.id == profile_id]
    if not versions:
        names = ", ".join(dict.fromkeys(profile.id for profile in profiles))
        raise UsageError(f"no profile {profile_id!r}", f"use one of: {names}")
    valid = [profile for profile in versions if day is None or profile.valid_from <= day]
    return valid[-1] if valid else versions[0]


def _extended(changes: Mapping[str, Any], shipped: Sequence[Profile]) -> Profile:
    name = changes.get("id")
    if not isinstance(name, str) or not name:
        raise UsageError("cslog.toml: a [[profiles]] table has no id", 'give it one, such as id = "ours"')
    if name in {profile.id for profile in shipped}:
        raise UsageError(f"cslog.toml: profile {name} ships with cslog", "give yours another id")
    base = [profile for profile in shipped if profile.id == changes.get("base", "chitu")]
    if not base:
        known = ", ".join(dict.fromkeys(profile.id for profile in shipped))
        raise UsageError(f"cslog.toml: profile {name}: no base {changes['base']!r}", f"use one of: {known}")
    whole = msgspec.structs.asdict(base[-1]) | {"title": name, "title_zh": name}
    whole |= {key: value for key, value in changes.items() if key != "base"}
    return _decoded(whole, f"cslog.toml: profile {name}")


def _decoded(table: dict[str, Any], where: str) -> Profile:
    """A profile out of TOML values; times of day may be written like ``"08:00"``."""
    try:
        for key in ("window", "night"):
            table[key] = tuple(_time_of_day(value) for value in table.get(key, ()))
        for key in ("night_due_s", "day_cut_s"):
            table[key] = _time_of_day(table.get(key))
        return msgspec.convert(table, Profile)
    except (ValueError, TypeError) as error:  # msgspec.ValidationError is a ValueError
        raise UsageError(f"{where}: {error}", "see docs/configuration.md and `cslog profiles`") from error


def _time_of_day(value: Any) -> Any:
    return clock.parse_time_of_day(value) if isinstance(value, str) else value
