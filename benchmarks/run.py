"""Run everything that docs/development.md says about speed, in turn, and write it down.

    python -m benchmarks.run                                  # all stages, 1 M to 100 M messages: hours
    python -m benchmarks.run --only kpi --sizes 1M,10M        # one stage, small
    python -m benchmarks.run --resume                         # go on where a run was stopped

Every figure is a whole process, started in turn with the others (A B C, A B C …); seconds are medians, ratios the
medians of the ratios of each round. Results: results.json and RESULTS.md with its chart in benchmarks/out; --report names another place for the tables.
This program imports the standard library only: its memory would count as that of its children.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

if __package__ in (None, ""):  # run as a script: make the folder above importable
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import results
from benchmarks.processes import ROOT
from benchmarks.results import Results
from benchmarks.stages import PEERS, STAGES, Bench

OUT = ROOT / "benchmarks" / "out"


def size(text: str) -> int:
    """``10M``, ``500k`` or a plain number of messages."""
    scale = {"k": 1_000, "m": 1_000_000}.get(text[-1].lower(), 1)
    return int(float(text.rstrip("kKmM")) * scale)


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=",".join(STAGES), help=f"stages out of {', '.join(STAGES)}")
    parser.add_argument("--sizes", default="1M,10M,50M,100M", help="messages of the month")
    parser.add_argument("--rounds", type=int, default=3, help="of every comparison")
    parser.add_argument("--peers", default=",".join(PEERS), help="peers out of " + ", ".join(PEERS))
    parser.add_argument("--peers-up-to", default="50M", help="larger months are for cslog alone")
    parser.add_argument("--peers-python", default=sys.executable, help="the Python that has duckdb, pandas …")
    parser.add_argument("--year-month", default="4M", help="messages of each month of the year")
    parser.add_argument("--ingest", default="10M", help="messages of the ingested folder of 1,440 files")
    parser.add_argument("--day-store", default="50M", help="the store that one more day is ingested into")
    parser.add_argument("--data", type=Path, default=OUT / "data", help="generated stores and files")
    parser.add_argument("--resume", action="store_true", help="keep the samples that are there already")
    parser.add_argument(
        "--report",
        type=Path,
        default=OUT / "RESULTS.md",
        help="the tables; the repository's are benchmarks/RESULTS.md",
    )
    parser.add_argument("--report-only", action="store_true", help="write the tables of what is there")
    chosen = parser.parse_args(arguments)
    wrong = [name for name in chosen.only.split(",") if name not in STAGES]
    wrong += [name for name in chosen.peers.split(",") if name and name not in PEERS]
    if wrong:
        parser.error(f"unknown: {', '.join(wrong)}")
    return chosen


def main(arguments: list[str] | None = None) -> None:
    """Run the chosen stages and write the report after each."""
    chosen = parsed(arguments)
    found = Results(OUT / "results.json")
    bench = Bench(
        results=found,
        data=chosen.data.resolve(),
        rounds=chosen.rounds,
        sizes=[size(text) for text in chosen.sizes.split(",")],
        peers=[name for name in chosen.peers.split(",") if name],
        peers_up_to=size(chosen.peers_up_to),
        peers_python=chosen.peers_python,
        year_month=size(chosen.year_month),
        ingest=size(chosen.ingest),
        day_store=size(chosen.day_store),
        resume=chosen.resume,
    )
    if not chosen.report_only:
        bench.data.mkdir(parents=True, exist_ok=True)
        own = ["python", "-m", "benchmarks.run", *(sys.argv[1:] if arguments is None else arguments)]
        found.describe(bench.peers_python, results.without_places(own))
        for name in chosen.only.split(","):
            print(f"== {name}", file=sys.stderr, flush=True)
            STAGES[name](bench)
            results.write_report(found, chosen.report, bench.peers_python)
    results.write_report(found, chosen.report, bench.peers_python)


if __name__ == "__main__":
    if importlib.util.find_spec("resource") is None:
        sys.exit("peak memory is measured with wait4, which Windows does not have")
    main()
