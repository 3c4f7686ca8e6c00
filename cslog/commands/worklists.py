"""`cslog list NAME` and `cslog report`: what a supervisor works from, and all of it in one workbook."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cslog.commands import app, workbook
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
from cslog.commands.session import Format, Session, with_session
from cslog.errors import UsageError
from cslog.lists import BY_NAME

if TYPE_CHECKING:
    from cslog.config import Config
    from cslog.lists.request import Request

lists = typer.Typer(
    help="Lists a supervisor works from (工作清单); without a name, their names.",
    invoke_without_command=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(lists, name="list")

At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="INSTANT", help="As known at this instant (时刻), e.g. 2024-11-12T17:00; else now."
    ),
]
Night = Annotated[
    bool, typer.Option("--night", help="Only orders created in the profile's night hours (夜间).")
]
Shift = Annotated[str | None, typer.Option("--shift", help="Only orders created in this shift (班次).")]
Limit = Annotated[int, typer.Option("--limit", min=0, help="Buyers received a day (每日接待上限).")]
AfterSaleLimit = Annotated[
    int, typer.Option("--after-sale-limit", min=0, help="After-sale buyers a day (每日售后上限).")
]
Minutes = Annotated[int, typer.Option("--minutes", min=1, help="How long a buyer waited at least (分钟).")]
Away = Annotated[
    int,
    typer.Option(
        "--away", min=1, help="Minutes without any sign of life after which an agent is gone (离线)."
    ),
]

_PERIOD = {"month": (Month, None), "day": (Day, None), "first": (First, None), "last": (Last, None)}
_COUNTING = {
    "profile": (ProfileName, "chitu"),
    "clock": (ClockName, None),
    "attribution": (Attribution, "order_first"),
    "lookup": (LookupName, None),
    "shop": (Shops, None),
}
_AGENT = {"agent": (Agents, None)}
_AS_OF = {"as_of": (AsOf, None)}
_OWN: dict[str, dict[str, tuple[Any, Any]]] = {
    "unanswered": {"at": (At, None)} | _AGENT,
    "slow": _AGENT | _AS_OF,
    "lost": _AGENT | _AS_OF,
    "unpaid": {"at": (At, None)} | _AGENT,
    "silent": {"night": (Night, False), "shift": (Shift, None)} | _AS_OF,
    "aftersale": _AGENT | _AS_OF,
    "overload": {"limit": (Limit, 300), "after_sale_limit": (AfterSaleLimit, 150)} | _AGENT | _AS_OF,
    "idle": {"minutes": (Minutes, 10), "away": (Away, 120)} | _AGENT | _AS_OF,
}
"""The options that each list has beside the period and the way of counting."""


@lists.callback()
@with_session
def _names(session: Session, context: typer.Context) -> None:
    from cslog.report import worklists

    if context.invoked_subcommand is None:
        session.show(worklists.names(), session.settings())
    elif session != Session():
        name = context.invoked_subcommand
        raise UsageError("options stand behind the list's name", f"as in `cslog list {name} --json`")


def _command(name: str) -> Callable[..., None]:
    """The command of one list; its parameters are the options of _PERIOD, _COUNTING and _OWN."""

    def run(session: Session, **options: Any) -> None:
        from cslog.lists import registry
        from cslog.report import worklists

        session.wanted_format()
        settings = session.settings()
        request = _request(name, session, settings, options)
        with session.progress("computing") as on_done:
            (found,) = registry.find([name], request, session.open_store(settings), on_done)
        session.show(worklists.sheet_of(found), settings)

    about = BY_NAME[name]
    options = _PERIOD | _OWN[name] | _COUNTING | {"version": (Version, None)}
    run.__doc__ = f"{about.what} ({about.zh})."
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("session", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Session),
            *(
                inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
                for option, (hint, default) in options.items()
            ),
        ]
    )
    run.__annotations__ = {option: hint for option, (hint, _default) in options.items()}
    return with_session(run)


for _name in _OWN:
    lists.command(_name)(_command(_name))


def _request(name: str, session: Session, settings: Config, options: dict[str, Any]) -> Request:
    from cslog import answer, clock
    from cslog.lists import registry
    from cslog.lists.request import Request

    shops, version = tuple(options["shop"] or ()), options["version"]
    written = [options[word] for word in _PERIOD]
    counting = (options["profile"], options["clock"], options["lookup"], settings)
    if "at" in options:
        given = options["at"]
        at = clock.parse_instant(given, "--at") if given else None
        if at is None:
            at = registry.instant(shops, version, session.open_store(settings), settings)
        today = clock.Period(at // clock.DAY_SECONDS, at // clock.DAY_SECONDS)
        profile = counted_by(*counting, clock.Period.of(*written) if any(written) else today)
        period = clock.Period.of(*written) if any(written) else registry.looking_back(name, at, profile)
    else:
        at = clock.parse_instant(options["as_of"], "--as-of") if options["as_of"] else None
        period = clock.Period.of(*written)
        profile = counted_by(*counting, period)
    question = answer.Question(
        period=period,
        attribution=options["attribution"],
        shops=shops,
        agents=tuple(options.get("agent") or ()),
        as_of=at,
        version=version,
    )
    own = {word: options[word] for word in _OWN[name] if word in Request.__dataclass_fields__}
    return Request(question, profile, settings, **own)


@app.command()
@with_session
def report(
    session: Session,
    month: Month = None,
    day: Day = None,
    first: First = None,
    last: Last = None,
    profile: ProfileName = "chitu",
    clock: ClockName = None,
    attribution: Attribution = "order_first",
    lookup: LookupName = None,
    shop: Shops = None,
    as_of: AsOf = None,
    version: Version = None,
) -> None:
    """One Excel workbook of a period (月报): figures by agent, by shop, by day, and every list."""
    from cslog.report import files

    if session.output is None or session.output.suffix.lower() != ".xlsx":
        raise UsageError("a report is an Excel workbook", "add --output report.xlsx")
    if session.wanted_format() != Format.xlsx:
        raise UsageError("a report is an Excel workbook", "leave --json and --format away")
    settings = session.settings()
    question = question_of((month, day, first, last), shop, None, as_of, version, attribution=attribution)
    counting = counted_by(profile, clock, lookup, settings, question.period)
    sheets = workbook.pages(
        question, counting, session.open_store(settings), settings, session.headings(settings)
    )
    for warning in dict.fromkeys(warning for sheet in sheets for warning in sheet.warnings):
        session.say(f"warning: {warning}")
    session.write(files.to_xlsx(sheets, session.headings(settings)))
