"""The whole program, files in and rows out, equals the naive reference on random months."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec
import naive
import pytest
import worlds
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cslog import answer, credit_rules, kpi, profile
from cslog.clock import Period
from cslog.config import Config
from cslog.errors import UsageError
from cslog.ingest import ingest
from cslog.report import figures, sheet
from cslog.store import Store

EXAMPLES = int(os.environ.get("CSLOG_EXAMPLES", "60"))
"""How many random months each comparison tries; more is a matter of time alone."""

CHITU = profile.load("chitu")
CHAT = (
    [
        naive.Export(
            worlds.SHOP, worlds.SHOP, [naive.Block("buyer_a", [naive.Line(worlds.BEGIN, "buyer_a", "在吗")])]
        )
    ],
    [],
)
"""One question in one file, and no orders."""
SPLITS = [
    ("agent",),
    ("shop",),
    ("agent", "day"),
    ("day", "hour"),
    ("agent", "hour"),
    ("week",),
    ("month", "agent"),
]
SETTLED_SPLITS = [
    ("agent",),
    ("shop",),
    ("team",),
    ("shift",),
    ("agent", "day"),
    ("agent", "hour"),
    ("agent", "shift"),
    ("team", "agent"),
    ("team", "shift"),
    ("team", "hour"),
    ("shift", "hour"),
    ("day", "hour"),
    ("day", "shift"),
    ("month", "team"),
]
WHOLE = Period(worlds.FIRST_DAY - 3, worlds.FIRST_DAY + 12)


def store_of(folder: Path, files: list[Path], config: Config | None = None) -> Store:
    store = Store(folder / "store")
    report = ingest([str(file) for file in files], store, config or Config())
    assert [
        (file.path, file.error, file.rejects) for file in report.files if file.error or file.rejects
    ] == []
    return store


def rows_of(
    store: Store,
    period: Period,
    by=("agent",),
    rule="order_first",
    as_of=None,
    counting=CHITU,
    config: Config | None = None,
):
    question = answer.Question(period, by=by, attribution=rule, as_of=as_of)
    return sheet.records(figures.sheet_of(kpi.report(question, store, counting, config or Config()), "en"))


def assert_equal(ours: list[dict], theirs: list[dict]) -> None:
    keys = [
        name
        for name in ("shop", "agent", "team", "shift", "day", "hour", "week", "month")
        if theirs and name in theirs[0]
    ]
    assert [[row[k] for k in keys] for row in ours] == [[row[k] for k in keys] for row in theirs]
    for mine, reference in zip(ours, theirs, strict=True):
        assert set(mine) == set(reference)
        differences = {k: (mine[k], reference[k]) for k in reference if mine[k] != reference[k]}
        assert differences == {}, [mine[k] for k in keys]


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(worlds.worlds(), st.sampled_from(SPLITS), st.sampled_from(credit_rules.RULES), st.data())
def test_rows_equal_the_reference(world, by, rule, data):
    exports, order_rows = world
    counting = data.draw(st.sampled_from(sorted(naive.PROFILES)))
    first = worlds.FIRST_DAY + data.draw(st.integers(-1, 3))
    period = data.draw(st.sampled_from([WHOLE, Period(first, first), Period(first, first + 1)]))
    as_of = data.draw(st.none() | st.integers(worlds.BEGIN, worlds.BEGIN + 12 * naive.DAY))
    with tempfile.TemporaryDirectory() as name:
        files = worlds.write_files(Path(name) / "in", exports, order_rows)
        if not files:
            return
        ours = rows_of(store_of(Path(name), files), period, by, rule, as_of, profile.load(counting))
    expected = naive.report(
        exports, order_rows, period.first_day, period.last_day, by, naive.PROFILES[counting], rule, as_of
    )
    assert_equal(ours, expected)


def switches(one: profile.Profile) -> dict:
    """A shipped profile as changes to whatever base: its switches, named as in TOML."""
    whole = msgspec.structs.asdict(one)
    for name in ("id", "title", "title_zh", "valid_from"):
        del whole[name]
    for name in ("window", "night"):
        whole[name] = [f"{second // 3600:02d}:{second % 3600 // 60:02d}" for second in whole[name]]
    for name in ("day_cut_s", "night_due_s"):
        whole[name] = f"{whole[name] // 3600:02d}:{whole[name] % 3600 // 60:02d}"
    return whole


@pytest.mark.parametrize("name", sorted(naive.PROFILES))
def test_shipped_profiles_are_those_of_the_reference(name):
    """kpi-spec 6 decides; in the reference the table of that section is written down a second time."""
    reference = naive.PROFILES[name]
    found = naive.own_profile(name, switches(profile.load(name)))
    if reference["window"] is None:
        assert found["window"] == (0, naive.DAY)
        found["window"] = None
    assert {key: found[key] for key in reference if found[key] != reference[key]} == {}


def settled_difference(world, by, rule, as_of, period) -> str | None:
    """What the program and the reference say differently about a shop with settings; None: nothing."""
    exports, order_rows, its, base, changes = world
    by_shift = "shift" in by or changes.get("clock") == "shift"
    if ("team" in by and not its["teams"]) or (by_shift and not its["duties"]):
        return None  # refused: see test_what_is_not_configured_is_named
    config = msgspec.toml.decode(worlds.config_of(its, changes, base), type=Config)
    counting = profile.load("ours" if changes else base, config.profiles)
    with tempfile.TemporaryDirectory() as name:
        files = worlds.write_files(Path(name) / "in", exports, order_rows)
        if not files:
            return None
        try:
            ours = rows_of(store_of(Path(name), files, config), period, by, rule, as_of, counting, config)
        except Exception as error:  # a crash is shrunk like any other difference
            return repr(error)
    P, days = naive.own_profile(base, changes), (period.first_day, period.last_day)
    theirs = naive.report(exports, order_rows, *days, by, P, rule, as_of, settings=its)
    try:
        assert_equal(ours, theirs)
    except AssertionError as error:
        return str(error).split("\n")[0] or "rows differ"
    return None


@pytest.fixture(params=["one task", "many tasks"])
def tasks(request, monkeypatch):
    """How many parts the buyers are cut into; rosters' extensions and frequent texts must be those of all."""
    if request.param == "many tasks":
        monkeypatch.setattr(kpi, "_SMALL", 0)
        monkeypatch.setattr(kpi, "_MESSAGES_PER_TASK", 7)


