"""Threads of this machine. Kernels and Polars release the interpreter lock, so tasks run side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from cslog import compute, partials
from cslog.compute import Task
from cslog.engine import memory
from cslog.partials import Merged
from cslog.split import Split


def run(
    tasks: Sequence[Task], split: Split, on_done: Callable[[int, int], None] = lambda done, total: None
) -> Merged:
    """The merged sums of all tasks; ``on_done(done, total)`` after each."""
    if len(tasks) > 2:
        memory.keep_freed()
    with ThreadPoolExecutor(max_workers=min(len(tasks), os.cpu_count() or 1)) as pool:
        running = [pool.submit(compute.partial_of, task) for task in tasks]
        results = []
        for future in as_completed(running):
            results.append(future.result())
            on_done(len(results), len(tasks))
    return partials.merge(results, split)
