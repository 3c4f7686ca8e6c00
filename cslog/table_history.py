"""A table written anew with all its versions, as if some rows had never been in it.

Delta keeps every file that any version names, and what is noted of each in the JSON of its commits. Here both are
written again into another folder: files that change under other names, all others as links to the same bytes, the
commits with the new names and numbers. Versions keep their numbers and say the same of all rows that stay.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cslog import tables
from cslog.errors import StoreError
from cslog.generations import synchronise
from cslog.tables import Layout

LOG = "_delta_log"


@dataclass(frozen=True)
class Logged:
    """A file that some version of a table names. ``version``: the first that does; ``data_change``: whether its rows
    were new then, and not others sorted anew.
    """

    path: Path
    name: str
    version: int
    data_change: bool


def logged(folder: Path) -> list[Logged]:
    """Every file of the table at ``folder``, in the order in which they came."""
    found: dict[str, Logged] = {}
    for version, actions in _commits(folder):
        for action in actions:
            if "add" in action:
                add = action["add"]
                file = Logged(folder / add["path"], add["path"], version, bool(add["dataChange"]))
                found.setdefault(add["path"], file)
    return list(found.values())


def newest(folder: Path) -> int:
    """The number of the last commit, -1 without any."""
    return max((int(file.stem) for file in (folder / LOG).glob("*.json") if file.stem.isdigit()), default=-1)


Change = Callable[[Logged], pl.DataFrame | None]
"""The rows that a file is to hold from now on (its own columns, in their order); None when it stays as it is."""


def write_anew(old: Path, new: Path, layout: Layout, change: Change) -> dict[str, str | None]:
    """Make the table ``new`` out of ``old``. Returns the files that changed: old names, and new names or None where no
    row is left.
    """
    (new / LOG).mkdir(mode=0o700, parents=True)
    changed: dict[str, tuple[str, int, str] | None] = {}
    for file in logged(old):
        target = new / file.name
        target.parent.mkdir(mode=0o700, exist_ok=True)
        frame = change(file)
        if frame is None:
            _link(file.path, target)
        elif frame.is_empty():
            changed[file.name] = None
        else:
            prefix = target.name.partition("-")[0]
            target = target.with_name(f"{prefix}-{uuid.uuid4().hex}.parquet")
            rows = tables.as_written(frame, layout)
            size = tables.write_parquet(target, rows, layout)
            statistics = json.dumps(tables.statistics(rows, layout))
            changed[file.name] = (target.relative_to(new).as_posix(), size, statistics)
    for version, actions in _commits(old):
        lines = [line for line in (_renamed(one, changed) for one in actions) if line]
        _write_commit(new / LOG / f"{version:020}.json", lines)
    for path in (new / LOG, *{path.parent for path in new.rglob("*.parquet")}, new):
        synchronise(path)
    if (old / LOG / "_last_checkpoint").exists():  # it sums up statistics: made again from the new commits
        tables.checkpoint(new)
    return {name: to and to[0] for name, to in changed.items()}


def _renamed(
    action: dict[str, Any], changed: Mapping[str, tuple[str, int, str] | None]
) -> dict[str, Any] | None:
    """An action about the new files; None when its file is gone."""
    for kind in ("add", "remove"):
        if kind in action and action[kind]["path"] in changed:
            to = changed[action[kind]["path"]]
            if to is None:
                return None
            name, size, statistics = to
            about = action[kind] | {"path": name}
            if kind == "add":
                about |= {"size": size, "stats": statistics}
            elif about.get("size") is not None:
                about |= {"size": size}
            return {kind: about}
    return action


def _commits(folder: Path) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    files = sorted((folder / LOG).glob("*.json"))
    numbers = [int(file.stem) for file in files if file.stem.isdigit()]
    if numbers != list(range(len(files))):
        raise StoreError(
            f"the history of the table {folder.name} at {folder.parent} is not whole",
            "restore the folder from a backup",
        )
    for number, file in zip(numbers, files, strict=True):
        yield number, [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]


def _write_commit(file: Path, actions: list[dict[str, Any]]) -> None:
    with file.open("w", encoding="utf-8", newline="\n") as opened:
        opened.write("\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in actions))
        opened.flush()
        os.fsync(opened.fileno())


def _link(source: Path, target: Path) -> None:
    """The same bytes under another name; a copy on disks that know no links."""
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)
    with target.open("rb+") as file:
        os.fsync(file.fileno())
