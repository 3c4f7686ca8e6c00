"""What was said around the rows of a list; texts are read for these rows alone."""

from __future__ import annotations

import polars as pl

from cslog.schema import MessageClass
from cslog.snapshot import Snapshot

_SPOKEN = [int(code) for code in (MessageClass.BUYER, MessageClass.HUMAN, MessageClass.ASSIST)]
_STAFF = [int(code) for code in (MessageClass.HUMAN, MessageClass.ASSIST)]


_NOT_KEPT = "(not kept 未保存)"
"""In place of what was said in messages that were ingested without texts."""


def one_line(text: str = "text") -> pl.Expr:
    """A text without line breaks."""
    return pl.col(text).str.replace_all(r"\s+", " ").str.strip_chars()


def with_last_messages(
    rows: pl.DataFrame, snapshot: Snapshot, since: str, until: str, count: int = 3
) -> pl.DataFrame:
    """``rows`` with ``last_messages``: the last ``count`` that buyer and staff wrote in [since, until], a line each.

    ``since`` and ``until`` name columns. Automatic replies and system lines are left out.
    """
    if rows.is_empty():
        return rows.with_columns(last_messages=pl.lit(None, pl.String))
    spans = rows.select("buyer_key", _from=since, _to=until).with_row_index("_row")
    low, high = int(spans["_from"].min()), int(spans["_to"].max())  # type: ignore[arg-type]
    who = pl.when(pl.col("message_class") == int(MessageClass.BUYER)).then("buyer").otherwise("agent")
    time = pl.from_epoch("sent_at", time_unit="s").dt.strftime("%m-%d %H:%M:%S")
    said = (
        snapshot.messages(
            low, high, ["buyer_key", "sent_at", "rank", "message_class", "agent", "buyer", "text"]
        )
        .filter(pl.col("message_class").is_in(_SPOKEN))
        .join(spans.lazy(), on="buyer_key")
        .filter(pl.col("sent_at").is_between(pl.col("_from"), pl.col("_to")))
        .sort("_row", "sent_at", "rank", "message_class", "agent")
        .group_by("_row", maintain_order=True)
        .tail(count)
        .select("_row", line=pl.format("{} {}: {}", time, who.fill_null(""), one_line().fill_null(_NOT_KEPT)))
        .group_by("_row", maintain_order=True)
        .agg(last_messages=pl.col("line").str.join("\n"))
        .collect()
    )
    lines = spans.join(said, on="_row", how="left", maintain_order="left")["last_messages"]
    return rows.with_columns(last_messages=lines)


def with_replies(rows: pl.DataFrame, snapshot: Snapshot) -> pl.DataFrame:
    """``rows`` (buyer_key, agent, reply_at) with ``reply``, ``reply_file``, ``reply_line``: what the agent answered."""
    answered = rows.filter(pl.col("reply_at").is_not_null())
    if answered.is_empty():
        types = {"reply": pl.String, "reply_file": pl.String, "reply_line": pl.Int64}
        return rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in types.items())
    low, high = int(answered["reply_at"].min()), int(answered["reply_at"].max())  # type: ignore[arg-type]
    key = ["buyer_key", "agent", "reply_at"]
    columns = ["buyer_key", "agent", "sent_at", "rank", "message_class", "text", "source_file", "source_line"]
    replies = (
        snapshot.messages(low, high, columns)
        .filter(pl.col("message_class").is_in(_STAFF))
        .rename({"sent_at": "reply_at", "source_file": "reply_file", "source_line": "reply_line"})
        .join(answered.lazy().select(key), on=key, how="semi")
        .sort(*key, "rank")
        .unique(key, keep="first", maintain_order=True)
        .select(*key, "reply_file", "reply_line", reply=one_line())
        .collect()
    )
    return rows.join(replies, on=key, how="left", maintain_order="left")
