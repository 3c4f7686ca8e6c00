"""Where in a store's folder its tables lie, so that all of them can be replaced by others in one step.

At first the tables lie in the store's folder itself. `cslog forget` makes new ones in a folder ``tables-…`` beside
them and then names it in the file ``current``: **replacing that file is the step**. Before it the store is the old one,
after it the new one; what the other one leaves behind is swept away by whoever writes next. A program that reads the
old tables meanwhile finds no file changed, only, in the end, files gone.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

from cslog.errors import StoreError

_POINTER = "current"
_NAME = re.compile(r"tables-[0-9a-f]{12}")


def root_of(folder: Path) -> Path:
    """The folder that holds the tables of the store at ``folder``. StoreError when its name cannot be read."""
    try:
        name = (folder / _POINTER).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return folder
    except NotADirectoryError as error:
        raise StoreError(
            f"the store at {folder} is a file and no folder", "give the folder by --store DIR"
        ) from error
    except PermissionError as error:
        raise StoreError(
            f"the store at {folder} cannot be read: {error.strerror}", "check the folder's rights"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(folder) from error
    if not _NAME.fullmatch(name):
        raise _damaged(folder)
    return folder / name


def begin(folder: Path) -> Path:
    """Make an empty folder for new tables."""
    made = folder / f"tables-{uuid.uuid4().hex[:12]}"
    made.mkdir(mode=0o700)
    return made


def switch(folder: Path, root: Path) -> None:
    """Make ``root``, all of it on the disk already, the folder of the tables."""
    synchronise(root)
    partial = folder / f".{_POINTER}.partial"
    if root == folder:
        (folder / _POINTER).unlink(missing_ok=True)
    else:
        with partial.open("w", encoding="ascii") as file:
            file.write(f"{root.name}\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / _POINTER)
    synchronise(folder)


def leftovers(folder: Path, tables: Iterable[str]) -> list[Path]:
    """Folders with tables (called ``tables``) that are not the store's any more, or never became it."""
    root = root_of(folder)
    own = [] if root == folder else [folder / name for name in tables if (folder / name).is_dir()]
    others = [path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path != root]
    return [*own, *others]


def sweep(folder: Path, tables: Iterable[str]) -> tuple[int, int]:
    """Remove leftovers while the store's lock is held: how many there were, and how many could not be removed.

    Windows keeps files that somebody has open; the next one who writes tries again.
    """
    found = leftovers(folder, tables) if folder.is_dir() else []
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    if found:
        synchronise(folder)
    return len(found), sum(path.exists() for path in found)


def synchronise(folder: Path) -> None:
    """Put the names in a folder on the disk, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(folder: Path) -> StoreError:
    return StoreError(
        f"the store at {folder} is damaged: its file `{_POINTER}` names no tables",
        "restore the folder from a backup",
    )
