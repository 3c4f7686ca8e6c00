"""What the user named → the files to read: folders walked, zip files unpacked, nothing decided about formats.

Zip files are unpacked in memory, within cslog.limits; the names in them are labels and never paths.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from cslog import limits, whole
from cslog.errors import UsageError
from cslog.readers.head import Head

_NOT_INPUT = re.compile(
    r"^(\..*|~\$.*|Thumbs\.db|desktop\.ini|readme(\..*)?|cslog-run\.log|.*\.golden\..*)$", re.IGNORECASE
)
"""Names left out when a folder is walked: hidden and system files, descriptions, goldens, the log of `cslog run`."""
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Characters that would move the cursor, end the line, or cannot be written at all."""
_CHUNK = limits.MIB
_ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError, ValueError, IndexError, KeyError, OverflowError,
)  # fmt: skip
"""What zipfile raises on damaged or locked archives, beside its own BadZipFile."""


@dataclass(frozen=True)
class Input:
    """One file, or one member of a zip (``logs.zip/a.txt``); ``head`` is null with an ``error``."""

    path: str
    head: Head | None
    error: str | None = None
    open_elsewhere: bool = False  # another program may write more of it


class _TooLargeError(Exception):
    """A member is beyond a limit; its message says which."""


@dataclass
class _Budget:
    """How many bytes may still be unpacked out of one file that the user named."""

    left: int


def files_below(paths: list[str]) -> list[Path]:
    """All files named by ``paths``, folders walked in sorted order and without what is no input.

    Raises UsageError for a path that does not exist or cannot be looked at.
    """
    found: list[Path] = []
    for name in paths:
        if not name.strip():  # Path("") is the present folder: nobody means that who writes "$FOLDER"
            raise UsageError("a path is empty", "name files or folders; a dot is the folder you are in")
        try:
            found += _files_of(Path(name))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = "no such file or folder"
            if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                reason = error.strerror or reason
            raise UsageError(
                f"{_shown(name)}: {reason}", "check the path; quote names with blanks"
            ) from error
    return list(dict.fromkeys(found))


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        path.stat()
        return [path]
    found: list[Path] = []

    def closed(error: OSError) -> None:
        found.append(Path(error.filename))

    # A folder that cannot be looked into is named like a file, so that it is said what is missing.
    for name, below, files in os.walk(path, onerror=closed):
        below[:] = [one for one in below if not is_no_input(one)]
        here = [Path(name, one) for one in files if not is_no_input(one)]
        # Of what is no file, links that lead nowhere are named too: something should have been there.
        found += [file for file in here if file.is_file() or (file.is_symlink() and not file.exists())]
    return sorted(found, key=lambda file: file.relative_to(path).parts)


def is_no_input(name: str) -> bool:
    """Whether a file or folder of that name is left out when a folder is walked."""
    return _NOT_INPUT.match(name) is not None


def inputs_of(file: Path, name: str | None = None) -> Iterator[Input]:
    """The file, or the files inside a zip; ``name``: what it is called from now on, if not by its path."""
    label = _shown(name or str(file))
    try:
        found = whole.read(file)
    except OSError as error:
        yield Input(label, None, f"cannot be read: {error.strerror}")
    except whole.UnreadableError as error:
        yield Input(label, None, str(error))
    else:
        for one in unpacked(Head(label, found.data)):
            yield replace(one, open_elsewhere=found.open_elsewhere)


def unpacked(head: Head) -> Iterator[Input]:
    """The file as it is, or the files inside a zip, one after the other, as far as cslog.limits allow."""
    budget = _Budget(max(limits.ZIP_SMALL_BYTES, limits.ZIP_RATIO * len(head.data)))
    yield from _unpacked(head, limits.ZIP_DEPTH, budget)


def _unpacked(head: Head, depth: int, budget: _Budget) -> Iterator[Input]:
    if head.container != "zip":
        yield Input(head.path, head)
        return
    if depth == 0:
        yield Input(head.path, None, "zip files are nested too deeply; unpack it first")
        return
    try:
        with zipfile.ZipFile(io.BytesIO(head.data)) as archive:
            members = archive.infolist()
            if len(members) > limits.ZIP_MEMBERS:
                problem = f"holds {len(members):,} files, more than {limits.ZIP_MEMBERS:,}; unpack it first"
                yield Input(head.path, None, problem)
                return
            labels: set[str] = set()
            for name, member in sorted(
                ((_member_name(info), info) for info in members), key=lambda pair: pair[0]
            ):
                if _is_left_out(name):
                    continue
                label = _label(name, labels)
                path = f"{head.path}/{label}"
                try:
                    inner = Head(path, _member(archive, member, budget))
                except _TooLargeError as error:
                    yield Input(path, None, str(error))
                    if budget.left <= 0:
                        return
                    continue
                except _ZIP_ERRORS:
                    yield Input(path, None, "is locked or damaged inside the zip; unpack it first")
                    continue
                yield from _unpacked(inner, depth - 1, budget)
    except _ZIP_ERRORS:
        yield Input(head.path, None, "the zip file is damaged; make it again")


def _is_left_out(name: str) -> bool:
    if not name or name.endswith("/") or name.startswith("__MACOSX/"):
        return True
    return any(map(is_no_input, _parts(name)))


def _parts(name: str) -> list[str]:
    """Folders and file of a name in a zip, without what leads out of it: ``../../a`` is ``a``."""
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]


def _label(name: str, given: set[str]) -> str:
    """How a member is called: its name where that is one, and another than those already ``given``."""
    plain = _shown("/".join(_parts(name)))[: limits.LABEL_CHARACTERS] or "nameless"
    label, number = plain, 1
    while label in given:
        number += 1
        label = f"{plain} ({number})"
    given.add(label)
    return label


def _shown(path: str) -> str:
    """The path as text: names in GBK, which Linux keeps as bytes, decoded; what cannot be shown replaced."""
    try:
        path.encode()
    except UnicodeEncodeError:
        path = path.encode(errors="surrogateescape").decode("gb18030", errors="replace")
    return _UNSHOWN.sub("\ufffd", path)


def _member_name(member: zipfile.ZipInfo) -> str:
    if member.flag_bits & 0x800:
        return member.filename
    try:  # Chinese Windows writes names in GBK, which zipfile shows as cp437
        return member.filename.encode("cp437").decode("gb18030")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return member.filename


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: _Budget) -> bytes:
    """The bytes of a member. Raises _TooLargeError where a limit is passed, before or while it is unpacked."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # bzip2 and lzma unpack a few bytes to gigabytes at once; no bound can be given to zipfile.
        raise _TooLargeError("is packed by another method than deflate; unpack it first")
    most = min(limits.FILE_BYTES, budget.left)
    try:
        if member.file_size > most:
            raise _TooLargeError
        with archive.open(member) as stream:
            data = _bounded(stream, most)
    except _TooLargeError:
        if most == limits.FILE_BYTES:
            size = limits.shown(limits.FILE_BYTES)
            raise _TooLargeError(f"is larger than {size}, more than cslog holds; split it by month") from None
        budget.left = 0
        raise _TooLargeError(
            f"the zip unpacks to more than {limits.ZIP_RATIO} times its size and"
            f" {limits.shown(limits.ZIP_SMALL_BYTES)}, as no export does; unpack it first"
        ) from None
    budget.left -= len(data)
    return data


def _bounded(stream: IO[bytes], most: int) -> bytes:
    """All of the stream. Raises _TooLargeError as soon as it has more than ``most`` bytes."""
    chunks: list[bytes] = []
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > most:
            raise _TooLargeError
        chunks.append(chunk)
    return b"".join(chunks)
