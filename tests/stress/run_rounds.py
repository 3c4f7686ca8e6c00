"""Runs as a shop's machine has them at its worst: several at once, killed at random, files arriving meanwhile, slowly
and under the same names. At the end nothing may be lost and nothing be there twice.

    PYTHONPATH=. .venv/bin/python tests/stress/run_rounds.py --seconds 120 --seed 1

Prints what it did; exit status 1 when a check failed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from test_runs import check_whole, export, start


def arrive(folder: Path, number: int, chance: random.Random) -> None:
    """One export comes into the inbox: renamed when whole, or written slowly in place; names repeat."""
    content = export(number)
    name = f"同名{number % 7}-{number}.txt" if chance.random() < 0.5 else f"同名{number % 7}.txt"
    target = folder / "inbox" / name
    while target.exists():  # as the exporting client asks before it overwrites
        target = target.with_name(f"又{target.name}")
    if chance.random() < 0.5:
        partial = target.with_name(f"{target.name}.part")
        partial.write_bytes(content)
        partial.rename(target)
        return
    with target.open("wb", buffering=0) as file:
        cut = chance.randrange(len(content))
        file.write(content[:cut])
        time.sleep(chance.uniform(0, 2))
        file.write(content[cut:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=3)
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)
    statuses: Counter[int | str] = Counter()
    with tempfile.TemporaryDirectory(prefix="cslog-rounds-") as name:
        folder = Path(name)
        (folder / "inbox").mkdir()
        arrived = 0
        stop = threading.Event()

        def bring() -> None:
            nonlocal arrived
            own = random.Random(chosen.seed + 1)
            while not stop.is_set():
                arrive(folder, arrived, own)
                arrived += 1
                time.sleep(own.uniform(0, 0.5))

        bringing = threading.Thread(target=bring)
        bringing.start()
        end = time.monotonic() + chosen.seconds
        running = []
        while time.monotonic() < end:
            while len(running) < chosen.at_once:
                running.append((start(folder, "--wait", chance.choice(("0", "5"))), time.monotonic()))
            time.sleep(chance.uniform(0, 1))
            if chance.random() < 0.3:
                chance.choice(running)[0].kill()
            for process, begun in list(running):
                if process.poll() is not None:
                    _, said = process.communicate()
                    statuses[process.returncode] += 1
                    if process.returncode not in (0, 75, -9) or b"unexpectedly" in said:
                        sys.stderr.write(f"status {process.returncode}: {said.decode()}\n")
                        return 1
                    running.remove((process, begun))
        stop.set()
        bringing.join()
        for process, _ in running:
            process.communicate()
        time.sleep(1)
        last = start(folder)
        _, said = last.communicate()
        statuses[f"last {last.returncode}"] += 1
        log = (folder / "inbox" / "cslog-run.log").read_text("utf-8").splitlines()
        written = Counter(json.loads(line)["status"] for line in log)
        sys.stdout.write(f"{arrived} files, exit statuses {dict(statuses)}, log {dict(written)}\n")
        if last.returncode:
            sys.stderr.write(said.decode())
            return 1
        check_whole(folder, sorted(export(number) for number in range(arrived)), arrived + 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
