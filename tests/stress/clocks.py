"""The clock of the system is set back and forth, between the steps of a store's life and in the middle of them.

    PYTHONPATH=.:tests .venv/bin/python tests/stress/clocks.py --lives 20 --seed 1 --library libfaketime.so.1

Every version, every figure and the order of the history must be what a store has whose clock was right. Without
``--library`` the clock is changed inside of Python alone; libfaketime changes that of the libraries too. Prints what it
did; exit status 1 when a check failed.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cslog import clock
from cslog.store import Store
from tests.stress import disturbed
from tests.stress.disturbed import PROCESSES

HOUR, DAY = 3_600, 86_400
JUMPS: dict[str, Callable[[], float]] = {
    "right": lambda: 0,
    "an hour back": lambda: -HOUR,
    "an hour on": lambda: HOUR,
    "a zone away": lambda: -16 * HOUR,
    "a day back": lambda: -DAY,
    "thirty days on": lambda: 30 * DAY,
    "a year back": lambda: -365 * DAY,
    "1970": lambda: 2 * DAY - time.time(),
    "2099": lambda: 4_086_043_200 - time.time(),
}


def shift(offset) -> None:
    """Let this process see a clock that is off by ``offset`` (a shared number of seconds)."""
    real, real_ns, of, now = time.time, time.time_ns, time.gmtime, clock.now
    time.time = lambda: real() + offset.value
    time.time_ns = lambda: real_ns() + int(offset.value * 1e9)
    time.gmtime = lambda seconds=None: of(time.time() if seconds is None else seconds)
    clock.now = lambda: now() + int(offset.value)


def shifted(offset, step: Callable[..., None], folder: str, arguments: tuple) -> None:
    """Do a step under such a clock."""
    shift(offset)
    step(folder, *arguments)


def with_jumps(step, folder: Path, arguments: tuple, chance: random.Random, count: Counter[str]) -> None:
    """A step in a process of its own whose clock is set before and while it is at work."""
    offset = PROCESSES.Value("d", JUMPS[chance.choice(list(JUMPS))]())
    process = PROCESSES.Process(target=shifted, args=(offset, step, str(folder), arguments))
    process.start()
    while process.is_alive():
        process.join(chance.uniform(0.01, 0.3))
        name = chance.choice(list(JUMPS))
        if process.is_alive():
            offset.value = JUMPS[name]()
            count[name] += 1
    assert process.exitcode == 0, f"{step.__name__} ended with {process.exitcode}"


def with_library(library: str, step, folder: Path, arguments: tuple, chance: random.Random, count) -> None:
    """The same under libfaketime, which deceives all of the process."""
    said = folder.parent / "clock"

    def jump() -> None:
        name = chance.choice(list(JUMPS))
        count[name] += 1
        beside = said.with_name("clock.new")
        beside.write_text(f"{JUMPS[name]():+.0f}\n")
        beside.replace(said)

    jump()
    root = Path(__file__).parents[2]
    # The library does not know the clock by which Python sleeps.
    program = (
        "import select, time\n"
        "time.sleep = lambda seconds: select.select([], [], [], seconds) and None\n"
        "from tests.stress import disturbed\n"
        f"disturbed.{step.__name__}({str(folder)!r}, *{arguments!r})\n"
    )
    environment = os.environ | {
        "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(said), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1", "PYTHONPATH": f"{root}:{root / 'tests'}",
    }  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as process:
        while process.poll() is None:
            time.sleep(chance.uniform(0.1, 0.6))
            jump()
    assert process.returncode == 0, f"{step.__name__} ended with {process.returncode}"


def history(store: Store) -> list[tuple]:
    """What every commit brought, as the store tells it."""
    rows = store.snapshot().ledger().select("action", "path", "messages_new", "orders_new", "orders_changed")
    return [(action, Path(path or "").name, *counts) for action, path, *counts in rows.iter_rows()]


def versions(store: Store) -> list[list[dict]]:
    """The figures of every version."""
    return [disturbed.figures(store, number) for number in range(1, store.snapshot().store_version + 1)]


def life(folder: Path, calm: Store, chance: random.Random, count: Counter[str], library: str = "") -> None:
    """The steps of tests.stress.disturbed, in a store that ends as the calm one did."""
    for step, arguments in disturbed.STEPS:
        if library:
            with_library(library, step, folder, arguments, chance, count)
        else:
            with_jumps(step, folder, arguments, chance, count)
    store = Store(folder)
    assert history(store) == history(calm)
    assert versions(store) == versions(calm)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--lives", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--library", default="")
    chosen = parser.parse_args()
    chance, count = random.Random(chosen.seed), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="cslog-clocks-") as name:
        calm = Store(Path(name, "calm"))
        disturbed.undisturbed(calm.folder)
        for number in range(chosen.lives):
            life(Path(name, f"life{number}"), calm, chance, count, chosen.library)
    sys.stdout.write(
        f"{chosen.lives} stores lived under {sum(count.values())} jumps of the clock ({dict(count)}): "
        "every version and the order of the history as under a right one\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
