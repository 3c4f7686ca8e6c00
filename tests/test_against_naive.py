"""The whole program, files in and rows out, equals the naive reference on random months."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import naive
import worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cslog import answer, kpi, profile
from cslog.clock import Period
from cslog.config import Config
from cslog.ingest import ingest
from cslog.report import figures, sheet
from cslog.store import Store

EXAMPLES = int(os.environ.get("CSLOG_EXAMPLES", "60"))
"""How many random months each comparison tries; more is a matter of time alone."""

CHITU = profile.load("chitu")
PROFILES = naive.PROFILES
SPLITS = [
    ("agent",),
    ("shop",),
    ("agent", "day"),
    ("day", "hour"),
    ("agent", "hour"),
    ("week",),
    ("month", "agent"),
]
WHOLE = Period(worlds.FIRST_DAY - 3, worlds.FIRST_DAY + 12)


def store_of(folder: Path, files: list[Path], settled: Config | None = None) -> Store:
    store = Store(folder / "store")
    report = ingest([str(file) for file in files], store, settled or Config())
    assert [
        (file.path, file.error, file.rejects) for file in report.files if file.error or file.rejects
    ] == []
    return store


def rows_of(store: Store, period: Period, by=("agent",), rule="order_first", as_of=None, counting=CHITU):
    question = answer.Question(period, by=by, attribution=rule, as_of=as_of)
    return sheet.records(figures.sheet_of(kpi.report(question, store, counting, Config()), "en"))


def assert_equal(ours: list[dict], theirs: list[dict]) -> None:
    keys = [
        name for name in ("shop", "agent", "day", "hour", "week", "month") if theirs and name in theirs[0]
    ]
    assert [[row[k] for k in keys] for row in ours] == [[row[k] for k in keys] for row in theirs]
    for mine, reference in zip(ours, theirs, strict=True):
        assert set(mine) == set(reference)
        differences = {k: (mine[k], reference[k]) for k in reference if mine[k] != reference[k]}
        assert differences == {}, [mine[k] for k in keys]


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(worlds.worlds(), st.sampled_from(SPLITS), st.sampled_from(profile.RULES), st.data())
def test_rows_equal_the_reference(world, by, rule, data):
    exports, order_rows = world
    counting = data.draw(st.sampled_from(sorted(PROFILES)))
    first = worlds.FIRST_DAY + data.draw(st.integers(-1, 3))
    period = data.draw(st.sampled_from([WHOLE, Period(first, first), Period(first, first + 1)]))
    as_of = data.draw(st.none() | st.integers(worlds.BEGIN, worlds.BEGIN + 12 * naive.DAY))
    with tempfile.TemporaryDirectory() as name:
        files = worlds.write_files(Path(name) / "in", exports, order_rows)
        if not files:
            return
        ours = rows_of(store_of(Path(name), files), period, by, rule, as_of, profile.load(counting))
    expected = naive.report(
        exports, order_rows, period.first_day, period.last_day, by, PROFILES[counting], rule, as_of
    )
    assert_equal(ours, expected)
