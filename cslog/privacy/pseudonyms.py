"""Names that stand for others (假名): the same name for the same person under one key, and no way back without it."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from cslog.errors import UsageError

KEY_NAME = "pseudonym.key"
"""The key's file in the store's folder, unless another one is given."""

_SHORTEST_KEY = 16  # bytes


def key_of(file: Path | None, folder: Path) -> bytes:
    """The key in ``file``, else the one of the store at ``folder``, which is made when it is first needed.

    UsageError when it cannot be read, or is too short to keep anything secret.
    """
    path = file or folder / KEY_NAME
    try:
        if file is None:
            _make(path)
        content = path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "give a key by --key-file FILE") from error
    if len(content) < _SHORTEST_KEY:
        raise UsageError(
            f"{path}: a key needs at least {_SHORTEST_KEY} bytes", "make one, such as 64 random hex digits"
        )
    return hashlib.blake2b(content, digest_size=32, person=b"cslog-export").digest()


def _make(path: Path) -> None:
    """A new key, readable by its owner alone, unless there is one; whole or not there at all."""
    if path.exists():
        return
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(f"{secrets.token_hex(32)}\n")
        opened.flush()
        os.fsync(opened.fileno())
    try:
        os.link(partial, path)  # never over the key of somebody who was faster
    except FileExistsError:
        pass
    except OSError:  # a disk without links
        if not path.exists():
            partial.rename(path)
            return
    partial.unlink()


class Pseudonyms:
    """Pseudonyms under one key. ``kind``: what is named, such as buyer; the same name of another kind is another."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._made: dict[tuple[str, str], str] = {}

    def of(self, kind: str, name: str) -> str:
        """The pseudonym of a name: the kind and 16 letters or digits, 80 bits of keyed BLAKE2b."""
        made = self._made.get((kind, name))
        if made is None:
            written = f"{kind}\x1f{name}".encode(errors="surrogatepass")
            digest = hashlib.blake2b(written, key=self._key, digest_size=10).digest()
            made = f"{kind}-{base64.b32encode(digest).decode().lower()}"
            self._made[kind, name] = made
        return made

    def table(self, kind: str, names: Iterable[str]) -> dict[str, str]:
        """Pseudonyms by name."""
        return {name: self.of(kind, name) for name in names}

    def column(self, kind: str, names: pl.Series) -> pl.Series:
        """Pseudonyms of a column; null and empty names stay."""
        known = self.table(kind, (name for name in names.unique().drop_nulls() if name))
        return names.replace(list(known), list(known.values())) if known else names
