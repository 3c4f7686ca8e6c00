"""A store that is disturbed: writers killed at random instants, and many processes at once. Nothing may be lost, and
at the end every figure must be what an undisturbed store gives.

    PYTHONPATH=.:tests .venv/bin/python tests/stress/disturbed.py --kills 200 --races 5 --seed 1

Prints what it did; exit status 1 when a check failed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import polars as pl

from cslog import answer, clock, freeze, frozen, ingest, kpi, profile, routine
from cslog.clock import Period
from cslog.config import Config, Run, RunReport
from cslog.errors import UsageError
from cslog.frozen import Scope
from cslog.privacy import forget
from cslog.store import Store

SAMPLES = Path(__file__).resolve().parents[2] / "sample_logs"
NOVEMBER = Period.of(month="2024-11")
SCOPE = Scope("2024-11", "chitu", "order_first")

# Children are forked from a server that has imported everything and started no thread: real processes, fast.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["cslog.kpi", "cslog.ingest", "cslog.freeze", "cslog.privacy.forget", "cslog.routine"]
)


def take_in(folder: str, files: tuple[str, ...]) -> None:
    report = ingest.ingest([str(SAMPLES / name) for name in files], Store(Path(folder)), Config())
    assert not [file.error for file in report.files if file.error], report


def compact(folder: str) -> None:
    Store(Path(folder)).compact()


WHO = "月亮失眠了"


def leave(folder: str) -> None:
    forget.forget([WHO], Store(Path(folder)), Config())


def close(folder: str) -> None:
    freeze.freeze(SCOPE, Store(Path(folder)), Config())


def close_when_final(folder: str, tries: int) -> None:
    """Freeze the month as soon as the others have brought enough of it."""
    for _ in range(tries):
        with contextlib.suppress(UsageError):
            freeze.freeze(SCOPE, Store(Path(folder)), Config(), again=True)
        time.sleep(0.2)


def run(folder: str, inbox: str) -> None:
    """`cslog run` on an inbox, with a report."""
    config = Config(
        run=Run(inbox=inbox, settle_s=0, reports=(RunReport("last_month", "out.json"),)), folder=folder
    )
    plan = routine.plan_of(config, today=clock.parse_day("2024-12-10", "today"))

    def write(report: RunReport, output: Path, period: Period, missing: Sequence[str]) -> list[str]:
        question = answer.Question(period, by=report.by)
        kpi.report(question, Store(Path(folder)), profile.load("chitu"), Config()).frame.write_ndjson(output)
        return []

    found = routine.run(plan, Store(Path(folder)), config, write)
    assert found.status == "done", (found.error, found.reports, found.files)


def run_files(folder: str, names: tuple[str, ...]) -> None:
    """The same with these files in the inbox, unless an earlier run has taken them."""
    inbox = Path(folder).with_name(f"{Path(folder).name}-inbox")
    inbox.mkdir(exist_ok=True)
    for name in names:
        file = inbox / Path(name).name
        if not file.exists() and not list(inbox.glob(f"done/*/{file.name}")):
            shutil.copy(SAMPLES / name, file.with_suffix(".part"))
            file.with_suffix(".part").rename(file)
    run(folder, str(inbox))


def look(folder: str, seconds: float, told: str | None = None) -> None:
    """Report again and again: every answer is of one version, and none of an older one than the answer before.

    What was seen of each version is written to ``told``, to be held against the history.
    """
    store, seen, newest, answers = Store(Path(folder)), {}, 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        version = store.snapshot().store_version
        assert version >= newest, "the store went back"
        newest = version
        rows = digest(figures(store, version))
        assert seen.setdefault(version, rows) == rows
        answers += 1
        latest = kpi.report(QUESTION, store, profile.load("chitu"), Config())  # whatever is the newest by now
        assert latest.store_version >= version
        rows = digest(latest.frame.to_dicts())
        assert seen.setdefault(latest.store_version, rows) == rows
        answers += 1
    if told:
        Path(told).write_text(json.dumps({"answers": answers, "seen": seen}), encoding="utf-8")


def digest(rows: list[dict]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


QUESTION = answer.Question(NOVEMBER, by=("agent", "day"))


def figures(store: Store, version: int | None = None) -> list[dict]:
    question = dataclasses.replace(QUESTION, version=version)
    return kpi.report(question, store, profile.load("chitu"), Config()).frame.to_dicts()


STEPS: tuple[tuple[Callable[..., None], tuple], ...] = (
    (take_in, (("qn-txt/小美_20241101-20241120.txt", "tb-orders/ExportOrderList202411200930.csv"),)),
    (take_in, (("qn-txt", "message-table"),)),
    (compact, ()),
    (run_files, (("qn-txt/小美_20241115-20241206.txt", "qn-txt/小丽_20241101-20241206.txt"),)),
    (take_in, (("tb-orders", "qn-copy", "qn-txt/小美_20241115-20241206.txt"),)),
    (close, ()),
    (compact, ()),
)
"""What a store goes through; most of it overlaps with what came before."""


@dataclass
class Count:
    """What happened."""

    kills: Counter[str] = field(default_factory=Counter)
    stores: int = 0
    amid: int = 0  # kills that left files of which no commit knows
    too_late: int = 0
    lasted: dict[str, float] = field(default_factory=dict)  # seconds of each step when it was let be
    races: int = 0
    processes: int = 0
    answers: int = 0
    versions: int = 0

    def __str__(self) -> str:
        return (
            f"{sum(self.kills.values())} kills survived in {self.stores} stores ({dict(self.kills)}; "
            f"{self.amid} of them amid writing, {self.too_late} came too late), {self.races} races of {self.processes} processes, {self.answers} answers "
            f"meanwhile, {self.versions} versions made again file by file: nothing lost, every figure as undisturbed"
        )


def undisturbed(folder: Path) -> list[dict]:
    """The figures when nothing happens."""
    for step, arguments in STEPS:
        step(str(folder), *arguments)
    return figures(Store(folder))


def killed(
    step: Callable[..., None], folder: Path, arguments: tuple, after: float, writing: bool = False
) -> bool:
    """Whether the step was still at work when it was killed, ``after`` seconds from its start or (``writing``) from
    the moment at which the first file of it was there.
    """
    before = written(folder)
    process = PROCESSES.Process(target=step, args=(str(folder), *arguments))
    process.start()
    if writing:
        while process.is_alive() and written(folder) == before:
            time.sleep(0.001)
    process.join(after)
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive


def finished(step: Callable[..., None], folder: Path, arguments: tuple) -> float:
    """Let the step do its work; how long it took."""
    begun = time.monotonic()
    process = PROCESSES.Process(target=step, args=(str(folder), *arguments))
    process.start()
    process.join(600)
    assert process.exitcode == 0, f"{step.__name__} ended with {process.exitcode}"
    return time.monotonic() - begun


def written(folder: Path) -> set[Path]:
    """All files of data, named by a commit or not."""
    return set(folder.glob("*/*.parquet")) | set(folder.glob("*/*/*.parquet"))


def life(folder: Path, expected: list[dict], chance: random.Random, count: Count, kills: int) -> None:
    """One store's life; every step is killed once or twice and then done again."""
    store, known = Store(folder), 0
    for step, arguments in STEPS:
        for _ in range(chance.choice((1, 1, 2))):
            if sum(count.kills.values()) >= kills:
                break
            before, writing = written(folder), chance.random() < 0.7
            most = 0.1 if writing else 1.1 * count.lasted.get(step.__name__, 0.5)
            if killed(step, folder, arguments, chance.uniform(0, most), writing):
                count.kills[step.__name__] += 1
            else:
                count.too_late += 1
            if store.exists:
                snapshot = store.snapshot()
                assert snapshot.store_version >= known, "a version is gone"
                count.amid += snapshot.store_version == known and written(folder) != before
                known = snapshot.store_version
                figures(store)
        count.lasted[step.__name__] = finished(step, folder, arguments)
        known = store.snapshot().store_version
    assert figures(store) == expected
    assert len(frozen.freezes(store)) == 1
    assert frozen.freezes(store)[0].parts["agent",].frame.height > 0
    forgotten(folder, chance, count)


