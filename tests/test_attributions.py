"""All attribution rules side by side agree with the reports under each rule, and the list names every difference."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from test_against_naive import store_of

from cslog import answer, attributions, config, kpi, profile
from cslog.clock import Period
from cslog.config import Config
from cslog.credit_rules import LABELS, RULES
from cslog.errors import UsageError
from cslog.inputs import files_below
from cslog.profile import LOOKUPS

SAMPLES = Path(__file__).parents[1] / "sample_logs"
NOVEMBER = Period.of(month="2024-11")
CHITU = profile.load("chitu")


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return store_of(tmp_path_factory.mktemp("sample"), files_below([str(SAMPLES)]))


@pytest.mark.parametrize("lookup", LOOKUPS)
def test_every_rule_as_the_report_has_it(sample, lookup):
    counting = CHITU.with_lookup(lookup)
    beside = attributions.side_by_side(answer.Question(NOVEMBER), sample, counting, Config())
    for rule in RULES:
        by_agent = kpi.report(answer.Question(NOVEMBER, attribution=rule), sample, counting, Config()).frame
        by_shop = kpi.report(
            answer.Question(NOVEMBER, by=("shop",), attribution=rule), sample, counting, Config()
        ).frame
        sold = {row["agent"]: row["sales_amount"] for row in by_agent.rows(named=True) if row["sales_amount"]}
        ours = dict(
            beside.filter(pl.col(f"amount_{rule}") != 0).select("agent", f"amount_{rule}").iter_rows()
        )
        assert ours.pop(None) == by_shop["silent_amount"][0]
        assert ours == sold
        silent = beside.filter(pl.col("agent").is_null())
        assert silent[f"orders_{rule}"][0] == by_shop["silent_orders"][0]


def test_rules_pay_the_same_money_to_different_people(sample):
    """The payment date decides under three rules; each of them divides the month's 11,555.90 (definitions 52)."""
    beside = attributions.side_by_side(answer.Question(NOVEMBER), sample, CHITU, Config())
    totals = {rule: beside[f"amount_{rule}"].sum() for rule in ("order_first", "payment", "memo")}
    assert set(totals.values()) == {1155590}


def test_the_differing_orders_explain_the_difference(sample):
    question = answer.Question(NOVEMBER)
    beside = attributions.side_by_side(question, sample, CHITU, Config())
    differing = attributions.orders(question, sample, CHITU, Config(), differing=True)
    assert differing.height == 7
    assert differing["label"].value_counts().sort("label").rows() == [
        ("order_agent_only", 3),
        ("two_agents", 1),
        ("won_at_payment", 3),
    ]
    # What order_first gives 小美 beyond the rule payment is what she lost there: orders created and paid in November.
    mine = differing.filter(pl.col("paid_at").is_not_null())
    gained = mine.filter(pl.col("credited_order_first") == "小美")["amount"].sum()
    kept = mine.filter(pl.col("credited_payment") == "小美")["amount"].sum()
    row = beside.filter(pl.col("agent") == "小美").row(0, named=True)
    assert gained - kept == row["amount_order_first"] - row["amount_payment"]


def test_labels_divide_the_orders(sample):
    question = answer.Question(NOVEMBER)
    whole = attributions.orders(question, sample, CHITU, Config())
    parts = [attributions.orders(question, sample, CHITU, Config(), label=label) for label in LABELS]
    assert sum(part.height for part in parts) == whole.height > 0
    assert whole.filter(pl.col("source_file").is_null()).height == 0
    with pytest.raises(UsageError, match="no label 'nothing'"):
        attributions.orders(question, sample, CHITU, Config(), label="nothing")


def test_memo_and_excluded_orders(sample, tmp_path):
    """认真写备注的人's order is won at payment by 小美; the list's first memo decides under rule memo."""
    file = tmp_path / "cslog.toml"
    file.write_text(
        '[shops."云朵家居旗舰店"]\nexcluded_orders = ["3310000000003700111"]\n'
        '[shops."云朵家居旗舰店".memo]\npattern = "."\nnumbers = {}\n',
        encoding="utf-8",
    )
    settings = config.load(str(file))
    found = attributions.orders(answer.Question(NOVEMBER), sample, CHITU, settings)
    excluded = found.filter(pl.col("order_id") == "3310000000003700111").row(0, named=True)
    assert excluded["label"] == "excluded"
    assert [excluded[f"credited_{rule}"] for rule in RULES] == [None] * 4
    memos = sample.snapshot().order_versions().filter(pl.col("memo").is_not_null()).collect()
    assert (
        found["memo_agent"].is_not_null().sum() == found["order_id"].is_in(memos["order_id"].implode()).sum()
    )
