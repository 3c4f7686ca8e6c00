"""From sums per shop and agent to the figures: a division each, on a table of a few thousand rows at most, so that
plain Python costs nothing. figures.sql does the same in SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.peers.inputs import DAY, LEVELS, ORDER_DAYS, UNPAID_DAYS

COUNTS = (
    "buyers_chatted", "buyers_filtered", "buyers_consulted", "buyers_received", "buyers_unreplied",
    "buyers_received_distinct", "buyers_direct", "buyers_forwarded_in", "buyers_forwarded_out", "buyer_initiated",
    "agent_initiated", "turns", "turns_answered", "turns_late", "first_response_missed", "night_questions",
    "slow_buyers", "long_buyers", "max_concurrent", "buyer_messages", "agent_messages", "agent_characters",
    "auto_messages", "days_active", "sales_orders", "sales_buyers", "sales_items",
)  # fmt: skip
AS_THEY_ARE = (
    "first_response_p50", "first_response_p90", "response_p50", "response_p90", "first_message_at",
    "last_message_at",
)  # fmt: skip


def finished(sums: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Columns of the report, sorted by shop and agent; a missing sum is 0."""
    rows = sorted((_row(row) for row in sums), key=lambda row: (row["shop"], row["agent"]))
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    def count(name: str) -> int:
        value = row.get(name)
        return 0 if value is None or value != value else int(value)

    def known(name: str) -> int | None:
        value = row.get(name)
        return None if value is None or value != value else int(value)

    def ratio(above: str, below: str) -> float | None:
        return count(above) / count(below) if count(below) else None

    def cents(below: str) -> int | None:
        parts = count(below)
        return (2 * count("sales_cents") + parts) // (2 * parts) if parts else None

    last = known("last_received_day")

    def final(days: int, value: Any) -> Any:
        """Null where the data end too early (kpi-spec 4.8)."""
        return value if last is None or last + days <= int(row["data_end"]) // DAY else None

    next_day, payment = ORDER_DAYS, ORDER_DAYS + UNPAID_DAYS
    return {
        "shop": row["shop_name"],
        "agent": row["agent"],
        **{name: count(name) for name in COUNTS},
        **{name: known(name) for name in AS_THEY_ARE},
        "turns_unanswered": count("turns") - count("turns_answered"),
        "reply_rate": ratio("buyers_received", "buyers_consulted"),
        "first_response_avg": ratio("first_wait_s", "first_turns"),
        "first_response_any_avg": ratio("first_any_wait_s", "first_any_turns"),
        "first_response_wall_avg": ratio("first_wait_s", "first_turns"),
        "response_avg": ratio("wait_s", "turns_answered"),
        "response_wall_avg": ratio("wait_s", "turns_answered"),
        **{f"within_{level}s_rate": ratio(f"within_{level}s", "turns") for level in LEVELS},
        "night_answered_rate": ratio("night_answered", "night_questions"),
        "service_time_avg": ratio("session_s", "buyers_received"),
        "avg_concurrent": ratio("chat_seconds", "busy_seconds"),
        "answer_ratio": ratio("agent_messages", "buyer_messages"),
        "inquiries": final(next_day, count("inquiries")),
        "inquiries_ordered_same_day": final(1, count("inquiries_ordered_same_day")),
        "inquiries_ordered": final(next_day, count("inquiries_ordered")),
        "inquiries_paid_same_day": final(1, count("inquiries_paid_same_day")),
        "inquiries_paid_next_day": final(next_day, count("inquiries_paid_next_day")),
        "inquiries_paid": final(payment, count("inquiries_paid")),
        "inquiry_to_order_rate": final(next_day, ratio("inquiries_ordered", "inquiries")),
        "inquiry_to_payment_same_day_rate": final(next_day, ratio("inquiries_paid_same_day", "inquiries")),
        "inquiry_to_payment_next_day_rate": final(next_day, ratio("inquiries_paid_next_day", "inquiries")),
        "inquiry_to_payment_rate": final(payment, ratio("inquiries_paid", "inquiries")),
        "order_per_consult_rate": final(next_day, ratio("consults_ordered", "buyers_consulted")),
        "inquiries_lost": final(next_day, count("inquiries_lost")),
        "orders_lost": final(payment, count("orders_lost")),
        "assists": final(next_day, count("assists")),
        "sales_amount": count("sales_cents"),
        "average_order_value": cents("sales_buyers"),
        "items_per_buyer": ratio("sales_items", "sales_buyers"),
        "average_item_price": cents("sales_items"),
        "sales_share": ratio("sales_cents", "paid_cents"),
    }