def forgotten(folder: Path, chance: random.Random, count: Count) -> None:
    """Somebody is forgotten, and that is killed: all of him is there or nothing, and in the end nothing."""
    calm, store = folder.with_name(f"{folder.name}-forgetting"), Store(folder)
    shutil.copytree(folder, calm)
    before = figures(store)
    leave(str(calm))
    after = figures(Store(calm))
    for wait in (0.05, 0.15, 0.3):
        if killed(leave, folder, (), wait * chance.uniform(0.5, 1.5)):
            count.kills["leave"] += 1
        else:
            count.too_late += 1
        assert figures(store) in (before, after)
    finished(leave, folder, ())
    assert figures(store) == after != before
    assert store.snapshot().keys_of_buyer(WHO).is_empty()
    assert [path for path in folder.iterdir() if path.is_dir()] == [store.root]
    shutil.rmtree(calm)


def race(
    folder: Path,
    expected: list[dict],
    chance: random.Random,
    count: Count,
    at_once: int = 8,
    compared: int | None = None,
) -> None:
    """Overlapping ingests at once, while others report, compact, freeze and run an inbox; then whatever was left.

    Every answer that a reader got must be what a store gives into which the files were taken one after the other;
    ``compared``: of so many versions (default: all that were seen).
    """
    names = sorted(
        str(path.relative_to(SAMPLES)) for path in SAMPLES.glob("*/*.[ct]*") if "golden" not in path.name
    )
    take_in(str(folder), (names[0],))
    inbox = folder.with_name(f"{folder.name}-inbox")
    inbox.mkdir()
    for number, name in enumerate(chance.sample(names, 3)):
        shutil.copy(SAMPLES / name, inbox / f"{number}-{Path(name).name}")
    told = [folder.with_name(f"{folder.name}-seen{number}.json") for number in range(3)]
    work: list[tuple[Callable[..., None], tuple]] = [
        (take_in, (tuple(chance.sample(names, chance.randint(2, len(names)))),)) for _ in range(at_once)
    ]
    work += [(look, (2.0, str(file))) for file in told]
    work += [
        (compact, ()),
        (compact, ()),
        (close_when_final, (4,)),
        (run, (str(inbox),)),
        (run, (str(inbox),)),
    ]
    chance.shuffle(work)
    running = [PROCESSES.Process(target=step, args=(str(folder), *arguments)) for step, arguments in work]
    for process in running:
        process.start()
    for process, (step, _) in zip(running, work, strict=True):
        process.join(600)
        assert process.exitcode == 0, f"{step.__name__} ended with {process.exitcode} in a race"
    count.races += 1
    count.processes += len(running)
    store = Store(folder)
    check_seen(store, [json.loads(file.read_text(encoding="utf-8")) for file in told], count, compared)
    assert not list(inbox.glob("*.txt")), "the runs have taken everything"
    take_in(str(folder), tuple(names))
    assert figures(store) == expected
    store.compact()
    assert figures(store) == expected


