"""A store of any size without text files in between: what ``cslog ingest`` would make of the generator's Txt
exports and order exports. The memory is that of one shop.

    python -m benchmarks.make_store --messages 1000000 --store DIR

The month is followed by a hundredth of it in the next month, so that every figure of it is final. Texts cost most
of the bytes and nobody's figures read them: the column stays empty without ``--text``; all others are the same.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.invent import DAY, Config, Shop, shops
from cslog import identity, keys, schema
from cslog.readers.base import Batch
from cslog.schema import MessageClass, OrderState
from cslog.snapshot import LAYOUTS, LEDGER
from cslog.store import Store, ledger_row
from cslog.tables import Table

PLATFORM = "taobao"
MESSAGES_PER_SHOP = 2_500_000
ROWS_PER_FILE = 1_000_000
TAIL = 0.01  # messages of the month after, as a share of the month's
_ORDER_IDS_OF_A_MONTH = 40_000_000_000_000  # two months must not have an order in common


@dataclass(frozen=True)
class Plan:
    """What to invent: ``months`` months of ``messages`` each and the days after them."""

    messages: int = 1_000_000
    seed: int = 7
    shops: int = 0  # 0: one per MESSAGES_PER_SHOP
    agents: int = 30
    month: str = "2024-11"
    months: int = 1

    def configs(self) -> list[Config]:
        """One per month. Every month has its own seed; half of its buyers' nicks occur in every month."""
        count = self.shops or max(1, round(self.messages / MESSAGES_PER_SHOP))
        configs = []
        first = Config(month=self.month).first_day
        for number in range(self.months + 1):
            size = self.messages if number < self.months else max(int(self.messages * TAIL), 100 * count)
            configs.append(Config(size, self.seed + 1000 * number, count, self.agents, f"{first:%Y-%m}"))
            first = (first + timedelta(days=32)).replace(day=1)
        return configs

    def invented(self) -> Iterator[Shop]:
        """The shops of all months, one by one."""
        for number, config in enumerate(self.configs()):
            for shop in shops(config):
                ids = shop.orders.order_id + number * _ORDER_IDS_OF_A_MONTH
                shop.orders = replace(shop.orders, order_id=ids)
                yield shop


def messages_of(shop: Shop, text: bool = True) -> pl.DataFrame:
    """schema.MESSAGES of one shop's month as one Txt export per agent would state it (generate.write_txt).

    What a message is by its sender and text (class, kind, key, …) and whose the buyers' keys are is left to
    cslog.identity, asked once for each distinct pair and each buyer.
    """
    sender, pair, pairs = _pairs(shop)
    known = _canonical(shop, sender, pairs)
    about, buyers = known[: len(sender)], known[len(sender) :]
    rows = about.select(
        "message_class", "kind", "agent", "transfer_from", "transfer_to", "characters", "rule", "message_key",
        "text",
    )[pair]  # fmt: skip
    buyer = shop.session_buyer[shop.session]
    message_key = rows["message_key"].to_numpy()
    rank, occurrence = _numbers(buyer, shop.sent_at, message_key)
    asked = (rows["message_class"] == int(MessageClass.BUYER)).to_numpy()
    stated, exporter = _owners(shop)
    own = pl.Series(stated[shop.session]), pl.Series(exporter[shop.session])
    agents = pl.Series([account.partition(":")[2] for account in shop.agents], dtype=pl.String)
    asking = pl.Series(asked)
    names = pl.Series(shop.buyers, dtype=pl.String)
    return rows.with_columns(
        month=_months(shop.sent_at),
        platform=pl.lit(PLATFORM),
        shop=pl.lit(shop.name),
        buyer=names.gather(buyer),
        buyer_key=buyers["buyer_key"].gather(buyer),
        sent_at=pl.Series(shop.sent_at),
        rank=pl.Series(rank),
        agent=pl.when(asking).then(_gathered(agents, own[0])).otherwise(pl.col("agent")),
        exporter=pl.when(asking).then(_gathered(agents, own[1])),
        sender=pl.Series(shop.accounts, dtype=pl.String).gather(shop.sender),
        text=pl.col("text") if text else pl.lit(""),
        occurrence=pl.Series(occurrence),
        refines=pl.lit(False),
        source_file=pl.lit(f"invented/{shop.name}/{shop.config.month}"),
        source_line=pl.int_range(1, len(shop) + 1, eager=True),
    ).select(pl.col(name).cast(dtype) for name, dtype in schema.MESSAGES.items())


def _gathered(values: pl.Series, codes: pl.Series) -> pl.Series:
    """``values`` at ``codes``; null for -1."""
    return values.gather(codes.replace(-1, None))


