"""Where numba keeps what it compiled; imported before numba by every package of compiled loops."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import stat
import tempfile
from pathlib import Path

import platformdirs


def _writable_cache() -> str:
    # Cron jobs and read-only installs have no writable site-packages, where numba would look first.
    folder = platformdirs.user_cache_path("cslog", appauthor=False) / "numba"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError:
        folder = _temporary_cache()
    return str(folder)


def _temporary_cache() -> Path:
    # Where anybody may write. What lies in the folder is executed, so one that others made or can write is not taken.
    if not hasattr(os, "getuid"):  # Windows has a folder for temporary files per user
        return Path(tempfile.gettempdir()) / "cslog-numba-user"
    folder = Path(tempfile.gettempdir()) / f"cslog-numba-{os.getuid()}"
    with contextlib.suppress(FileExistsError):  # a file, or a link that leads nowhere
        folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
        return folder
    return Path(tempfile.mkdtemp(prefix="cslog-numba-"))


def use() -> None:
    """Name the folder to numba, unless the user did; two runs at once may probe it, so the probe is per process."""
    os.environ.setdefault("NUMBA_CACHE_DIR", _writable_cache())


def compile_all(*packages: str) -> None:
    """Compile every loop of these packages, or load it from the cache."""
    for package in packages:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            importlib.import_module(f"{package}.{module.name}")
