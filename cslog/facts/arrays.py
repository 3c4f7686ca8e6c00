"""Frames of messages and orders → the flat arrays that kernels run over, and codes back to names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from cslog.kernels import gather
from cslog.names import Names
from cslog.profile import Profile
from cslog.schema import MessageClass

NUMBERS = [
    "buyer_key", "sent_at", "rank", "message_class", "kind", "characters",
    "agent_key", "exporter_key", "transfer_from_key", "transfer_to_key", "shop_key",
]  # fmt: skip
"""Columns of stored messages that facts need: integers all of them."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Messages as kernels take them (``gathered``), and the ``frame`` they come from, for what few facts ask."""

    frame: pl.DataFrame
    gathered: gather.Gathered

    def column(self, name: str, row: np.ndarray, dtype: type) -> np.ndarray:
        """A column of the frame at rows of ``gathered``."""
        return array(self.frame, name, dtype)[self.gathered.source[row]]


def rows_of(messages: pl.DataFrame, orders: Orders, names: Names, profile: Profile) -> Rows:
    """Countable messages of all buyers in ``messages`` (NUMBERS) and of those with orders.

    ``messages`` hold ascending runs of (buyer_key, sent_at, rank), as the store's files do.
    """
    buyer_key = array(messages, "buyer_key", np.int64)
    ordering, their_shop = orders.buyer_key[orders.joinable], orders.shop[orders.joinable]
    first = np.ones(ordering.size, bool)
    first[1:] = ordering[1:] != ordering[:-1]
    found = gather.gather_buyers(  # type: ignore[call-arg]  # the stars hold as many as are missing
        _runs(buyer_key),
        buyer_key,
        array(messages, "sent_at", np.int64),
        array(messages, "rank", np.int32),
        array(messages, "message_class", np.int8),
        array(messages, "kind", np.int8),
        array(messages, "characters", np.int32),
        *(array(messages, f"{name}_key", np.int64) for name in ("agent", "exporter", "transfer_from")),
        *(array(messages, f"{name}_key", np.int64) for name in ("transfer_to", "shop")),
        *names.account_slots,
        *names.shop_slots,
        _roles(profile),
        names.main_of_shop,
        ordering[first],
        their_shop[first],
    )
    return Rows(messages, gather.Gathered(*found))


def _roles(profile: Profile) -> np.ndarray:
    """What a row is by its message class, as in kernels.gather: 0 buyer, 1 valid staff, 2 marker, 3 automatic, -1 none;
    int8.
    """
    roles = np.full(len(MessageClass), -1, np.int8)
    roles[MessageClass.BUYER], roles[MessageClass.HUMAN] = 0, 1
    roles[MessageClass.TRANSFER], roles[MessageClass.AUTO] = 2, 3
    if profile.assist_valid:
        roles[MessageClass.ASSIST] = 1
    return roles


def _runs(buyer_key: np.ndarray) -> np.ndarray:
    """Offsets of the maximal runs of ascending keys."""
    descents = np.flatnonzero(buyer_key[1:] < buyer_key[:-1]) + 1
    return np.concatenate([[0], descents, [buyer_key.size]]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Orders:
    """Orders by (buyer_key, created_at, order_id); per order an element of each array, a row of ``frame``.

    Instants are wall seconds, -1 for none; ``shop`` and ``memo_agent`` codes; ``amount_cents`` what counts as
    sales. The frame has order_versions.ORDER_COLUMNS.
    """

    frame: pl.DataFrame
    buyer_key: np.ndarray
    shop: np.ndarray
    joinable: np.ndarray
    created: np.ndarray
    paid: np.ndarray
    shipped: np.ndarray
    amount_cents: np.ndarray
    items: np.ndarray
    excluded: np.ndarray
    memo_agent: np.ndarray

    def between(self, low_key: int, high_key: int) -> Orders:
        """The orders of the buyers whose key lies between the two, both included."""
        begin = int(np.searchsorted(self.buyer_key, low_key, side="left"))
        end = int(np.searchsorted(self.buyer_key, high_key, side="right"))
        return self._part(slice(begin, end), self.frame.slice(begin, end - begin))

    def where(self, wanted: np.ndarray) -> Orders:
        """The orders for which ``wanted`` is true."""
        return self._part(wanted, self.frame.filter(pl.Series(wanted)))

    def _part(self, which: slice | np.ndarray, frame: pl.DataFrame) -> Orders:
        arrays = {name: getattr(self, name)[which] for name in self.__dataclass_fields__ if name != "frame"}
        return Orders(frame, **arrays)


def array(frame: pl.DataFrame, name: str, dtype: type) -> np.ndarray:
    """A column without nulls as a contiguous array."""
    pieces = [piece.to_numpy() for piece in frame[name].get_chunks()]
    # NumPy puts them together, whose memory is kept from task to task (engine.memory).
    return np.ascontiguousarray(pieces[0] if len(pieces) == 1 else np.concatenate(pieces), dtype=dtype)


def instants(frame: pl.DataFrame, name: str) -> np.ndarray:
    """A column of wall seconds as int64, -1 for null."""
    return np.ascontiguousarray(frame[name].fill_null(-1).to_numpy(), dtype=np.int64)