def _pairs(shop: Shop) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct (sender, text), all buyers counting as one sender: the sender numbers, the pair of each message,
    and the first message of each pair.
    """
    heads, tails = len(shop.heads), len(shop.tails)
    # Markers have no tail: without this the table of all pairs would be ten times as large.
    with_tail = np.zeros(heads, dtype=bool)
    with_tail[np.unique(shop.head[shop.tail > 0])] = True
    width = np.where(with_tail, tails, 1)
    place = np.cumsum(width) - width
    who = np.minimum(shop.sender, len(shop.agents) + 1).astype(np.int64)
    code = who * int(width.sum()) + place[shop.head] + shop.tail
    first = np.full((len(shop.agents) + 2) * int(width.sum()), -1, dtype=np.int32)
    first[code[::-1]] = np.arange(len(code), dtype=np.int32)[::-1]
    used = np.flatnonzero(first >= 0)
    number = np.empty(len(first), dtype=np.int32)
    number[used] = np.arange(len(used), dtype=np.int32)
    return who[first[used]], number[code], first[used]


def _canonical(shop: Shop, sender: np.ndarray, first: np.ndarray) -> pl.DataFrame:
    """What cslog.identity says about each pair, then about each buyer."""
    accounts = [*shop.accounts[: len(shop.agents) + 1], shop.buyers[0]]
    heads = pl.Series([_written(text) for text in shop.heads], dtype=pl.String)
    tails = pl.Series([_written(text) for text in shop.tails], dtype=pl.String)
    others = len(shop.buyers)
    count = len(first) + others
    batch = pl.DataFrame(
        {
            "line": np.arange(1, count + 1),
            "block": np.arange(1, count + 1),  # who speaks in a contact block is known: see _owners
            "buyer": pl.concat(
                [pl.Series([shop.buyers[0]]).gather(np.zeros(len(first), int)), pl.Series(shop.buyers)]
            ),
            "sender": pl.concat([pl.Series(accounts).gather(sender), pl.Series(shop.buyers)]),
            "side": pl.Series([None] * count, dtype=pl.String),
            "agent": pl.Series([None] * count, dtype=pl.String),
            "sent_at": np.full(count, shop.config.start_at),
            "text": pl.concat(
                [
                    heads.gather(shop.head[first]) + tails.gather(shop.tail[first]),
                    pl.Series(["在吗"] * others),
                ]
            ),
            "auto": np.zeros(count, dtype=bool),
        },
        schema=schema.RAW_MESSAGES,
    )
    known, rejects = identity.canonical_messages(
        Batch(messages=batch, platform=PLATFORM, shop=shop.name), identity.Accounts(), shop.name
    )
    assert rejects.is_empty() and known.height == count
    return known


def _written(text: str) -> str:
    """A text after its way through a GBK file."""
    return text.encode("gbk", errors="replace").decode("gbk")


def _numbers(buyer: np.ndarray, sent_at: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank and occurrence of every message (kpi-spec I2); messages of a buyer's second follow one another."""
    place = np.arange(len(buyer))
    opens = np.ones(len(buyer), dtype=bool)
    opens[1:] = (buyer[1:] != buyer[:-1]) | (sent_at[1:] != sent_at[:-1])
    group = np.maximum.accumulate(np.where(opens, place, 0))
    rank = place - group
    occurrence = np.zeros(len(buyer), dtype=np.int32)
    shared = np.flatnonzero((rank > 0) | np.append(~opens[1:], False))
    order = shared[np.lexsort((shared, key[shared], group[shared]))]
    if len(order):
        same = (group[order[1:]] == group[order[:-1]]) & (key[order[1:]] == key[order[:-1]])
        begins = np.concatenate(([0], np.where(same, 0, np.arange(1, len(order)))))
        occurrence[order] = np.arange(len(order)) - np.maximum.accumulate(begins)
    return rank.astype(np.int32), occurrence


def _owners(shop: Shop) -> tuple[np.ndarray, np.ndarray]:
    """Per session: the agent that its contact block states, and the exporter where it states none; -1 for none.

    A block holds all sessions of one buyer in one agent's file. Where one of them was handed over two agents
    speak in it: then it states nobody (kpi-spec I3).
    """
    agents = len(shop.agents)
    block = shop.session_buyer.astype(np.int64) * agents
    agent, after = shop.session_agent.astype(np.int64), shop.session_next_agent.astype(np.int64)
    moved = after >= 0
    mixed = np.zeros(len(shop.buyers) * agents, dtype=bool)
    mixed[block[moved] + agent[moved]] = True
    mixed[block[moved] + after[moved]] = True
    undecided = mixed[block + agent]
    by_name = np.argsort(
        np.argsort([name.encode() for name in shop.agents])
    )  # of two files the smaller name holds
    smaller = np.where(moved & (by_name[after] < by_name[agent]), after, agent)
    return np.where(undecided, -1, agent), np.where(undecided, smaller, -1)


