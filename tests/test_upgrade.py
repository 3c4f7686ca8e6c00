"""Stores that older versions of cslog have written: readable as they are, brought up to date by compact.

tests/stores/schema-N is a store of sample_logs with a freeze of its November, written by the cslog of that schema;
schema-N.kpi.json is what that cslog answered to `kpi --month 2024-11 --by agent,day --json`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cslog import answer, corrections, frozen, ingest, kpi, profile
from cslog.clock import Period
from cslog.config import Config
from cslog.errors import StoreError
from cslog.frozen import Scope
from cslog.report import figures, files
from cslog.store import SCHEMA_VERSION, Store

STORES = Path(__file__).parent / "stores"
SAMPLES = Path(__file__).parents[1] / "sample_logs"
SCHEMAS = sorted(int(path.name.removeprefix("schema-")) for path in STORES.glob("schema-?"))
NOVEMBER = Period.of(month="2024-11")


@pytest.fixture(params=SCHEMAS)
def schema(request) -> int:
    return request.param


@pytest.fixture
def old(schema, tmp_path) -> Store:
    shutil.copytree(STORES / f"schema-{schema}", tmp_path / "store")
    return Store(tmp_path / "store")


def rows(store: Store, version: int | None = None) -> list[dict]:
    """What `cslog kpi --by agent,day --json` says now."""
    question = answer.Question(NOVEMBER, by=("agent", "day"), version=version)
    report = kpi.report(question, store, profile.load("chitu"), Config())
    return json.loads(files.to_json(figures.sheet_of(report, "en")))["rows"]


def test_the_present_schema_has_a_store_here():
    assert SCHEMA_VERSION in SCHEMAS, "commit a store of it, so that later versions prove they can read it"


def test_an_old_store_gives_the_figures_that_it_gave(old, schema):
    then = json.loads((STORES / f"schema-{schema}.kpi.json").read_text(encoding="utf-8"))["rows"]
    assert rows(old) == then
    old.compact()
    assert rows(old) == then
    assert rows(old, 1) == then, "old versions stay readable"


def test_what_was_frozen_then_stays_and_nothing_differs(old):
    old.compact()
    assert len(frozen.freezes(old)) == 1
    assert corrections.corrections(Scope("2024-11", "chitu", "order_first"), old, Config()).rows == ()


def test_an_older_store_is_not_written_before_it_is_up_to_date(old, schema):
    if schema < SCHEMA_VERSION:
        with pytest.raises(StoreError, match="cslog compact"):
            ingest.ingest([str(SAMPLES)], old, Config())
        old.compact()
    report = ingest.ingest([str(SAMPLES)], old, Config())
    known = {Path(file.path).name for file in report.files if file.status == "duplicate"}
    assert known == {Path(file.path).name for file in report.files}
