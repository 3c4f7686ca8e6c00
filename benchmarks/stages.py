"""The stages of a benchmark run: which processes are started, in which order, on which data."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT, Sample, run
from benchmarks.results import Results

MONTH = "2024-11"
PEERS = {
    "duckdb": ("duckdb_sql",),
    "polars": ("polars_frames",),
    "polars-streaming": ("polars_frames", "--streaming"),
    "pandas": ("pandas_frames",),
    "chdb": ("chdb_sql",),
}
IMPORTS = "import polars, numba, typer, deltalake"
START_ROUNDS = 9
FILES_SHOPS, FILES_AGENTS = 48, 30  # one file each
_BARE = """
import typer
app = typer.Typer()
@app.command()
def one(name: str = "x"): pass
@app.command()
def two(number: int = 1): pass
app()
"""

Command = list[str]


@dataclass(frozen=True)
class Bench:
    """What was asked for, and where things are."""

    results: Results
    data: Path
    rounds: int
    sizes: list[int]
    peers: list[str]
    peers_up_to: int
    peers_python: str
    year_month: int
    ingest: int
    day_store: int
    resume: bool
    begun: set[tuple[str, str]] = field(default_factory=set)  # cases with samples of this run

    @property
    def variables(self) -> dict[str, str]:
        """The compiled kernels are kept beside the data, so that no other checkout's are taken."""
        return {"NUMBA_CACHE_DIR": str(self.data / "numba"), "XDG_CONFIG_HOME": str(self.data / "none")}

    def cslog(self, *words: str) -> Command:
        """A command line of cslog."""
        return [sys.executable, "-m", "cslog", *words]

    def kpi(self, store: Path, month: str = MONTH) -> Command:
        """The report that is measured."""
        return self.cslog("kpi", "--store", str(store), "--month", month, "--json", "--quiet")

    def sample(self) -> Path:
        """A store of sample_logs."""
        folder = self.data / "sample"
        if not folder.exists():
            self.must(self.cslog("ingest", str(ROOT / "sample_logs"), "--store", str(folder), "--quiet"))
        return folder

    def warm(self) -> None:
        """Compile everything that a report and an ingest use; bytecode too."""
        self.must(self.cslog("warm"))
        self.must(self.kpi(self.sample()))

    def must(self, command: Command, more: dict[str, str] | None = None) -> bytes:
        """Run what is not measured but must succeed; its stdout."""
        sample, out = run(command, self.variables | (more or {}), timeout_s=6 * 3600)
        if sample.failed:
            raise SystemExit(f"{' '.join(command)}: {sample.failed}")
        return out

    def measured(
        self,
        key: tuple[str, str, str, int],
        command: Command,
        more: dict[str, str] | None = None,
        extra: Callable[[bytes], dict[str, Any]] | None = None,
    ) -> Sample | None:
        """Run and note under (stage, case, program, round); None when that is known already."""
        if self.resume and self.results.has(key):
            return None
        if not self.resume and key[:2] not in self.begun:
            self.results.forget(*key[:2])
        self.begun.add(key[:2])
        sample, out = run(command, self.variables | (more or {}))
        found = extra(out) if extra and not sample.failed else {}
        self.results.add(key, sample, command, found)
        print(
            f"   {' '.join(map(str, key))}: {sample.wall_s:.2f} s, {sample.cpu_s:.2f} s CPU, {sample.peak_mib} MiB"
            f"{', ' + sample.failed if sample.failed else ''}",
            file=sys.stderr,
            flush=True,
        )
        return sample

    def store(self, messages: int, month: str = MONTH, months: int = 1, seed: int = 7) -> Path:
        """A compacted store, made when it is not there yet."""
        folder = self.data / f"store-{messages}-{month}-{months}"
        done = folder / "made.txt"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            print(f"   making {folder.name}", file=sys.stderr, flush=True)
            self.must(
                [sys.executable, "-m", "benchmarks.make_store", "--store", str(folder), "--messages", str(messages),
                 "--month", month, "--months", str(months), "--seed", str(seed)]
            )  # fmt: skip
            done.write_text("complete\n", encoding="utf-8")
        return folder


def in_page_cache(folder: Path) -> None:
    """Read every file once: cold reads are not measured."""
    for path in folder.rglob("*.parquet"):
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass


def kpi(bench: Bench) -> None:
    """The month's report of cslog, its floor and where its time goes, and the peers', for every size."""
    bench.warm()
    for messages in bench.sizes:
        store = bench.store(messages)
        in_page_cache(store)
        outputs = bench.data / "figures"
        outputs.mkdir(exist_ok=True)
        for number in range(bench.rounds):
            case = str(messages)
            cslog_json = outputs / f"cslog-{messages}.json"
            bench.measured(("kpi", case, "imports", number), [sys.executable, "-c", IMPORTS])
            bench.measured(
                ("kpi", case, "cslog", number),
                bench.kpi(store),
                extra=lambda out, path=cslog_json: _kept(path, out),
            )
            bench.measured(
                ("kpi", case, "floor", number),
                [sys.executable, "-m", "benchmarks.floor", str(store), MONTH],
                extra=json.loads,
            )
            bench.measured(
                ("kpi", case, "phases", number),
                [sys.executable, "-m", "benchmarks.phases", str(store), MONTH],
                extra=json.loads,
            )
            for peer in bench.peers if messages <= bench.peers_up_to else []:
                module, *options = PEERS[peer]
                out = outputs / f"{peer}-{messages}.parquet"
                bench.measured(
                    ("kpi", case, peer, number),
                    [
                        bench.peers_python,
                        "-m",
                        f"benchmarks.peers.{module}",
                        str(store),
                        MONTH,
                        str(out),
                        *options,
                    ],
                    extra=lambda _, path=out, ours=cslog_json: _checked(bench, ours, path),
                )


