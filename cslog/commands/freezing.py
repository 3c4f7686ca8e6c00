"""`cslog freeze`, `frozen`, `corrections`: closed months, and what differs from them later."""

from __future__ import annotations

from typing import Annotated

import typer

from cslog.commands import app
from cslog.commands.options import AsOf, Attribution, Month, ProfileName
from cslog.commands.session import Session, with_session

ClosedMonth = Annotated[
    str, typer.Option("--month", metavar="YYYY-MM", help="A calendar month (自然月) that is over.")
]
Shops = Annotated[
    list[str] | None,
    typer.Option("--shop", help="Only this shop (店铺); repeatable; none: all shops together."),
]


@app.command()
@with_session
def freeze(
    session: Session,
    month: ClosedMonth,
    profile: ProfileName = "chitu",
    attribution: Attribution = "order_first",
    shop: Shops = None,
    as_of: AsOf = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Freeze anew where figures differ (重新冻结); the old freeze is kept."),
    ] = False,
) -> None:
    """Keep the figures of a month that is over (冻结月度绩效), with all that they were computed from."""
    from cslog import clock
    from cslog import freeze as library
    from cslog.report import frozen as sheets

    session.wanted_format()
    settings = session.settings()
    with session.progress("computing") as on_done:
        outcome = library.freeze(
            library.scope_of(month, profile, attribution, shop or (), settings),
            session.open_store(settings),
            settings,
            as_of=clock.parse_instant(as_of, "--as-of") if as_of else None,
            again=again,
            on_done=on_done,
        )
    session.show(sheets.of_outcome(outcome), settings)


@app.command()
@with_session
def frozen(
    session: Session,
    month: Month = None,
    by: Annotated[
        str, typer.Option("--by", help="Rows (维度) of the month: agent, shop, day, or agent,day.")
    ] = "agent",
    profile: ProfileName = "chitu",
    attribution: Attribution = "order_first",
    shop: Shops = None,
    freeze_id: Annotated[
        str | None, typer.Option("--id", help="A freeze by its name in the list (编号), also an older one.")
    ] = None,
) -> None:
    """The months that are frozen (已冻结的月份); with --month or --id the figures of one, as they were."""
    from cslog import freeze as library
    from cslog import frozen as kept
    from cslog.report import frozen as sheets

    session.wanted_format()
    settings = session.settings()
    store = session.open_store(settings)
    if month is None and freeze_id is None:
        session.show(sheets.of_freezes(kept.freezes(store)), settings)
        return
    scope = library.scope_of(month, profile, attribution, shop or (), settings) if month else None
    session.show(
        sheets.of_rows(*library.reopen(scope, [name.strip() for name in by.split(",")], freeze_id, store)),
        settings,
    )


@app.command()
@with_session
def corrections(
    session: Session,
    month: ClosedMonth,
    profile: ProfileName = "chitu",
    attribution: Attribution = "order_first",
    shop: Shops = None,
) -> None:
    """What differs from a frozen month (更正), figure by figure, and what brought it: files, settings, profile."""
    from cslog import corrections as library
    from cslog.freeze import scope_of
    from cslog.report import frozen as sheets

    session.wanted_format()
    settings = session.settings()
    scope = scope_of(month, profile, attribution, shop or (), settings)
    with session.progress("comparing") as on_done:
        found = library.corrections(scope, session.open_store(settings), settings, on_done)
    session.show(sheets.of_corrections(found, session.headings(settings)), settings)
