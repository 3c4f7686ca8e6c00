"""The loops of cslog.scan with every index checked, against the plain loop over lines and Python's own codecs.

    PYTHONPATH=. .venv/bin/python -m tests.stress.checked --seconds 60 --seed 1

They work with pointers, for which NUMBA_BOUNDSCHECK does nothing. So they are compiled here on arrays in the place of
pointers, where a wrong index is an IndexError (a negative one, which an array would take from its end, too where words
are read). Compiling takes a minute. Prints how many exports were compared; ``--plain-memory`` compares what is really
run instead.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path


def use_arrays() -> None:
    """Let arrays be compiled in the place of pointers; before anything else of cslog.scan is imported."""
    os.environ["NUMBA_BOUNDSCHECK"] = "1"
    import numpy as np
    from numba import njit

    from cslog.scan import words

    @njit
    def pointer(array):
        return array

    @njit
    def word_at(data, place):
        word = np.uint64(0)
        for i in range(8):
            if place + i < 0:
                raise IndexError("in front of the first byte")
            word |= np.uint64(data[place + i]) << np.uint64(8 * i)
        return word

    @njit
    def put_word(data, place, word):
        for i in range(8):
            if place + i < 0:
                raise IndexError("in front of the first byte")
            data[place + i] = np.uint8((word >> np.uint64(8 * i)) & np.uint64(0xFF))

    words.pointer, words.word_at = pointer, word_at
    if hasattr(words, "put_word"):
        words.put_word = put_word


def compare(seconds: float, seed: int) -> int:
    """Read exports in both ways for so many seconds; how many."""
    from tests.stress import exports
    from tests.stress.targets import TARGETS

    chance, tried = random.Random(seed), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end or tried < 50:
        data = exports.damaged(exports.made(chance), chance)
        try:
            TARGETS["qn-txt-plain"].run(data)
            TARGETS["qn-txt"].run(data)
        except BaseException:
            Path("build").mkdir(exist_ok=True)
            Path("build/differs.txt").write_bytes(data)
            sys.stderr.write(f"seed {seed}, export {tried}, now in build/differs.txt\n")
            raise
        tried += 1
    return tried


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain-memory", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cslog-checked-") as folder:
        if not chosen.plain_memory:
            os.environ["NUMBA_CACHE_DIR"] = folder
            use_arrays()
        tried = compare(chosen.seconds, chosen.seed)
    how = "as it is" if chosen.plain_memory else "with every index checked"
    sys.stdout.write(f"{tried} exports read {how} and by the plain loop: the same, and none out of bounds\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