def _kept(path: Path, out: bytes) -> dict[str, Any]:
    path.write_bytes(out)
    return {"rows": len(json.loads(out)["rows"])}


def _checked(bench: Bench, ours: Path, theirs: Path) -> dict[str, Any]:
    """Whether the peer's table is cslog's."""
    if not ours.exists():
        return {}
    sample, out = run([sys.executable, "-m", "benchmarks.check", str(ours), str(theirs)], bench.variables)
    return {"equal": not sample.failed, "check": out.decode().splitlines()[0] if out else sample.failed}


def year(bench: Bench) -> None:
    """A month out of a year beside the same month in a store of its own, and the year's first month, which eleven
    others follow: the cost must not follow the store.
    """
    bench.warm()
    whole = bench.store(bench.year_month, "2024-01", 12)
    alone = bench.store(bench.year_month, "2024-06", 1, seed=7 + 5 * 1000)
    reports = {
        "a year's store": bench.kpi(whole, "2024-06"),
        "a month's store": bench.kpi(alone, "2024-06"),
        "a year's first month": bench.kpi(whole, "2024-01"),
    }
    for store in (whole, alone):
        in_page_cache(store)
    for number in range(max(bench.rounds, 3)):
        for name, report in reports.items():
            bench.measured(("year", str(bench.year_month), name, number), report)


def start(bench: Bench) -> None:
    """Start-up: a report on the sample beside its imports alone, and --help beside a bare typer program."""
    bench.warm()
    store = bench.sample()
    bare = bench.data / "bare.py"
    bare.write_text(_BARE, encoding="utf-8")
    pairs = {
        "report": {"imports": [sys.executable, "-c", IMPORTS], "cslog": bench.kpi(store)},
        "help": {"imports": [sys.executable, str(bare), "--help"], "cslog": bench.cslog("--help")},
    }
    for programs in pairs.values():
        for command in programs.values():
            bench.must(command)  # writes bytecode
    for number in range(max(bench.rounds, START_ROUNDS)):
        for case, programs in pairs.items():
            for program, command in programs.items():
                bench.measured(("start", case, program, number), command)


def first(bench: Bench) -> None:
    """The first report ever, with nothing compiled yet, and a later one."""
    store = bench.store(min(bench.sizes))
    for number in range(min(bench.rounds, 2)):
        with tempfile.TemporaryDirectory() as folder:
            for program in ("nothing compiled", "compiled"):
                bench.measured(
                    ("first", str(min(bench.sizes)), program, number),
                    bench.kpi(store),
                    {"NUMBA_CACHE_DIR": folder},
                )


def ingest(bench: Bench) -> None:
    """GBK Txt files into an empty store, a quarter of them and all 1,440 (memory must not follow the folder), beside
    one regular expression in Python; the same folder again, and one more day into a big store.
    """
    bench.warm()
    folders = {
        messages: _generated(bench, bench.data / f"logs-{messages}", messages, shops)
        for messages, shops in ((bench.ingest // 4, FILES_SHOPS // 4), (bench.ingest, FILES_SHOPS))
    }
    for number in range(min(bench.rounds, 2)):
        for messages, logs in folders.items():
            case, store, scratch = str(messages), bench.data / f"ingested-{messages}", bench.data / "regex"
            command = bench.cslog("ingest", str(logs), "--store", str(store), "--json", "--quiet")
            if not (bench.resume and bench.results.has(("ingest", case, "new", number))):
                shutil.rmtree(store, ignore_errors=True)
            bench.measured(("ingest", case, "new", number), command, extra=_totals)
            peer = [sys.executable, "-m", "benchmarks.peers.regex_reader", str(logs), str(scratch)]
            bench.measured(("ingest", case, "one regex in Python", number), peer, extra=json.loads)
            bench.measured(("ingest", case, "again", number), command, extra=_totals)
            bench.measured(("ingest", case, "compact", number), bench.cslog("compact", "--store", str(store)))
    big = bench.store(bench.day_store)
    day, shops = bench.day_store // 30, max(1, round(bench.day_store / 2_500_000))
    one_day = bench.data / f"day-{bench.day_store}"
    _generated(bench, one_day, day, shops, "--day", "30")
    for number in range(min(bench.rounds, 2)):
        with tempfile.TemporaryDirectory(dir=bench.data) as folder:
            store = Path(folder) / "store"
            shutil.copytree(big, store, copy_function=os.link)  # files are never changed, only added
            command = bench.cslog("ingest", str(one_day), "--store", str(store), "--json", "--quiet")
            bench.measured(("ingest", str(bench.day_store), "one more day", number), command, extra=_totals)
            bench.measured(("ingest", str(bench.day_store), "kpi with that day", number), bench.kpi(store))


def _generated(bench: Bench, folder: Path, messages: int, shops: int, *more: str) -> Path:
    done = folder / "made"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        print(f"   making {folder.name}", file=sys.stderr, flush=True)
        command: Sequence[str] = [
            sys.executable, "-m", "benchmarks.generate", "--messages", str(messages), "--shops", str(shops),
            "--agents", str(FILES_AGENTS), "--month", MONTH, "--seed", "77", "--out", str(folder), *more,
        ]  # fmt: skip
        bench.must(list(command))
        shutil.rmtree(folder / "tb-orders")
        done.mkdir()
    return folder


def _totals(out: bytes) -> dict[str, Any]:
    report = json.loads(out)
    read = sum(file["messages_read"] for file in report["files"])
    return {**report["totals"], "messages_read": read}


STAGES: dict[str, Callable[[Bench], None]] = {
    "start": start,
    "kpi": kpi,
    "year": year,
    "first": first,
    "ingest": ingest,
}
