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


@njit([(I64,)], cache=True, nogil=True)
def runs_of(buyer_key):  # type: ignore[no-untyped-def]
    """Offsets of the maximal runs of ascending keys."""
    count = 1
    for i in range(1, buyer_key.size):
        count += buyer_key[i] < buyer_key[i - 1]
    runs = np.empty(count + 1, np.int64)
    runs[0] = 0
    count = 1
    for i in range(1, buyer_key.size):
        if buyer_key[i] < buyer_key[i - 1]:
            runs[count] = i
            count += 1
    runs[count] = buyer_key.size
    return runs


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
def _sort_buyer(begin, end, main, source, at, rank, who, agent, second, length, visible):  # type: ignore[no-untyped-def]
    """Sort the rows of one buyer by second, and those of one second by their rank and what they are."""
    ascending = True
    for i in range(begin + 1, end):
        if at[i] < at[i - 1]:
            ascending = False
    order = np.arange(begin, end)
    if not ascending:
        order = begin + np.argsort(at[begin:end], kind="mergesort")
    first = 0
    while first < order.size:
        last = first + 1
        while last < order.size and at[order[last]] == at[order[first]]:
            # Insertion: few messages share a second.
            place = last
            while place > first and _comes_before(
                order[place], order[place - 1], rank, who, main, agent, second
            ):
                order[place], order[place - 1] = order[place - 1], order[place]
                place -= 1
            last += 1
        first = last
    source[begin:end] = source[order]
    at[begin:end] = at[order]
    rank[begin:end] = rank[order]
    who[begin:end] = who[order]
    agent[begin:end] = agent[order]
    second[begin:end] = second[order]
    length[begin:end] = length[order]
    visible[begin:end] = visible[order]


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
    source = np.empty(size, np.int32)
    at = np.empty(size, np.int64)
    ranks = np.empty(size, np.int32)
    who = np.empty(size, np.int8)
    agent = np.empty(size, np.int32)
    second = np.empty(size, np.int32)
    length = np.empty(size, np.int32)
    visible = np.empty(size, np.int8)
    starts = np.empty(size + further_key.size + 1, np.int64)
    keys = np.empty(size + further_key.size, np.int64)
    shops = np.empty(size + further_key.size, np.int32)
    autos = 0
    for i in range(size):
        autos += who_of[message_class[i]] == 3
    auto_buyer = np.empty(autos, np.int64)
    auto_source = np.empty(autos, np.int32)
    auto_agent = np.empty(autos, np.int32)
    auto_at = np.empty(autos, np.int64)
    autos = 0
    unknown = 0
    heads = runs[:-1].copy()
    rows, buyers, further = 0, 0, 0
    agent_of_key, agent_code = np.int64(0), np.int32(-1)  # most rows are of the account of the row before
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
        ordered = True
        keys[buyers] = key
        for run in range(heads.size):
            i, end = heads[run], runs[run + 1]
            if i >= end or buyer_key[i] != key:
                continue
            if shop == UNKNOWN:
                shop = _code(shop_key[i], shop_slot_keys, shop_slot_codes)
            while i < end and buyer_key[i] == key:
                role = who_of[message_class[i]]
                if role < 0 or shop == UNKNOWN:
                    i += 1
                    continue
                if agent_key[i] != agent_of_key:
                    agent_of_key = agent_key[i]
                    agent_code = _code(agent_of_key, account_slot_keys, account_slot_codes)
                    unknown += agent_code == UNKNOWN
                if role == 3:
                    auto_buyer[autos] = buyers
                    auto_source[autos] = i
                    auto_agent[autos] = agent_code
                    auto_at[autos] = sent_at[i]
                    autos += 1
                    i += 1
                    continue
                source[rows] = i
                at[rows] = sent_at[i]
                ranks[rows] = rank[i]
                who[rows] = role
                length[rows] = characters[i]
                visible[rows] = kind[i] != 0 or characters[i] > 0
                if role == 2:
                    agent[rows] = _code(transfer_to_key[i], account_slot_keys, account_slot_codes)
                    second[rows] = _code(transfer_from_key[i], account_slot_keys, account_slot_codes)
                    unknown += (agent[rows] == UNKNOWN) + (second[rows] == UNKNOWN)
                else:
                    agent[rows] = agent_code
                    second[rows] = -1
                    if exporter_key[i] != 0:
                        second[rows] = _code(exporter_key[i], account_slot_keys, account_slot_codes)
                        unknown += second[rows] == UNKNOWN
                if rows > begin and at[rows] <= at[rows - 1]:
                    ordered = False
                rows += 1
                i += 1
            heads[run] = i
        if shop == UNKNOWN:
            continue
        if not ordered:
            _sort_buyer(
                begin, rows, main_of_shop[shop], source, at, ranks, who, agent, second, length, visible
            )
        starts[buyers] = begin
        shops[buyers] = shop
        buyers += 1
    starts[buyers] = rows
    return (
        starts[: buyers + 1].copy(),
        keys[:buyers].copy(),
        shops[:buyers].copy(),
        source[:rows],
        at[:rows],
        who[:rows],
        agent[:rows],
        second[:rows],
        length[:rows],
        visible[:rows],
        auto_buyer[:autos],
        auto_source[:autos],
        auto_agent[:autos],
        auto_at[:autos],
        unknown,
    )
