"""What a run costs, as a user sees it: start-up of the command line, and a generated month end to end.

``python benchmarks/measure.py [--messages 1000000] [--keep DIR]`` prints JSON: the seconds of
``cslog --help`` beside a bare two-command typer app (alternating runs, the ratio is what counts), and
seconds and peak memory of ``cslog ingest`` and ``cslog kpi --month`` as processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

_BARE = """
import typer
app = typer.Typer()
@app.command()
def one(name: str = "x"): pass
@app.command()
def two(number: int = 1): pass
app()
"""


def _environment() -> dict[str, str]:
    # Bytecode is written as on a user's machine, whatever this shell was told.
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return own | {"PYTHONPATH": str(ROOT)}


def run(arguments: list[str]) -> tuple[float, int, bytes]:
    """Seconds, peak MiB and stdout of one process."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([sys.executable, *arguments], stdout=out, env=_environment())
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        if os.waitstatus_to_exitcode(status):
            raise SystemExit(f"failed: {' '.join(arguments)}")
        out.seek(0)
        return seconds, usage.ru_maxrss // 1024, out.read()


def startup(rounds: int = 15) -> dict[str, float]:
    """Median seconds of both programs and the median of the pairwise ratios."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(_BARE, encoding="utf-8")
        pairs = []
        for _ in range(rounds + 1):
            pairs.append((run([str(bare), "--help"])[0], run(["-m", "cslog", "--help"])[0]))
    pairs = pairs[1:]  # the first round writes bytecode
    return {
        "bare_typer_s": round(statistics.median(pair[0] for pair in pairs), 3),
        "cslog_help_s": round(statistics.median(pair[1] for pair in pairs), 3),
        "ratio": round(statistics.median(pair[1] / pair[0] for pair in pairs), 2),
    }


def month(messages: int, folder: Path) -> dict[str, Any]:
    """Generate ``messages`` in GBK Txt exports, ingest them and report the month, each in a process."""
    logs, store = folder / "logs", folder / "store"
    run(["-m", "benchmarks.generate", "--messages", str(messages), "--seed", "7", "--out", str(logs)])
    run(["-m", "cslog", "warm"])
    common = ["--store", str(store), "--quiet", "--json"]
    ingest_s, ingest_mib, report = run(["-m", "cslog", "ingest", str(logs), *common])
    kpi_s, kpi_mib, _ = run(["-m", "cslog", "kpi", "--month", "2024-11", *common])
    return {
        **json.loads(report)["totals"],
        "ingest_s": round(ingest_s, 1),
        "ingest_peak_mib": ingest_mib,
        "kpi_s": round(kpi_s, 1),
        "kpi_peak_mib": kpi_mib,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What cslog costs on this machine.")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="folder for the generated files and the store")
    options = parser.parse_args()
    os.chdir(ROOT)
    machine = {"python": platform.python_version(), "cores": os.cpu_count()}
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        result = month(options.messages, options.keep.resolve())
    else:
        with tempfile.TemporaryDirectory() as folder:
            result = month(options.messages, Path(folder))
    sys.stdout.write(json.dumps({"machine": machine, "startup": startup(), "month": result}, indent=2) + "\n")


if __name__ == "__main__":
    main()
