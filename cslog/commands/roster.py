"""`cslog roster`: who works when, as the configuration and the roster sheets were understood."""

from __future__ import annotations

from cslog.commands import app
from cslog.commands.options import Agents, Day, First, Last, Month, Shops
from cslog.commands.session import Session, with_session
from cslog.errors import UsageError


@app.command()
@with_session
def roster(
    session: Session,
    month: Month = None,
    day: Day = None,
    first: First = None,
    last: Last = None,
    shop: Shops = None,
    agent: Agents = None,
) -> None:
    """Who works when (排班): the shifts of a period as cslog understood cslog.toml and its roster sheets."""
    from cslog import clock
    from cslog import roster as library
    from cslog.report import rostered

    session.wanted_format()
    settings = session.settings()
    period = clock.Period.of(month, day, first, last)
    shops = {settings.canonical_shop(name) for name in shop or ()}
    if missing := sorted(shops - settings.shops.keys()):
        known = ", ".join(settings.shops) or "none"
        raise UsageError(f"cslog.toml has no shop {', '.join(missing)}", f"it has: {known}")
    works, named = library.worked(settings, period.first_day, period.last_day)
    chosen = [
        work for work in works if (not shops or work.shop in shops) and (not agent or work.agent in agent)
    ]
    listed = {name for place, name in named if not shops or place in shops}
    session.show(rostered.sheet_of(chosen, listed, tuple(agent or ()), period), settings)
