"""Wrong numbers that a review found, pinned: what belongs to one shop, and orders whose buyer gets masked."""

from __future__ import annotations

from pathlib import Path

import naive
import pytest
import worlds
from test_against_naive import CHITU, WHOLE

from cslog import answer, compute, kpi, partials
from cslog.config import Config, Shop
from cslog.errors import StoreError
from cslog.ingest import ingest
from cslog.store import Store

T0 = worlds.BEGIN + 10 * 3600


def store_of(folder: Path, config: Config, **files: bytes) -> Store:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    store = Store(folder / "store")
    for name in files:
        report = ingest([str(folder / name)], store, config)
        assert [file.error for file in report.files] == [None]
    return store


def chat(shop: str, agent: str, buyer: str) -> bytes:
    lines = [naive.Line(T0, buyer, "在吗"), naive.Line(T0 + 20, f"{shop}:{agent}", "在的")]
    return worlds.txt_bytes(naive.Export(shop, f"{shop}:{agent}", [naive.Block(buyer, lines)]))


def rows(store: Store, config: Config, by=("agent",)) -> list[dict]:
    late = worlds.BEGIN + 30 * worlds.DAY
    return kpi.report(answer.Question(WHOLE, by=by, as_of=late), store, CHITU, config).frame.rows(named=True)


def test_robots_staff_and_internal_people_belong_to_their_shop(tmp_path):
    config = Config(shops={"甲店": Shop(robots=("小蜜",), staff=("客服小王",), internal=("老板",))})
    store = store_of(
        tmp_path,
        config,
        a=chat("甲店", "小蜜", "买家一"),
        b=chat("乙店", "小蜜", "买家二"),
        c=chat("乙店", "小美", "老板"),
        d=chat("乙店", "小红", "客服小王"),
    )
    received = {(row["shop"], row["agent"]): row["buyers_received"] for row in rows(store, config)}
    assert received == {("甲店", "小蜜"): 0, ("乙店", "小蜜"): 1, ("乙店", "小美"): 1, ("乙店", "小红"): 1}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_buyer_whom_a_later_export_masks_stays_known(tmp_path, order):
    paid = naive.OrderRow(worlds.SHOP, "9000000000000001", "buyer_a", T0 + 60, T0 + 90, None, 1, 1000, 1, 0)
    shipped = paid._replace(buyer="b**a", state=3, shipped=T0 + 9000)
    versions = [worlds.order_bytes([(paid, shipped)[i]]) for i in order]
    store = store_of(
        tmp_path,
        Config(),
        chat=chat(worlds.SHOP, "小美", "buyer_a"),
        **dict(zip("xy", versions, strict=True)),
    )
    (row,) = rows(store, Config())
    assert (row["sales_amount"], row["sales_orders"]) == (1000, 1)
    # Its versions have two buyer keys; however the buyers are split over tasks, it is one order.
    snapshot = store.snapshot()
    question = answer.Question(WHOLE, by=("shop",), as_of=worlds.BEGIN + 30 * worlds.DAY)
    (task,) = kpi.plan(question, snapshot, CHITU, Config())
    keys = sorted(snapshot.order_versions().collect()["buyer_key"].unique().to_list())
    assert len(keys) == 2
    from dataclasses import replace

    pieces = [replace(task, high_key=keys[0]), replace(task, low_key=keys[0] + 1)]
    merged = partials.merge([compute.partial_of(piece) for piece in pieces], task.split)
    assert merged.totals["paid_cents"].to_list() == [1000]


def test_a_damaged_store_is_named_in_one_line(tmp_path):
    store = store_of(tmp_path, Config(), a=chat(worlds.SHOP, "小美", "buyer_a"))
    for part in (store.folder / "messages").rglob("*.parquet"):
        part.unlink()
    with pytest.raises(StoreError, match="restore"):
        rows(store, Config())
