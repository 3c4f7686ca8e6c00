"""One buyer's conversation of the kernel tests through all of ``cslog.facts``, without files and store."""

from __future__ import annotations

import msgspec
import naive
import polars as pl
from kernels.conversations import SHOP
from naive import Merged, Order

from cslog import facts, keys, profile
from cslog.config import Config
from cslog.facts.circumstances import Circumstances, Duty
from cslog.facts.rules import message_columns
from cslog.names import Names
from cslog.order_versions import ORDER_COLUMNS
from cslog.schema import MESSAGES, ORDERS, Kind, MessageClass

CLASSES = {
    "buyer": MessageClass.BUYER,
    "human": MessageClass.HUMAN,
    "auto": MessageClass.AUTO,
    "transfer": MessageClass.TRANSFER,
}


def frame_of(messages: list[Merged], config: Config) -> pl.DataFrame:
    """Messages of one buyer as the store has them, with what the configured rules ask of each."""
    markers = [
        naive.transfer_names(m.text, SHOP) if m.sender_class == "transfer" else (None, None) for m in messages
    ]
    columns = {
        "shop": [SHOP] * len(messages),
        "buyer_key": [1] * len(messages),
        "buyer": [m.buyer for m in messages],
        "sent_at": [m.ts for m in messages],
        "rank": [m.seq for m in messages],
        "message_class": [int(CLASSES[m.sender_class]) for m in messages],
        "kind": [int(Kind[m.kind.upper()]) for m in messages],
        "agent": [m.agent or m.stated for m in messages],
        "exporter": [min(m.exporters, default=None) for m in messages],
        "transfer_from": [leaving for leaving, _ in markers],
        "transfer_to": [taking for _, taking in markers],
        "characters": [naive.characters_of(m.text) for m in messages],
        "text": [m.text for m in messages],
    }
    frame = pl.DataFrame(columns, schema={name: MESSAGES[name] for name in columns})
    return keys.with_account_keys(frame).with_columns(**message_columns(config))


def duty_of(roster: dict[str, list[tuple[int, int]]]) -> Duty:
    """Rostered time without extensions: what they are is not asked here."""
    hours = [(SHOP, agent, *span) for agent, spans in sorted(roster.items()) for span in naive.union(spans)]
    ranges = pl.DataFrame(
        hours,
        schema={"shop": pl.String, "agent": pl.String, "begin": pl.Int64, "end": pl.Int64},
        orient="row",
    )
    agents = pl.DataFrame(
        {"shop": [SHOP] * len(roster), "agent": sorted(roster)},
        schema_overrides={"agent": pl.String, "shop": pl.String},
    )
    return Duty(agents, ranges, ranges)


def orders_of(orders: list[Order]) -> pl.DataFrame:
    """The buyer's orders in their current versions."""
    rows = [
        {
            "shop": SHOP,
            "order_id": order.oid,
            "buyer_key": 1,
            "joinable": True,
            "created_at": order.created,
            "paid_at": order.paid,
            "amount_cents": order.amount,
        }
        for order in orders
    ]
    return pl.DataFrame(rows, schema={name: ORDERS[name] for name in ORDER_COLUMNS})


def facts_of(messages, data_end, changes=None, filters=(), roster=None, orders=()) -> facts.Facts:
    """The program's facts; ``changes``: how the profile differs from chitu, as in cslog.toml."""
    config = msgspec.convert({"filters": filters}, Config)
    counting = profile.load("ours", [{"id": "ours", "base": "chitu", **(changes or {})}])
    duty = duty_of(roster or {}) if counting.clock == "shift" else None
    frame = frame_of(messages, config)
    given = ("agent", "exporter", "transfer_from", "transfer_to")
    names = Names.of(pl.concat(frame[name].rename("agent") for name in given), [SHOP])
    circumstances = Circumstances(counting, "order_first", {SHOP: data_end}, config, names, duty)
    credited = facts.orders_of(orders_of(list(orders)), circumstances)
    return facts.compute(frame, credited, circumstances)
