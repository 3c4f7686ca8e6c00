"""Wrong numbers once found in turns that are answered long after the period (turns_late)."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from cslog import answer, contacts, ingest, kpi, profile
from cslog.clock import Period
from cslog.config import Config
from cslog.store import Store
from cslog.tables import Part

SHOP = "某旗舰店"
RULE, DASHES = "=" * 64, "-" * 28


def late(tmp_path, answered_by: str, config: Config) -> int:
    """turns_late of 5 November, when the next message of the thread comes on the 20th."""
    return late_of(tmp_path, config, {"buyer_a": [("buyer_a", 5, "在吗"), (f"{SHOP}:小美", 20, answered_by)]})


def late_of(tmp_path, config: Config, chats: dict[str, list[tuple[str, int, str]]]) -> int:
    """turns_late of 5 November; per buyer: sender, day of November, text."""
    lines = [f"{SHOP}:小美", "", RULE, "单聊", RULE]
    for buyer, messages in chats.items():
        lines.append(f"{DASHES}{buyer}{DASHES}")
        lines += [f"{sender}(2024-11-{day:02} 10:00:00):  {text}" for sender, day, text in messages]
    file = tmp_path / "chat.txt"
    file.write_text("\r\n".join([*lines, ""]), encoding="utf-8")
    store = Store(tmp_path / "store")
    count = sum(len(messages) for messages in chats.values())
    assert ingest.ingest([str(file)], store, config).totals()["messages_new"] == count
    question = answer.Question(Period.of(day="2024-11-05"), by=("agent",))
    return kpi.report(question, store, profile.load("chitu"), config).frame["turns_late"].item()


@pytest.mark.parametrize(("text", "expected"), [("您好", 1), ("【自动】马上回复您", 0)])
def test_a_configured_automatic_reply_is_no_late_answer(tmp_path, text, expected):
    config = msgspec.convert({"auto_replies": {"prefixes": ["【自动】"]}}, Config)
    assert late(tmp_path, text, config) == expected


def met_later(buyer: str) -> list[tuple[str, int, str]]:
    return [(buyer, 5, "在吗"), (f"{SHOP}:小美", 20, "您好")]


def test_who_never_came_back_is_not_taken_for_the_next_buyer(tmp_path, monkeypatch):
    """A digest may say that a buyer was met again who was not (seen on a year of 24 million messages)."""
    gone = {f"buyer_{i}": [(f"buyer_{i}", 5, "在吗")] for i in range(10)}
    others = {f"other_{i}": [(f"{SHOP}:小美", 20, "您好")] for i in range(10)}
    monkeypatch.setattr(contacts, "may_hold", lambda digest, buyer, agent: np.ones(buyer.size, bool))
    assert late_of(tmp_path, Config(), gone | others | {"buyer_x": met_later("buyer_x")}) == 1


def test_files_without_digest_are_looked_through(tmp_path, monkeypatch):
    monkeypatch.setattr(Part, "note", lambda part, name: None)
    chats = {f"buyer_{i}": met_later(f"buyer_{i}") for i in range(3)}
    assert late_of(tmp_path, Config(), chats | {"buyer_x": [("buyer_x", 5, "在吗")]}) == 3
