"""The pages of the monthly workbook (月报), which `cslog report` and `cslog run` write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cslog.answer import Question
    from cslog.config import Config
    from cslog.profile import Profile
    from cslog.report.sheet import Language, Sheet
    from cslog.store import Store


def pages(
    question: Question,
    profile: Profile,
    store: Store,
    settings: Config,
    language: Language,
    warnings: Sequence[str] = (),
) -> list[Sheet]:
    """The figures by agent, by shop and by day, then every list; ``warnings`` come first among those of the figures."""
    from cslog import kpi as library
    from cslog.lists import registry
    from cslog.lists.request import Request
    from cslog.report import figures, worklists

    found = []
    for by, zh in (("agent", "客服"), ("shop", "店铺"), ("day", "日期")):
        result = library.report(replace(question, by=(by,)), store, profile, settings)
        result = replace(result, warnings=(*warnings, *result.warnings))
        found.append(replace(figures.sheet_of(result, language), name=f"by {by}", zh=zh))
    lists = registry.of_report(Request(question, profile, settings), store)
    return [*found, *map(worklists.sheet_of, lists)]
