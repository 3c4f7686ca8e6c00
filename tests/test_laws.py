"""Laws that no input may break: order of files, repeats, overlaps, halves, cut periods, split buyers."""

from __future__ import annotations

import itertools
import random
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_against_naive import EXAMPLES, WHOLE, rows_of

from cslog import answer, compute, kpi, metrics, partials, profile
from cslog.clock import Period
from cslog.config import Config
from cslog.ingest import ingest
from cslog.inputs import files_below
from cslog.order_versions import fold_orders
from cslog.report import figures, files
from cslog.split import Split
from cslog.store import Store

SAMPLES = Path(__file__).parents[1] / "sample_logs"
NOVEMBER = Period.of(month="2024-11")
SPLITS = [("agent",), ("shop",), ("agent", "day"), ("agent", "hour"), ("week",)]


def json_rows(store: Store) -> list[bytes]:
    """The JSON of several reports, without the stamp's store version."""
    documents = []
    for by in SPLITS:
        question = answer.Question(NOVEMBER, by=by)
        result = kpi.report(question, store, profile.load("chitu"), Config())
        document = files.to_json(figures.sheet_of(result, "en"))
        documents.append(document[document.index(b'"rows"') :])
    return documents


def ingested(folder: Path, *batches: list[Path]) -> Store:
    """A store that got each batch of files in a run of its own."""
    store = Store(folder)
    for batch in batches:
        report = ingest([str(path) for path in batch], store, Config())
        assert [(file.path, file.error) for file in report.files if file.error] == []
    return store


@pytest.fixture(scope="module")
def sample_files() -> list[Path]:
    return files_below([str(SAMPLES)])


@pytest.fixture(scope="module")
def expected(tmp_path_factory, sample_files) -> list[bytes]:
    return json_rows(ingested(tmp_path_factory.mktemp("once") / "store", sample_files))


@pytest.mark.parametrize("seed", range(4))
def test_order_of_files(tmp_path, sample_files, expected, seed):
    shuffled = random.Random(seed).sample(sample_files, len(sample_files))
    assert json_rows(ingested(tmp_path / "store", *[[file] for file in shuffled])) == expected


def test_twice(tmp_path, sample_files, expected):
    store = ingested(tmp_path / "store", sample_files, sample_files)
    assert store.snapshot().store_version == 1
    renamed = [tmp_path / f"copy-{file.name}" for file in sample_files]
    for file, copy in zip(sample_files, renamed, strict=True):
        copy.write_bytes(file.read_bytes() + b"\r\n")  # other bytes, the same messages
    ingested(tmp_path / "store", renamed)
    assert store.snapshot().store_version == 2
    assert json_rows(store) == expected


def halves(file: Path, folder: Path, at: float) -> list[Path]:
    """The file cut in two at a record near ``at`` (0–1) of its length, each half with the file's head."""
    data = file.read_bytes()
    ending = b"\r\n" if b"\r\n" in data else b"\n"
    lines = data.split(ending)
    if b"-" * 28 in data:
        starts = [number for number, line in enumerate(lines) if line.startswith(b"-" * 28)]
        head = lines[: starts[0]]
    elif file.parent.name == "qn-copy":
        starts = [n for n, line in enumerate(lines) if b" 2024-11" in line]
        head = []
    else:
        starts = [number for number in range(1, len(lines)) if lines[number]]
        head = lines[:1]
    cut = min(starts[1:], key=lambda number: abs(number - at * len(lines)))
    first, second = folder / f"1-{file.name}", folder / f"2-{file.name}"
    first.write_bytes(ending.join(lines[:cut]) + ending)
    second.write_bytes(ending.join(head + lines[cut:]))
    return [first, second]


@pytest.mark.parametrize("at", [0.25, 0.5, 0.8])
def test_halves(tmp_path, sample_files, expected, at):
    (tmp_path / "in").mkdir()
    parts = [half for file in sample_files for half in halves(file, tmp_path / "in", at)]
    assert json_rows(ingested(tmp_path / "store", parts)) == expected
    assert json_rows(ingested(tmp_path / "apart", *[[half] for half in reversed(parts)])) == expected


