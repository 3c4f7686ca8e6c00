"""`cslog attribution` and `cslog orders`: who is credited with what, under every rule."""

from __future__ import annotations

from typing import Annotated

import typer

from cslog.commands import app
from cslog.commands.options import (
    Agents,
    AsOf,
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


@app.command()
@with_session
def attribution(
    session: Session,
    month: Month = None,
    day: Day = None,
    first: First = None,
    last: Last = None,
    profile: ProfileName = "chitu",
    lookup: LookupName = None,
    shop: Shops = None,
    agent: Agents = None,
    as_of: AsOf = None,
    version: Version = None,
) -> None:
    """All attribution rules side by side (绩效判定对比): what each would credit to every agent."""
    from cslog import attributions
    from cslog.report import credited

    settings = session.settings()
    question = question_of((month, day, first, last), shop, agent, as_of, version)
    counting = counted_by(profile, None, lookup, settings, question.period)
    rows = attributions.side_by_side(question, session.open_store(settings), counting, settings)
    session.show(credited.side_by_side(rows, question, counting), settings)


@app.command()
@with_session
def orders(
    session: Session,
    month: Month = None,
    day: Day = None,
    first: First = None,
    last: Last = None,
    differing: Annotated[
        bool,
        typer.Option("--differing", help="Only paid orders on which the rules disagree (判定不一致)."),
    ] = False,
    label: Annotated[
        str | None,
        typer.Option(
            "--label",
            help="Only these (标签): excluded, unpaid, one_agent, two_agents, order_agent_only, won_at_payment, "
            "followed_up, silent.",
        ),
    ] = None,
    profile: ProfileName = "chitu",
    lookup: LookupName = None,
    shop: Shops = None,
    agent: Agents = None,
    as_of: AsOf = None,
    version: Version = None,
) -> None:
    """Orders created or paid in a period (订单归属): agents, label, and whom each rule credits."""
    from cslog import attributions
    from cslog.report import credited

    settings = session.settings()
    question = question_of((month, day, first, last), shop, agent, as_of, version)
    counting = counted_by(profile, None, lookup, settings, question.period)
    rows = attributions.orders(
        question, session.open_store(settings), counting, settings, differing=differing, label=label
    )
    session.show(credited.orders(rows, question, counting), settings)
