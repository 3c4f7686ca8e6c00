"""Profiles (口径): the switches of kpi-spec 6 as data."""

from __future__ import annotations

import datetime

import msgspec
import naive
import pytest

from cslog import profile
from cslog.errors import UsageError


def test_chitu_is_that_of_the_specification():
    chitu = profile.load("chitu")
    assert msgspec.structs.asdict(chitu) == {
        "id": "chitu",
        "title": "Chitu-compatible",
        "title_zh": "赤兔名品口径",
        "valid_from": datetime.date(2019, 1, 1),
        "max_wait_s": 600,
        "session_gap_s": 600,
        "transfer": "neutral",
        "assist_valid": True,
        "day_cut_s": 0,
        "clock": "wall",
        "window": (0, 86_400),
        "window_of": "turn",
        "cap_s": 0,
        "unanswered_s": 0,
        "first_response": "buyer_first",
        "within_6s": "turn",
        "within_30s": "turn",
        "within_60s": "turn",
        "within_180s": "turn",
        "shop_mean": "ratio",
        "night": (23 * 3600, 9 * 3600),
        "night_due_s": 9 * 3600 + 1800,
        "lookup": "asof",
        "lookback_s": 48 * 3600,
        "after_sale": "paid",
        "urge_limit_s": 0,
        "post_fee": "in",
        "refunds": "in",
        "after_sale_days": 21,
        "order_days": 2,
        "unpaid_days": 3,
        "slow_s": 120,
        "slow_times": 3,
        "long_s": 3600,
    }
    assert (chitu.max_wait_s, chitu.transfer, chitu.assist_valid, chitu.day_cut_s) == tuple(
        naive.CHITU[name] for name in ("max_wait", "transfer", "assist_valid", "day_cut")
    )


def test_every_profile_that_ships_can_be_loaded_by_its_id():
    known = profile.available()
    assert "chitu" in [one.id for one in known]
    assert [profile.load(one.id) for one in known] == known
    assert all(one.title and one.title_zh for one in known)


def test_an_unknown_profile_names_those_there_are():
    with pytest.raises(UsageError, match=r"no profile 'jd2'; use one of: .*chitu"):
        profile.load("jd2")


@pytest.mark.parametrize("change", [{"max_wiat_s": 1}, {"transfer": "often"}, {"max_wait_s": "600"}])
def test_a_profile_with_a_wrong_switch_is_refused(change):
    content = msgspec.structs.asdict(profile.load("chitu")) | change
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(content, profile.Profile)
