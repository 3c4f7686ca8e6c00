"""The command line: one file per family; each command parses, calls one library function, shows.

Importing this package must stay cheap: polars, numba, pyarrow and deltalake are imported inside commands.
"""

from __future__ import annotations

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


# Each registers its own commands; `--help` lists them in this order, the figures first.
from cslog.commands import figures  # noqa: E402, F401, I001
from cslog.commands import crediting, files, freezing, privacy, roster, running, setup, store, worklists  # noqa: E402, F401
