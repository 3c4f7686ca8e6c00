"""Where compiled code is kept: numba executes what it finds there."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="users and their rights as Unix has them")
ROOT = Path(__file__).resolve().parents[1]


def folder_named(temporary: Path, home: str) -> Path:
    """The folder that a process with no other variables names to numba."""
    code = "import os; from cslog import numba_cache; numba_cache.use(); print(os.environ['NUMBA_CACHE_DIR'])"
    variables = {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), "HOME": home}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, check=True)
    return Path(done.stdout.decode().strip())


def test_it_is_the_users_cache(tmp_path):
    home = tmp_path / "home"
    assert folder_named(tmp_path, str(home)).is_relative_to(home)


def test_without_a_home_it_is_a_folder_that_only_the_user_can_write(tmp_path):
    named = folder_named(tmp_path, "/dev/null")
    assert named == tmp_path / f"cslog-numba-{os.getuid()}"
    assert stat.S_IMODE(named.stat().st_mode) == 0o700
    assert folder_named(tmp_path, "/dev/null") == named  # and the next run finds what this one compiled


@pytest.mark.parametrize("way", ["writable", "link", "link to nothing", "file"])
def test_a_folder_that_others_may_have_filled_is_not_taken(tmp_path, way):
    expected = tmp_path / f"cslog-numba-{os.getuid()}"
    if way == "writable":
        expected.mkdir()
        expected.chmod(0o777)
    elif way == "file":
        expected.touch()
    elif way == "link to nothing":
        expected.symlink_to(tmp_path / "nothing")
    else:
        elsewhere = Path(tempfile.mkdtemp(dir=tmp_path))
        expected.symlink_to(elsewhere)
    named = folder_named(tmp_path, "/dev/null")
    assert named != expected
    assert stat.S_IMODE(named.stat().st_mode) == 0o700
