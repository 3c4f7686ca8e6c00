"""Files that are written, cut off, replaced, removed or locked while they are read: what is read is a file as it was.

    PYTHONPATH=.:tests .venv/bin/python tests/stress/arriving.py --seconds 60 --seed 1

One process writes two contents in turn, in each of the ways of WAYS; another reads as fast as it can, once as the owner
of the file (who gets leases) and once as somebody else. Prints what was read; exit status 1 when a check failed.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cslog import whole

BLOCK = 4096
CONTENTS = tuple(letter * (BLOCK * blocks) for letter, blocks in ((b"a", 200), (b"b", 200), (b"c", 90)))
NOBODY = 65_534
PROCESSES = multiprocessing.get_context("forkserver")


def in_place(file: Path, content: bytes, chance: random.Random) -> None:
    """Written over, block by block, and cut to its length at the end."""
    with file.open("r+b" if file.exists() else "wb", buffering=0) as out:
        for begin in range(0, len(content), BLOCK):
            out.write(content[begin : begin + BLOCK])
            if chance.random() < 0.01:
                time.sleep(0.002)
        out.truncate()


def growing(file: Path, content: bytes, chance: random.Random) -> None:
    """Emptied, and written again."""
    with file.open("wb", buffering=0) as out:
        for begin in range(0, len(content), 16 * BLOCK):
            out.write(content[begin : begin + 16 * BLOCK])
            if chance.random() < 0.1:
                time.sleep(0.002)


def shrinking(file: Path, content: bytes, chance: random.Random) -> None:
    """Cut off while nobody has it open, and restored."""
    if not file.exists():
        file.write_bytes(content)
    os.truncate(file, chance.randrange(0, 90) * BLOCK)
    replaced(file, content, chance)


def replaced(file: Path, content: bytes, chance: random.Random) -> None:
    """Written beside it and renamed over it."""
    beside = file.with_name("beside")
    beside.write_bytes(content)
    beside.replace(file)


def vanishing(file: Path, content: bytes, chance: random.Random) -> None:
    """Removed, and there again a moment later."""
    file.unlink(missing_ok=True)
    time.sleep(chance.uniform(0, 0.002))
    replaced(file, content, chance)


def locked(file: Path, content: bytes, chance: random.Random) -> None:
    """Nobody's for a moment."""
    replaced(file, content, chance)
    file.chmod(0)
    time.sleep(chance.uniform(0, 0.002))
    file.chmod(0o644)


WAYS = (in_place, growing, shrinking, replaced, vanishing, locked)


def write(way: int, file: Path, seed: int, stop) -> None:
    """Write the contents in turn until told to stop."""
    chance = random.Random(seed)
    number = 0
    while not stop.is_set():
        WAYS[way](file, CONTENTS[number % len(CONTENTS)], chance)
        number += 1
        time.sleep(chance.choice((0, 0, 0.002, 0.02)))
    replaced(file, CONTENTS[0], chance)


def was_a_state(data: bytes, way: str) -> bool:
    """Whether the file ever consisted of just these bytes, though its writer may not have been done."""
    if data in CONTENTS:
        return True
    if way == "shrinking":
        return data in (data[:1] * len(data), b"") and len(data) % BLOCK == 0
    # Between two writes: the beginning of one content, and behind it the rest of another, or nothing.
    blocks = [data[begin : begin + BLOCK] for begin in range(0, len(data), BLOCK)]
    whole_blocks = all(block == block[:1] * BLOCK for block in blocks)
    changes = sum(one[0] != other[0] for one, other in itertools.pairwise(blocks))
    return way in ("in_place", "growing") and whole_blocks and changes <= (1 if way == "in_place" else 0)


def read(way: str, file: Path, seconds: float, as_owner: bool, said) -> None:
    """Read as fast as possible; ``said`` gets how often what came of it, or what was wrong."""
    if not as_owner:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    whole._PAUSES_S = (0.0, 0.001)
    counts: Counter[str] = Counter()
    begun = time.monotonic()
    while (now := time.monotonic()) < begun + seconds or (not counts["whole"] and now < begun + seconds + 60):
        try:
            found = whole.read(file)
        except whole.UnreadableError:
            counts["changes"] += 1
            continue
        except OSError as error:
            counts[type(error).__name__] += 1
            continue
        if found.data in CONTENTS:
            counts["whole"] += 1
        elif found.open_elsewhere or ((way == "shrinking" or not as_owner) and was_a_state(found.data, way)):
            counts["known to be half" if found.open_elsewhere else "a state between"] += 1
        else:
            said.put(f"{way}: read {len(found.data)} bytes that the file never consisted of")
            return
    said.put(counts)


def watch(way: int, folder: Path, seconds: float, seed: int, as_owner: bool) -> Counter[str]:
    """One writer against one reader; AssertionError when something was read that never was a file."""
    folder.mkdir(mode=0o755)
    file = folder / "export.txt"
    file.write_bytes(CONTENTS[0])
    stop, said = PROCESSES.Event(), PROCESSES.Queue()
    name = WAYS[way].__name__
    writer = PROCESSES.Process(target=write, args=(way, file, seed, stop))
    reader = PROCESSES.Process(target=read, args=(name, file, seconds, as_owner, said))
    writer.start()
    reader.start()
    found = said.get(timeout=seconds + 300)
    reader.join(60)
    stop.set()
    writer.join(60)
    assert (reader.exitcode, writer.exitcode) == (0, 0), (name, reader.exitcode, writer.exitcode)
    assert isinstance(found, Counter), found
    assert found["whole"], f"{name}: never read whole: {found}"
    assert whole.read(file).data == CONTENTS[0], "at rest it is read"
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=10, help="for each way")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    owners = (True, False) if hasattr(os, "geteuid") and os.geteuid() == 0 else (True,)
    with (
        tempfile.TemporaryDirectory(prefix="cslog-arriving-") as name,
        contextlib.suppress(KeyboardInterrupt),
    ):
        Path(name).chmod(0o755)
        for way in range(len(WAYS)):
            for as_owner in owners:
                found = watch(way, Path(name, f"{way}{as_owner}"), chosen.seconds, chosen.seed, as_owner)
                who = "its owner" if as_owner else "somebody else"
                sys.stdout.write(f"{WAYS[way].__name__}, read by {who}: {dict(found)}\n")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