def _months(sent_at: np.ndarray) -> pl.Series:
    day = pl.Series(sent_at // DAY)
    known = day.unique()
    labels = pl.from_epoch(known, time_unit="d").dt.strftime("%Y-%m")
    return day.replace_strict(known, labels)


def orders_of(shop: Shop) -> pl.DataFrame:
    """schema.ORDERS of one shop's month, exported ten days after it (generate.write_orders)."""
    orders = shop.orders
    instant = shop.config.start_at + (shop.config.days + 10) * DAY + 9 * 3600 + 1800

    def known(at: np.ndarray) -> np.ndarray:
        return np.where((at >= 0) & (at <= instant), at, -1)

    paid, refunded = known(orders.paid_at), known(orders.refunded_at)
    state = np.select(
        [
            known(orders.closed_at) >= 0,
            known(orders.finished_at) >= 0,
            known(orders.shipped_at) >= 0,
            paid >= 0,
        ],
        [int(OrderState.CLOSED), int(OrderState.FINISHED), int(OrderState.SHIPPED), int(OrderState.PAID)],
        int(OrderState.WAIT_PAY),
    )
    closed = np.where(refunded >= 0, "退款", "买家未付款")
    nick = pl.Series(shop.buyers, dtype=pl.String).gather(orders.buyer)
    frame = pl.DataFrame(
        {
            "line": np.arange(2, len(state) + 2),
            "order_id": pl.Series(orders.order_id).cast(pl.String),
            "shop": pl.Series([shop.name] * len(state)),
            "buyer": nick,
            "created_at": orders.created_at,
            "paid_at": pl.Series(paid).replace(-1, None),
            "shipped_at": pl.Series([None] * len(state), dtype=pl.Int64),
            "state": state,
            "amount_cents": np.where(paid >= 0, orders.amount_cents, 0),
            "post_fee_cents": orders.fee_cents,
            "refund_cents": np.where(refunded >= 0, orders.refund_cents, 0),
            "items": orders.items,
            "memo": pl.Series([None] * len(state), dtype=pl.String),
            "flag": pl.Series([None] * len(state), dtype=pl.String),
            "close_reason": np.where(state == int(OrderState.CLOSED), closed, "订单未关闭"),
        }
    ).filter(pl.Series(orders.created_at <= instant))
    masked = pl.Series(orders.masked).filter(pl.Series(orders.created_at <= instant))
    hidden = pl.concat_str(pl.col("buyer").str.slice(0, 1), pl.lit("**"), pl.col("buyer").str.slice(-1))
    frame = frame.with_columns(buyer=pl.when(masked).then(hidden).otherwise("buyer")).select(
        pl.col(name).cast(dtype) for name, dtype in schema.RAW_ORDERS.items()
    )
    source = f"invented/{shop.name}/{shop.config.month}/orders"
    return identity.canonical_orders(Batch(orders=frame, platform=PLATFORM), identity.Accounts(), source)


def _files_of(messages: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """``messages`` as the store's files hold them."""
    ordered = keys.with_account_keys(messages.sort(schema.MESSAGE_ORDER))
    for month in ordered.partition_by("month"):
        yield from month.iter_slices(ROWS_PER_FILE)


def fill(
    folder: Path, plan: Plan, text: bool = False, on_shop: Callable[[int], None] = lambda total: None
) -> int:
    """Write everything that ``plan`` invents into a new store in one commit; returns how many messages.

    Nothing is compared with what is there already: no two shops, and no two months, have a message in common.
    """
    total = 0
    with Store(folder).writer() as writer:
        rows = []
        for shop in plan.invented():
            messages, orders = messages_of(shop, text), orders_of(shop)
            Table(folder / "messages", LAYOUTS["messages"]).add({"part": list(_files_of(messages))})
            writer.append_orders(orders)
            total += messages.height
            rows.append(
                ledger_row(
                    path=f"invented/{shop.name}/{shop.config.month}",
                    sha256="",
                    fingerprint=f"invented {shop.config!r} {shop.name}",
                    reader="invented",
                    messages_read=messages.height,
                    messages_new=messages.height,
                    orders_read=orders.height,
                    orders_new=orders.height,
                )
            )
            on_shop(total)
        writer.commit(pl.DataFrame(rows, schema=LEDGER))
    return total


def main(arguments: list[str] | None = None) -> None:
    """Fill a store and say how long it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--messages", type=int, default=1_000_000, help="of each month")
    parser.add_argument("--months", type=int, default=1)
    parser.add_argument("--month", default="2024-11", help="the first one")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--shops", type=int, default=0, help="default: one per 2.5 M messages")
    parser.add_argument("--agents", type=int, default=30, help="per shop")
    parser.add_argument("--text", action="store_true", help="with texts")
    parser.add_argument("--dry", action="store_true", help="invent only: how fast is that?")
    chosen = parser.parse_args(arguments)
    plan = Plan(chosen.messages, chosen.seed, chosen.shops, chosen.agents, chosen.month, chosen.months)
    if Store(chosen.store).exists:
        parser.error(f"{chosen.store} holds a store already")
    begun = time.perf_counter()

    def tell(total: int) -> None:
        print(
            f"\r{total:,} messages, {time.perf_counter() - begun:,.0f} s", end="", file=sys.stderr, flush=True
        )

    if chosen.dry:
        total = 0
        for shop in plan.invented():
            total += messages_of(shop, chosen.text).height
            orders_of(shop)
            tell(total)
    else:
        total = fill(chosen.store, plan, chosen.text, tell)
        Store(chosen.store).compact()
    took = time.perf_counter() - begun
    print(f"\n{total:,} messages, {took:.1f} s, {total / took:,.0f} messages/s", file=sys.stderr)


if __name__ == "__main__":
    main()
