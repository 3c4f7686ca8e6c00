"""`cslog kpi`, `metrics`, `profiles`: the figures and what they mean."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cslog.commands import app
from cslog.commands.options import (
    Agents,
    AsOf,
    Attribution,
    ClockName,
    Day,
    First,
    Last,
    LookupName,
    Month,
    ProfileName,
    Shops,
    Version,
    counted_by,
    question_of,
)
from cslog.commands.session import Session, with_session
from cslog.errors import UsageError


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


@app.command()
@with_session
def kpi(
    session: Session,
    month: Month = None,
    day: Day = None,
    first: First = None,
    last: Last = None,
    by: Annotated[
        str,
        typer.Option(
            "--by", help="Rows (维度), a comma list of shop, agent, team, shift, day, hour, week, month."
        ),
    ] = "agent",
    profile: ProfileName = "chitu",
    clock: ClockName = None,
    attribution: Attribution = "order_first",
    lookup: LookupName = None,
    shop: Shops = None,
    agent: Agents = None,
    metrics: Annotated[
        str | None,
        typer.Option("--metrics", metavar="KEY,KEY", help="Only these figures (指标); see `cslog metrics`."),
    ] = None,
    as_of: AsOf = None,
    version: Version = None,
) -> None:
    """The figures of a period (客服绩效): responses, conversion, sales, per agent or as --by says."""
    from dataclasses import replace

    from cslog import freeze
    from cslog import kpi as library
    from cslog.report import figures

    session.wanted_format()
    settings = session.settings()
    question = question_of(
        (month, day, first, last),
        shop,
        agent,
        as_of,
        version,
        by=_names(by),
        attribution=attribution,
        metrics=_names(metrics),
    )
    counting = counted_by(profile, clock, lookup, settings, question.period)
    store = session.open_store(settings)
    with session.progress("computing") as on_done:
        result = library.report(question, store, counting, settings, on_done)
    result = replace(result, warnings=(*result.warnings, *freeze.remarks(result, store, settings)))
    session.show(figures.sheet_of(result, session.headings(settings)), settings)


@app.command()
@with_session
def explain(
    session: Session,
    metric: Annotated[
        str | None, typer.Argument(metavar="[METRIC]", help="The figure (指标), e.g. first_response_avg.")
    ] = None,
    month: Month = None,
    day: Day = None,
    first: First = None,
    last: Last = None,
    agent: Annotated[
        str | None, typer.Option("--agent", help="The row's agent (客服); none: the shop's row.")
    ] = None,
    shop: Annotated[
        str | None, typer.Option("--shop", help="The row's shop (店铺), when there are several.")
    ] = None,
    hour: Annotated[
        int | None, typer.Option("--hour", min=0, max=23, help="The row's clock hour (小时).")
    ] = None,
    team: Annotated[
        str | None, typer.Option("--team", help='The row\'s team (小组); "" for the row without one.')
    ] = None,
    shift: Annotated[
        str | None, typer.Option("--shift", help='The row\'s shift (班次); "" for the row off shift.')
    ] = None,
    buyer: Annotated[
        str | None,
        typer.Option(
            "--buyer", metavar="NICK", help="Instead: everything of one buyer (买家), with messages."
        ),
    ] = None,
    messages: Annotated[
        bool, typer.Option("--messages", help="With the messages around each row (前后对话).")
    ] = False,
    profile: ProfileName = "chitu",
    clock: ClockName = None,
    attribution: Attribution = "order_first",
    lookup: LookupName = None,
    as_of: AsOf = None,
    version: Version = None,
) -> None:
    """Why this number (数字从何而来): the turns, people, messages or orders behind one cell, with file and line."""
    from cslog import explain as library
    from cslog.report import explanation

    if (metric is None) == (buyer is None):
        raise UsageError(
            "explain what?",
            "name a figure, as in `cslog explain response_avg --month 2024-11`, or --buyer NICK",
        )
    settings = session.settings()
    question = question_of(
        (month, day, first, last),
        [shop] if shop else None,
        [agent] if agent else None,
        as_of,
        version,
        attribution=attribution,
    )
    counting = counted_by(profile, clock, lookup, settings, question.period)
    store = session.open_store(settings)
    if metric is not None:
        where: dict[str, Any] = {} if hour is None else {"hour": hour}
        where |= {
            name: value or None for name, value in (("team", team), ("shift", shift)) if value is not None
        }
        (found,) = library.explain(
            [metric], question, where, store, counting, settings, with_messages=messages
        )
        session.show(explanation.of_cell(found, question), settings)
    elif buyer is not None:
        session.show(
            explanation.of_buyer(library.story(buyer, question, store, counting, settings)), settings
        )


@app.command()
@with_session
def metrics(
    session: Session,
) -> None:
    """All figures (指标) with Chinese names, definitions and sources."""
    from cslog.report import tables

    session.show(tables.metrics(), session.settings())


@app.command()
@with_session
def profiles(
    session: Session,
) -> None:
    """The ways of counting (口径) and their switches."""
    from cslog import profile
    from cslog.report import tables

    settings = session.settings()
    session.show(tables.profiles(profile.available(settings.profiles)), settings)
