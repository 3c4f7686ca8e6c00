"""The peers of the benchmark compute the very figures of ``cslog kpi``, and the comparison would notice if not."""

import importlib
from pathlib import Path

import polars as pl
import pytest

from benchmarks import check, make_store
from benchmarks.peers import inputs
from cslog import ingest, kpi, profile
from cslog.answer import Question
from cslog.clock import Period
from cslog.config import Config
from cslog.report import figures, files
from cslog.store import Store

SAMPLE = Path(__file__).parent.parent / "sample_logs"
PEERS = [
    ("duckdb_sql", "in-memory", "duckdb"),
    ("polars_frames", "in-memory", "polars"),
    ("polars_frames", "streaming", "polars"),
    ("pandas_frames", "in-memory", "pandas"),
    ("chdb_sql", "in-memory", "chdb"),
]
MONTHS = [
    ("invented", "2024-10"),
    ("invented", "2024-11"),
    ("sample", "2024-11"),
    ("sample", "2024-12"),
    ("no orders", "2024-11"),
]


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Three months of two shops, sorted; and the sample, in which transfers take turns away."""
    folder = tmp_path_factory.mktemp("stores")
    invented, sample = Store(folder / "invented"), Store(folder / "sample")
    plan = make_store.Plan(messages=4000, seed=11, shops=2, agents=4, month="2024-10", months=2)
    make_store.fill(invented.folder, plan)
    invented.compact()
    ingest.ingest([str(SAMPLE)], sample, Config())
    chats = Store(folder / "chats")
    ingest.ingest([str(SAMPLE / "qn-txt")], chats, Config())
    return {"invented": invented, "sample": sample, "no orders": chats}


def cells_of_cslog(store, month):
    answer = kpi.report(Question(Period.of(month=month)), store, profile.load("chitu"), Config())
    return check.cells_of_cslog(files.to_json(figures.sheet_of(answer, "en")))


class TestPeers:
    @pytest.mark.parametrize(("module", "engine", "needs"), PEERS, ids=[f"{p[0]}-{p[1]}" for p in PEERS])
    @pytest.mark.parametrize(("name", "month"), MONTHS, ids="-".join)
    def test_every_cell_is_equal(self, stores, tmp_path, module, engine, needs, name, month):
        pytest.importorskip(needs)
        store, out = stores[name], tmp_path / "peer.parquet"
        peer = importlib.import_module(f"benchmarks.peers.{module}")
        with pl.Config(engine_affinity=engine):
            peer.run(inputs.inputs(store.folder, month, out))
        ours, theirs = cells_of_cslog(store, month), check.cells_of_peer(out)
        assert len(ours) > 1
        assert check.differences(ours, theirs) == []
        assert check.left_out(ours, theirs) == []


class TestCheck:
    def test_a_cell_that_differs_is_named(self):
        ours = {("店", "小美"): {"turns": 5, "reply_rate": 0.5, "inquiries": None, "sales_share": 0.1}}
        for name, value in (
            ("turns", 6),
            ("reply_rate", 0.5 + 1e-9),
            ("inquiries", 0),
            ("sales_share", None),
        ):
            theirs = {("店", "小美"): ours["店", "小美"] | {name: value}}
            assert len(check.differences(ours, theirs)) == 1
            assert name in check.differences(ours, theirs)[0]
        assert check.differences(ours, {}) == [f"{('店', '小美')}: only in one of the tables"]

    def test_rounding_of_a_quotient_is_no_difference(self):
        row = {"reply_rate": 1 / 3}
        assert (
            check.differences({("店", "小美"): row}, {("店", "小美"): {"reply_rate": 1 / 3 * (1 + 1e-15)}})
            == []
        )
