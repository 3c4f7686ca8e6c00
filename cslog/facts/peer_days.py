"""One row per agent, buyer and day: received, unreplied, filtered and by which rule (kpi-spec 2, definitions 11-15,
34-36, 48).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cslog.facts import rules
from cslog.facts.arrays import Names, People, array
from cslog.facts.circumstances import Circumstances
from cslog.facts.walk import Walked
from cslog.kernels import threads
from cslog.profile import LEVELS, Profile


def peer_days_of(
    walked: Walked, rows: pl.DataFrame, people: People, names: Names, circumstances: Circumstances
) -> pl.DataFrame:
    """All peer-days with class and flags, in the kernels' order; what turns and orders add comes later."""
    days = walked.peer_days
    frame = pl.DataFrame(
        walked.thread_columns(days.thread, people, names)
        | {
            "person": walked.thread_buyer[days.thread],
            "agent_code": walked.thread_agent[days.thread],
            "day": days.day,
            "buyer_messages": days.buyer_messages,
            "agent_messages": days.staff_messages,
            "agent_characters": days.staff_characters,
            "asked_at": pl.Series(days.asked).replace(-1, None),
            "first_at": days.first,
            "first_row": _first_rows(walked),
            "by_buyer": days.started_by == threads.BUYER,
            "long": days.long_session.astype(bool),
            "visible": days.visible == 1,
            "spill": (days.asked < 0) & (days.own_session == 0),
        }
    )
    frame = _with_forwards(frame, rows, people, circumstances.profile)
    configured = rules.filters_of(circumstances.config)
    written = walked.written
    found = rules.filtered_by(
        configured,
        {
            position: array(rows, rules.flag_column(position), np.bool_)[
                frame["first_row"].to_numpy() if rule.rule == "accounts" else walked.event_row[written]
            ]
            for position, rule in enumerate(configured)
            if rules.flag_column(position) in rows.columns
        },
        walked.notes.peer_day[written],
        walked.event_type[written] == threads.BUYER,
        frame,
    )
    spoken = (found < 0) & ~frame["spill"].to_numpy()
    replied = (days.staff_messages > 0) | (days.answered == 1)
    received = spoken & replied
    yesterday = np.zeros(received.size, bool)
    yesterday[1:] = (
        (days.thread[1:] == days.thread[:-1]) & (days.day[1:] == days.day[:-1] + 1) & received[:-1]
    )
    titles = [rule.title for rule in configured]
    return frame.with_columns(
        received=pl.Series(received),
        unreplied=pl.Series(spoken & ~replied),
        filter=pl.Series(found).replace_strict(
            list(range(len(titles))), titles, default=None, return_dtype=pl.String
        ),
        continuation=pl.Series((days.carried == 1) & yesterday),
    )


def with_turns(
    frame: pl.DataFrame, turn_peer_day: np.ndarray, turns: pl.DataFrame, profile: Profile
) -> pl.DataFrame:
    """``frame`` with ``slow``, and what the rates at peer-day level ask: ``turned`` and ``tardy_*s``."""
    inside = turns["in_window"].to_numpy()
    peer_day = turn_peer_day[inside]
    wait = turns["wait_s"].fill_null(-1).to_numpy()[inside]

    def later_than(seconds: int) -> np.ndarray:
        return (wait < 0) | (wait > seconds)

    slow = np.bincount(peer_day[later_than(profile.slow_s)], minlength=frame.height)
    columns = {"slow": pl.Series(slow >= profile.slow_times)}
    tardy = [seconds for seconds in LEVELS if profile.level(seconds) == "peer_day"]
    if tardy:
        columns["turned"] = pl.Series(np.bincount(peer_day, minlength=frame.height) > 0)
    for seconds in tardy:
        missed = np.bincount(peer_day[later_than(seconds)], minlength=frame.height)
        columns[f"tardy_{seconds}s"] = pl.Series(missed > 0)
    return frame.with_columns(**columns)


def _with_forwards(frame: pl.DataFrame, rows: pl.DataFrame, people: People, profile: Profile) -> pl.DataFrame:
    """``frame`` with ``forwarded_out`` and ``forwarded_in`` (definitions 9)."""
    marker = np.flatnonzero(array(rows, "who", np.int8) == 2)
    markers = rows.filter(pl.col("who") == 2).with_columns(
        person=np.searchsorted(people.starts, marker, side="right") - 1,
        day=(pl.col("sent_at") - profile.day_cut_s).floordiv(threads.DAY),
    )
    key = ["person", "agent_code", "day"]
    for flag, end in (("forwarded_out", "transfer_from_code"), ("forwarded_in", "transfer_to_code")):
        moved = markers.select(
            "person", pl.col(end).alias("agent_code"), "day", pl.lit(True).alias(flag)
        ).unique()
        frame = frame.join(moved, on=key, how="left", maintain_order="left").with_columns(
            pl.col(flag).fill_null(False)
        )
    return frame


def _first_rows(walked: Walked) -> np.ndarray:
    """The row of each peer-day's first message; inside a buyer, rows are in the order of T1."""
    events = np.flatnonzero(walked.notes.peer_day >= 0)
    first = np.searchsorted(walked.notes.peer_day[events], np.arange(walked.peer_days.day.size))
    return walked.event_row[events[first]]
