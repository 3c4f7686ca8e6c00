"""A store made directly is the one that ingesting the generator's exports makes."""

import polars as pl
import pytest

from benchmarks import generate, make_store
from cslog import ingest, kpi, profile
from cslog.answer import Question
from cslog.clock import Period
from cslog.config import Config
from cslog.store import Store

PLAN = make_store.Plan(messages=6000, seed=5, shops=2, agents=4)
RANGE = 1_700_000_000, 1_740_000_000  # 2023-11 to 2025-02
BY = (("shop",), ("agent",), ("day",), ("agent", "hour"), ("agent", "day"), ("week",), ("month",))


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    logs = []
    for shop in PLAN.invented():
        target = folder / "logs" / shop.config.month
        generate.write_txt(shop, target)
        generate.write_orders(shop, target)
        logs.append(str(target))
    ingested, direct = Store(folder / "ingested"), Store(folder / "direct")
    report = ingest.ingest(sorted(set(logs)), ingested, Config())
    assert report.totals()["failed"] == report.totals()["rejects"] == 0
    written = make_store.fill(direct.folder, PLAN, text=True)
    assert written == report.totals()["messages_new"]
    return ingested, direct


def messages(store):
    everything = store.snapshot().messages(*RANGE).drop("refines", "source_file", "source_line")
    return everything.collect().sort(pl.all())


class TestMakeStore:
    def test_every_message_is_what_ingest_makes_of_it(self, stores):
        from polars.testing import assert_frame_equal

        ingested, direct = stores
        assert_frame_equal(messages(ingested), messages(direct))

    def test_every_order_is_what_ingest_makes_of_it(self, stores):
        from polars.testing import assert_frame_equal

        ingested, direct = (
            store.snapshot().order_versions().drop("source_file", "source_line").collect().sort("order_id")
            for store in stores
        )
        assert_frame_equal(ingested, direct)

    @pytest.mark.parametrize("by", BY, ids=",".join)
    def test_figures_are_the_same(self, stores, by):
        from polars.testing import assert_frame_equal

        question = Question(Period.of(month="2024-11"), by)
        ingested, direct = (
            kpi.report(question, store, profile.load("chitu"), Config()).frame for store in stores
        )
        assert ingested.height > 0 and ingested["immature"].list.len().sum() == 0
        assert_frame_equal(ingested, direct)

    def test_without_texts_everything_else_is_there(self):
        shop = next(iter(PLAN.invented()))
        whole, bare = make_store.messages_of(shop), make_store.messages_of(shop, text=False)
        assert whole["text"].n_unique() > 100 and set(bare["text"]) == {""}
        assert whole.drop("text").equals(bare.drop("text"))
