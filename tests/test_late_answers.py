"""Wrong numbers once found in turns that are answered long after the period (turns_late)."""

from __future__ import annotations

import msgspec
import pytest

from cslog import answer, ingest, kpi, profile
from cslog.clock import Period
from cslog.config import Config
from cslog.store import Store

SHOP = "某旗舰店"
RULE, DASHES = "=" * 64, "-" * 28


def late(tmp_path, answered_by: str, config: Config) -> int:
    """turns_late of 5 November, when the next message of the thread comes on the 20th."""
    lines = [
        f"{SHOP}:小美", "", RULE, "单聊", RULE, f"{DASHES}buyer_a{DASHES}",
        "buyer_a(2024-11-05 10:00:00):  在吗", f"{SHOP}:小美(2024-11-20 10:00:00):  {answered_by}", "",
    ]  # fmt: skip
    file = tmp_path / "chat.txt"
    file.write_text("\r\n".join(lines), encoding="utf-8")
    store = Store(tmp_path / "store")
    assert ingest.ingest([str(file)], store, config).totals()["messages_new"] == 2
    question = answer.Question(Period.of(day="2024-11-05"), by=("agent",))
    return kpi.report(question, store, profile.load("chitu"), config).frame["turns_late"].item()


@pytest.mark.parametrize(("text", "expected"), [("您好", 1), ("【自动】马上回复您", 0)])
def test_a_configured_automatic_reply_is_no_late_answer(tmp_path, text, expected):
    config = msgspec.convert({"auto_replies": {"prefixes": ["【自动】"]}}, Config)
    assert late(tmp_path, text, config) == expected
