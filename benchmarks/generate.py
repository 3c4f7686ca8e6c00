"""Invented chat logs and orders of any size, with the truth behind them.

``generate(config)`` draws the month as flat numpy arrays (benchmarks.invent); the writers below render them as real
export layouts, and tests read the truth from the same arrays. A seed gives the same bytes on every machine with the
same numpy.

    python benchmarks/generate.py --messages 1000000 --seed 7 --out DIR
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np

if __package__ in (None, ""):  # run as a script: make the folder above importable
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import layouts
from benchmarks.invent import DAY, EPOCH, ROBOT, Config, Month, Shop, generate, order_rows, shops, small_month

__all__ = [
    "Config",
    "Month",
    "Shop",
    "Written",
    "generate",
    "shops",
    "small_month",
    "write_csv",
    "write_orders",
    "write_txt",
]

CHUNK = 200_000  # messages rendered at once: memory while writing does not grow with the file


@dataclass(frozen=True)
class Written:
    """One file, and how many messages or orders it holds."""

    path: Path
    rows: int


def write_txt(month: Month | Shop, folder: Path, files_per_agent: int = 1) -> list[Written]:
    """GBK Txt exports (formats 1.1), one per agent, or several with date ranges that overlap by a day.

    A session handed over stands in the files of both agents, as in reality. Blocks are in random order.
    """
    written = []
    for shop in _shops_of(month):
        target = folder / "qn-txt" / shop.name
        target.mkdir(parents=True, exist_ok=True)
        pieces = _TxtPieces(shop)
        shuffled = np.random.default_rng([shop.config.seed, 1]).permutation(len(shop.buyers))
        for number in range(len(shop.agents)):
            sessions = np.flatnonzero((shop.session_agent == number) | (shop.session_next_agent == number))
            sessions = sessions[np.argsort(shuffled[shop.session_buyer[sessions]], kind="stable")]
            rows = _ranges(shop.session_offset[sessions], shop.session_offset[sessions + 1])
            for first, last, label in _date_ranges(shop.config, files_per_agent):
                part = rows
                if files_per_agent > 1:
                    part = rows[(shop.sent_at[rows] >= first) & (shop.sent_at[rows] < last)]
                if not len(part):
                    continue  # the client refuses to export an empty range
                path = target / f"{shop.agents[number].split(':')[1]}_{label}.txt"
                with path.open("wb") as file:
                    file.write(layouts.txt_header(shop.agents[number]).encode("gbk"))
                    for begin in range(0, len(part), CHUNK):
                        previous = part[begin - 1] if begin else -1
                        file.write(pieces.join(part[begin : begin + CHUNK], previous))
                    group = f"{shop.agents[number]}({shop.config.month}-01 09:00:00):  大家早上好{layouts.LINE_END}"
                    file.write(
                        layouts.txt_group_section(layouts.txt_contact("客服交接群") + group).encode("gbk")
                    )
                written.append(Written(path, len(part)))
    return written


def write_csv(month: Month | Shop, folder: Path, encoding: str = "gb18030") -> list[Written]:
    """One csv per agent, a row per message in order of time, each message once.

    ``发送方`` is 买家, 客服, 机器人 or 系统; ``客服昵称`` is the account the message sits with, for the robot's own
    messages the robot's account. ``encoding`` is gb18030 or utf-8-sig.
    """
    written = []
    for shop in _shops_of(month):
        target = folder / "csv" / shop.name
        target.mkdir(parents=True, exist_ok=True)
        pieces = _CsvPieces(shop, "utf-8" if encoding == "utf-8-sig" else encoding)
        by_time = np.argsort(shop.sent_at, kind="stable")
        for number, agent in enumerate(shop.agents):
            rows = by_time[shop.owner[by_time] == number]
            if not len(rows):
                continue
            path = target / f"{agent.split(':')[1]}_{shop.config.month}.csv"
            with path.open("wb") as file:
                file.write((",".join(layouts.CSV_HEADER) + layouts.LINE_END).encode(encoding))
                for begin in range(0, len(rows), CHUNK):
                    file.write(pieces.join(rows[begin : begin + CHUNK]))
            written.append(Written(path, len(rows)))
    return written


def write_orders(month: Month | Shop, folder: Path, as_of: tuple[int, ...] = ()) -> list[Written]:
    """``ExportOrderList*.csv`` per shop and export instant; without ``as_of`` one, ten days after the month.

    Exports at several instants hold the same orders in their states of that instant.
    """
    written = []
    for shop in _shops_of(month):
        target = folder / "tb-orders" / shop.name
        target.mkdir(parents=True, exist_ok=True)
        final = shop.config.start_at + (shop.config.days + 10) * DAY + 9 * 3600 + 1800
        for instant in as_of or (final,):
            stamp = (datetime(1970, 1, 1) + timedelta(seconds=int(instant))).strftime("%Y%m%d%H%M")
            path = target / f"ExportOrderList{stamp}.csv"
            lines = [layouts.order_line(row) for row in order_rows(shop, instant)]
            path.write_bytes((layouts.order_header() + "".join(lines)).encode("gbk"))
            written.append(Written(path, len(lines)))
    return written


def _shops_of(month: Month | Shop) -> list[Shop]:
    return month.shops if isinstance(month, Month) else [month]


def _ranges(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Concatenation of the integer ranges [begin, end)."""
    length = end - begin
    if not len(length):
        return np.zeros(0, dtype=np.int64)
    step = np.repeat(begin - np.concatenate(([0], np.cumsum(length)[:-1])), length)
    return step + np.arange(int(length.sum()))


