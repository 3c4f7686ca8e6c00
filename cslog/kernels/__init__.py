"""The loops that cannot be written as table operations: numba over flat, sorted arrays.

Kernels know numpy and numba only. Signatures are fixed, so that a kernel is compiled once (at set-up, by
`cslog warm`) and then loaded from the cache, whether an array is writable or not.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
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
        folder = (
            Path(tempfile.gettempdir()) / f"cslog-numba-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
        )
    return str(folder)


os.environ.setdefault("NUMBA_CACHE_DIR", _writable_cache())


def compile_all() -> None:
    """Compile every kernel, or load it from the cache."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
