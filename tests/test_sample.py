"""The figures that sample_logs/README.md states for November 2024, pinned as literals."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from test_against_naive import rows_of

from cslog.clock import Period
from cslog.store import Store

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_logs"


def run(*arguments: str) -> dict:
    """The JSON of ``python -m cslog``."""
    done = subprocess.run(
        [sys.executable, "-m", "cslog", *arguments, "--json"], capture_output=True, cwd=ROOT, check=True
    )
    return json.loads(done.stdout, parse_float=Decimal)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp("sample") / "store")
    totals = run("ingest", str(SAMPLES), "--store", folder)["totals"]
    assert totals == {
        "files": 8, "ingested": 8, "duplicate": 0, "failed": 0, "messages_new": 448, "orders_new": 48, "rejects": 0,
        "messages_forgotten": 0, "orders_forgotten": 0, "messages_expired": 0, "orders_expired": 0,
    }  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def agents(store) -> dict[str, dict]:
    return {row["agent"]: row for row in run("kpi", "--month", "2024-11", "--store", store)["rows"]}


@pytest.fixture(scope="module")
def shop(store) -> dict:
    (row,) = run("kpi", "--month", "2024-11", "--by", "shop", "--store", store)["rows"]
    return row


MONTH = {
    # received, first response, mean response, inquiries, ordered, finally paid, sales
    "小美": (30, "26.28", "20.95", 28, 14, 15, "5830.60"),
    "阿强": (19, "77.44", "50.80", 18, 8, 7, "1991.00"),
    "小丽": (21, "34.05", "26.08", 18, 11, 11, "2709.80"),
    "shop": (66, "42.34", "30.37", 63, 33, 33, "10531.40"),
}


def stated(row: dict) -> tuple:
    return (
        row["buyers_received"],
        f"{row['first_response_avg']:.2f}",
        f"{row['response_avg']:.2f}",
        row["inquiries"],
        row["inquiries_ordered"],
        row["inquiries_paid"],
        str(row["sales_amount"]),
    )


@pytest.mark.parametrize("agent", ["小美", "阿强", "小丽"])
def test_the_agents_month(agents, agent):
    assert stated(agents[agent]) == MONTH[agent]
    assert agents[agent]["immature"] == []


def test_the_shops_month(shop):
    assert stated(shop) == MONTH["shop"]
    assert (shop["silent_orders"], str(shop["silent_amount"])) == (7, "1024.50")
    assert shop["immature"] == []


def test_the_readme_states_these_figures():
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    for name, figures in MONTH.items():
        assert f"| {name} | {' | '.join(map(str, figures))} |" in text
    assert "Silent: 7 orders, 1024.50." in text
    assert "448 messages, 72 buyers in chats, 48 orders." in text


def test_what_adds_up_and_what_does_not(agents, shop):
    for key in (
        "turns",
        "turns_answered",
        "buyer_messages",
        "agent_messages",
        "sales_orders",
        "sales_amount",
    ):
        assert sum(row[key] for row in agents.values()) == shop[key]
    # Four buyers met two agents on one day.
    assert sum(row["buyers_received"] for row in agents.values()) == shop["buyers_received"] + 4
    for row in (*agents.values(), shop):
        parts = row["buyers_received"], row["buyers_unreplied"], row["buyers_filtered"]
        assert row["buyers_chatted"] == sum(parts)
        assert row["buyers_consulted"] == parts[0] + parts[1]


def day_of(store: str, day: str, rule: str = "order_first") -> dict[str, dict]:
    """The agents' rows of one day."""
    rows = rows_of(Store(Path(store)), Period.of(day=day), ("agent",), rule)
    return {row["agent"]: row for row in rows}


@pytest.mark.parametrize(
    ("day", "agent", "figures"),
    [
        ("2024-11-02", "阿强", {"buyers_unreplied": 1, "turns_unanswered": 1}),  # 夜里看海
        (
            "2024-11-03",
            "小丽",
            {"turns_late": 1, "buyers_received": 1, "first_response_avg": None},
        ),  # 慢慢来呀
        ("2024-11-03", "阿强", {"turns_late": 0, "response_avg": 720.0}),  # 等等党
        ("2024-11-04", "小美", {"buyers_forwarded_in": 1}),  # t_云上_09
        ("2024-11-04", "服务助手", {"auto_messages": 1, "buyers_received": 0}),
        ("2024-11-07", "小美", {"buyers_forwarded_out": 1}),  # 茶茶子
        ("2024-11-07", "阿强", {"buyers_forwarded_in": 1}),
        ("2024-11-11", "小美", {"max_concurrent": 3}),  # three chats at once
        ("2024-11-14", "小美", {"buyers_filtered": 1, "assists": 1}),  # 静静躺列, 双份快乐
        ("2024-11-14", "阿强", {"assists": 0, "inquiries_paid": 1}),
    ],
)
def test_single_cases(store, day, agent, figures):
    row = day_of(store, day)[agent]
    assert {key: row[key] for key in figures} == figures


def test_the_months_long_slow_and_filtered_buyers(shop):
    assert (shop["slow_buyers"], shop["long_buyers"], shop["max_concurrent"]) == (1, 1, 3)


def test_the_rule_decides_who_is_credited(store):
    """早问晚付 ordered after a chat with 小美 and paid 299.00 after one with 小丽."""
    sales = {
        rule: {name: row["sales_amount"] for name, row in day_of(store, "2024-11-22", rule).items()}
        for rule in ("order_first", "order", "payment")
    }
    assert sales["order_first"] == sales["order"]
    assert sales["payment"]["小丽"] - sales["order"]["小丽"] == Decimal("299.00")
    assert sales["order"]["小美"] - sales["payment"]["小美"] == Decimal("299.00")
