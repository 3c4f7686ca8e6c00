"""`cslog kpi`, `metrics`, `profiles`: the figures and what they mean."""

from __future__ import annotations

from typing import Annotated

import typer

from cslog.commands import app
from cslog.commands.session import Session, with_session


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


@app.command()
@with_session
def kpi(
    session: Session,
    month: Annotated[
        str | None, typer.Option("--month", metavar="YYYY-MM", help="A calendar month (自然月).")
    ] = None,
    day: Annotated[str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="One day (自然日).")] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First day, included.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last day, included.")
    ] = None,
    by: Annotated[
        str, typer.Option("--by", help="Rows (维度), a comma list of shop, agent, day, hour, week, month.")
    ] = "agent",
    profile: Annotated[
        str, typer.Option("--profile", help="Way of counting (口径); see `cslog profiles`.")
    ] = "chitu",
    attribution: Annotated[
        str,
        typer.Option("--attribution", help="Who is credited (绩效判定规则): order_first, order, payment."),
    ] = "order_first",
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
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="INSTANT", help="As known then (截至), e.g. 2024-12-06T09:00."),
    ] = None,
    version: Annotated[
        int | None, typer.Option("--version", help="An older store version; see `cslog status`.")
    ] = None,
) -> None:
    """The figures of a period (客服绩效): responses, conversion, sales, per agent or as --by says."""
    from cslog import answer, clock
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
    with session.progress("computing") as on_done:
        result = library.report(question, session.open_store(settings), counting, settings, on_done)
    session.show(figures.sheet_of(result, session.headings(settings)), settings)


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
