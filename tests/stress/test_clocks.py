"""The short form of clocks.py; runs in 1970 and in 2099; old and future files; nothing is deleted by its age."""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from cslog import clock, inbox, routine, tables
from cslog.config import Config, Run, RunReport
from cslog.errors import UsageError
from cslog.store import Store
from tests.stress import clocks, disturbed
from tests.stress.forms import LONG, at_length

sys.path.insert(0, str(Path(__file__).parents[1]))

from test_runs import ALWAYS, export

pytestmark = pytest.mark.skipif(os.name == "nt", reason="forks")
OLD = time.time() - 40 * clocks.DAY


def test_a_life_under_a_clock_that_is_set_back_and_forth(tmp_path, counted):
    calm, count, lives = Store(tmp_path / "calm"), Counter(), int(at_length(1, 20))
    disturbed.undisturbed(calm.folder)
    for number in range(lives):
        clocks.life(tmp_path / f"store{number}", calm, random.Random(number), count)
    assert count.total() >= lives * len(disturbed.STEPS) // 2
    counted(f"{lives} stores lived under {count.total()} jumps of the clock")


LIBRARY = next(
    (str(path) for path in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")),
    os.environ.get("CSLOG_FAKETIME", ""),
)


@pytest.mark.skipif(not (LONG and LIBRARY), reason="HYPOTHESIS_PROFILE=explore, and libfaketime")
def test_the_same_with_the_clock_of_the_libraries(tmp_path, counted):
    calm, count = Store(tmp_path / "calm"), Counter()
    disturbed.undisturbed(calm.folder)
    for number in range(5):
        clocks.life(tmp_path / f"store{number}", calm, random.Random(number), count, LIBRARY)
    counted(f"5 stores lived under {count.total()} jumps of the clock of all libraries")


def test_the_history_is_in_the_order_of_the_commits(tmp_path, monkeypatch):
    """Three ingests, each a day before the one before."""
    store = Store(tmp_path / "store")
    for number in range(3):
        monkeypatch.setattr(
            time, "gmtime", lambda seconds=None, n=number: time.localtime(1_700_000_000 - n * clocks.DAY)
        )
        (tmp_path / f"{number}.txt").write_bytes(export(number))
        disturbed.ingest.ingest([str(tmp_path / f"{number}.txt")], store, Config())
    snapshot = store.snapshot()
    assert [Path(path).name for path in snapshot.ledger()["path"]] == ["0.txt", "1.txt", "2.txt"]
    assert [Path(path).name for path in snapshot.files_since(store.snapshot(1))] == ["1.txt", "2.txt"]


@pytest.mark.parametrize("when", ["a year back", "2099"])
@pytest.mark.parametrize("written", [0, 86_400.5, 4_086_043_200])
def test_a_run_at_any_time_takes_files_of_any_time(tmp_path, monkeypatch, when, written):
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "a.txt"
    file.write_bytes(export(1))
    os.utime(file, (written, written))
    offset = clocks.JUMPS[when]()
    real, real_ns, now = time.time, time.time_ns, clock.now
    monkeypatch.setattr(time, "time", lambda: real() + offset)
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(offset * 1e9))
    monkeypatch.setattr(clock, "now", lambda: now() + int(offset))
    config = Config(
        run=Run(
            inbox="in",
            settle_s=0,
            reports=tuple(RunReport(period, f"{period}.csv") for period in clock.RELATIVE_PERIODS),
        ),
        folder=str(tmp_path),
    )
    store = Store(tmp_path / "store")
    asked = []
    round_ = routine.run(
        routine.plan_of(config), store, config, lambda *given: asked.append(given[0].period) or []
    )
    assert (round_.status, round_.exit_status, round_.left) == ("done", 0, [])
    assert asked == list(clock.RELATIVE_PERIODS)
    assert store.snapshot().messages(*ALWAYS).collect().height == 4
    (moved,) = (tmp_path / "in" / "done").rglob("*.txt")
    assert moved.parent.name == str(clock.date_of(clock.today()))


def test_a_run_in_1970_says_that_the_clock_is_wrong(tmp_path, monkeypatch):
    """Reports of yesterday would be of 1970. The files wait for the next run."""
    offset, now = clocks.JUMPS["1970"](), clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + int(offset))
    with pytest.raises(UsageError, match="the clock of this computer says 1970-01-03; set it"):
        routine.plan_of(Config(run=Run(inbox=".")), inbox_folder=str(tmp_path))


def test_a_file_of_the_future_waits_no_longer_than_others(tmp_path):
    folders = inbox.Folders(tmp_path, tmp_path / "done", tmp_path / "failed")
    for name, moment in (("a.part", 0), ("b.part", 4_086_043_200)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (moment, moment))
    _, left = inbox._look(folders, 0)
    assert [(one.path, one.old) for one in left] == [("a.part", True), ("b.part", False)]


def test_a_vacuum_by_age_deletes_nothing_that_is_alive(tmp_path):
    """Every file is forty days old for whoever cleans up, while one process writes and one reads."""
    folder = tmp_path / "store"
    disturbed.take_in(str(folder), ("qn-copy",))
    names = [f"qn-txt/{path.name}" for path in sorted((disturbed.SAMPLES / "qn-txt").glob("*.txt"))]
    work = [(disturbed.take_in, ((name,),)) for name in names]
    work += [(disturbed.compact, ()), (disturbed.look, (1.5,))]
    running = [disturbed.PROCESSES.Process(target=step, args=(str(folder), *rest)) for step, rest in work]
    for process in running:
        process.start()
    rounds = 0
    while any(process.is_alive() for process in running) or not rounds:
        for file in folder.rglob("*.parquet"):
            os.utime(file, (OLD, OLD))
        for table in ("messages", "orders", "ledger"):
            DeltaTable(str(folder / table)).vacuum(dry_run=False)
        rounds += 1
        time.sleep(0.05)
    for process in running:
        process.join(300)
        assert process.exitcode == 0
    store, calm = Store(folder), Store(tmp_path / "calm")
    disturbed.take_in(str(calm.folder), ("qn-copy", *names))
    assert disturbed.figures(store) == disturbed.figures(calm)
    clocks.versions(store)  # all of them can still be opened


def test_the_history_is_not_tidied_up_by_its_age(tmp_path, monkeypatch):
    """Delta would do so at every hundredth commit. A day here is the century of a real store, which a clock can jump."""
    monkeypatch.setattr(tables, "_KEEP", "interval 1 days")
    layout = tables.Layout({"a": pl.Int64()})
    tables.create(tmp_path / "t", layout)
    for number in range(205):
        tables.Table(tmp_path / "t", layout).add({"part": [pl.DataFrame({"a": [number]})]})
        if (
            number == 150
        ):  # the next checkpoint is behind it, one before it: Delta could do without the first hundred
            for file in (tmp_path / "t").rglob("*"):
                os.utime(file, (OLD, OLD))
    assert len(list((tmp_path / "t" / "_delta_log").glob("*.checkpoint.parquet"))) == 2
    for version in (0, 1, 99, 205):
        assert tables.Table(tmp_path / "t", layout, version).scan().collect().height == version
