"""The compiled loops touch no byte that is not theirs (tests/stress/guarded.py, tests/stress/checked.py)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stress.forms import LONG, at_length

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="locked pages of Linux")


def ended(*words: str, **more: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3000
    )


def test_exports_between_locked_pages(counted):
    done = ended("-m", "tests.stress.guarded", "--seconds", str(at_length(2, 60)))
    assert done.returncode == 0, done.stderr
    counted(done.stdout.strip())


@pytest.mark.parametrize("at_end", [True, False])
def test_a_byte_outside_would_be_noticed(at_end):
    """The output one word too short, and a text that begins a byte too early."""
    wrong = (
        "two, four = encodings._tables(); data = b'\\xc4\\xe3' * 9\n"
        "encodings._transcode(np.frombuffer(data, np.uint8), two, four, 0, guarded._OUT.array(27, True)[:18])"
        if at_end
        else "where = np.array([guarded._IN.array(1, False).ctypes.data - 1], np.int64)\n"
        "hashing._xxh3(where, np.array([3], np.int32), np.empty(0, np.uint8), 0, np.empty(8, np.uint64))"
    )
    if at_end:
        wrong = wrong.replace("array(27, True)[:18]", "array(18, True)")
    program = (
        "import numpy as np\nfrom cslog.scan import encodings, hashing\nfrom tests.stress import guarded\n"
    )
    assert ended("-c", program + wrong).returncode == -signal.SIGSEGV


@pytest.mark.skipif(not LONG, reason="compiles for a minute: HYPOTHESIS_PROFILE=explore")
@pytest.mark.parametrize("how", [(), ("--plain-memory",)])
def test_every_index_checked(counted, how):
    done = ended("-m", "tests.stress.checked", "--seconds", "120", "--seed", "3", *how)
    assert done.returncode == 0, done.stderr
    counted(done.stdout.strip())
