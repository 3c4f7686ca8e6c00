"""cslog.toml: where the store is and what the shop's accounts mean. Unknown keys are errors."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

import msgspec
import platformdirs

from cslog.errors import UsageError

DEFAULT_ROBOTS = frozenset({"服务助手"})
"""Robot accounts of every shop."""


class Shop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the files do not say about one shop; the table's key is its main account (主账号)."""

    aliases: tuple[str, ...] = ()
    """Other names of the shop, such as 店铺名称 of the order export."""
    robots: tuple[str, ...] = ()
    """Sub-accounts that are robots, beside 服务助手."""
    staff: tuple[str, ...] = ()
    """Accounts of the shop that do not look like ``shop:agent``."""
    internal: tuple[str, ...] = ()
    """Nicks of own people; chats with them are no customers (内部账号)."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of cslog.toml."""

    store: str | None = None
    language: Literal["en", "zh"] | None = None
    """Headings of reports (报表语言)."""
    shops: dict[str, Shop] = {}

    def canonical_shop(self, name: str) -> str:
        """The main account for a shop's name or one of its aliases."""
        for main, shop in self.shops.items():
            if name in shop.aliases:
                return main
        return name

    def robots(self) -> dict[str, frozenset[str]]:
        """Short names of the robot accounts by shop, beside DEFAULT_ROBOTS."""
        return {name: frozenset(shop.robots) for name, shop in self.shops.items()}

    def staff(self) -> dict[str, frozenset[str]]:
        """Names of agents that do not look like ``shop:agent``, by shop."""
        return {name: frozenset(shop.staff) for name, shop in self.shops.items()}

    def internal(self, shop: str) -> frozenset[str]:
        """Nicks of the shop's own people."""
        return frozenset(self.shops[shop].internal) if shop in self.shops else frozenset()

    def hash(self, profile: msgspec.Struct) -> str:
        """Twelve hex digits over everything configured that can change a figure, with the profile."""
        content = msgspec.json.encode([self.shops, profile], order="deterministic")
        return hashlib.blake2b(content, digest_size=6).hexdigest()


def load(path: str | None) -> Config:
    """The configuration of ``--config``, else ``$CSLOG_CONFIG``, else ``./cslog.toml``, else an empty one."""
    named = path or os.environ.get("CSLOG_CONFIG")
    file = Path(named or "cslog.toml")
    if not named and not file.is_file():
        return Config()
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", "give the configuration by --config FILE") from error
    try:
        return msgspec.toml.decode(content, type=Config)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {error}", "see docs/configuration.md") from error


def store_folder(option: str | None, config: Config) -> Path:
    """``--store``, else ``$CSLOG_STORE``, else ``store`` of the configuration, else the user's data folder."""
    named = option or os.environ.get("CSLOG_STORE") or config.store
    return (
        Path(named).expanduser() if named else platformdirs.user_data_path("cslog", appauthor=False) / "store"
    )