@settings(max_examples=max(EXAMPLES // 4, 10), suppress_health_check=list(HealthCheck))
@given(worlds.worlds(), st.randoms(use_true_random=False))
def test_random_order_and_batches(world, rng):
    exports, order_rows = world
    with tempfile.TemporaryDirectory() as name:
        written = worlds.write_files(Path(name) / "in", exports, order_rows)
        if not written:
            return
        once = rows_of(ingested(Path(name) / "once", written), WHOLE, ("agent", "hour"))
        shuffled = rng.sample(written, len(written))
        apart = rows_of(
            ingested(Path(name) / "apart", *[[file] for file in shuffled]), WHOLE, ("agent", "hour")
        )
        assert apart == once


ADDITIVE = [
    metric.key
    for metric in metrics.METRICS
    if metric.denominator is None
    and metric.numerator is not None
    and metric.key not in ("buyers_received_distinct", "max_concurrent")
]


@settings(max_examples=max(EXAMPLES // 4, 10), suppress_health_check=list(HealthCheck))
@given(worlds.worlds(), st.sampled_from([("agent",), ("shop",)]))
def test_days_add_up_to_the_period(world, by):
    exports, order_rows = world
    late = worlds.BEGIN + 40 * worlds.DAY  # everything is final
    with tempfile.TemporaryDirectory() as name:
        written = worlds.write_files(Path(name) / "in", exports, order_rows)
        if not written:
            return
        store = ingested(Path(name) / "store", written)
        whole = {tuple(row[key] for key in by): row for row in rows_of(store, WHOLE, by, as_of=late)}
        sums: dict = {}
        for day in WHOLE.days:
            for row in rows_of(store, Period(day, day), by, as_of=late):
                total = sums.setdefault(tuple(row[key] for key in by), dict.fromkeys(ADDITIVE, 0))
                for key in ADDITIVE:
                    if row[key] is not None:
                        total[key] += row[key]
        for key, row in whole.items():
            assert {k: row[k] for k in ADDITIVE if row[k] is not None} == {
                k: v for k, v in sums[key].items() if row[k] is not None
            }


@settings(max_examples=max(EXAMPLES // 4, 10), suppress_health_check=list(HealthCheck))
@given(worlds.worlds(), st.sampled_from(SPLITS), st.lists(st.integers(-(2**63), 2**63 - 2), max_size=4))
def test_split_of_the_buyers(world, by, cuts):
    """One task over all buyers equals any number of tasks over ranges of buyer keys, merged in any order."""
    exports, order_rows = world
    counting = profile.load("chitu")
    split = Split(tuple(name for name in by if name != "shop"), WHOLE, 0)
    with tempfile.TemporaryDirectory() as name:
        written = worlds.write_files(Path(name) / "in", exports, order_rows)
        if not written:
            return
        store = ingested(Path(name) / "store", written)
        snapshot = store.snapshot()
        planned = kpi.plan(answer.Question(WHOLE, by=by), snapshot, counting, Config())[0]
        ends = planned.circumstances.data_ends
        bounds = [-(2**63) - 1, *sorted(set(cuts)), 2**63 - 1]

        def task(low: int, high: int) -> compute.Task:
            return replace(planned, split=split, low_key=low, high_key=high)

        pieces = [compute.partial_of(task(low + 1, high)) for low, high in itertools.pairwise(bounds)]
        whole = partials.merge([compute.partial_of(task(-(2**63), 2**63 - 1))], split)
    expected = metrics.finalize(whole, split, counting, ends)
    assert metrics.finalize(partials.merge(pieces[::-1], split), split, counting, ends).equals(expected)


def test_orders_fold_in_any_order():
    """The current version of an order does not depend on the order of its versions (kpi-spec 4.6)."""
    import polars as pl

    from cslog import schema

    blank = dict.fromkeys(schema.ORDERS)
    common = blank | {"platform": "taobao", "shop": "s", "order_id": "1", "buyer_key": 1, "joinable": True}
    versions = [
        common | {"state": 0, "created_at": 10, "amount_cents": 500, "content_key": 1},
        common | {"state": 1, "created_at": 10, "paid_at": 20, "amount_cents": 500, "content_key": 2},
        common | {"state": 5, "created_at": 10, "amount_cents": 400, "refund_cents": 100, "content_key": 3},
    ]
    for arrangement in itertools.permutations(versions):
        folded = fold_orders(pl.LazyFrame(arrangement, schema=schema.ORDERS), None)
        assert folded.select("paid_at", "amount_cents").rows() == [(20, 400)]
