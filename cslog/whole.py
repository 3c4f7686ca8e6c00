"""A file's bytes as of one moment: read whole and unchanged, or not at all.

What was hashed is what was parsed, since both get the bytes that were read here. A file that is written meanwhile
gives bytes that it never consisted of, so it is read again, and left out when it does not come to rest. Nothing is
ever mapped into memory: a mapped file that somebody cuts off ends the program.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cslog import limits

UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".opdownload", ".tmp", ".temp", ".filepart")
"""Endings that browsers and copying programs give to files until they are whole."""
BY_ITS_NAME = "still being written, as its name says"

_PAUSES_S = (0.0, 0.1, 0.3, 1.0)  # before a file that changed is read once more
_REMOTE = ("cifs", "smb", "nfs")
"""How the types of file systems begin whose clients leave leases to a server."""
_SILENT_S = 30.0  # a pipe out of which nothing comes for so long has no writer that is at work

Mark = tuple[int, int]
"""Size and time of the last change (ns): what changes while a file is written."""


class UnreadableError(Exception):
    """The file cannot be read now; the message says why, and what to do."""


@dataclass(frozen=True)
class Whole:
    """The bytes of a file. ``open_elsewhere``: another program can still write more of it."""

    data: bytes
    open_elsewhere: bool = False


def mark_of(path: Path) -> Mark | None:
    """The mark of a file, None when there is none."""
    try:
        return _mark(path.stat())
    except OSError:
        return None


def read(path: Path) -> Whole:
    """The file, or what comes out of a pipe. Raises UnreadableError, and OSError where the system says no."""
    if path.name.lower().endswith(UNFINISHED):
        raise UnreadableError(f"{BY_ITS_NAME}; rename it when it is whole")
    for pause in _PAUSES_S:
        if pause:
            time.sleep(pause)
        with contextlib.suppress(BlockingIOError):  # somebody else has a lease, and is asked to give it back
            if (found := _once(path)) is not None:
                return found
    raise UnreadableError("changes while it is read; ingest it when the program that writes it is done")


def _once(path: Path) -> Whole | None:
    """The file; None when it changed meanwhile."""
    # A pipe without a writer is opened all the same, and no terminal becomes ours.
    how = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, how)
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(kind):
            return Whole(_piped(descriptor))
        if stat.S_ISDIR(kind):
            next(path.iterdir(), None)  # says why, if its files cannot be listed
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(kind):
            raise UnreadableError("is a device and no file; copy what it holds into a file")
        # While the lease is held, nobody can begin to write: the kernel lets him wait until the file is closed.
        elsewhere = leased(descriptor)
        before = os.fstat(descriptor)
        if before.st_size > limits.FILE_BYTES:
            raise UnreadableError(_too_large())
        data = _bounded(stream, before.st_size)
        after = os.fstat(descriptor)
        # A size of 0 with bytes in it: a file system that does not know sizes beforehand.
        if _mark(before) != _mark(after) or len(data) != (after.st_size or len(data)):
            return None
        return Whole(data, elsewhere)


def leased(descriptor: int) -> bool:
    """Take a read lease on the file until it is closed; whether another process has it open for writing.

    Where the system has no leases, or not for this file or this disk, the answer is no: clients of SMB and NFS refuse
    one just so wherever the server gave them none, whether anybody writes or not. (Windows tells a writer by itself.)
    The signal that a new writer raises is one that is ignored by default.
    """
    try:
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except (ImportError, AttributeError):
        return False
    except OSError as error:
        # Other errors: not our file, or a disk without leases.
        return error.errno == errno.EAGAIN and not _is_remote(descriptor)
    return False


def _is_remote(descriptor: int) -> bool:
    """Whether the file lies on the disk of another machine; no where the system does not tell."""
    device = os.fstat(descriptor).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    kinds = [words[words.index("-") + 1] for line in mounts if (words := line.split())[2] == number]
    return any(kind.startswith(_REMOTE) for kind in kinds)


def _bounded(stream: IO[bytes], size: int) -> bytes:
    """``size`` bytes and, where there are any, more of them, but never more than cslog.limits allow."""
    chunks = [stream.read(size + 1)]  # one more shows that the file has grown
    total = len(chunks[0])
    while chunks[-1] and (total <= size or size == 0):  # some file systems do not know the size beforehand
        chunks.append(stream.read(limits.MIB))
        total += len(chunks[-1])
        if total > limits.FILE_BYTES:
            raise UnreadableError(_too_large())
    return chunks[0] if len(chunks) < 3 else b"".join(chunks)


def _piped(descriptor: int) -> bytes:
    """All that comes out of a pipe."""
    chunks: list[bytes] = []
    total = 0
    while True:
        ready, _, _ = select.select([descriptor], [], [], _SILENT_S)
        if not ready:
            raise UnreadableError(f"is a pipe, and nothing came out of it for {_SILENT_S:.0f} s")
        chunk = os.read(descriptor, limits.MIB)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        total += len(chunk)
        if total > limits.FILE_BYTES:
            raise UnreadableError(_too_large())


def _too_large() -> str:
    size = limits.shown(limits.FILE_BYTES)
    return f"is larger than {size}, more than cslog holds; export or split it by month"


def _mark(status: os.stat_result) -> Mark:
    return status.st_size, status.st_mtime_ns
