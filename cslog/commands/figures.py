"""`cslog kpi`, `metrics`, `profiles`: the figures and what they mean."""

from __future__ import annotations

from typing import Annotated

import typer

from cslog.commands import app
from cslog.commands.session import Session, with_session
from cslog.errors import UsageError

# Options that kpi and explain share: a cell is explained by the words that the report was asked by.
Month = Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="A calendar month (自然月).")]
Day = Annotated[str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="One day (自然日).")]
First = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First day, included.")]
Last = Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last day, included.")]
ProfileName = Annotated[str, typer.Option("--profile", help="Way of counting (口径); see `cslog profiles`.")]
Attribution = Annotated[
    str,
    typer.Option("--attribution", help="Who is credited (绩效判定规则): order_first, order, payment."),
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="INSTANT", help="As known then (截至), e.g. 2024-12-06T09:00."),
]
Version = Annotated[int | None, typer.Option("--version", help="An older store version; see `cslog status`.")]


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
        str, typer.Option("--by", help="Rows (维度), a comma list of shop, agent, day, hour, week, month.")
    ] = "agent",
    profile: ProfileName = "chitu",
    attribution: Attribution = "order_first",
    shop: Annotated[
        list[str] | None, typer.Option("--shop", help="Only this shop (店铺); repeatable.")
    ] = None,
    agent: Annotated[
        list[str] | None, typer.Option("--agent", help="Only this agent (客服); repeatable.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option("--metrics", metavar="KEY,KEY", help="Only these figures (指标); see `cslog metrics`."),
    ] = None,
    as_of: AsOf = None,
    version: Version = None,
) -> None:
    """The figures of a period (客服绩效): responses, conversion, sales, per agent or as --by says."""
    from dataclasses import replace

    from cslog import answer, clock, freeze
    from cslog import kpi as library
    from cslog import profile as profiles
    from cslog.report import figures

    session.wanted_format()
    settings = session.settings()
    question = answer.Question(
        period=clock.Period.of(month, day, first, last),
        by=_names(by),
        attribution=attribution,
        shops=tuple(shop or ()),
        agents=tuple(agent or ()),
        metrics=_names(metrics),
        as_of=clock.parse_instant(as_of, "--as-of") if as_of else None,
        version=version,
    )
    counting = profiles.load(profile)
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
    buyer: Annotated[
        str | None,
        typer.Option(
            "--buyer", metavar="NICK", help="Instead: everything of one buyer (买家), with messages."
        ),
    ] = None,
    profile: ProfileName = "chitu",
    attribution: Attribution = "order_first",
    as_of: AsOf = None,
    version: Version = None,
) -> None:
    """Why this number (数字从何而来): the turns, people, messages or orders behind one cell, with file and line."""
    from cslog import answer, clock
    from cslog import explain as library
    from cslog import profile as profiles
    from cslog.report import explanation

    if (metric is None) == (buyer is None):
        raise UsageError(
            "explain what?",
            "name a figure, as in `cslog explain response_avg --month 2024-11`, or --buyer NICK",
        )
    settings = session.settings()
    question = answer.Question(
        period=clock.Period.of(month, day, first, last),
        attribution=attribution,
        shops=(shop,) if shop else (),
        agents=(agent,) if agent else (),
        as_of=clock.parse_instant(as_of, "--as-of") if as_of else None,
        version=version,
    )
    counting, store = profiles.load(profile), session.open_store(settings)
    if metric is not None:
        (found,) = library.explain([metric], question, hour, store, counting, settings)
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

    session.show(tables.profiles(profile.available()), session.settings())
