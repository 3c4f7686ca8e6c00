"""All attribution rules beside one another: what each agent would be credited with, and the orders on which the
rules disagree (kpi-spec 4.3, 4.4, definitions 50-56).
"""

from __future__ import annotations

import polars as pl

from cslog import clock, compute, kpi, places
from cslog.answer import Question
from cslog.config import Config
from cslog.credit_rules import LABELS, RULES, credited_under
from cslog.errors import UsageError
from cslog.profile import Profile
from cslog.store import Store


def side_by_side(question: Question, store: Store, profile: Profile, config: Config) -> pl.DataFrame:
    """Per shop and agent, for each rule: Int64 ``amount_RULE`` (cents) and ``orders_RULE`` of the period.

    The row without agent is what the rule credits to nobody; the rows of a shop add up to what it was paid in
    the period, for rule ``order`` to what was paid of the orders created in it. Sorted by shop and agent.
    """
    orders = _orders(question, store, profile, config).filter(pl.col("paid_at").is_not_null())
    shops = orders.select("shop").unique()
    tables = [shops.with_columns(agent=pl.lit(None, pl.String))]
    for rule in RULES:
        day = _day("created_at" if rule == "order" else "paid_at", profile)
        tables.append(
            orders.filter(_inside(day, question))
            .group_by("shop", agent=credited_under(rule))
            .agg(
                pl.col("amount_cents").sum().cast(pl.Int64).alias(f"amount_{rule}"),
                pl.len().cast(pl.Int64).alias(f"orders_{rule}"),
            )
        )
    whole = pl.concat(tables, how="diagonal").group_by("shop", "agent").agg(pl.all().sum())
    if question.agents:
        whole = whole.filter(pl.col("agent").is_in(list(question.agents)))
    return whole.sort("shop", "agent", nulls_last=True)


def orders(
    question: Question,
    store: Store,
    profile: Profile,
    config: Config,
    *,
    differing: bool = False,
    label: str | None = None,
) -> pl.DataFrame:
    """Orders created or paid in the period, with the agents, the label, and whom each rule credits.

    ``differing``: only paid orders that not every rule credits to the same agent (a shop without a memo pattern has
    no rule ``memo``). Columns: shop, order_id, buyer, created_at, paid_at, amount (cents), label, label_zh, flag,
    order_agent, payment_agent, memo_agent, credited_RULE …, source_file, source_line; sorted by shop and creation.
    """
    if label is not None and label not in LABELS:
        raise UsageError(f"no label {label!r}", f"use one of: {', '.join(LABELS)}")
    found = _orders(question, store, profile, config)
    inside = _inside(_day("created_at", profile), question) | _inside(_day("paid_at", profile), question)
    found = found.filter(inside.fill_null(False)).with_columns(
        **{f"credited_{rule}": credited_under(rule) for rule in RULES},
        label_zh=pl.col("label").replace(LABELS),
    )
    if label is not None:
        found = found.filter(pl.col("label") == label)
    if differing:
        by_memo = [name for name, shop in config.shops.items() if shop.memo is not None]
        first = pl.col(f"credited_{RULES[0]}")
        others = [first.ne_missing(pl.col(f"credited_{rule}")) for rule in RULES[1:] if rule != "memo"]
        memo = pl.col("shop").is_in(by_memo) & first.ne_missing(pl.col("credited_memo"))
        found = found.filter(pl.col("paid_at").is_not_null() & pl.any_horizontal(*others, memo))
    if question.agents:
        involved = [pl.col(name).is_in(list(question.agents)) for name in found.columns if "agent" in name]
        found = found.filter(pl.any_horizontal(involved).fill_null(False))
    return found.rename({"amount_cents": "amount"}).sort("shop", "created_at", "order_id")


def _orders(question: Question, store: Store, profile: Profile, config: Config) -> pl.DataFrame:
    """The orders of all tasks with their agents, and the place of the version that counts."""
    with store.reading():
        snapshot = store.snapshot(question.version)
        tasks = kpi.plan(question, snapshot, profile, config)
        columns = [
            "shop", "order_id", "created_at", "paid_at", "amount_cents", "label", "flag", "excluded",
            "order_agent", "payment_agent", "memo_agent",
        ]  # fmt: skip
        found = pl.concat(compute.facts_of(task).orders.select(columns) for task in tasks)
        known = places.of_orders(snapshot, question.as_of)
        return found.join(known, on=["shop", "order_id"], how="left", maintain_order="left")


def _day(instant: str, profile: Profile) -> pl.Expr:
    return (pl.col(instant) - profile.day_cut_s).floordiv(clock.DAY_SECONDS)


def _inside(day: pl.Expr, question: Question) -> pl.Expr:
    return day.is_between(question.period.first_day, question.period.last_day)
