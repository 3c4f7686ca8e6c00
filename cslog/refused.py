"""What must not come back: forgotten buyers, and what is older than the store keeps (cslog.privacy).

Kept in one file beside the tables. A buyer is a keyed hash there, and so are the numbers of his orders: whoever has
the file can try out names, but nobody can read any out of it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import msgspec

from cslog.errors import StoreError

_FILE = "refused.json"


class Refused(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``buyers``: when a buyer was forgotten (wall seconds), by his digest; ``orders``: digests of their orders.

    ``complete_from``: the first month (2024-11) whose figures are complete, after older ones were removed;
    ``messages_from``, ``orders_from``, ``texts_from``: seconds before which nothing of the kind is kept.
    """

    key: str
    buyers: dict[str, int] = {}
    orders: frozenset[str] = frozenset()
    complete_from: str | None = None
    messages_from: int | None = None
    orders_from: int | None = None
    texts_from: int | None = None

    def buyer(self, shop: str | None, nick: str) -> str:
        """The digest of a buyer of ``shop``, or of all shops."""
        return self._digest("buyer", shop or "", nick)

    def order(self, platform: str, shop: str, number: str) -> str:
        """The digest of an order."""
        return self._digest("order", platform, shop, number)

    def forgotten_at(self, shop: str, nick: str) -> int | None:
        """Until when nothing of this buyer is taken, None when he was never forgotten."""
        found = [self.buyers.get(self.buyer(one, nick)) for one in (shop, None)]
        return max((at for at in found if at is not None), default=None)

    def with_buyers(self, digests: Iterable[str], at: int, orders: Iterable[str]) -> Refused:
        """The same with more forgotten buyers."""
        return msgspec.structs.replace(
            self, buyers=self.buyers | dict.fromkeys(digests, at), orders=self.orders | frozenset(orders)
        )

    def _digest(self, *words: str) -> str:
        written = "\x1f".join(words).encode(errors="surrogatepass")
        return hashlib.blake2b(written, key=bytes.fromhex(self.key), digest_size=16).hexdigest()


def load(root: Path) -> Refused | None:
    """What the tables at ``root`` must not take; None when they take everything. StoreError when it is damaged."""
    try:
        return msgspec.json.decode((root / _FILE).read_bytes(), type=Refused)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StoreError(
            f"the file {_FILE} of the store at {root} is damaged: it says who must not come back",
            "restore the folder from a backup",
        ) from error


def made() -> Refused:
    """Nothing yet, with a new key."""
    return Refused(secrets.token_hex(32))


def save(root: Path, refused: Refused) -> None:
    """Write it into a folder of tables that is not the store's yet."""
    descriptor = os.open(root / _FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(refused, order="deterministic"))
        file.flush()
        os.fsync(file.fileno())
