"""The rows of an explanation add up to the cell, for every figure and every kind of row."""

from __future__ import annotations

import tempfile
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
import worlds
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from naive import Block, Export, Line
from test_against_naive import CHITU, EXAMPLES, WHOLE, store_of

from cslog import answer, clock, compute, config, credit_rules, explain, kpi, profile
from cslog.clock import Period
from cslog.config import Config
from cslog.errors import UsageError
from cslog.inputs import files_below
from cslog.metrics import METRICS, PERCENTILES, Metric
from cslog.report import explanation, files

SAMPLES = Path(__file__).parents[1] / "sample_logs"
NOVEMBER = Period.of(month="2024-11")
EXPLAINABLE = [metric for metric in METRICS if not metric.needs]


def value_of(metric: Metric, rows: pl.DataFrame):
    """The figure that the rows make, computed here from their numerators and denominators alone."""
    numerators = rows["numerator"].drop_nulls().to_list()
    above, below = sum(numerators), sum(rows["denominator"].drop_nulls().to_list())
    if metric.key in PERCENTILES:
        _population, percent = PERCENTILES[metric.key]
        waits = sorted(rows.filter(pl.col("denominator") == 1)["numerator"].to_list())
        return waits[-(-percent * len(waits) // 100) - 1] if waits else None
    if metric.key == "first_message_at":
        return rows["at"].min()
    if metric.key == "last_message_at":
        return rows["at"].max()
    if metric.denominator is None:
        return above
    if metric.mean_of_agents:
        means = [
            Fraction(own["numerator"].sum(), own["denominator"].sum())
            for _, own in rows.filter(pl.col("agent").is_not_null()).group_by("agent")
            if own["denominator"].sum()
        ]
        return float(sum(means, Fraction()) / len(means)) if means else None
    if below == 0:
        return None
    if metric.unit == "CNY":
        return int((Decimal(above) / below).quantize(Decimal(1), ROUND_HALF_UP))
    return above / below


def assert_adds_up(
    store, question: answer.Question, row: dict, where: dict | None = None, counting=CHITU, settled=None
) -> None:
    keys = [metric.key for metric in EXPLAINABLE]
    for found in explain.explain(keys, question, where or {}, store, counting, settled or Config()):
        metric = found.metric
        assert found.value == row[metric.key]
        if found.immature:
            assert found.value is None
        elif metric.key in ("max_concurrent", "avg_concurrent"):
            assert found.rows.height > 0 or not found.value  # a sweep, not a sum
        elif found.value is None and metric.shop_rows_only | metric.mean_of_agents:
            assert question.agents or metric.mean_of_agents or "team" in (where or {})
        else:
            assert value_of(metric, found.rows) == found.value, metric.key


def explained(key: str, question: answer.Question, store) -> explain.Explanation:
    (found,) = explain.explain([key], question, {}, store, CHITU, Config())
    return found


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return store_of(tmp_path_factory.mktemp("sample"), files_below([str(SAMPLES)]))


@pytest.mark.parametrize("agents", [("小美",), ("阿强",), ("云朵家居旗舰店",), ()])
def test_every_figure_of_the_sample_adds_up(sample, agents):
    question = answer.Question(NOVEMBER, by=("agent",) if agents else ("shop",), agents=agents)
    (row,) = kpi.report(question, sample, CHITU, Config()).frame.rows(named=True)
    assert_adds_up(sample, question, row)


def test_an_hour_adds_up(sample):
    question = answer.Question(NOVEMBER, by=("agent", "hour"), agents=("小美",))
    rows = kpi.report(question, sample, CHITU, Config()).frame
    for hour in (10, 20):
        (row,) = rows.filter(pl.col("hour") == hour).rows(named=True)
        assert_adds_up(sample, question, row, {"hour": hour})


@settings(max_examples=max(EXAMPLES // 12, 4), suppress_health_check=list(HealthCheck))
@given(worlds.worlds(), st.booleans(), st.sampled_from(credit_rules.RULES))
def test_random_months_add_up(world, by_agent, rule):
    exports, order_rows = world
    late = worlds.BEGIN + 40 * worlds.DAY
    with tempfile.TemporaryDirectory() as name:
        written = worlds.write_files(Path(name) / "in", exports, order_rows)
        if not written:
            return
        store = store_of(Path(name), written)
        question = answer.Question(
            WHOLE, by=("agent",) if by_agent else ("shop",), attribution=rule, as_of=late
        )
        for row in kpi.report(question, store, CHITU, Config()).frame.rows(named=True)[:2]:
            own = answer.Question(
                WHOLE, attribution=rule, as_of=late, agents=(row["agent"],) if by_agent else ()
            )
            assert_adds_up(store, own, row)


@settings(max_examples=max(EXAMPLES // 6, 6), suppress_health_check=list(HealthCheck))
@given(
    worlds.settled_worlds(),
    st.sampled_from([("agent",), ("shop",), ("team",), ("shift",), ("agent", "shift"), ("team", "hour")]),
    st.sampled_from(credit_rules.RULES),
)
def test_random_settled_months_add_up(world, by, rule):
    """Under every profile, clock, filter and rule, for the rows of teams and shifts too."""
    exports, order_rows, of_shop, base, changes = world
    assume(of_shop["teams"] or "team" not in by)
    assume(of_shop["duties"] or not ("shift" in by or changes.get("clock") == "shift"))
    late = worlds.BEGIN + 40 * worlds.DAY
    with tempfile.TemporaryDirectory() as name:
        written = worlds.write_files(Path(name) / "in", exports, order_rows)
        assume(written)
        file = Path(name) / "cslog.toml"
        file.write_text(worlds.config_of(of_shop, changes, base), encoding="utf-8")
        settled = config.load(str(file))
        counting = profile.load("ours" if changes else base, settled.profiles)
        store = store_of(Path(name), written, settled)
        question = answer.Question(WHOLE, by=by, attribution=rule, as_of=late)
        for row in kpi.report(question, store, counting, settled).frame.rows(named=True)[:3]:
            where = {dimension: row[dimension] for dimension in by if dimension not in ("shop", "agent")}
            own = answer.Question(
                WHOLE, attribution=rule, as_of=late, agents=(row["agent"],) if "agent" in by else ()
            )
            assert_adds_up(store, own, row, where, counting, settled)


def test_every_row_names_its_place_in_a_file(sample):
    question = answer.Question(NOVEMBER, agents=("小美",))
    for key in (
        "first_response_avg",
        "buyers_received",
        "agent_messages",
        "sales_amount",
        "service_time_avg",
    ):
        rows = explained(key, question, sample).rows
        assert rows.height > 0
        assert rows.filter(pl.col("buyer").is_null() | pl.col("source_file").is_null()).height == 0
        line = rows.row(0, named=True)
        data = Path(line["source_file"]).read_bytes().decode("gb18030", errors="replace").split("\n")
        assert line["buyer"] in data[line["source_line"] - 1] or "小美" in data[line["source_line"] - 1]


def test_a_buyers_story_says_why_something_does_not_count(sample):
    question = answer.Question(NOVEMBER)
    whole = kpi.report(answer.Question(NOVEMBER, by=("shop",)), sample, CHITU, Config())
    assert whole.frame["buyers_filtered"][0] > 0
    filtered = explained("buyers_filtered", question, sample)
    buyer = filtered.rows["buyer"][0]
    story = explain.story(buyer, question, sample, CHITU, Config())
    assert "filter monologue" in " ".join(story.facts["why"].to_list())
    assert story.messages.height > 0
    assert set(story.facts["buyer"]) == {buyer}


def test_a_buyers_story_names_the_rule_that_made_a_reply_automatic(sample, tmp_path):
    days = NOVEMBER.first_day * worlds.DAY, (NOVEMBER.last_day + 1) * worlds.DAY - 1
    buyers = (
        sample.snapshot().messages(*days, ["buyer", "message_class", "text"]).collect().sort("text", "buyer")
    )
    said = buyers.filter((pl.col("message_class") == 1) & (pl.col("text").str.len_chars() > 6)).row(
        0, named=True
    )
    file = tmp_path / "cslog.toml"
    file.write_text(f"[auto_replies]\nprefixes = ['{said['text'][:6]}']\n", encoding="utf-8")
    story = explain.story(said["buyer"], answer.Question(NOVEMBER), sample, CHITU, config.load(str(file)))
    caught = story.messages.filter(pl.col("rule") == "configured prefix")
    assert said["text"] in caught["text"].to_list()
    assert set(caught["message_class"]) == {"auto"}


def test_a_buyers_story_names_a_reply_that_was_sent_to_many_at_once(tmp_path):
    """Two buyers get the same text in the second in which they write; with buyers = 2 no person typed it."""
    blocks = [
        Block(
            buyer,
            [Line(worlds.BEGIN, buyer, "在吗"), Line(worlds.BEGIN, f"{worlds.SHOP}:小美", "稍等，马上来")],
        )
        for buyer in ("buyer_a", "buyer_b")
    ]
    exports = [Export(worlds.SHOP, f"{worlds.SHOP}:小美", blocks)]
    file = tmp_path / "cslog.toml"
    file.write_text("[auto_replies]\nstatistical = true\nbuyers = 2\n", encoding="utf-8")
    store = store_of(tmp_path, worlds.write_files(tmp_path / "in", exports, []))
    story = explain.story("buyer_a", answer.Question(WHOLE), store, CHITU, config.load(str(file)))
    assert story.messages.select("message_class", "rule").rows() == [
        ("buyer", "sender"),
        ("auto", "sent to many at once"),
    ]


def test_the_messages_around_a_row(sample):
    """Of a turn the question and its answer; of a sale what was said before the payment, no later."""
    question = answer.Question(NOVEMBER, agents=("小美",))
    turns, sales = explain.explain(
        ["response_avg", "sales_amount"], question, {}, sample, CHITU, Config(), with_messages=True
    )
    assert "buyer_key" not in turns.rows.columns
    for row in turns.rows.iter_rows(named=True):
        said = row["messages"].split("\n")
        assert any(line.startswith(f"{moment(row['at'])} {row['buyer']}: ") for line in said)
        assert any(line.startswith(f"{moment(row['at'] + row['numerator'])} 小美: ") for line in said)
    told = [row for row in sales.rows.iter_rows(named=True) if row["messages"]]
    assert len(told) > 10
    for row in told:
        assert all(line[:14] <= moment(row["at"]) for line in row["messages"].split("\n"))
    plain = explain.explain(["turns"], question, {}, sample, CHITU, Config())[0].rows
    assert plain.columns == [name for name in turns.rows.columns if name != "messages"]


def moment(second: int) -> str:
    return f"{clock.moment_of(second):%m-%d %H:%M:%S}"


def test_documents_are_complete(sample):
    question = answer.Question(NOVEMBER, agents=("小美",))
    found = explained("average_order_value", question, sample)
    text = files.to_json(explanation.of_cell(found, question)).decode()
    assert '"value": 364.41' in text
    assert f'"numerator": {int(found.rows["numerator"].sum())}' in text


@pytest.mark.parametrize(
    ("key", "agents", "said"),
    [
        ("no_such_figure", (), "no metric no_such_figure"),
        ("refund_rate", (), "needs a refund export"),
        ("turns", ("nobody",), "no such row"),
        ("turns", ("小美", "阿强"), "one agent"),
    ],
)
def test_what_cannot_be_explained(sample, key, agents, said):
    with pytest.raises(UsageError, match=said):
        explained(key, answer.Question(NOVEMBER, agents=agents), sample)
    with pytest.raises(UsageError, match="no buyer"):
        explain.story("没有这个人", answer.Question(NOVEMBER), sample, CHITU, Config())


def test_a_turn_outside_the_window_says_so(sample):
    """Profile taobao counts turns that open in [08:00, 23:00); the story names the reason of one that does not."""
    question = answer.Question(NOVEMBER)
    taobao = profile.load("taobao")
    everything = kpi.plan(question, sample.snapshot(), taobao, Config())
    turns = pl.concat(compute.facts_of(task).turns for task in everything)
    assert turns.filter(~pl.col("in_window")).height > 0
    keys = turns.filter(~pl.col("in_window"))["buyer_key"].to_list()
    buyers = sample.snapshot().messages(0, 2**31, ["buyer", "buyer_key"]).collect()
    buyer = buyers.filter(pl.col("buyer_key") == keys[0])["buyer"][0]
    whys = explain.story(buyer, question, sample, taobao, Config()).facts["why"].to_list()
    assert any("not counted: opened outside the profile's hours" in why for why in whys)