def check_seen(store: Store, told: list[dict], count: Count, compared: int | None) -> None:
    """Every answer is that of its version now, and that of a store filled one file after the other."""
    seen: dict[int, set[str]] = {}
    for one in told:
        count.answers += one["answers"]
        for version, rows in one["seen"].items():
            seen.setdefault(int(version), set()).add(rows)
    for number, (version, answers) in enumerate(sorted(seen.items(), reverse=True)):
        assert answers == {digest(figures(store, version))}, f"version {version} was seen otherwise"
        if compared is None or number < compared:
            with tempfile.TemporaryDirectory(prefix="cslog-sequential-") as name:
                fresh = Store(Path(name, "store"))
                ledger = store.snapshot(version).ledger()
                for path in ledger.filter(pl.col("action") == "ingest")["path"]:
                    ingest.ingest([path], fresh, Config())
                assert answers == {digest(figures(fresh))}, f"version {version} is none of the history"
            count.versions += 1


def disturb(
    base: Path, kills: int, races: int, seed: int, on_done: Callable[[Count], None] = lambda count: None
) -> Count:
    """Lives of stores until so many kills have hit, then races."""
    chance, count = random.Random(seed), Count()
    expected = undisturbed(base / "calm")
    while sum(count.kills.values()) < kills:
        life(base / f"store{count.stores}", expected, chance, count, kills)
        count.stores += 1
        on_done(count)
    for number in range(races):
        race(base / f"race{number}", expected, chance, count)
        on_done(count)
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--races", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cslog-disturbed-") as name:
        count = disturb(
            Path(name), chosen.kills, chosen.races, chosen.seed, lambda count: print(count, file=sys.stderr)
        )
    sys.stdout.write(f"{count}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
