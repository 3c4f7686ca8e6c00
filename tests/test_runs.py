"""Runs as real processes: at the same time, killed in the middle, beside an ingest. Nothing is lost, nothing twice.

tests/stress/run_rounds.py does the same for as long as one likes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import worlds
from naive import DAY, Block, Export, Line
from worlds import BEGIN, SHOP

from cslog.store import Store

ROOT = Path(__file__).parents[1]
ALWAYS = (BEGIN - 400 * DAY, BEGIN + 400 * DAY)
KILLED_AT = {
    "before the commit": "cslog.store.Writer.commit",
    "between commit and move": "cslog.inbox._move",
    "before the reports": "cslog.routine._report",
}


def export(number: int) -> bytes:
    """One of many overlapping exports: buyers ``number`` and ``number + 1``, with a pair of messages each."""
    blocks = []
    for buyer in (number, number + 1):
        at = BEGIN + buyer * 3_600
        lines = [Line(at, f"buyer_{buyer}", "在吗"), Line(at + 20, f"{SHOP}:小美", "亲，在的")]
        blocks.append(Block(f"buyer_{buyer}", lines))
    return worlds.txt_bytes(Export(SHOP, f"{SHOP}:小美", blocks))


def fill(inbox: Path, numbers: range) -> list[bytes]:
    """Put exports into the inbox; returns what is in them."""
    inbox.mkdir(exist_ok=True)
    for number in numbers:
        file = inbox / f"{number}.txt"
        file.write_bytes(export(number))
        os.utime(file, (time.time() - 60,) * 2)
    return sorted(export(number) for number in numbers)


def start(folder: Path, *words: str, program: str | None = None) -> subprocess.Popen:
    """`cslog run` on ``folder/inbox``, or a Python ``program`` that does it in its own way."""
    how = ["-c", program] if program else ["-m", "cslog"]
    return subprocess.Popen(
        [
            sys.executable,
            *how,
            "run",
            str(folder / "inbox"),
            "--store",
            str(folder / "store"),
            "--quiet",
            *words,
        ],
        env={name: value for name, value in os.environ.items() if not name.startswith("CSLOG_")}
        | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ended(*running: subprocess.Popen) -> list[int]:
    """Exit statuses; no process may have died of anything unexpected."""
    for process in running:
        _, said = process.communicate(timeout=300)
        assert b"Traceback" not in said, said.decode()
        assert b"unexpectedly" not in said, said.decode()
    return [process.returncode for process in running]


def check_whole(folder: Path, contents: list[bytes], buyers: int) -> None:
    """Every file is in done, as it was, and every message is in the store once."""
    inbox = folder / "inbox"
    assert [path.name for path in inbox.glob("*.txt")] == []
    assert sorted(path.read_bytes() for path in (inbox / "done").rglob("*.txt")) == contents
    assert not list((inbox / "failed").rglob("*.txt"))
    rows = Store(folder / "store").snapshot().messages(*ALWAYS).collect()
    assert rows.height == 2 * buyers
    assert rows.select("buyer", "sent_at", "sender").unique().height == 2 * buyers
    for source in rows["source_file"].unique():
        assert Path(source).is_file(), source


def test_runs_at_the_same_time_wait_for_each_other(tmp_path):
    contents = fill(tmp_path / "inbox", range(8))
    statuses = ended(*(start(tmp_path, "--wait", "120") for _ in range(3)))
    assert statuses == [0, 0, 0]
    check_whole(tmp_path, contents, 9)
    lines = [
        json.loads(line) for line in (tmp_path / "inbox" / "cslog-run.log").read_text("utf-8").splitlines()
    ]
    assert sorted(len(line["files"]) for line in lines) == [0, 0, 8]


def test_runs_that_do_not_wait_end_with_75_and_harm_nothing(tmp_path):
    contents = fill(tmp_path / "inbox", range(4))
    held = start(tmp_path, program=patched("cslog.inbox._move", "time.sleep(60)"))
    log = tmp_path / "inbox" / ".cslog-run.lock"
    wait_until(lambda: log.exists() and Store(tmp_path / "store").exists)
    assert ended(start(tmp_path, "--wait", "0")) == [75]
    held.kill()
    held.communicate()
    assert ended(start(tmp_path, "--wait", "0")) == [0]  # the lock died with its holder
    check_whole(tmp_path, contents, 5)


def patched(name: str, instead: str) -> str:
    """A program that runs cslog with a function that does ``instead`` before its work."""
    module, _, function = name.rpartition(".")
    owner = module if module != "cslog.store.Writer" else "cslog.store"
    place = "cslog.store.Writer" if owner == "cslog.store" else module
    return (
        "import os, signal, sys, time\n"
        f"import {owner}\n"
        f"own = {place}.{function}\n"
        f"def {function}(*arguments, **options):\n"
        f"    {instead}\n"
        "    return own(*arguments, **options)\n"
        f"{place}.{function} = {function}\n"
        "from cslog.__main__ import main\n"
        "main()\n"
    )


def wait_until(met, patience_s: float = 120) -> None:
    end = time.monotonic() + patience_s
    while not met():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("moment", list(KILLED_AT))
def test_a_run_that_is_killed_costs_nothing(tmp_path, moment):
    contents = fill(tmp_path / "inbox", range(4))
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    if moment == "between commit and move":  # the first file is moved already
        kill = f"(os.path.exists({str(tmp_path / 'inbox' / 'done')!r}) and list(os.scandir({str(tmp_path / 'inbox' / 'done')!r}))) and {kill}"
    assert ended(start(tmp_path, program=patched(KILLED_AT[moment], kill))) == [-9]
    left = len(list((tmp_path / "inbox").glob("*.txt")))
    committed = Store(tmp_path / "store").snapshot().store_version > 0
    assert (left, committed) == {
        "before the commit": (4, False),
        "between commit and move": (3, True),
        "before the reports": (0, True),
    }[moment]
    assert not (tmp_path / "inbox" / "cslog-run.log").exists()
    assert ended(start(tmp_path)) == [0]
    check_whole(tmp_path, contents, 5)
    (line,) = (tmp_path / "inbox" / "cslog-run.log").read_text("utf-8").splitlines()
    states = [file["parts"][0]["status"] for file in json.loads(line)["files"]]
    assert states == {
        "before the commit": ["ingested"] * 4,
        "between commit and move": ["duplicate"] * 3,
    }.get(moment, [])


def test_a_run_beside_an_ingest_of_the_same_files(tmp_path):
    contents = fill(tmp_path / "inbox", range(4))
    other = tmp_path / "other"
    fill(other, range(4))
    ingest = subprocess.Popen(
        [sys.executable, "-m", "cslog", "ingest", str(other), "--store", str(tmp_path / "store"), "--quiet"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert ended(start(tmp_path), ingest) == [0, 0]
    check_whole(tmp_path, contents, 5)
