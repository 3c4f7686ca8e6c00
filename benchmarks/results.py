"""What a benchmark run found: samples in a JSON file, written after every process, and the report made of them."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT, Sample, run

Key = tuple[str, str, str, int]
_PACKAGES = ["cslog", "polars", "numpy", "numba", "pyarrow", "deltalake", "duckdb", "pandas", "chdb"]
_VERSIONS = """
import importlib.metadata as m, json, sys
found = {}
for name in sys.argv[1:]:
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(found))
"""


class Results:
    """Samples by (stage, case, program, round), and what they were measured on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content: dict[str, Any] = {"about": {}, "samples": []}
        if path.exists():
            self.content = json.loads(path.read_text(encoding="utf-8"))

    def describe(self, peers_python: str, command: str) -> None:
        """Note machine, versions, commit and command line of this run."""
        runs = self.content["about"].get("commands", [])
        self.content["about"] = {
            "date": datetime.now(tz=UTC).strftime("%Y-%m-%d"),
            "commit": _commit(),
            "machine": _machine(),
            "python": platform.python_version(),
            "versions": _versions(peers_python) | _versions(sys.executable),
            "commands": [*(known for known in runs if known != command), command],
        }
        self._save()

    def forget(self, stage: str, case: str) -> None:
        """Drop the samples of a case."""
        samples = self.content["samples"]
        self.content["samples"] = [s for s in samples if (s["stage"], s["case"]) != (stage, case)]

    def has(self, key: Key) -> bool:
        """Whether there is a sample."""
        return any(_key(sample) == key for sample in self.content["samples"])

    def add(self, key: Key, sample: Sample, command: list[str], extra: dict[str, Any]) -> None:
        """Note a sample in the place of an older one with the same key."""
        stage, case, program, number = key
        new = {"stage": stage, "case": case, "program": program, "round": number, **asdict(sample), **extra}
        new["command"] = without_places(command)
        new["commit"] = self.content["about"].get("commit", "")
        kept = [known for known in self.content["samples"] if _key(known) != key]
        self.content["samples"] = [*kept, new]
        self._save()

    def cases(self, stage: str) -> list[str]:
        """Cases of a stage, small sizes first."""
        found = {sample["case"] for sample in self.content["samples"] if sample["stage"] == stage}
        return sorted(found, key=lambda case: (not case.isdigit(), int(case) if case.isdigit() else 0, case))

    def samples(self, stage: str, case: str, program: str) -> list[dict[str, Any]]:
        """Samples of one program by round."""
        wanted = (stage, case, program)
        found = [sample for sample in self.content["samples"] if _key(sample)[:3] == wanted]
        return sorted(found, key=lambda sample: sample["round"])

    def last(self, stage: str, case: str, program: str) -> dict[str, Any] | None:
        """The sample of the last round that ended well."""
        found = [sample for sample in self.samples(stage, case, program) if not sample["failed"]]
        return found[-1] if found else None

    def programs(self, stage: str, case: str) -> list[str]:
        """Programs of a case in the order in which they were started."""
        mine = [s["program"] for s in self.content["samples"] if (s["stage"], s["case"]) == (stage, case)]
        return list(dict.fromkeys(mine))

    def median(self, stage: str, case: str, program: str, field: str = "wall_s") -> float | None:
        """Median of a field over the rounds that ended well; None without any."""
        found = [s[field] for s in self.samples(stage, case, program) if not s["failed"] and field in s]
        return statistics.median(found) if found else None

    def ratio(self, stage: str, case: str, above: str, below: str, field: str = "wall_s") -> float | None:
        """Median of the ratios of each round."""
        under = {s["round"]: s[field] for s in self.samples(stage, case, below) if not s["failed"]}
        found = [
            s[field] / under[s["round"]]
            for s in self.samples(stage, case, above)
            if not s["failed"] and under.get(s["round"])
        ]
        return statistics.median(found) if found else None

    def _save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.content, ensure_ascii=False, indent=1)
        new = self.path.with_suffix(".new")
        new.write_text(text + "\n", encoding="utf-8")
        new.replace(self.path)


def without_places(command: Iterable[str]) -> str:
    """A command line without the folders of this machine: only the last part of an absolute path."""
    words = (Path(word).name if Path(word).is_absolute() else word for word in command)
    return " ".join(f"'{word}'" if " " in word else word for word in words)


def _key(sample: dict[str, Any]) -> Key:
    return sample["stage"], sample["case"], sample["program"], sample["round"]


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


def _machine() -> dict[str, Any]:
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        model = next(
            (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": platform.system(),
    }


def _versions(python: str) -> dict[str, str]:
    sample, out = run([python, "-c", _VERSIONS, *_PACKAGES])
    return {} if sample.failed else json.loads(out)


def write_report(found: Results, path: Path, peers_python: str) -> None:
    """Write the Markdown report and its chart (when matplotlib is there)."""
    from benchmarks import report

    chart = path.with_suffix(".svg")
    sample, _ = run([peers_python, "-m", "benchmarks.chart", str(found.path), str(chart)])
    if sample.failed:
        print(f"no chart: {sample.failed}", file=sys.stderr)
    path.write_text(report.text(found, chart if chart.exists() else None), encoding="utf-8")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(head), *(list(row) for row in rows)]
    marks = ["---", *["---:"] * (len(lines[0]) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], marks, *lines[1:]]) + "\n"


def shown(value: float | None, form: Callable[[float], str] = lambda value: f"{value:.2f}") -> str:
    """A figure, or a dash where there is none."""
    return "—" if value is None else form(value)
