"""Recurrences and their combination, oddities included."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from dialplan.translation.timerec import InvalidRecurrence, TimeExpression, Timing, parse_timerec

ALWAYS = "20200101T000000"
NEVER = "20200101T000000|20200102T000000"


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def applies(timerec: str, time: str, zone: str = "UTC") -> bool:
    expression = parse_timerec(timerec, zone)
    assert isinstance(expression, TimeExpression)
    return expression.check(at(time, zone)) is Timing.APPLIES


def invalid(timerec: str) -> InvalidRecurrence:
    result = parse_timerec(timerec)
    assert isinstance(result, InvalidRecurrence)
    return result


class TestPlainInterval:
    @pytest.mark.parametrize(
        ("time", "expected"),
        [
            ("2026-01-01T07:59:59", False),
            ("2026-01-01T08:00:00", True),
            ("2026-01-02T16:59:59", True),
            ("2026-01-02T17:00:00", False),
        ],
    )
    def test_it_applies_from_its_start_until_before_its_end(self, time: str, expected: bool) -> None:
        assert applies("20260101T080000|20260102T170000", time) is expected

    def test_without_an_end_it_goes_on(self) -> None:
        assert applies(ALWAYS, "2090-01-01T00:00")

    def test_nothing_but_a_separator_always_applies(self) -> None:
        assert applies("|", "2026-01-01T00:00")

    def test_a_duration_beats_an_end(self) -> None:
        assert not applies("20260101T080000|20270101T000000|PT1H", "2026-01-01T10:00")

    def test_a_duration_that_does_not_parse_lasts_no_time(self) -> None:
        assert not applies("20260101T080000||1W", "2026-01-01T08:00")

    def test_a_date_out_of_range_carries_over(self) -> None:
        assert applies("20201301T000000", "2021-01-01T00:00")


class TestRepetition:
    OFFICE = "20240101T090000||PT8H|weekly|||mo,tu,we,th,fr"

    @pytest.mark.parametrize(
        ("time", "expected"),
        [
            ("2026-01-05T09:00:00", True),
            ("2026-01-05T16:59:59", True),
            ("2026-01-05T17:00:00", False),
            ("2026-01-05T08:59:59", False),
            ("2026-01-04T12:00:00", False),
        ],
    )
    def test_office_hours(self, time: str, expected: bool) -> None:
        assert applies(self.OFFICE, time) is expected

    def test_an_interval_over_midnight(self) -> None:
        assert applies("20240101T220000||PT8H|daily", "2026-01-05T03:00")

    def test_it_ends_with_its_until(self) -> None:
        assert not applies("20240101T090000||PT8H|daily|20250101T000000", "2026-01-05T10:00")

    def test_the_interval_counts_from_the_start(self) -> None:
        every_other_day = "20260101T000000||P1D|daily||2"
        assert [applies(every_other_day, f"2026-01-{day:02d}T12:00") for day in (1, 2, 3)] == [
            True,
            False,
            True,
        ]

    def test_an_interval_is_the_sum_of_its_digits(self) -> None:
        assert applies("20260101T000000||P1D|daily||12", "2026-01-04T12:00")

    def test_the_first_second_of_a_week_long_stretch_is_left_out(self) -> None:
        stretch = "20260105T090000|20260107T170000||weekly"
        assert (applies(stretch, "2026-01-12T09:00:00"), applies(stretch, "2026-01-12T09:00:01")) == (
            False,
            True,
        )

    def test_a_weekday_in_a_month_is_the_first_one_by_default(self) -> None:
        monthly = "20240101T000000||P1D|monthly|||mo"
        assert (applies(monthly, "2026-01-05T12:00"), applies(monthly, "2026-01-12T12:00")) == (True, False)

    def test_the_last_weekday_of_a_month(self) -> None:
        monthly = "20240101T000000||P1D|monthly|||-1mo"
        assert (applies(monthly, "2026-01-26T12:00"), applies(monthly, "2026-01-19T12:00")) == (True, False)

    def test_a_number_before_wednesday_is_lost(self) -> None:
        monthly = "20240101T000000||P1D|monthly|||2we"
        assert (applies(monthly, "2026-01-07T12:00"), applies(monthly, "2026-01-14T12:00")) == (True, False)

    def test_a_list_that_does_not_parse_is_no_filter(self) -> None:
        assert applies("20240101T000000||P1D|daily|||monday", "2026-01-07T12:00")

    def test_days_of_the_month_may_count_from_its_end(self) -> None:
        last = "20240101T000000||P1D|monthly||||-1"
        assert (applies(last, "2026-01-31T12:00"), applies(last, "2026-01-30T12:00")) == (True, False)

    def test_months(self) -> None:
        summer = "20240101T000000||P1D|daily|||||||6,7"
        assert (applies(summer, "2026-07-01T12:00"), applies(summer, "2026-08-01T12:00")) == (True, False)

    def test_what_stands_for_the_week_start_is_not_read(self) -> None:
        assert applies("20240101T000000||P1D|daily||||||||xx|yy", "2026-07-01T12:00")

    def test_an_interval_of_zero_crashes_the_proxy(self) -> None:
        expression = parse_timerec("20240101T000000||P1D|daily||0")
        assert isinstance(expression, TimeExpression)
        assert (expression.can_crash, expression.check(at("2026-01-01T00:00"))) == (True, Timing.CRASHES)

    def test_before_its_start_an_interval_of_zero_does_no_harm(self) -> None:
        expression = parse_timerec("20240101T000000||P1D|daily||0")
        assert isinstance(expression, TimeExpression)
        assert expression.check(at("2023-01-01T00:00")) is Timing.DOES_NOT


class TestZones:
    def test_a_recurrence_may_name_its_zone(self) -> None:
        office = "America/New_York|20240101T090000||PT8H|weekly|||mo,tu,we,th,fr"
        assert applies(office, "2026-01-05T14:30") is True
        assert applies(office, "2026-01-05T13:30") is False

    def test_otherwise_the_proxys_own_counts(self) -> None:
        assert applies("20260101T080000|20260101T090000", "2026-01-01T08:30", zone="Asia/Karachi")

    def test_daylight_saving_keeps_the_hours_by_the_clock(self) -> None:
        office = "Europe/Berlin|20240101T090000||PT8H|daily"
        assert (applies(office, "2026-07-01T07:30"), applies(office, "2026-01-07T07:30")) == (True, False)

    def test_an_unknown_zone_is_utc(self) -> None:
        assert applies("Nowhere/Zone|20260101T080000|20260101T090000", "2026-01-01T08:30")

    def test_a_zone_may_be_a_rule(self) -> None:
        assert applies("XYZ-3|20260101T080000|20260101T090000", "2026-01-01T05:30")


class TestExpressions:
    @pytest.mark.parametrize(
        ("timerec", "expected"),
        [
            (f"{ALWAYS}| & {ALWAYS}|", True),
            (f"{ALWAYS}|&{NEVER}", False),
            (f"{NEVER} / {ALWAYS}|", True),
            (f"!{NEVER}", True),
            (f"!!{NEVER}", False),
            (f"! {ALWAYS}", False),
            (f"!({NEVER} / {NEVER})", True),
            (f"({ALWAYS} / {NEVER}) & !{NEVER}", True),
            (f"(({ALWAYS}))", True),
            ("!", True),
            ("()", False),
            ("!(!)", True),
        ],
    )
    def test_operators_and_brackets(self, timerec: str, expected: bool) -> None:
        assert applies(timerec, "2026-01-01T00:00") is expected

    @pytest.mark.parametrize(
        ("timerec", "position"),
        [
            ("garbage", 0),
            ("20260101T08", 0),
            ("19690101T000000", 0),
            ("20260001T000000", 0),
            (f"{ALWAYS} &", 17),
            (f"({ALWAYS}", 0),
            (f"{ALWAYS})", 15),
            (f"{ALWAYS} {ALWAYS}", 16),
            (f"{ALWAYS} & {ALWAYS} / {ALWAYS}", 34),
            (f"( {ALWAYS} & x)", 20),
            ("20260101T000000||PT1H|||||mo", 0),
            ("20260101T000000||1", 17),
            ("& 1", 0),
        ],
    )
    def test_what_does_not_parse_is_marked(self, timerec: str, position: int) -> None:
        assert invalid(timerec).position == position

    def test_weekdays_with_blanks_between_do_not_parse(self) -> None:
        assert invalid("20260101T000000||PT1H|weekly|||mo, tu").reason
