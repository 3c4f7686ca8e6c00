"""What the stress tests have done, in numbers, below the result of every run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

_KEY = "stress"


@pytest.fixture
def counted(request) -> Callable[[str], None]:
    """Say how much a test has done; it is shown at the end, also when workers ran the tests."""
    return lambda line: request.node.user_properties.append((_KEY, line))


def pytest_terminal_summary(terminalreporter) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    lines = dict.fromkeys(
        value
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == _KEY and getattr(report, "when", "") == "call"
    )
    if lines:
        terminalreporter.section("what was done to cslog")
        for line in lines:
            terminalreporter.write_line(line)
