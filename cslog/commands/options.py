"""Options that several commands share, and what they ask for: a figure is explained, listed and frozen by the words
that its report was asked by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cslog.answer import Question
    from cslog.clock import Period
    from cslog.commands.session import Session
    from cslog.config import Config
    from cslog.profile import Profile

Month = Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="A calendar month (自然月).")]
Day = Annotated[str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="One day (自然日).")]
First = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First day, included.")]
Last = Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last day, included.")]
ProfileName = Annotated[str, typer.Option("--profile", help="Way of counting (口径); see `cslog profiles`.")]
Attribution = Annotated[
    str,
    typer.Option("--attribution", help="Who is credited (绩效判定规则): order_first, order, payment, memo."),
]
ClockName = Annotated[
    str | None,
    typer.Option("--clock", help="Which time counts (计时): wall, window, shift; else the profile's."),
]
LookupName = Annotated[
    str | None,
    typer.Option("--lookup", help="Who was with the buyer (判定方式): asof, covering, first, same_day."),
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="INSTANT", help="As known then (截至), e.g. 2024-12-06T09:00."),
]
Shops = Annotated[list[str] | None, typer.Option("--shop", help="Only this shop (店铺); repeatable.")]
Agents = Annotated[list[str] | None, typer.Option("--agent", help="Only this agent (客服); repeatable.")]
Version = Annotated[int | None, typer.Option("--version", help="An older store version; see `cslog status`.")]
NoText = Annotated[
    bool,
    typer.Option("--no-text", help="Keep no message texts (不保存原文), only who wrote when and how much."),
]


def keeps_text(session: Session, settings: Config, no_text: bool) -> bool:
    """Whether texts are kept; where they are not, says which configured rules will miss them."""
    if settings.keep_text and not no_text:
        return True
    if settings.text_rules:
        session.complain(
            f"warning: without texts {', '.join(settings.text_rules)} of cslog.toml cannot find anything"
        )
    return False


def counted_by(name: str, clock: str | None, lookup: str | None, settings: Config, period: Period) -> Profile:
    """The profile of these options, in the version that is valid when the period begins."""
    from cslog import clock as clocks
    from cslog import profile

    found = profile.load(name, settings.profiles, clocks.date_of(period.first_day))
    return found.with_clock(clock).with_lookup(lookup)


def question_of(
    written: tuple[str | None, str | None, str | None, str | None],
    shops: Sequence[str] | None,
    agents: Sequence[str] | None,
    as_of: str | None,
    version: int | None,
    **more: Any,
) -> Question:
    """The question of these options; ``written`` is what --month, --day, --from and --to say."""
    from cslog import answer, clock

    return answer.Question(
        period=clock.Period.of(*written),
        shops=tuple(shops or ()),
        agents=tuple(agents or ()),
        as_of=clock.parse_instant(as_of, "--as-of") if as_of else None,
        version=version,
        **more,
    )
