"""The contract between cslog and its readers: one short class per export format.

A reader recognises a file by its content (``identify``) and turns it into rows as the file
states them (``read``). It decides nothing about roles, classes or owners beyond what is
written in the file; ``cslog.identity`` does. Readers never see the store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cslog import schema
from cslog.config import DEFAULT_ROBOTS

if TYPE_CHECKING:
    import polars as pl

    from cslog.readers.head import Head


@dataclass(frozen=True)
class Options:
    """What the user said about the files on the command line or in cslog.toml.

    ``shop`` overrides what files say. ``staff`` are names of agents that do not look like
    ``shop:agent``; ``robots`` names of robot accounts (short names, without the shop).
    """

    shop: str | None = None
    staff: frozenset[str] = frozenset()
    robots: frozenset[str] = DEFAULT_ROBOTS


@dataclass
class Batch:
    """Everything one file holds.

    ``messages`` (schema.RAW_MESSAGES) and ``orders`` (schema.RAW_ORDERS) are in file order.
    ``block`` numbers the contact blocks of the file: messages of one block belong to one
    buyer, and the agent rule of kpi-spec I3 is applied per block. ``shop`` and ``exporter``
    are the file's own statement (line 0 of a Txt export), null when it makes none; the
    exporter is the full account name (``shop:agent``, or the bare shop for the main account).
    ``rejects`` (schema.REJECTS) are the lines that could not be placed.
    """

    messages: pl.DataFrame | None = None
    orders: pl.DataFrame | None = None
    rejects: pl.DataFrame | None = None
    encoding: str | None = None
    replaced_characters: int = 0
    platform: str = "taobao"
    shop: str | None = None
    exporter: str | None = None
    warnings: list[str] = field(default_factory=list)

    def validated(self, where: str) -> Batch:
        """Check the frames against the schema; ``where`` names reader and file in errors."""
        if self.messages is not None:
            schema.validate(
                self.messages,
                schema.RAW_MESSAGES,
                ("line", "block", "buyer", "sent_at", "text", "auto"),
                where,
            )
        if self.orders is not None:
            schema.validate(
                self.orders,
                schema.RAW_ORDERS,
                ("line", "order_id", "created_at", "state", "amount_cents"),
                where,
            )
        if self.rejects is not None:
            schema.validate(self.rejects, schema.REJECTS, ("line", "reason"), where)
        return self


class Reader(Protocol):
    """One export format. One instance reads several files at once, in threads: it keeps nothing of a file."""

    id: str
    title: str  # English, shown by `cslog readers`
    title_zh: str
    sign: str  # the decisive sign, shown by `cslog readers`

    def identify(self, head: Head) -> bool:
        """Whether the file is of this format, by content alone. Must not raise."""
        ...

    def read(self, head: Head, options: Options) -> Batch:
        """Read the whole file. Raises ReadError when nothing of it can be trusted."""
        ...
