"""What no implementation gets below: the bare scan of the columns that a report needs, and the kernels alone.

    python -m benchmarks.floor STORE MONTH [--tasks 3]

prints JSON. The scan reads the files of every task just as a report does (same files, columns and threads) and drops
the rows. For the kernels some tasks are computed once, every call of a compiled kernel is noted with its arguments,
and then the calls are made again with nothing around them, in one thread.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import pkgutil
import resource
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def plan(folder: Path, month: str) -> tuple[list[Any], Any]:
    """The tasks of ``cslog kpi --month`` and the snapshot they read."""
    from cslog import kpi, profile
    from cslog.answer import Question
    from cslog.clock import Period
    from cslog.config import Config
    from cslog.store import Store

    snapshot = Store(folder).snapshot()
    question = Question(Period.of(month=month))
    return kpi.plan(question, snapshot, profile.load("chitu"), Config()), snapshot


def scan(tasks: list[Any], snapshot: Any) -> tuple[float, float, int]:
    """Seconds, CPU seconds and rows of the bare column scan."""
    from cslog import compute
    from cslog.clock import DAY_SECONDS
    from cslog.facts import NUMBERS

    def read(task: Any) -> int:
        period = task.split.period
        first = (period.first_day - compute._BEFORE_DAYS) * DAY_SECONDS
        last = (period.last_day + 1 + compute._AFTER_DAYS) * DAY_SECONDS
        keys = (task.low_key, task.high_key)
        return int(snapshot.messages(first, last, list(NUMBERS), keys).collect().height)

    begun, used = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(max_workers=min(len(tasks), os.cpu_count() or 1)) as pool:
        rows = sum(pool.map(read, tasks))
    return time.perf_counter() - begun, time.process_time() - used, rows


def compiled() -> list[tuple[Any, str, Callable[..., Any]]]:
    """Module, name and kernel of every place that holds a compiled one."""
    from numba.core.registry import CPUDispatcher

    import cslog.kernels

    for found in pkgutil.iter_modules(cslog.kernels.__path__):
        importlib.import_module(f"cslog.kernels.{found.name}")
    return [
        (module, name, value)
        for key, module in list(sys.modules.items())
        if key.startswith("cslog")
        for name, value in list(vars(module).items())
        if isinstance(value, CPUDispatcher)
    ]


@contextmanager
def noted(calls: list[Call]) -> Iterator[None]:
    """Note every call that cslog makes of a compiled kernel."""

    def noting(kernel: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(kernel)
        def call(*arguments: Any, **named: Any) -> Any:
            calls.append((kernel, arguments, named))
            return kernel(*arguments, **named)

        return call

    places = compiled()
    for module, name, kernel in places:
        setattr(module, name, noting(kernel))
    try:
        yield
    finally:
        for module, name, kernel in places:
            setattr(module, name, kernel)


def kernels(tasks: list[Any], how_many: int) -> dict[str, Any]:
    """CPU nanoseconds a message of the kernels together and of each, over the first tasks."""
    from cslog import compute

    spent: dict[str, float] = {}
    rows = touched = faults = 0
    for task in tasks[:how_many]:
        calls: list[Call] = []
        with noted(calls):
            compute.partial_of(task)
        best: dict[str, float] = {}
        for repeat in range(2):  # the first may still touch new memory
            now: dict[str, float] = {}
            before = resource.getrusage(resource.RUSAGE_THREAD)
            for kernel, arguments, named in calls:
                begun = time.thread_time()
                kernel(*arguments, **named)
                name = f"{kernel.__module__.rpartition('.')[2]}.{kernel.__name__}"
                now[name] = now.get(name, 0.0) + time.thread_time() - begun
            after = resource.getrusage(resource.RUSAGE_THREAD)
            if not repeat or sum(now.values()) < sum(best.values()):
                best, faults = now, after.ru_minflt - before.ru_minflt
        touched += faults
        for name, seconds in best.items():
            spent[name] = spent.get(name, 0.0) + seconds
        rows += _rows_of(task)
    each = {name: round(seconds * 1e9 / rows, 2) for name, seconds in sorted(spent.items())}
    return {
        "ns_per_message": round(sum(spent.values()) * 1e9 / rows, 2),
        "new_bytes_per_message": round(touched * resource.getpagesize() / rows, 1),  # memory touched first
        "rows": rows,
        "each": each,
    }


def _rows_of(task: Any) -> int:
    """Messages of the month in a task, without the padding."""
    from cslog.clock import DAY_SECONDS
    from cslog.store import Store

    period = task.split.period
    last = (period.last_day + 1) * DAY_SECONDS - 1
    messages = (
        Store(Path(task.folder))
        .snapshot(task.version)
        .messages(period.first_day * DAY_SECONDS, last, ["buyer_key"], (task.low_key, task.high_key))
    )
    return max(1, int(messages.collect().height))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("month")
    parser.add_argument("--tasks", type=int, default=3, help="tasks whose kernels are run")
    chosen = parser.parse_args()
    tasks, snapshot = plan(chosen.store, chosen.month)
    wall_s, cpu_s, rows = scan(tasks, snapshot)
    found = {
        "tasks": len(tasks),
        "scan_s": round(wall_s, 4),
        "scan_cpu_s": round(cpu_s, 4),
        "scan_rows": rows,
        "kernels": kernels(tasks, chosen.tasks),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
