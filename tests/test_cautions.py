"""Warnings: what is missing, not final or guessed is said beside the figures."""

from __future__ import annotations

import worlds
from naive import Block, Export, Line
from test_against_naive import store_of

from cslog import answer, config, kpi, profile
from cslog.clock import Period, date_of
from cslog.config import Config

DAY = worlds.DAY
CHITU = profile.load("chitu")
WEEK = Period(worlds.FIRST_DAY, worlds.FIRST_DAY + 6)


def chats(days, agent="小美", **more):
    """One answered question on each of ``days``, by offset, in a file of the agent's."""
    lines = []
    for offset in days:
        at = worlds.BEGIN + offset * DAY + 36_000
        lines += [Line(at, "buyer_a", "在吗"), Line(at + 5, f"{worlds.SHOP}:{agent}", "在")]
    return Export(worlds.SHOP, f"{worlds.SHOP}:{agent}", [Block("buyer_a", lines)])


def warnings_of(tmp_path, exports, settings=None, **question):
    files = worlds.write_files(tmp_path / "in", exports, [])
    store = store_of(tmp_path, files)
    question = answer.Question(WEEK, **question)
    return kpi.report(question, store, CHITU, settings or Config()).warnings


def test_days_missing_for_an_agent_who_worked_around_them(tmp_path):
    warnings = warnings_of(tmp_path, [chats([0, 1, 3, 6]), chats([0, 5], agent="阿强")])
    (line,) = [w for w in warnings if "no messages" in w]
    missing = [f"{date_of(worlds.FIRST_DAY + offset):%m-%d}" for offset in (2, 4, 5)]
    assert f"小美 {', '.join(missing)}" in line
    assert "阿强" not in line  # four days in a row are a holiday


def test_a_roster_says_which_days_are_missing(tmp_path):
    file = tmp_path / "cslog.toml"
    first, last = (date_of(worlds.FIRST_DAY + offset) for offset in (0, 6))
    off = date_of(worlds.FIRST_DAY + 2)
    file.write_text(
        f'[shops."{worlds.SHOP}".shifts."白班"]\nhours = ["09:00-18:00"]\n'
        f'[[shops."{worlds.SHOP}".roster]]\nagents = ["小美"]\nshift = "白班"\nfrom = {first}\nto = {last}\noff = [{off}]\n',
        encoding="utf-8",
    )
    warnings = warnings_of(tmp_path, [chats([0, 1, 3, 5])], config.load(str(file)))
    (line,) = [w for w in warnings if "no messages" in w]
    assert f"小美 rostered {date_of(worlds.FIRST_DAY + 4):%m-%d}: " in line


def test_when_figures_ripen(tmp_path):
    warnings = warnings_of(tmp_path, [chats([5, 6])])
    first = WEEK.last_day + 1
    for days, key in ((1, "inquiries_paid_same_day"), (2, "inquiries_lost"), (5, "inquiries_paid")):
        final = date_of(first - 1 + days)
        assert any(w.startswith(f"not final before {final} ") and key in w for w in warnings)
    later = f"{date_of(WEEK.last_day + 5)}"
    from cslog.clock import parse_instant

    assert not [
        w
        for w in warnings_of(tmp_path / "b", [chats([5, 6])], as_of=parse_instant(later, "--as-of"))
        if "not final" in w
    ]


def test_many_inferred_agents(tmp_path):
    """A block in which two agents speak states nobody: every buyer message of it is inferred (I3)."""
    lines = []
    for number, agent in enumerate(("小美", "阿强")):
        at = worlds.BEGIN + 36_000 + number * 60
        lines += [Line(at, "buyer_b", "在吗"), Line(at + 5, f"{worlds.SHOP}:{agent}", "在")]
    shared = Export(worlds.SHOP, worlds.SHOP, [Block("buyer_b", lines)])
    (line,) = [w for w in warnings_of(tmp_path, [shared]) if "inferred" in w]
    assert line.startswith(f"for 100% of the buyer messages of {worlds.SHOP}")
    assert not [w for w in warnings_of(tmp_path / "b", [chats([0])]) if "inferred" in w]


def test_rule_memo_without_a_pattern(tmp_path):
    assert any(
        "rule memo credits nobody" in w for w in warnings_of(tmp_path, [chats([0])], attribution="memo")
    )
