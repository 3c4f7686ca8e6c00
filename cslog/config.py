"""cslog.toml: where the store is and what the shop's accounts mean. Unknown keys are errors."""

from __future__ import annotations

import datetime
import hashlib
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import platformdirs

from cslog import patterns
from cslog.errors import UsageError, one_line

DEFAULT_ROBOTS = frozenset({"服务助手"})
"""Robot accounts of every shop."""


class Season(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Other hours of a shift in a part of the year (冬令时/夏令时); ``from`` and ``to`` as ``05-01``, included."""

    first: str = msgspec.field(name="from")
    last: str = msgspec.field(name="to")
    hours: tuple[str, ...]


class Shift(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shift (班次): ``hours`` like ``09:00-12:00``, ``13:00-18:00``; what lies between them is a break."""

    hours: tuple[str, ...]
    seasons: tuple[Season, ...] = ()


class Duty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the roster (排班): who has which shift on which days, both ends included."""

    agents: tuple[str, ...]
    shift: str
    first: datetime.date = msgspec.field(name="from")
    last: datetime.date = msgspec.field(name="to")
    weekdays: tuple[Annotated[int, msgspec.Meta(ge=1, le=7)], ...] = (1, 2, 3, 4, 5, 6, 7)
    off: tuple[datetime.date, ...] = ()


class Memo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a seller memo (卖家备注) names the agent: attribution rule ``memo``."""

    pattern: str
    numbers: dict[str, str] = {}
    """Agents by what the pattern finds (工号)."""
    claimed_only: bool = False

    def __post_init__(self) -> None:
        try:
            patterns.compiled(self.pattern)
        except patterns.PatternError as error:
            raise ValueError(f"`pattern` {error}") from error


class Shop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the files do not say about one shop; the table's key is its main account (主账号)."""

    aliases: tuple[str, ...] = ()
    """Other names of the shop, such as 店铺名称 of the order export."""
    robots: tuple[str, ...] = ()
    """Sub-accounts that are robots, beside 服务助手."""
    assistants: tuple[str, ...] = ()
    """Sub-accounts of robots that assist, or of other vendors: valid answers where the profile says so."""
    staff: tuple[str, ...] = ()
    """Accounts of the shop that do not look like ``shop:agent``."""
    internal: tuple[str, ...] = ()
    """Nicks of own people; chats with them are no customers (内部账号)."""
    teams: dict[str, tuple[str, ...]] = {}
    """Agents by team (小组)."""
    shifts: dict[str, Shift] = {}
    roster: tuple[Duty, ...] = ()
    roster_files: tuple[str, ...] = ()
    """Sheets with a shift per person and date (排班表), relative to the configuration's folder."""
    people: dict[str, str] = {}
    """Agents by the name that roster sheets use (姓名)."""
    flags: dict[str, Literal["claim", "exclude", "ignore"]] = {}
    """What a flag colour (旗帜) means here."""
    memo: Memo | None = None
    excluded_orders: tuple[str, ...] = ()
    """Order numbers that are nobody's sales (指定订单不算业绩)."""


class AutoReplies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is an automatic reply beside what the exports mark (自动回复识别), docs/definitions.md 49."""

    prefixes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    statistical: bool = False
    seconds: Annotated[int, msgspec.Meta(ge=0)] = 1
    buyers: Annotated[int, msgspec.Meta(ge=2)] = 20


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule by which buyer-days are left out (接待过滤), docs/definitions.md 48."""

    rule: Literal[
        "keywords", "exact", "mass", "single_sentence", "accounts", "forwards", "empty", "monologue"
    ]
    name: str = ""
    words: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    side: Literal["buyer", "agent", "any"] | None = msgspec.field(name="from", default=None)
    shorter_than: int | None = None
    fewer_than: int | None = None
    replies: int = 0

    def __post_init__(self) -> None:
        needed = {
            "keywords": "words",
            "exact": "texts",
            "accounts": "accounts",
            "single_sentence": "fewer_than",
        }
        key = needed.get(self.rule)
        if key and not getattr(self, key):
            raise ValueError(f"a filter by {self.rule} needs `{key}`")

    @property
    def title(self) -> str:
        """What reports call the rule."""
        return self.name or self.rule

    @property
    def looks_at_texts(self) -> bool:
        """Whether the rule asks what was said."""
        return self.rule in ("keywords", "exact", "mass")

    @property
    def looks_at(self) -> str:
        """The side whose messages a text rule looks at."""
        return self.side or ("any" if self.rule == "mass" else "buyer")


class RunReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A report that `cslog run` writes anew each time (定时报表)."""

    period: Literal["yesterday", "this_week", "last_week", "this_month", "last_month"]
    output: str
    """Its file, relative to the configuration's folder; the ending names the format, ``{period}`` the period."""
    what: Literal["kpi", "report"] = "kpi"
    """The table of `cslog kpi`, or the workbook of `cslog report`."""
    by: tuple[str, ...] = ("agent",)
    profile: str = "chitu"
    attribution: str = "order_first"
    shops: tuple[str, ...] = ()


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `cslog run` does (定时运行); folders and files are relative to the configuration's folder."""

    inbox: str | None = None
    done: str | None = None
    failed: str | None = None
    log: str | None = None
    wait_s: Annotated[int, msgspec.Meta(ge=0)] = 600
    """How long it waits for another run on the same inbox."""
    settle_s: Annotated[int, msgspec.Meta(ge=0)] = 5
    """Files are looked at twice, so far apart: one that changes is still being written."""
    days_behind: Annotated[int, msgspec.Meta(ge=1)] = 1
    """The newest day expected in the store is so many days ago."""
    closed_days: tuple[datetime.date, ...] = ()
    """Days without messages that are no gap (店休)."""
    retired_shops: tuple[str, ...] = ()
    """Shops of which no more exports are expected (停用店铺)."""
    reports: tuple[RunReport, ...] = ()


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the store keeps what it read (保存期限), applied by `cslog forget --expired` and by `cslog run`."""

    months: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Past months whose figures stay complete; what no figure of them needs is removed."""
    text_months: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Past months whose texts stay; figures do not need them."""


class Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of cslog.toml."""

    store: str | None = None
    keep_text: bool = True
    """Whether the store keeps what was said (保存原文), beside who said it when and how long it was."""
    language: Literal["en", "zh"] | None = None
    """Headings of reports (报表语言)."""
    shops: dict[str, Shop] = {}
    auto_replies: AutoReplies = AutoReplies()
    filters: tuple[Filter, ...] = ()
    profiles: tuple[dict[str, Any], ...] = ()
    """Own profiles (自定义口径), see cslog.profile."""
    run: Run = Run()
    retention: Retention = Retention()


class Config(Written, frozen=True):
    """The whole of cslog.toml, and where it lies."""

    folder: str = ""
    """Where the configuration lies; files it names are relative to it."""

    @property
    def rosters(self) -> bool:
        """Whether any shop has a roster (排班)."""
        return any(shop.roster or shop.roster_files for shop in self.shops.values())

    @property
    def text_rules(self) -> tuple[str, ...]:
        """The configured rules that look at what was said, as cslog.toml names them."""
        replies = self.auto_replies
        found = [f"auto_replies.{name}" for name in ("prefixes", "texts") if getattr(replies, name)]
        return (*found, *(f"filter {rule.title}" for rule in self.filters if rule.looks_at_texts))

    def canonical_shop(self, name: str) -> str:
        """The main account for a shop's name or one of its aliases."""
        for main, shop in self.shops.items():
            if name in shop.aliases:
                return main
        return name

    def robots(self) -> dict[str, frozenset[str]]:
        """Short names of the robot accounts by shop, beside DEFAULT_ROBOTS."""
        return {name: frozenset(shop.robots) for name, shop in self.shops.items()}

    def assistants(self) -> dict[str, frozenset[str]]:
        """Short names of assisting robots by shop (kpi-spec M1, class ``assist``)."""
        return {name: frozenset(shop.assistants) for name, shop in self.shops.items()}

    def staff(self) -> dict[str, frozenset[str]]:
        """Names of agents that do not look like ``shop:agent``, by shop."""
        return {name: frozenset(shop.staff) for name, shop in self.shops.items()}

    def internal(self, shop: str) -> frozenset[str]:
        """Nicks of the shop's own people."""
        return frozenset(self.shops[shop].internal) if shop in self.shops else frozenset()

    def beside(self, file: str) -> Path:
        """The path of a file that the configuration names. UsageError for what is no path."""
        return Path(self.folder) / _path_of(file)

    def hash(self, profile: msgspec.Struct) -> str:
        """Twelve hex digits over everything configured that can change a figure, with the profile.

        Roster sheets count by their content; one that cannot be read counts as empty.
        """
        sheets = [file for shop in self.shops.values() for file in shop.roster_files]
        digests = [
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for path in map(self.beside, sheets)
        ]
        counted = [self.shops, self.auto_replies, self.filters, digests, profile]
        content = msgspec.json.encode(counted, order="deterministic")
        return hashlib.blake2b(content, digest_size=6).hexdigest()


def file_of(path: str | None) -> Path | None:
    """The file of ``--config``, else ``$CSLOG_CONFIG``, else ``./cslog.toml``, if there is one."""
    named = path or os.environ.get("CSLOG_CONFIG")
    file = Path(named or "cslog.toml")
    return file if named or file.is_file() else None


def load(path: str | None) -> Config:
    """The configuration in ``file_of(path)``, else an empty one."""
    file = file_of(path)
    if file is None:
        return Config()
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", "give the configuration by --config FILE") from error
    try:
        found = msgspec.toml.decode(content, type=Written)
        return Config(**msgspec.structs.asdict(found), folder=str(file.parent))
    except (ValueError, RecursionError) as error:
        raise UsageError(one_line(f"{file}: {error}"), "see docs/configuration.md") from error


def store_folder(option: str | None, config: Config) -> Path:
    """``--store``, else ``$CSLOG_STORE``, else ``store`` of the configuration, else the user's data folder."""
    named = option or os.environ.get("CSLOG_STORE") or config.store
    return _path_of(named) if named else platformdirs.user_data_path("cslog", appauthor=False) / "store"


def _path_of(written: str) -> Path:
    if "\0" in written:
        raise UsageError(f"{one_line(written)}: is no path", "take the NUL character out of it")
    try:
        return Path(written).expanduser()
    except RuntimeError as error:  # ~somebody whom this machine does not know
        raise UsageError(f"{written}: there is no such user", "write the path without ~") from error
