"""Configured rules over messages: what is an automatic reply, and which buyer-days are filtered
(definitions 48, 49).

Texts are compared as in a message's identity (definitions 1), so that it makes no difference which copy of a
message came into the store first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cslog import classify
from cslog.clock import DAY_SECONDS
from cslog.config import Config, Filter
from cslog.errors import UsageError
from cslog.flags import PEER_DAY
from cslog.kernels import threads
from cslog.schema import Kind, MessageClass

if TYPE_CHECKING:
    from cslog.facts.arrays import Rows
    from cslog.facts.walk import Walked
    from cslog.names import Names

DEFAULTS = (Filter(rule="empty"), Filter(rule="monologue"))
"""Filters that are always on; they come after the configured ones that do not name them."""

_STAFF = [int(MessageClass.HUMAN), int(MessageClass.ASSIST)]


def filters_of(config: Config) -> list[Filter]:
    """All filters in the order in which they are tried."""
    named = {rule.rule for rule in config.filters}
    return [*config.filters, *(rule for rule in DEFAULTS if rule.rule not in named)]


def flag_column(position: int) -> str:
    """The column that says whether a message itself is what filter number ``position`` looks for."""
    return f"filter_{position}"


def message_columns(config: Config) -> dict[str, pl.Expr]:
    """Columns that the rules need of every message, over the columns of schema.MESSAGES."""
    columns: dict[str, pl.Expr] = {}
    # A text that the store was told not to keep has no words.
    words = classify.comparable(pl.col("text").fill_null(""), pl.col("kind"))
    for position, rule in enumerate(filters_of(config)):
        found = _found(rule, words)
        if found is not None:
            columns[flag_column(position)] = found
    auto = _automatic(config, words)
    if auto is not None:
        columns["auto_rule"] = auto
    if config.auto_replies.statistical:
        columns["message_key"] = pl.col("message_key")
    return columns


def _found(rule: Filter, words: pl.Expr) -> pl.Expr | None:
    if rule.rule == "accounts":
        return pl.col("buyer").is_in(list(rule.accounts))
    if rule.rule == "keywords":
        found = words.str.contains_any(_comparable(rule.words))
    elif rule.rule == "exact":
        found = words.is_in(_comparable(rule.texts))
    elif rule.rule == "mass":
        found = words.str.starts_with("@")
    else:
        return None
    if rule.shorter_than is not None:
        found = found & (pl.col("characters") < rule.shorter_than)
    return found


def _automatic(config: Config, words: pl.Expr) -> pl.Expr | None:
    replies = config.auto_replies
    if not replies.prefixes and not replies.texts:
        return None
    beginning = pl.any_horizontal(
        pl.lit(False), *(words.str.starts_with(prefix) for prefix in _comparable(replies.prefixes))
    )
    rule = (
        pl.when(beginning)
        .then(pl.lit("configured prefix"))
        .when(words.is_in(_comparable(replies.texts)))
        .then(pl.lit("configured text"))
    )
    return pl.when(pl.col("message_class").is_in(_STAFF)).then(rule)


def _comparable(texts: tuple[str, ...]) -> list[str]:
    frame = pl.DataFrame({"text": list(texts)}, schema={"text": pl.String})
    plain = frame.select(classify.comparable(pl.col("text"), pl.lit(int(Kind.TEXT)))).to_series().to_list()
    for written, left in zip(texts, plain, strict=True):
        if not left:
            raise UsageError(
                f"cslog.toml: nothing of {written!r} can be compared in every export",
                "blanks, question marks and signs that GBK lacks do not count; use other words",
            )
    return plain


def soon_after_buyer(messages: pl.DataFrame, seconds: int) -> pl.DataFrame:
    """``messages`` with ``soon``: a person's text sent at most ``seconds`` after the buyer's last message."""
    by_buyer = pl.col("message_class") == int(MessageClass.BUYER)
    staff = pl.col("message_class").is_in(_STAFF) & (pl.col("kind") == int(Kind.TEXT))
    asked = pl.when(by_buyer).then(pl.col("sent_at")).forward_fill().over("shop", "buyer_key")
    return messages.sort("shop", "buyer_key", "sent_at", "rank", ~by_buyer).with_columns(
        soon=(staff & (pl.col("sent_at") - asked <= seconds)).fill_null(False)
    )


def automatic_keys(messages: pl.DataFrame, config: Config, day_cut_s: int) -> pl.DataFrame:
    """shop, day, message_key of the texts that went to so many buyers at once that no person typed them.

    ``messages``: shop, buyer_key, sent_at, rank, message_class, kind, message_key of all buyers.
    """
    replies = config.auto_replies
    return (
        soon_after_buyer(messages, replies.seconds)
        .filter("soon")
        .group_by("shop", _day(day_cut_s), "message_key")
        .agg(buyers=pl.col("buyer_key").n_unique())
        .filter(pl.col("buyers") >= replies.buyers)
        .drop("buyers")
    )


def with_automatic_replies(
    messages: pl.DataFrame, config: Config, automatic: pl.DataFrame | None, day_cut_s: int
) -> pl.DataFrame:
    """``messages`` with what the configuration calls an automatic reply in class ``auto``.

    Columns of ``message_columns`` are needed. Where anything is configured, ``auto_rule`` names the rule, null for
    what none caught.
    """
    if "auto_rule" not in messages.columns:
        if automatic is None:  # nothing is configured: spare every message a column
            return messages
        messages = messages.with_columns(auto_rule=pl.lit(None, pl.String))
    if automatic is not None:
        marked = soon_after_buyer(messages, config.auto_replies.seconds).with_columns(_day(day_cut_s))
        marked = marked.join(
            automatic.with_columns(known=pl.lit(True)), on=["shop", "day", "message_key"], how="left"
        )
        often = pl.when(pl.col("soon") & pl.col("known").fill_null(False)).then(
            pl.lit("sent to many at once")
        )
        messages = marked.with_columns(auto_rule=pl.coalesce("auto_rule", often)).drop("soon", "day", "known")
    caught = pl.col("auto_rule").is_not_null()
    auto = pl.lit(int(MessageClass.AUTO), pl.Int8)
    return messages.with_columns(message_class=pl.when(caught).then(auto).otherwise(pl.col("message_class")))


def _day(day_cut_s: int) -> pl.Expr:
    return (pl.col("sent_at") - day_cut_s).floordiv(DAY_SECONDS).alias("day")


def filtered_by(
    rules: list[Filter], rows: Rows, walked: Walked, moved: np.ndarray, names: Names
) -> np.ndarray:
    """Position of the first filter that matches each peer-day, -1 for none; int64.

    ``moved``: flags of transfers per peer-day (kernels.peer_days.forwards).
    """
    days = walked.peer_days
    found = np.full(days.day.size, -1, np.int64)
    total = days.buyer_messages + days.staff_messages
    by_message = any(
        flag_column(p) in rows.frame.columns and r.rule != "accounts" for p, r in enumerate(rules)
    )
    written = walked.written if by_message else np.zeros(0, np.int64)
    event_peer_day = walked.notes.peer_day[written]
    from_buyer = walked.event_type[written] == threads.BUYER
    for position, rule in enumerate(rules):
        match rule.rule:
            case "keywords" | "exact" | "mass":
                flag = rows.column(flag_column(position), walked.event_row[written], np.bool_)
                side = {"buyer": from_buyer, "agent": ~from_buyer}.get(rule.looks_at, True)
                matches = _any_of(flag & side, event_peer_day, found.size)
                if rule.fewer_than is not None:
                    matches &= total < rule.fewer_than
            case "single_sentence":
                matches = (days.buyer_messages == 1) & (total < (rule.fewer_than or 0))
            case "accounts":
                # A listed buyer may have written nothing in it (definitions 8): the peer-day's first row tells him.
                first_row = walked.event_row[days.first_event]
                buyers = rows.column(flag_column(position), first_row, np.bool_)
                listed = np.zeros(len(names.accounts) + 1, bool)
                listed[names.codes_of(pl.Series(list(rule.accounts), dtype=pl.String))] = True
                listed[-1] = False  # nobody
                matches = listed[walked.thread_agent[days.thread]] | buyers
            case "forwards":
                matches = (moved & PEER_DAY["forwarded_out"] != 0) & (days.staff_messages <= rule.replies)
            case "empty":
                matches = (days.visible == 0) & (total > 0)
            case "monologue":
                matches = days.asked < 0
        found[matches & (found < 0)] = position
    return found


def _any_of(flag: np.ndarray, event_peer_day: np.ndarray, size: int) -> np.ndarray:
    hit = np.zeros(size, bool)
    hit[event_peer_day[flag]] = True
    return hit
