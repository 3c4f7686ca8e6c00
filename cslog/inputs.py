"""What the user named → the files to read: folders walked, zip files unpacked, nothing decided about formats."""

from __future__ import annotations

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cslog.errors import UsageError
from cslog.readers.head import Head

_NOT_INPUT = re.compile(
    r"^(\..*|~\$.*|Thumbs\.db|desktop\.ini|readme(\..*)?|cslog-run\.log|.*\.golden\..*)$", re.IGNORECASE
)
"""Names left out when a folder is walked: hidden and system files, descriptions, goldens, the log of `cslog run`."""
_MAX_DEPTH = 3  # zip inside zip inside zip
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, OSError, EOFError, ValueError)
"""What zipfile raises on damaged or locked archives, beside its own BadZipFile."""


@dataclass(frozen=True)
class Input:
    """One file, or one member of a zip (``logs.zip/a.txt``); ``head`` is null with an ``error``."""

    path: str
    head: Head | None
    error: str | None = None


def files_below(paths: list[str]) -> list[Path]:
    """All files named by ``paths``, folders walked in sorted order and without what is no input.

    Raises UsageError for a path that does not exist or cannot be looked at.
    """
    found: list[Path] = []
    for name in paths:
        try:
            found += _files_of(Path(name))
        except OSError as error:
            reason = "no such file or folder" if isinstance(error, FileNotFoundError) else error.strerror
            raise UsageError(f"{name}: {reason}", "check the path; quote names with blanks") from error
    return list(dict.fromkeys(found))


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        path.stat()
        return [path]
    inside = (file for file in path.rglob("*") if file.is_file())
    relative = ((file.relative_to(path).parts, file) for file in inside)
    return [file for parts, file in sorted(relative) if not any(map(is_no_input, parts))]


def is_no_input(name: str) -> bool:
    """Whether a file or folder of that name is left out when a folder is walked."""
    return _NOT_INPUT.match(name) is not None


def inputs_of(file: Path, name: str | None = None) -> Iterator[Input]:
    """The file, or the files inside a zip; ``name``: what it is called from now on, if not by its path."""
    name = name or str(file)
    try:
        data = file.read_bytes()
    except OSError as error:
        yield Input(name, None, f"cannot be read: {error.strerror}")
        return
    yield from _unpacked(Head(name, data), _MAX_DEPTH)


def _unpacked(head: Head, depth: int) -> Iterator[Input]:
    if head.container != "zip":
        yield Input(head.path, head)
        return
    if depth == 0:
        yield Input(head.path, None, "zip files are nested too deeply; unpack it first")
        return
    try:
        with zipfile.ZipFile(io.BytesIO(head.data)) as archive:
            for member in sorted(archive.infolist(), key=lambda info: info.filename):
                name = _member_name(member)
                if member.is_dir() or name.startswith("__MACOSX/") or any(map(is_no_input, name.split("/"))):
                    continue
                path = f"{head.path}/{name}"
                try:
                    inner = Head(path, archive.read(member))
                except _ZIP_ERRORS:
                    yield Input(path, None, "is locked or damaged inside the zip; unpack it first")
                    continue
                yield from _unpacked(inner, depth - 1)
    except _ZIP_ERRORS:
        yield Input(head.path, None, "the zip file is damaged; make it again")


def _member_name(member: zipfile.ZipInfo) -> str:
    if member.flag_bits & 0x800:
        return member.filename
    try:  # Chinese Windows writes names in GBK, which zipfile shows as cp437
        return member.filename.encode("cp437").decode("gb18030")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return member.filename
