"""Attribution rules (绩效判定规则) and what is said of orders: names, and whom a rule credits. Cheap to import."""

from __future__ import annotations

import polars as pl

RULES = ("order_first", "order", "payment", "memo")
"""The rules, which a report chooses whatever the profile."""

LABELS = {
    "excluded": "指定订单不算业绩",
    "unpaid": "未付款",
    "one_agent": "本人下单本人付款",
    "two_agents": "本人下单他人付款",
    "order_agent_only": "落实下单",
    "won_at_payment": "静默下单落实付款",
    "followed_up": "全静默跟进",
    "silent": "全静默",
}
"""What happened around an order (definitions 56)."""


WHO_FIRST = {
    "order": ("order_agent",),
    "payment": ("payment_agent",),
    "order_first": ("order_agent", "payment_agent"),
    "memo": ("memo_agent",),
}
"""The agents whom a rule credits, the first of them who exists (kpi-spec 4.3)."""


def credited_under(rule: str) -> pl.Expr:
    """The agent whom ``rule`` credits with an order, null for nobody."""
    return pl.when(~pl.col("excluded")).then(pl.coalesce(*WHO_FIRST[rule]))
