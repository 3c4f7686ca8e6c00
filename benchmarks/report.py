"""benchmarks/RESULTS.md: the goals and what was found, then every table. Ratios count, seconds are of that machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.results import Results, shown, table

MIB_PER_GIB = 1024
ASIDE = {"imports", "floor", "phases"}
"""Programs of the month's report that are no report of their own."""
_SMALL_NS = 0.5  # a message: kernels below are not listed


def text(found: Results, chart: Path | None) -> str:
    """The whole page."""
    parts = [
        _about(found),
        _goals(found),
        _months(found, chart),
        _where(found),
        _year(found),
        _ingest(found),
    ]
    parts += [_start(found), _commands(found)]
    head = "# Benchmark results\n\nWritten by `python -m benchmarks.run`; how to repeat it: docs/development.md.\n"
    return head + "".join(f"\n{part}" for part in parts if part)


def _about(found: Results) -> str:
    about = found.content["about"]
    if not about:
        return ""
    commits = sorted({s["commit"] for s in found.content["samples"] if s.get("commit")} | {about["commit"]})
    machine, versions = about["machine"], about["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"{about['date']}, commit {', '.join(commits)}. {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Python {about['python']}. {named}. Files are in the page "
        "cache. Every run is a process of its own, started in turn with those it is compared with; seconds are "
        "medians, ratios are medians of the ratios of each round. Peak is the largest resident set.\n"
    )


def floor_s(found: Results, case: str) -> float | None:
    """Imports, bare column scan and kernels alone, in seconds; kernels on all cores."""
    parts = [
        found.median("kpi", case, "imports"),
        found.median("kpi", case, "floor", "scan_s"),
        kernels_s(found, case),
    ]
    return None if any(part is None for part in parts) else sum(part for part in parts if part is not None)


def kernels_ns(found: Results, case: str) -> float | None:
    """Nanoseconds a message and core, all kernels together."""
    known = [s["kernels"]["ns_per_message"] for s in found.samples("kpi", case, "floor") if not s["failed"]]
    return sorted(known)[len(known) // 2] if known else None


def kernels_s(found: Results, case: str) -> float | None:
    """Seconds that the kernels alone take on all cores."""
    each, cores = kernels_ns(found, case), found.content["about"].get("machine", {}).get("cores", 1)
    return None if each is None else each * int(case) / 1e9 / cores


def rest_per_scan(found: Results, case: str) -> float | None:
    """(report − imports − kernels) ÷ bare column scan, wall seconds."""
    whole, imports = found.median("kpi", case, "cslog"), found.median("kpi", case, "imports")
    scan, kernel = found.median("kpi", case, "floor", "scan_s"), kernels_s(found, case)
    if whole is None or imports is None or not scan or kernel is None:
        return None
    return (whole - imports - kernel) / scan


def _goals(found: Results) -> str:
    rows = []

    def goal(
        what: str, value: float | None, wanted: float, unit: str = "", *, at_least: bool = False
    ) -> None:
        if value is not None:
            met = value >= wanted if at_least else value <= wanted
            sign = "≥" if at_least else "≤"
            rows.append((what, f"{sign} {wanted:g}{unit}", f"{value:.3g}{unit}", "yes" if met else "**no**"))

    month, double = "50000000", "100000000"
    goal(
        "DuckDB ÷ cslog, month of 50 M", found.ratio("kpi", month, "duckdb", "cslog"), 15, "×", at_least=True
    )
    for name in ("polars", "polars-streaming"):
        goal(
            f"{name} ÷ cslog, month of 50 M", found.ratio("kpi", month, name, "cslog"), 5, "×", at_least=True
        )
    whole, floor = found.median("kpi", month, "cslog"), floor_s(found, month)
    goal("cslog ÷ floor, month of 50 M", whole / floor if whole and floor else None, 1.5, "×")
    for case, limit in ((month, 2.0), (double, 2.2)):
        peak = found.median("kpi", case, "cslog", "peak_mib")
        goal(f"peak memory, month of {int(case) // 1_000_000} M", peak and peak / MIB_PER_GIB, limit, " GiB")
    for case in found.cases("year"):
        value = found.ratio("year", case, "a year's store", "a month's store")
        goal(f"a month of {_size(case)} out of a year ÷ alone", value, 1.2, "×")
    goal("kernels, a message and core", kernels_ns(found, month), 25, " ns")
    goal("rest of the pipeline ÷ column scan", rest_per_scan(found, month), 2, "×")
    folders = [case for case in found.cases("ingest") if found.median("ingest", case, "new")]
    if folders:
        small, large = (choose(folders, key=int) for choose in (min, max))
        seconds = found.median("ingest", large, "new")
        lines = found.median("ingest", large, "new", "messages_read")
        rate = lines / seconds if seconds and lines else None
        goal(f"ingest of {_size(large)} in 1,440 files, messages/s", rate, 1e6, at_least=True)
        peaks = [found.median("ingest", case, "new", "peak_mib") for case in (large, small)]
        shown_as = f"peak memory of an ingest, {_size(large)} ÷ {_size(small)} in files of one size"
        goal(shown_as, peaks[0] / peaks[1] if peaks[0] and peaks[1] else None, 1.2, "×")
        goal("1,440 known files again", found.median("ingest", large, "again"), 2, " s")
    for case in found.cases("ingest"):
        goal(f"one more day into {_size(case)}", found.median("ingest", case, "one more day"), 3, " s")
    goal("report on the sample ÷ imports", found.ratio("start", "report", "cslog", "imports"), 1.5, "×")
    return "## Goals\n\n" + table(("", "goal", "found", "met"), rows) if rows else ""


def _size(case: str) -> str:
    return f"{int(case) / 1e6:g} M"


def _months(found: Results, chart: Path | None) -> str:
    parts = []
    for case in found.cases("kpi"):
        rows = []
        for name in found.programs("kpi", case):
            if name in ASIDE:
                continue
            runs = found.samples("kpi", case, name)
            failed = next((s["failed"] for s in runs if s["failed"]), "")
            equal = {s.get("equal") for s in runs if "equal" in s}
            rows.append(
                (
                    name,
                    failed or shown(found.median("kpi", case, name)),
                    shown(found.median("kpi", case, name, "cpu_s")),
                    shown(
                        found.median("kpi", case, name, "peak_mib"), lambda mib: f"{mib / MIB_PER_GIB:.2f}"
                    ),
                    shown(found.ratio("kpi", case, name, "cslog"), lambda value: f"{value:.1f}"),
                    shown(found.ratio("kpi", case, name, "cslog", "cpu_s"), lambda value: f"{value:.1f}"),
                    "" if not equal else "yes" if equal == {True} else "**no**",
                )
            )
        head = ("", "wall s", "CPU s", "peak GiB", "wall ÷ cslog", "CPU ÷ cslog", "every cell equal")
        parts.append(f"### A month of {_size(case)} messages\n\n{table(head, rows)}{_floor(found, case)}")
    if not parts:
        return ""
    picture = f"![Seconds and memory by size]({chart.name})\n\n" if chart else ""
    intro = (
        "## The month's report\n\nAll figures of `cslog kpi --month`, profile chitu, a row per shop and agent, out of the "
        "same compacted store. The peers (benchmarks/peers) compute every figure that cslog does; left out are "
        "hand-overs that chain inside one open turn, rows of accounts that exported and never wrote, and the folding of "
        "copies that refine one another: the invented stores have none of them.\n\n"
    )
    return intro + picture + "\n".join(parts)


def _floor(found: Results, case: str) -> str:
    floor, whole = floor_s(found, case), found.median("kpi", case, "cslog")
    if floor is None or whole is None:
        return ""
    scan = found.median("kpi", case, "floor", "scan_s") or 0.0
    return (
        f"\nFloor {floor:.2f} s = imports {shown(found.median('kpi', case, 'imports'))} + column scan {scan:.2f} "
        f"({scan * 1e9 / int(case):.1f} ns a message) + kernels {shown(kernels_s(found, case))} "
        f"({shown(kernels_ns(found, case), lambda ns: f'{ns:.1f}')} ns a message and core); cslog ÷ floor "
        f"{whole / floor:.2f}; rest of the pipeline ÷ column scan {shown(rest_per_scan(found, case))}.\n"
    )


def _where(found: Results) -> str:
    """Tables of benchmarks.phases and of the kernels in benchmarks.floor, a column per size."""
    cases = [case for case in found.cases("kpi") if found.last("kpi", case, "phases")]
    if not cases:
        return ""
    phases = {case: found.last("kpi", case, "phases") for case in cases}
    floors = {case: found.last("kpi", case, "floor") for case in cases}
    sizes = tuple(_size(case) for case in cases)

    def rows(names: list[str], value: Callable[[str, str], str]) -> list[tuple[str, ...]]:
        return [(name, *(value(case, name) for case in cases)) for name in names]

    def step(case: str, name: str) -> str:
        each = phases[case]["steps"][name]
        kernels = each["kernels_ns_per_message"]
        return f"{each['ns_per_message']:.1f}" + (f" ({kernels:.1f})" if kernels else "")

    first = phases[cases[0]]
    steps = list(first["steps"])
    each = {case: floors[case]["kernels"]["each"] if floors[case] else {} for case in cases}
    kernels = sorted(
        {name for known in each.values() for name in known}, key=lambda n: -each[cases[-1]].get(n, 0)
    )
    parts = [
        "## Where a report's time goes\n\nBy benchmarks.phases and benchmarks.floor, the last round of each size. "
        "Wall seconds:\n\n",
        table(
            ("", *sizes),
            rows(list(first["phases_s"]), lambda case, name: f"{phases[case]['phases_s'][name]:.2f}"),
        ),
        "\nProcessor time of the tasks, ns a message, of it compiled kernels in brackets:\n\n",
        table(("", *sizes), rows(steps, step)),
        "\nEvery kernel alone, in one thread, ns a message (those above 0.5):\n\n",
        table(
            ("", *sizes),
            rows(
                [name for name in kernels if max(each[case].get(name, 0) for case in cases) > _SMALL_NS],
                lambda case, name: shown(each[case].get(name)),
            ),
        ),
    ]
    return "".join(parts)


def _plain(found: Results, stage: str, title: str, base: str) -> str:
    rows = []
    for case in found.cases(stage):
        for name in found.programs(stage, case):
            rows.append(
                (
                    f"{_size(case) if case.isdigit() else case}: {name}",
                    shown(found.median(stage, case, name)),
                    shown(found.median(stage, case, name, "cpu_s")),
                    shown(found.median(stage, case, name, "peak_mib"), lambda mib: f"{mib:.0f}"),
                    shown(found.ratio(stage, case, name, base)),
                )
            )
    head = ("", "wall s", "CPU s", "peak MiB", f"wall ÷ {base}")
    return f"## {title}\n\n{table(head, rows)}" if rows else ""


def _year(found: Results) -> str:
    return _plain(found, "year", "A month out of a year", "a month's store")


def _start(found: Results) -> str:
    parts = [
        _plain(found, "start", "Start-up", "imports"),
        _plain(found, "first", "The first report", "compiled"),
    ]
    return "\n".join(part for part in parts if part)


def _ingest(found: Results) -> str:
    rows = []
    for case in found.cases("ingest"):
        for name in found.programs("ingest", case):
            seconds, lines = (
                found.median("ingest", case, name, field) for field in ("wall_s", "messages_read")
            )
            rows.append(
                (
                    f"{_size(case)}: {name}",
                    shown(seconds),
                    shown(found.median("ingest", case, name, "cpu_s")),
                    shown(found.median("ingest", case, name, "peak_mib"), lambda mib: f"{mib:.0f}"),
                    shown(lines, lambda count: f"{count:,.0f}"),
                    shown(lines / seconds if seconds and lines else None, lambda rate: f"{rate:,.0f}"),
                )
            )
    head = ("", "wall s", "CPU s", "peak MiB", "messages read", "messages/s")
    return f"## Ingest of GBK Txt exports\n\n{table(head, rows)}" if rows else ""


def _commands(found: Results) -> str:
    runs = found.content["about"].get("commands", [])
    once = {(s["stage"], s["program"]): s["command"] for s in found.content["samples"]}
    lines = [*runs, "", *(f"{command}" for command in dict.fromkeys(once.values()))]
    return "## Command lines\n\n```text\n" + "\n".join(lines) + "\n```\n" if once else ""
