"""Where the time of a month's report goes: wall seconds of its phases, and the processor time of its tasks by what
they do.

    python -m benchmarks.phases STORE MONTH

prints JSON. The report is `cslog kpi --month`, in this process, with a clock around the functions named below; the
threads of Polars are what the process used beyond the threads that run the tasks.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.floor import compiled

PHASES = {
    "plan": "cslog.kpi:plan",
    "tasks": "cslog.engine.local:run",
    "merge": "cslog.partials:merge",
    "figures": "cslog.metrics:finalize",
    "warnings": "cslog.cautions:of",
}
"""Parts of the report, and the functions that are each of them; the merging ends the run of the tasks."""

STEPS = {
    "orders, folded once": "cslog.compute:_Loader.orders",
    "which orders reach far": "cslog.compute:_Loader.reach",
    "read": "cslog.compute:_Loader.messages",
    "rows by buyer": "cslog.facts:rows_of",
    "threads, turns, sessions": "cslog.facts:walk",
    "filters": "cslog.facts.peer_days:flags_and_filters",
    "verdicts on turns": "cslog.facts:_judged",
    "orders credited": "cslog.facts:credit_orders",
    "outcomes": "cslog.facts:outcomes",
    "late answers": "cslog.compute:_Loader.with_late_answers",
    "sums": "cslog.partials:partial_of",
}
"""What a task does; steps are not counted inside one another."""

POOL, REST = "threads of Polars, and what is between", "what is between"


class Clocks:
    """Wall and processor seconds of phases; thread seconds of steps, and of the compiled kernels in each."""

    def __init__(self) -> None:
        self.wall: Counter[str] = Counter()
        self.processor: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.kernels: Counter[str] = Counter()
        self._lock, self._here = threading.Lock(), threading.local()

    def phase(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` with a wall clock around it."""

        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            begun, used = time.perf_counter(), time.process_time()
            result = function(*arguments, **named)
            result = list(result) if isinstance(result, Iterator) else result
            self.wall[name] += time.perf_counter() - begun
            self.processor[name] += time.process_time() - used
            return result

        return timed

    def step(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` with the thread's clock around it."""
        return self._timed(function, lambda: name, self.steps, outermost=True)

    def kernel(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A kernel, whose time is noted under the step that calls it."""
        return self._timed(function, lambda: getattr(self._here, "step", None) or REST, self.kernels)

    def _timed(
        self,
        function: Callable[..., Any],
        name: Callable[[], str],
        sums: Counter[str],
        *,
        outermost: bool = False,
    ) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            if outermost and getattr(self._here, "step", None):
                return function(*arguments, **named)
            if outermost:
                self._here.step = name()
            begun = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                with self._lock:
                    sums[name()] += time.thread_time() - begun
                if outermost:
                    self._here.step = None

        return timed


@contextmanager
def clocks() -> Iterator[Clocks]:
    """Clocks around everything that is named above and around every kernel."""
    found, undo = Clocks(), []

    def put(owner: Any, name: str, value: Any) -> None:
        undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    for module, name, kernel in compiled():
        put(module, name, found.kernel(kernel))
    for wrap, places in ((found.phase, PHASES), (found.step, STEPS)):
        for label, place in places.items():
            module, _, path = place.partition(":")
            owner: Any = importlib.import_module(module)
            *classes, name = path.split(".")
            for part in classes:
                owner = getattr(owner, part)
            put(owner, name, wrap(label, getattr(owner, name)))
    try:
        yield found
    finally:
        for owner, name, value in reversed(undo):
            setattr(owner, name, value)


def measured(store: Path, month: str) -> dict[str, Any]:
    """Imports, then the report, as a process of its own has them."""
    begun = time.perf_counter()
    from cslog import clock, kpi, profile
    from cslog.answer import Question
    from cslog.clock import Period
    from cslog.config import Config
    from cslog.store import Store

    imports = time.perf_counter() - begun
    question = Question(Period.of(month=month), by=("agent",))
    with clocks() as found:
        begun = time.perf_counter()
        kpi.report(question, Store(store), profile.load("chitu"), Config())
        whole = time.perf_counter() - begun
    for seconds in (found.wall, found.processor):
        seconds["tasks"] -= seconds["merge"]
    wall = {"imports": imports} | {name: found.wall[name] for name in PHASES}
    wall[REST] = whole - sum(found.wall.values())
    messages = Store(store).snapshot().count(*clock.month_seconds(month))
    steps = dict(found.steps) | {POOL: found.processor["tasks"] - sum(found.steps.values())}
    return {
        "messages": messages,
        "phases_s": {name: round(seconds, 3) for name, seconds in wall.items()},
        "steps": {
            name: {
                "ns_per_message": round(seconds * 1e9 / messages, 1),
                "kernels_ns_per_message": round(found.kernels[name] * 1e9 / messages, 1),
            }
            for name, seconds in steps.items()
        },
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("month")
    chosen = parser.parse_args()
    from cslog.engine import memory

    memory.use_one_heap()  # as cslog.__main__ does
    print(json.dumps(measured(chosen.store, chosen.month)))


if __name__ == "__main__":
    main()