def _date_ranges(config: Config, files: int) -> list[tuple[int, int, str]]:
    """(first second, first second after, label) of each export; whole days, one day of overlap."""
    edges = [round(config.days * number / files) for number in range(files + 1)]
    ranges = []
    for number, (begin, end) in enumerate(itertools.pairwise(edges)):
        last = number == files - 1
        # The last range is open: sessions of the month may end in the next one.
        stop = config.start_at + (end + (10 * config.days if last else 1)) * DAY
        shown = (
            config.first_day + timedelta(days=begin),
            config.first_day + timedelta(days=end - 1 if last else end),
        )
        label = config.month if files == 1 else f"{shown[0]:%Y%m%d}_{shown[1]:%Y%m%d}"
        ranges.append((config.start_at + begin * DAY, stop, label))
    return ranges


def _table(values: list[bytes]) -> np.ndarray:
    table = np.empty(len(values), dtype=object)
    table[:] = values
    return table


@lru_cache(maxsize=4)
def _clock_table(*ends: str) -> np.ndarray:
    """``HH:MM:SS`` + end for every second of the day, one table after the other for each of ``ends``."""
    clock = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(DAY)]
    return _table([(text + end).encode("ascii") for end in ends for text in clock])


class _TxtPieces:
    """Encoded parts of Txt lines: joining them is all that is left to do for each message."""

    def __init__(self, shop: Shop) -> None:
        def encoded(text: str) -> bytes:
            return text.encode("gbk", errors="replace")  # the client writes ? for what GBK does not have

        self.shop = shop
        self.senders = _table([encoded(f"{name}(") for name in shop.accounts])
        self.contacts = [encoded(layouts.txt_contact(name)) for name in shop.buyers]
        self.heads = _table([encoded(text.replace("\n", layouts.LINE_END)) for text in shop.heads])
        self.tails = _table([encoded(text + layouts.LINE_END) for text in shop.tails])
        self.placeholder = np.array([text.startswith("[") for text in shop.heads])
        self.clock = _clock_table("):  ", "): ")
        self.first_day, self.days = _day_table(shop)

    def join(self, rows: np.ndarray, previous: int) -> bytes:
        """The lines of messages ``rows``; ``previous`` is the message before them in the file, -1 at its start."""
        shop = self.shop
        sent_at, head = shop.sent_at[rows], shop.head[rows]
        buyer = shop.session_buyer[shop.session[rows]]
        before = np.concatenate(
            ([shop.session_buyer[shop.session[previous]] if previous >= 0 else -1], buyer[:-1])
        )
        senders = self.senders[shop.sender[rows]].tolist()
        for place in np.flatnonzero(buyer != before).tolist():
            senders[place] = self.contacts[buyer[place]] + senders[place]
        pieces: list[bytes] = [b""] * (5 * len(rows))
        pieces[0::5] = senders
        pieces[1::5] = self.days[sent_at // DAY - self.first_day].tolist()
        pieces[2::5] = self.clock[sent_at % DAY + DAY * self.placeholder[head]].tolist()
        pieces[3::5] = self.heads[head].tolist()
        pieces[4::5] = self.tails[shop.tail[rows]].tolist()
        return b"".join(pieces)


class _CsvPieces:
    """Encoded parts of csv rows."""

    def __init__(self, shop: Shop, encoding: str) -> None:
        self.shop = shop
        quoted = [layouts.csv_cell(text).startswith('"') for text in shop.heads]
        heads = [
            layouts.csv_cell(text).removesuffix('"') if q else text
            for q, text in zip(quoted, shop.heads, strict=True)
        ]
        self.quoted = np.array(quoted)
        self.heads = _table([text.encode(encoding) for text in heads])
        self.tails = _table(
            [(text + end).encode(encoding) for end in ("\r\n", '"\r\n') for text in shop.tails]
        )
        self.accounts = _table([f"{layouts.csv_cell(name)},".encode(encoding) for name in shop.accounts])
        roles = ("买家", "客服", "机器人", "系统", "系统")
        self.roles = _table([f"{role},".encode(encoding) for role in roles])
        self.clock = _clock_table(",")
        self.first_day, self.days = _day_table(shop)

    def join(self, rows: np.ndarray) -> bytes:
        """The csv lines of messages ``rows``."""
        shop = self.shop
        sent_at, head, role = shop.sent_at[rows], shop.head[rows], shop.role[rows]
        robot = len(shop.agents)
        pieces: list[bytes] = [b""] * (7 * len(rows))
        pieces[0::7] = self.accounts[robot + 1 + shop.session_buyer[shop.session[rows]]].tolist()
        pieces[1::7] = self.accounts[np.where(role == ROBOT, robot, shop.owner[rows])].tolist()
        pieces[2::7] = self.days[sent_at // DAY - self.first_day].tolist()
        pieces[3::7] = self.clock[sent_at % DAY].tolist()
        pieces[4::7] = self.roles[role].tolist()
        pieces[5::7] = self.heads[head].tolist()
        pieces[6::7] = self.tails[shop.tail[rows] + len(shop.tails) * self.quoted[head]].tolist()
        return b"".join(pieces)


def _day_table(shop: Shop) -> tuple[int, np.ndarray]:
    """First day (number since 1970) and ``YYYY-MM-DD `` for every day that occurs."""
    first, last = int(shop.sent_at.min()) // DAY, int(shop.sent_at.max()) // DAY
    return first, _table(
        [f"{EPOCH + timedelta(days=day)} ".encode("ascii") for day in range(first, last + 1)]
    )


def main(arguments: list[str] | None = None) -> None:
    """Write a month to a folder, shop by shop."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shops", type=int, default=1)
    parser.add_argument("--agents", type=int, default=30, help="per shop")
    parser.add_argument("--month", default="2024-11")
    parser.add_argument("--day", type=int, default=0, help="only this day of the month")
    parser.add_argument("--layout", choices=("txt", "csv"), default="txt")
    parser.add_argument(
        "--encoding", choices=("gb18030", "utf-8-sig"), default="gb18030", help="of the csv layout"
    )
    parser.add_argument("--files-per-agent", type=int, default=1, help="overlapping date ranges (txt)")
    chosen = parser.parse_args(arguments)
    config = Config(chosen.messages, chosen.seed, chosen.shops, chosen.agents, chosen.month, chosen.day)
    begun, messages, files, rows = time.perf_counter(), 0, 0, 0
    for shop in shops(config):
        if chosen.layout == "txt":
            written = write_txt(shop, chosen.out, chosen.files_per_agent)
        else:
            written = write_csv(shop, chosen.out, chosen.encoding)
        rows += sum(file.rows for file in written)
        files += len(written) + len(write_orders(shop, chosen.out))
        messages += len(shop)
    took = time.perf_counter() - begun
    print(
        f"{messages} messages ({rows} lines with the shared ones) in {files} files, "
        f"{took:.1f} s, {messages / took:,.0f} messages/s",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
