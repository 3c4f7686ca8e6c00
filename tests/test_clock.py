"""Shanghai wall time, days, periods and instants (kpi-spec T1-T3)."""

from __future__ import annotations

import datetime

import naive
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cslog import clock
from cslog.clock import Period
from cslog.errors import UsageError

DAYS = st.dates(datetime.date(1990, 1, 1), datetime.date(2100, 1, 1))


def test_an_instant_is_wall_time_in_shanghai():
    noon = clock.seconds_of(datetime.datetime(2024, 11, 11, 12))
    assert noon == 1_731_326_400
    assert clock.seconds_of(datetime.datetime(2024, 11, 11, 4, tzinfo=datetime.UTC)) == noon
    assert clock.moment_of(noon) == datetime.datetime(2024, 11, 11, 12)
    assert clock.iso(noon) == "2024-11-11T12:00:00+08:00"


def test_whole_seconds():
    assert clock.seconds_of(datetime.datetime(1970, 1, 1, 0, 0, 1, 999_999)) == 1
    assert clock.seconds_of(datetime.datetime(1969, 12, 31, 23, 59, 59, 1)) == -1


@given(DAYS)
def test_days(day):
    number = clock.day_number(day)
    assert clock.date_of(number) == day == naive.day_date(number)
    assert clock.month_label(number) == naive.month_text(number)
    assert clock.week_label(number) == naive.week_text(number)


def test_weeks_belong_to_their_iso_year():
    assert clock.week_label(clock.day_number(datetime.date(2024, 12, 30))) == "2025-W01"
    assert clock.week_label(clock.day_number(datetime.date(2021, 1, 3))) == "2020-W53"


@given(DAYS, st.integers(0, 200 * clock.DAY_SECONDS))
def test_months_between(day, length):
    first = clock.day_number(day) * clock.DAY_SECONDS
    days = range(first // clock.DAY_SECONDS, (first + length) // clock.DAY_SECONDS + 1)
    assert clock.months_between(first, first + length) == list(dict.fromkeys(map(clock.month_label, days)))


def dates(period: Period) -> tuple[str, str]:
    return str(clock.date_of(period.first_day)), str(clock.date_of(period.last_day))


@pytest.mark.parametrize(
    ("given_as", "expected"),
    [
        ({"month": "2024-11"}, ("2024-11-01", "2024-11-30")),
        ({"month": "2024-12"}, ("2024-12-01", "2024-12-31")),
        ({"month": "2024-02"}, ("2024-02-01", "2024-02-29")),
        ({"month": "2023-02"}, ("2023-02-01", "2023-02-28")),
        ({"day": "2024-11-11"}, ("2024-11-11", "2024-11-11")),
        ({"first": "2024-11-01", "last": "2024-11-10"}, ("2024-11-01", "2024-11-10")),
        ({"first": "2024-11-01", "last": "2024-11-01"}, ("2024-11-01", "2024-11-01")),
    ],
)
def test_periods_include_both_ends(given_as, expected):
    period = Period.of(**given_as)
    assert dates(period) == expected
    assert [period.days[0], period.days[-1]] == [period.first_day, period.last_day]


@pytest.mark.parametrize(
    ("given_as", "said"),
    [
        ({}, "no period given"),
        ({"month": "2024-11", "day": "2024-11-01"}, "more than one period"),
        ({"month": "2024-11", "last": "2024-11-01"}, "more than one period"),
        ({"first": "2024-11-01"}, "--from and --to belong together"),
        ({"last": "2024-11-01"}, "--from and --to belong together"),
        ({"first": "2024-11-02", "last": "2024-11-01"}, "before it begins"),
        ({"month": "2024-13"}, "--month 2024-13 is not a date"),
        ({"month": "202411"}, "--month 202411 is not a date"),
        ({"month": "24-11"}, "--month 24-11 is not a date"),
        ({"day": "2024-11-31"}, "--day 2024-11-31 is not a date"),
        ({"day": "20241111"}, "--day 20241111 is not a date"),
        ({"day": "yesterday"}, "--day yesterday is not a date"),
        ({"day": "9999-12-31"}, "--day 9999-12-31 is not a date"),
        ({"day": "0001-01-01"}, "--day 0001-01-01 is not a date"),
        ({"first": "2024-11-01", "last": "11-10"}, "--to 11-10 is not a date"),
    ],
)
def test_what_is_no_period(given_as, said):
    with pytest.raises(UsageError, match=said):
        Period.of(**given_as)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2024-12-06", "2024-12-06T23:59:59+08:00"),
        ("2024-12-06T09:00", "2024-12-06T09:00:00+08:00"),
        ("2024-12-06 09:00:01", "2024-12-06T09:00:01+08:00"),
        ("2024-12-06T09:00:00+08:00", "2024-12-06T09:00:00+08:00"),
        ("2024-12-06T01:00:00Z", "2024-12-06T09:00:00+08:00"),
        ("20241206", "2024-12-06T23:59:59+08:00"),
    ],
)
def test_instants(text, iso):
    assert clock.iso(clock.parse_instant(text, "--as-of")) == iso


@pytest.mark.parametrize("text", ["yesterday", "", "2024-13-01", "9999-12-31"])
def test_what_is_no_instant(text):
    with pytest.raises(UsageError, match="--as-of"):
        clock.parse_instant(text, "--as-of")


def test_an_unknown_zone():
    with pytest.raises(UsageError, match="unknown time zone 'Mars/Olympus'"):
        clock.zone("Mars/Olympus")


def test_now_is_a_second_on_that_clock():
    before = datetime.datetime.now(tz=clock.zone()).replace(tzinfo=None, microsecond=0)
    assert 0 <= clock.now() - clock.seconds_of(before) <= 5


def test_spans_of_a_shift():
    assert clock.parse_spans(["09:00-12:00", "13:00-18:00"]) == ((32_400, 43_200), (46_800, 64_800))
    assert clock.parse_spans(["20:00-24:00", "00:30-04:00"]) == ((72_000, 86_400), (88_200, 100_800))
    assert clock.parse_spans(["17:00-01:00", "02:00-04:00"])[1] == (93_600, 100_800)
    assert clock.parse_spans(["09:00-09:00"]) == ((32_400, 118_800),)
    for wrong in ([], ["9-18"], ["09:00-12:00", "11:00-18:00"], ["09:00-12:00", "08:00-09:30"]):
        with pytest.raises(ValueError, match=r"hours|time of day"):
            clock.parse_spans(wrong)
