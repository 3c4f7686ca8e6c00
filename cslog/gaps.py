"""Days of which a shop's store should hold messages and holds none: an export that was forgotten, or a day off."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import polars as pl

from cslog import clock
from cslog.clock import DAY_SECONDS, Period
from cslog.snapshot import Snapshot


def missing_days(
    snapshot: Snapshot, window: Period, closed: Collection[int] = (), retired: Collection[str] = ()
) -> dict[str, list[int]]:
    """Per shop the days of ``window`` without any message, from the shop's first message on.

    The last day of the window is expected to be there: a day counts as missing whether or not later ones have
    messages. ``closed``: days that are no gap; ``retired``: shops that are not asked about.
    """
    first = window.first_day * DAY_SECONDS
    held = (
        snapshot.messages(first, (window.last_day + 1) * DAY_SECONDS - 1, ["shop", "sent_at"])
        .select("shop", day=pl.col("sent_at") // DAY_SECONDS)
        .unique()
        .collect()
    )
    begun = snapshot.messages(0, first - 1, ["shop"]).unique().collect()["shop"]
    days: dict[str, set[int]] = {shop: set() for shop in begun}
    for shop, day in held.iter_rows():
        days.setdefault(shop, set()).add(day)
    expected = [day for day in window.days if day not in closed]
    older = set(begun)
    missing = {
        shop: [day for day in expected if day not in found and (shop in older or day > min(found))]
        for shop, found in sorted(days.items())
        if shop not in retired
    }
    return {shop: gap for shop, gap in missing.items() if gap}


def warnings_of(missing: dict[str, list[int]]) -> Iterable[str]:
    """A line per shop, for people."""
    for shop, days in missing.items():
        word = "day is" if len(days) == 1 else "days are"
        yield (
            f"{shop}: {len(days)} {word} missing (缺失日期), no message of {clock.spans_of_days(days)} is in the store; "
            "export them, or list them in closed_days under [run] of cslog.toml"
        )
