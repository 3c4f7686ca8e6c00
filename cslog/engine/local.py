"""Threads of this machine. Kernels and Polars release the interpreter lock, so tasks run side by side."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue

from cslog import compute, partials
from cslog.compute import Task
from cslog.engine import memory
from cslog.partials import Merged, Partial
from cslog.split import Split

_KEPT = 8  # partials that a thread puts together at a time, so that what waits stays small


def run(
    tasks: Sequence[Task], split: Split, on_done: Callable[[int, int], None] = lambda done, total: None
) -> Merged:
    """The merged sums of all tasks; ``on_done(done, total)`` after each."""
    if len(tasks) > 2:
        memory.keep_freed()
    waiting: SimpleQueue[Task] = SimpleQueue()
    finished: SimpleQueue[None] = SimpleQueue()
    for task in tasks:
        waiting.put(task)
    workers = min(len(tasks), os.cpu_count() or 1)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        running = [pool.submit(_work, waiting, finished) for _ in range(workers)]
        for done in range(1, len(tasks) + 1):
            finished.get()
            on_done(done, len(tasks))
        return partials.merge([partial for worker in running for partial in worker.result()], split)


def _work(waiting: SimpleQueue[Task], finished: SimpleQueue[None]) -> list[Partial]:
    """Partials of the tasks that nobody else has taken, some of them put together already."""
    made: list[Partial] = []
    while True:
        try:
            task = waiting.get_nowait()
        except Empty:
            return made
        try:
            made.append(compute.partial_of(task))
            if len(made) == _KEPT:
                made = [partials.added(made)]
        except BaseException:
            _abandon(waiting, finished)
            raise
        finally:
            finished.put(None)


def _abandon(waiting: SimpleQueue[Task], finished: SimpleQueue[None]) -> None:
    """Take what is left off the queue: the report fails, and nobody shall wait for the rest."""
    with contextlib.suppress(Empty):
        while True:
            waiting.get_nowait()
            finished.put(None)
