"""Whole processes and what they cost: seconds, CPU seconds, peak memory. Standard library only: the memory of this
process would count as that of its children.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Sample:
    """One run. ``wall_s`` and ``cpu_s`` (user and system) in seconds, ``peak_mib`` the largest resident set;
    ``failed`` says why it did not end well.
    """

    wall_s: float
    cpu_s: float
    peak_mib: int
    failed: str = ""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables of the children: bytecode is written as on a user's machine, whatever this shell was told."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return own | {"PYTHONPATH": str(ROOT)} | dict(more or {})


def run(
    command: Sequence[str], more: Mapping[str, str] | None = None, timeout_s: float = 3600
) -> tuple[Sample, bytes]:
    """Run ``command`` in the project's folder; what it cost, and its stdout."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(list(command), stdout=out, stderr=errors, env=environment(more), cwd=ROOT)
        previous = signal.signal(signal.SIGALRM, lambda *_: process.kill())
        signal.alarm(int(timeout_s))
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, previous)
        wall_s = time.perf_counter() - begun
        process.returncode = code = os.waitstatus_to_exitcode(status)
        failed = ""
        if code:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()
            failed = f"signal {-code}" if code < 0 else (said[-1] if said else f"exit status {code}")
            failed = failed.replace(f"{ROOT}/", "")
            if code == -signal.SIGKILL:
                failed = f"killed after {wall_s:.0f} s (out of memory or of time)"
        out.seek(0)
        cpu_s = usage.ru_utime + usage.ru_stime
        sample = Sample(round(wall_s, 3), round(cpu_s, 3), usage.ru_maxrss // 1024, failed)
        return sample, out.read()
