"""Coverage-guided fuzzing of one target: ``python -m tests.stress.fuzz qn-txt 120`` (seconds).

Needs atheris, which is no dependency of cslog: see docs/development.md. What breaks a promise is written to
``build/fuzz/TARGET/crash-…``; put it into ``tests/stress/corpus/TARGET`` when it is repaired. New inputs that
reach new code are kept in ``build/fuzz/TARGET/inputs`` for the next run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import atheris

MEMORY_MB = 3000
_FAST = ("qn-txt", "qn-txt-plain", "pattern", "ww-txt-old", "qn-copy", "mapping", "config", "roster", "zip")
"""Targets that read many inputs in a second, so that every compared value may be followed."""
SECONDS_PER_INPUT = 60  # of the wall clock, on a machine that may be busy


def main() -> None:
    """Fuzz the target that the command line names, for as many seconds as it says."""
    name, seconds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60
    # What numba compiles has no bytecode to follow, and is compiled before the clock of an input runs.
    from cslog import numba_cache

    numba_cache.use()
    numba_cache.compile_all("cslog.kernels", "cslog.scan")
    with atheris.instrument_imports(include=["cslog", "tomllib", "zipfile"]):
        from tests.stress import seeds, targets

        target = targets.TARGETS[name]
    for seed in seeds.seeds(name):
        target.run(seed)
    folder = Path("build") / "fuzz" / name
    inputs, starts = folder / "inputs", folder / "seeds"
    for each in (inputs, starts):
        each.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds.seeds(name)):
        (starts / f"seed{number}").write_bytes(seed)
    dictionary = folder / "words"
    escaped = ("".join(f"\\x{byte:02x}" for byte in word[:120]) for word in seeds.words(name))
    dictionary.write_text("".join(f'"{word}"\n' for word in escaped), encoding="ascii")
    corpora = [str(inputs), str(starts)]
    if (seeds.CORPUS / name).is_dir():
        corpora.append(str(seeds.CORPUS / name))
    options = [
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-timeout={SECONDS_PER_INPUT}",
        f"-dict={dictionary}",
        f"-artifact_prefix={folder}/",
        "-max_len=6000",
        "-print_final_stats=1",
        f"-use_value_profile={int(name in _FAST)}",
        *sys.argv[3:],
    ]
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    atheris.Setup([sys.argv[0], *options, *corpora], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