@pytest.mark.usefixtures("tasks")
@settings(max_examples=EXAMPLES // 2, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(
    worlds.settled_worlds(),
    st.sampled_from(SETTLED_SPLITS),
    st.sampled_from(naive.RULES),
    st.none() | st.integers(worlds.BEGIN, worlds.BEGIN + 9 * naive.DAY),
    st.none() | st.integers(-1, 3),
)
def test_settled_rows_equal_the_reference(world, by, rule, as_of, day):
    one_day = worlds.FIRST_DAY + (day or 0)
    period = WHOLE if day is None else Period(one_day, one_day)
    if settled_difference(world, by, rule, as_of, period) is None:
        return
    small = worlds.shrunk(world, lambda less: settled_difference(less, by, rule, as_of, period) is not None)
    pytest.fail(
        f"{settled_difference(small, by, rule, as_of, period)}\nby {by}, {rule}, as of {as_of}\n{small}"
    )


@pytest.mark.parametrize(
    ("by", "clock", "said"),
    [
        (("team",), None, "no team is configured"),
        (("shift",), None, "no roster"),
        (("agent",), "shift", "no roster"),
    ],
)
def test_what_is_not_configured_is_named(tmp_path, by, clock, said):
    store = store_of(tmp_path, worlds.write_files(tmp_path / "in", *CHAT))
    with pytest.raises(UsageError, match=said):
        rows_of(store, WHOLE, by, counting=CHITU.with_clock(clock))
