"""The short form of disturbed.py, and a disk that is full or cannot be written."""

from __future__ import annotations

import os
import random
import shutil
import subprocess

import pytest

from cslog.commands.session import replace_file
from cslog.config import Config
from cslog.errors import StoreError, UsageError
from cslog.privacy import forget
from cslog.store import Store
from tests.stress import disturbed
from tests.stress.forms import LONG

pytestmark = pytest.mark.skipif(os.name == "nt", reason="forks")


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> list[dict]:
    return disturbed.undisturbed(tmp_path_factory.mktemp("calm") / "store")


@pytest.mark.skipif(LONG, reason="the long form does more of it")
def test_killed_writers_lose_nothing(tmp_path, expected, counted):
    count = disturbed.Count(stores=1)
    disturbed.life(tmp_path / "store", expected, random.Random(7), count, kills=8)
    assert sum(count.kills.values()) >= 3
    counted(str(count))


@pytest.mark.skipif(LONG, reason="the long form does more of it")
def test_many_at_once_give_what_one_after_the_other_gives(tmp_path, expected, counted):
    count = disturbed.Count()
    disturbed.race(tmp_path / "store", expected, random.Random(7), count, at_once=3, compared=2)
    assert count.processes == 11
    assert count.answers > 0
    assert count.versions > 0
    counted(str(count))


@pytest.mark.skipif(not LONG, reason="half an hour: HYPOTHESIS_PROFILE=explore")
def test_hundreds_of_kills_and_races(tmp_path, counted):
    counted(str(disturbed.disturb(tmp_path, kills=200, races=5, seed=1)))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root and mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("cannot mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=False)


def test_a_full_disk_is_one_line_and_costs_nothing(small_disk, expected):
    store = Store(small_disk / "store")
    first, everything = disturbed.STEPS[0], ("qn-txt", "message-table", "tb-orders", "qn-copy")
    first[0](str(store.folder), *first[1])
    before, version = disturbed.figures(store), store.snapshot().store_version
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))
    with pytest.raises(StoreError, match="cannot write the store"):
        disturbed.take_in(str(store.folder), everything)
    with pytest.raises(StoreError, match="No space left on device"):
        forget.forget(["小熊软糖"], store, Config())
    with pytest.raises(UsageError, match="No space left on device"):
        replace_file(small_disk / "kpi.csv", bytes(4096))
    assert not list(small_disk.glob(".*.partial"))
    assert store.snapshot().store_version == version
    assert disturbed.figures(store) == before
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    disturbed.take_in(str(store.folder), everything)
    assert disturbed.figures(store) == expected


def test_a_store_that_cannot_be_written_can_be_read(small_disk, expected):
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    store = Store(small_disk / "store")
    disturbed.undisturbed(store.folder)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        assert disturbed.figures(store) == expected
        with pytest.raises(StoreError, match="cannot write the store"):
            disturbed.take_in(str(store.folder), ("qn-txt",))
        with pytest.raises(StoreError, match="cannot write the store"):
            disturbed.close(str(store.folder))
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
