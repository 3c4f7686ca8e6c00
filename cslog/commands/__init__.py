"""The command line: one file per family; each command parses, calls one library function, shows.

Importing this package must stay cheap: polars, numba, pyarrow and deltalake are imported inside commands.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import typer

from cslog import __version__

app = typer.Typer(
    name="cslog",
    help="Customer-service KPIs (客服绩效) from Qianniu/Wangwang chat logs (千牛聊天记录) and order exports (订单报表).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cslog {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    pass


FAMILIES = {
    "figures": ("kpi", "explain", "metrics", "profiles"),
    "crediting": ("attribution", "orders"),
    "files": ("ingest", "readers", "rejects"),
    "freezing": ("freeze", "frozen", "corrections"),
    "privacy": ("forget", "export"),
    "roster": ("roster",),
    "running": ("run", "schedule"),
    "setup": ("demo", "warm"),
    "store": ("status", "history", "compact"),
    "worklists": ("report", "list"),
}
"""The modules of this package that hold commands, and which; ``--help`` lists them in this order."""


def register(words: Sequence[str] = ()) -> None:
    """Import the family whose command the ``words`` of a command line begin with. All of them for any other words:
    for help, and to say what is no command.
    """
    asked = [family for family, names in FAMILIES.items() if words and words[0] in names]
    for family in asked or FAMILIES:
        importlib.import_module(f"cslog.commands.{family}")
