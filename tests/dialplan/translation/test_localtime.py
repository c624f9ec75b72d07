"""The C library's clock, against the zone database and glibc's rules for times that do not exist."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.translation.localtime import BrokenDownTime, LocalClock

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Sydney"])
TIMES = st.integers(min_value=-(2**33), max_value=2**35)


def clock_time(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> BrokenDownTime:
    return BrokenDownTime(year, month - 1, day, hour, minute)


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@given(ZONES, TIMES)
def test_local_time_agrees_with_the_zone_database(zone: str, time: int) -> None:
    local = LocalClock(zone).localtime(time)
    expected = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=time)).astimezone(ZoneInfo(zone))
    fields = (local.year, local.month + 1, local.day, local.hour, local.minute, local.second)
    assert fields == expected.timetuple()[:6]
    assert (local.weekday, local.yearday + 1) == (expected.isoweekday() % 7, expected.timetuple().tm_yday)


@given(ZONES, TIMES)
def test_a_local_time_leads_back_to_a_time_that_shows_it(zone: str, time: int) -> None:
    clock = LocalClock(zone)
    local = clock.localtime(time)
    assert clock.localtime(clock.mktime(local, local.is_dst)) == local


@given(st.integers(-50, 50), st.integers(-500, 500), st.integers(-100, 100))
def test_fields_out_of_range_carry_over(months: int, days: int, hours: int) -> None:
    clock = LocalClock("UTC")
    first = BrokenDownTime(2026, months % 12, 1)
    first_of_month = clock.mktime(BrokenDownTime(2026 + months // 12, first.month, 1), is_dst=None)
    moment = BrokenDownTime(2026, months, 1 + days, hours)
    assert clock.mktime(moment, is_dst=None) == first_of_month + days * 86400 + hours * 3600


def test_a_time_in_the_gap_of_spring_moves_on_by_the_gap() -> None:
    assert LocalClock("Europe/Berlin").mktime(clock_time(2026, 3, 29, 2, 30), is_dst=None) == utc(
        "2026-03-29T01:30"
    )


def test_standard_time_can_be_requested_in_summer() -> None:
    assert LocalClock("Europe/Berlin").mktime(clock_time(2026, 7, 1), is_dst=False) == utc("2026-06-30T23:00")


@pytest.mark.parametrize("zone", ["Nowhere/Zone", "A", "../etc/passwd", "Europe", "ABC", ""])
def test_a_zone_that_does_not_exist_is_utc(zone: str) -> None:
    assert LocalClock(zone).localtime(0) == LocalClock("UTC").localtime(0)


@pytest.mark.parametrize(
    ("rule", "hour_in_winter", "hour_in_summer"),
    [("XYZ-3", 15, 15), ("CET-1CEST,M3.5.0,M10.5.0/3", 13, 14), ("XYZ5XDT", 7, 8), ("<+05>-5", 17, 17)],
)
def test_a_zone_can_be_a_rule(rule: str, hour_in_winter: int, hour_in_summer: int) -> None:
    clock = LocalClock(rule)
    hours = [clock.localtime(utc(f"2026-{month}-15T12:00")).hour for month in ("01", "07")]
    assert hours == [hour_in_winter, hour_in_summer]
