"""Rows of the store → the arrays that all other kernels run over, buyer by buyer (definitions 2).

The store's files are sorted runs; a report reads several of them, a month and the edges of its neighbours. The
runs are merged here while their rows are copied anyway, so that nothing is ever sorted but what shares a second.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from cslog.kernels.signatures import I8, I32, I64

UNKNOWN = -9
"""Code of an account or shop that the tables of names lack."""


class Slots(NamedTuple):
    """An open-addressing table from 64-bit keys to codes; its size is a power of two."""

    keys: np.ndarray
    codes: np.ndarray


class Gathered(NamedTuple):
    """Countable messages and markers, grouped by buyer (``starts``), inside a buyer in the order of T1.

    Per row: ``source`` (its row in the input), ``at``, ``who`` (0 buyer, 1 valid staff, 2 marker), ``agent``
    (sender, stated agent, or a marker's target), ``second`` (exporter, or a marker's origin), ``characters``,
    ``visible``. Per buyer: ``buyer_key``, ``shop``. Of automatic replies: ``auto_buyer``, ``auto_source``,
    ``auto_agent``, ``auto_at``. ``unknown``: how many accounts or shops have no name.
    """

    starts: np.ndarray
    buyer_key: np.ndarray
    shop: np.ndarray
    source: np.ndarray
    at: np.ndarray
    who: np.ndarray
    agent: np.ndarray
    second: np.ndarray
    characters: np.ndarray
    visible: np.ndarray
    auto_buyer: np.ndarray
    auto_source: np.ndarray
    auto_agent: np.ndarray
    auto_at: np.ndarray
    unknown: int


@njit([(I64, I32)], cache=True, nogil=True)
def slots_of(keys, codes):  # type: ignore[no-untyped-def]
    """Slots of distinct keys; key 0 must not be among them."""
    size = 8
    while size < 2 * keys.size:
        size *= 2
    slot_keys = np.zeros(size, np.int64)
    slot_codes = np.full(size, UNKNOWN, np.int32)
    for i in range(keys.size):
        place = keys[i] & (size - 1)
        while slot_keys[place] != 0:
            place = (place + 1) & (size - 1)
        slot_keys[place] = keys[i]
        slot_codes[place] = codes[i]
    return slot_keys, slot_codes


@njit(cache=True, nogil=True, inline="always")
def _code(key, slot_keys, slot_codes):  # type: ignore[no-untyped-def]
    """Code of a key; -1 for key 0."""
    if key == 0:
        return np.int32(-1)
    last = slot_keys.size - 1
    place = key & last
    while slot_keys[place] != key and slot_keys[place] != 0:
        place = (place + 1) & last
    return slot_codes[place]


@njit(cache=True, nogil=True)
def _comes_before(i, j, rank, who, main, agent, second):  # type: ignore[no-untyped-def]
    """Whether row i comes before row j of the same second (definitions 2)."""
    if rank[i] != rank[j]:
        return rank[i] < rank[j]
    one, other = (who[i] * 2) % 3, (who[j] * 2) % 3  # buyer 0, marker 1, staff 2
    if one != other:
        return one < other
    if one == 1:  # markers: by whom they come from, then by whom they go to
        return second[i] < second[j] or (second[i] == second[j] and agent[i] < agent[j])
    if (agent[i] == main) != (agent[j] == main):
        return agent[i] == main
    return agent[i] < agent[j]


@njit(cache=True, nogil=True)
def _sorted_rows(begin, end, main, at, rank, who, agent, second):  # type: ignore[no-untyped-def]
    """Rows ``begin`` … ``end`` of one buyer by second, and those of one second by rank and what they are."""
    order = np.arange(begin, end)
    other = np.empty(end - begin, np.int64)
    width = 1
    while width < order.size:  # merging from the bottom: the runs are few and mostly in order
        for low in range(0, order.size, 2 * width):
            middle, high = min(low + width, order.size), min(low + 2 * width, order.size)
            i, j = low, middle
            for place in range(low, high):
                if i < middle and j < high:
                    one, two = order[i], order[j]
                    later = at[two] < at[one] or (
                        at[two] == at[one] and _comes_before(two, one, rank, who, main, agent, second)
                    )
                else:
                    later = i >= middle
                if later:
                    other[place] = order[j]
                    j += 1
                else:
                    other[place] = order[i]
                    i += 1
        order, other = other, order
        width *= 2
    return order


@njit(cache=True, nogil=True)
def _permute(begin, order, column):  # type: ignore[no-untyped-def]
    """Put the rows from ``begin`` on in this order."""
    copied = np.empty(order.size, column.dtype)
    for i in range(order.size):
        copied[i] = column[order[i]]
    for i in range(order.size):
        column[begin + i] = copied[i]


@njit(
    [
        (I64, I64, I64, I32, I8, I8, I32, I64, I64, I64, I64, I64, I64, I32, I64, I32, I8, I32, I64, I32)
    ],
    cache=True,
    nogil=True,
)  # fmt: skip
def gather_buyers(  # type: ignore[no-untyped-def]
    runs,
    buyer_key,
    sent_at,
    rank,
    message_class,
    kind,
    characters,
    agent_key,
    exporter_key,
    transfer_from_key,
    transfer_to_key,
    shop_key,
    account_slot_keys,
    account_slot_codes,
    shop_slot_keys,
    shop_slot_codes,
    who_of,
    main_of_shop,
    further_key,
    further_shop,
):
    """See Gathered. The input holds ``runs`` of rows, each by buyer key, and by (second, rank) inside a buyer.

    ``who_of`` says per message class what a row is: 0, 1, 2 as in Gathered, 3 an automatic reply, -1 invisible.
    ``main_of_shop``: code of the account named like the shop. ``further_key``, ``further_shop``: buyers who must be
    there also when they wrote nothing, by key. Buyers of shops that the slots lack are left out.
    """
    size = buyer_key.size
    roles = np.empty(size, np.int8)
    autos = 0
    for i in range(size):
        roles[i] = who_of[message_class[i]]
        autos += roles[i] == 3
    auto_buyer = np.empty(autos, np.int64)
    auto_source = np.empty(autos, np.int32)
    starts = np.empty(size + further_key.size + 1, np.int64)
    keys = np.empty(size + further_key.size, np.int64)
    shops = np.empty(size + further_key.size, np.int32)
    source = np.empty(size, np.int32)
    heads = runs[:-1].copy()
    rows, buyers, further, autos = 0, 0, 0, 0
    while True:
        key, found = np.int64(0), False
        for run in range(heads.size):
            if heads[run] < runs[run + 1]:
                head = buyer_key[heads[run]]
                if not found or head < key:
                    key, found = head, True
        shop = np.int32(UNKNOWN)
        if further < further_key.size and (not found or further_key[further] <= key):
            key, found = further_key[further], True
            shop = further_shop[further]
            further += 1
        if not found:
            break
        begin = rows
        for run in range(heads.size):
            i, end = heads[run], runs[run + 1]
            if i >= end or buyer_key[i] != key:
                continue
            if shop == UNKNOWN:
                shop = _code(shop_key[i], shop_slot_keys, shop_slot_codes)
            while i < end and buyer_key[i] == key:
                if roles[i] >= 0 and roles[i] < 3:
                    source[rows] = i
                    rows += 1
                elif roles[i] == 3 and shop != UNKNOWN:
                    auto_buyer[autos] = buyers
                    auto_source[autos] = i
                    autos += 1
                i += 1
            heads[run] = i
        if shop == UNKNOWN:
            rows = begin
            continue
        keys[buyers] = key
        starts[buyers] = begin
        shops[buyers] = shop
        buyers += 1
    starts[buyers] = rows
    source = source[:rows]
    at = np.empty(rows, np.int64)
    ranks = np.empty(rows, np.int32)
    who = np.empty(rows, np.int8)
    length = np.empty(rows, np.int32)
    visible = np.empty(rows, np.int8)
    agent = np.empty(rows, np.int32)
    second = np.empty(rows, np.int32)
    # Column by column: one loop over all of them would wait for memory at every row.
    for j in range(rows):
        at[j] = sent_at[source[j]]
    for j in range(rows):
        ranks[j] = rank[source[j]]
    for j in range(rows):
        who[j] = roles[source[j]]
    for j in range(rows):
        length[j] = characters[source[j]]
    for j in range(rows):
        visible[j] = kind[source[j]] != 0 or length[j] > 0
    unknown = 0
    agent_of_key, agent_code = np.int64(0), np.int32(-1)  # most rows are of the account of the row before
    for j in range(rows):
        key = agent_key[source[j]]
        if key != agent_of_key:
            agent_of_key = key
            agent_code = _code(key, account_slot_keys, account_slot_codes)
            unknown += agent_code == UNKNOWN
        agent[j] = agent_code
    for j in range(rows):
        key = exporter_key[source[j]]
        second[j] = -1 if key == 0 else _code(key, account_slot_keys, account_slot_codes)
    for j in range(rows):
        if who[j] == 2:
            agent[j] = _code(transfer_to_key[source[j]], account_slot_keys, account_slot_codes)
            second[j] = _code(transfer_from_key[source[j]], account_slot_keys, account_slot_codes)
        unknown += (agent[j] == UNKNOWN) + (second[j] == UNKNOWN)
    auto_agent = np.empty(autos, np.int32)
    auto_at = np.empty(autos, np.int64)
    for j in range(autos):
        auto_agent[j] = _code(agent_key[auto_source[j]], account_slot_keys, account_slot_codes)
        auto_at[j] = sent_at[auto_source[j]]
        unknown += auto_agent[j] == UNKNOWN
    for buyer in range(buyers):
        for j in range(starts[buyer] + 1, starts[buyer + 1]):
            if at[j] < at[j - 1] or (at[j] == at[j - 1] and ranks[j] <= ranks[j - 1]):
                begin, end, main = starts[buyer], starts[buyer + 1], main_of_shop[shops[buyer]]
                order = _sorted_rows(begin, end, main, at, ranks, who, agent, second)
                for column in (source, agent, second, length):
                    _permute(begin, order, column)
                for narrow in (who, visible):
                    _permute(begin, order, narrow)
                _permute(begin, order, at)
                break
    return (
        starts[: buyers + 1].copy(),
        keys[:buyers].copy(),
        shops[:buyers].copy(),
        source,
        at,
        who,
        agent,
        second,
        length,
        visible,
        auto_buyer[:autos],
        auto_source[:autos],
        auto_agent,
        auto_at,
        unknown,
    )
