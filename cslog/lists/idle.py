"""Spans in which an agent was online and silent while buyers waited (在线不应答, 空挂), definitions 68."""

from __future__ import annotations

from typing import Literal

import polars as pl

from cslog import places
from cslog.compute import Task
from cslog.config import DEFAULT_ROBOTS, Config
from cslog.facts import Facts
from cslog.lists.request import Finder, Request, Source, dated
from cslog.texts import one_line

_ASKED, _ANSWERED, _AUTO = 0, 1, 2
_AGENT_DAY = ["shop", "agent", "day"]
_PRESENCE = [*_AGENT_DAY, "presence"]


def _keep(facts: Facts, task: Task, request: Request) -> pl.DataFrame:
    """Everything said on the days of the period: who, when, to whom, and of which of three kinds."""
    day = task.split.inside(pl.col("day"))
    columns = ["shop", "agent", "buyer_key", "day", "at", "rank", "kind"]
    # What a filtered buyer wrote waits for nobody; what was written to him shows that the agent was there.
    said = facts.messages.filter(day, pl.col("counted") | ~pl.col("from_buyer"))
    kind = pl.when("from_buyer").then(pl.lit(_ASKED)).otherwise(pl.lit(_ANSWERED))
    autos = facts.autos.with_columns(day=task.split.business_day("at"))
    return pl.concat(
        [
            said.with_columns(kind=kind).select(columns),
            autos.filter(day).with_columns(kind=pl.lit(_AUTO)).select(columns),
        ],
        how="vertical_relaxed",
    )


def _finish(rows: pl.DataFrame, request: Request, source: Source) -> pl.DataFrame:
    spans = _spans(rows, request).filter(pl.col("to") - pl.col("at") >= request.minutes * 60)
    autos = rows.filter(pl.col("kind") == _AUTO).select(*_AGENT_DAY, auto_at="at")
    counted = (
        spans.select(*_AGENT_DAY, "silent_since", "at", "to")
        .join(autos, on=_AGENT_DAY)
        .filter(pl.col("auto_at").is_between(pl.col("at"), pl.col("to")))
        .group_by(*_AGENT_DAY, "silent_since")
        .agg(auto_replies=pl.len().cast(pl.Int64))
    )
    rows = (
        spans.join(counted, on=[*_AGENT_DAY, "silent_since"], how="left")
        .with_columns(pl.col("auto_replies").fill_null(0), minutes=(pl.col("to") - pl.col("at")) / 60)
        .sort("at", "shop", "agent")
    )
    return (
        places.placed(rows, source.snapshot, "buyer", "text")
        .with_columns(dated(), question=one_line())
        .rename({"at": "from"})
        .select(
            *_AGENT_DAY,
            "silent_since",
            "from",
            "to",
            "minutes",
            "ended_by",
            "buyers_waiting",
            "messages_waiting",
            "auto_replies",
            "buyer",
            "question",
            "source_file",
            "source_line",
        )
    )


def _spans(rows: pl.DataFrame, request: Request) -> pl.DataFrame:
    """Per silence with waiting buyers: ``at``, when the first of them began to wait, and ``to``, its end."""
    signs = _signs(rows, request.away * 60)
    online = signs.group_by(_PRESENCE).agg(first_sign=pl.col("at").min(), last_sign=pl.col("at").max())
    answers = signs.filter(pl.col("kind") == _ANSWERED)
    begins = pl.concat(
        [answers.select(*_PRESENCE, silent_since="at"), online.select(*_PRESENCE, silent_since="first_sign")]
    )
    asked = _unanswered(rows).filter(pl.col("agent").is_not_null(), ~_robots(request.config))
    asked = _joined(asked, signs.select(*_PRESENCE, sign_at="at"), "sign_at", _AGENT_DAY, "backward")
    asked = _joined(asked, begins, "silent_since", _PRESENCE, "backward")
    asked = _joined(asked, answers.select(*_PRESENCE, next_answer="at"), "next_answer", _PRESENCE, "forward")
    found = (
        asked.join(online, on=_PRESENCE, how="left")
        .with_columns(to=pl.coalesce("next_answer", "last_sign"))
        .filter(
            pl.col("silent_since").is_not_null(),
            pl.col("to") > pl.col("at"),
            # Answered before the silence was over: by a colleague.
            pl.col("answered_at").is_null() | (pl.col("answered_at") >= pl.col("to")),
        )
    )
    ended = pl.when(pl.col("next_answer").is_not_null()).then(pl.lit("answer (人工回复)"))
    return (
        found.sort("at", "rank", "buyer_key")
        .group_by(*_AGENT_DAY, "silent_since", "to", maintain_order=True)
        .agg(
            pl.col("at", "buyer_key").first(),
            ended_by=ended.otherwise(pl.lit("last sign of life (最后在线)")).first(),
            buyers_waiting=pl.col("buyer_key").n_unique().cast(pl.Int64),
            messages_waiting=pl.len().cast(pl.Int64),
        )
    )


def _signs(rows: pl.DataFrame, away_s: int) -> pl.DataFrame:
    """What shows that an agent was there, with ``presence``: a number that grows at each longer absence."""
    absent = pl.col("at").diff() > away_s
    return (
        rows.filter(pl.col("kind") != _ASKED)
        .sort(*_AGENT_DAY, "at")
        .with_columns(presence=absent.fill_null(False).cast(pl.Int64).cum_sum().over(_AGENT_DAY))
    )


def _joined(
    rows: pl.DataFrame,
    instants: pl.DataFrame,
    name: str,
    by: list[str],
    strategy: Literal["backward", "forward"],
) -> pl.DataFrame:
    """``rows`` with the last instant ``name`` not after ``at``, or the first one after it."""
    return rows.sort("at").join_asof(
        instants.sort(name),
        left_on="at",
        right_on=name,
        by=by,
        strategy=strategy,
        allow_exact_matches=strategy == "backward",
        check_sortedness=False,
    )


def _unanswered(rows: pl.DataFrame) -> pl.DataFrame:
    """Buyer messages with ``answered_at``: when anybody next wrote to that buyer, the same day."""
    talk = ["shop", "buyer_key", "day"]
    wrote = pl.when(pl.col("kind") == _ANSWERED).then(pl.col("at"))
    return (
        rows.filter(pl.col("kind") != _AUTO)
        .sort(*talk, "at", "rank", "kind")
        .with_columns(answered_at=wrote.backward_fill().over(talk))
        .filter(pl.col("kind") == _ASKED)
    )


def _robots(config: Config) -> pl.Expr:
    """Whether the agent is a machine, which never sleeps."""
    found = pl.col("agent").is_in(sorted(DEFAULT_ROBOTS))
    for machines in (config.robots(), config.assistants()):
        for shop, names in machines.items():
            found = found | ((pl.col("shop") == shop) & pl.col("agent").is_in(sorted(names)))
    return found


FINDER = Finder(_keep, _finish)
