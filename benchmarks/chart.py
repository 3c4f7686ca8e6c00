"""Seconds and memory of the month's report by size, on one picture: ``python -m benchmarks.chart RESULTS.json OUT.svg``."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.report import ASIDE, floor_s
from benchmarks.results import Results


def draw(found: Results, out: Path) -> None:
    """Draw a line per program; nothing when nothing was measured."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "cslog"  # the same picture, byte for byte, from the same results
    from matplotlib import pyplot as plt

    cases = found.cases("kpi")
    programs = [
        name
        for name in dict.fromkeys(n for c in cases for n in found.programs("kpi", c))
        if name not in ASIDE - {"floor"}
    ]
    programs.sort(key=lambda name: {"cslog": 0, "floor": 1}.get(name, 2))
    figure, (seconds, memory) = plt.subplots(1, 2, figsize=(11, 4.5))
    for name in programs:
        for axes, field, scale in ((seconds, "wall_s", 1.0), (memory, "peak_mib", 1024.0)):
            known = [(int(case) / 1e6, found.median("kpi", case, name, field)) for case in cases]
            if name == "floor":
                known = [(int(case) / 1e6, floor_s(found, case)) for case in cases]
                if field != "wall_s":
                    continue
            points = [(size, value / scale) for size, value in known if value is not None]
            style = {
                "cslog": {"linewidth": 2.5, "color": "black"},
                "floor": {"linestyle": "--", "color": "gray"},
            }
            axes.plot(
                *zip(*points, strict=True), marker="o", label=name, **style.get(name, {})
            ) if points else None
    for axes, title in ((seconds, "seconds"), (memory, "peak memory, GiB")):
        axes.set(xscale="log", yscale="log", xlabel="million messages in the month", title=title)
        axes.set_xticks([int(case) / 1e6 for case in cases], [f"{int(case) / 1e6:g}" for case in cases])
        axes.minorticks_off()
        axes.grid(visible=True, alpha=0.3)
    if len(cases) and programs:
        seconds.legend()
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    draw(Results(Path(sys.argv[1])), Path(sys.argv[2]))
