"""Recurrences in in_words, and written from what people say."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.translation.schedule import Schedule, ScheduleError, in_words, next_change
from dialplan.translation.timerec import TimeExpression, Timing, parse_timerec


def parsed(text: str) -> TimeExpression:
    expression = parse_timerec(text)
    assert isinstance(expression, TimeExpression)
    return expression


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "20240101T090000||PT8H|weekly|||mo,tu,we,th,fr",
            "every week, on Monday, Tuesday, Wednesday, Thursday and Friday, 09:00 to 17:00,"
            " from 1 January 2024 on (UTC)",
        ),
        (
            "Europe/Berlin|20240101T220000||PT4H|daily",
            "every day, 22:00 to 02:00 of the next day, from 1 January 2024 on (Europe/Berlin)",
        ),
        (
            "20240101T000000|20240103T120000",
            "from 1 January 2024 00:00 (UTC) until 3 January 2024 12:00 (UTC)",
        ),
        (
            "20240101T000000||P1D|yearly|20301231T235959|2||25|||12",
            "every 2nd year, on the 25th day of the month, in December, all the time,"
            " from 1 January 2024 on, until 31 December 2030 23:59 (UTC)",
        ),
        (
            "20240101T080000||PT1H|daily & !20240101T083000||PT10M|daily",
            "every day, 08:00 to 09:00, from 1 January 2024 on (UTC),"
            " and not every day, 08:30 to 08:40, from 1 January 2024 on (UTC)",
        ),
        (
            "20260105T090000|20260107T170000||weekly",
            "every week, Monday 09:00 to Wednesday 17:00, from 5 January 2026 on (UTC)",
        ),
    ],
)
def test_a_recurrence_in_words(text: str, expected: str) -> None:
    assert in_words(parsed(text)) == expected


MONTHDAYS = st.integers(1, 31) | st.just(-1)
MINUTES = st.times().map(lambda each: each.replace(second=0, microsecond=0))
MOMENTS = st.integers(1_767_400_000, 1_843_000_000).map(lambda at: datetime.fromtimestamp(at, UTC))


def can_be_written(schedule: Schedule) -> bool:
    if schedule.begins < schedule.ends or schedule.ends == time(0):
        return True
    return schedule.begins != schedule.ends and not schedule.monthdays and not schedule.months


SCHEDULES = st.builds(
    Schedule,
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    begins=MINUTES,
    ends=MINUTES,
    start=st.dates(date(2020, 1, 1), date(2026, 1, 1)),
    until=st.one_of(st.none(), st.dates(date(2026, 1, 2), date(2027, 12, 31))),
    zone=st.sampled_from(["", "UTC", "Asia/Tokyo", "America/Sao_Paulo"]),
    monthdays=st.just(frozenset()) | st.frozensets(MONTHDAYS),
    months=st.just(frozenset()) | st.frozensets(st.integers(1, 12)),
).filter(can_be_written)


def begins_on(schedule: Schedule, day: date) -> bool:
    """Whether its days include `day`."""
    last = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return (
        day.weekday() in schedule.weekdays
        and schedule.start <= day
        and (schedule.until is None or day <= schedule.until)
        and (not schedule.months or day.month in schedule.months)
        and (
            not schedule.monthdays
            or day.day in schedule.monthdays
            or (-1 in schedule.monthdays and day == last)
        )
    )


def is_meant(schedule: Schedule, local: datetime) -> bool:
    """Whether it applies at that time of its own clock."""
    today, clock = local.date(), local.time()
    if schedule.begins < schedule.ends or schedule.ends == time(0):
        return (
            begins_on(schedule, today)
            and schedule.begins <= clock
            and (clock < schedule.ends or schedule.ends == time(0))
        )
    if clock >= schedule.begins:
        return begins_on(schedule, today)
    return clock < schedule.ends and begins_on(schedule, today - timedelta(days=1))


@given(SCHEDULES, MOMENTS)
def test_what_was_written_applies_when_it_should(schedule: Schedule, moment: datetime) -> None:
    local = moment.astimezone(ZoneInfo(schedule.zone or "UTC"))
    applies = parsed(schedule.text()).check(int(moment.timestamp())) is Timing.APPLIES
    assert applies == is_meant(schedule, local)


@given(SCHEDULES)
def test_what_is_written_fits_its_column(schedule: Schedule) -> None:
    assert len(schedule.text()) <= 255


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"weekdays": frozenset()}, "weekdays"),
        ({"begins": time(18), "ends": time(8), "months": frozenset({12})}, "ends"),
        ({"begins": time(8), "ends": time(8)}, "ends"),
        ({"until": date(2019, 1, 1)}, "until"),
    ],
)
def test_what_fits_no_recurrence_is_refused_at_its_field(changes: dict[str, object], field: str) -> None:
    usual: dict[str, object] = {
        "weekdays": frozenset({0}),
        "begins": time(8),
        "ends": time(18),
        "start": date(2026, 1, 1),
    }
    with pytest.raises(ScheduleError) as refused:
        Schedule(**(usual | changes)).text()  # type: ignore[arg-type]
    assert refused.value.field == field


def test_midnight_ends_the_day() -> None:
    text = Schedule(frozenset(range(7)), time(0), time(0), date(2026, 1, 1)).text()
    assert text == "20260101T000000||PT24H|daily"


def test_over_midnight_the_mornings_are_those_of_the_next_days() -> None:
    friday = Schedule(frozenset({4}), time(22), time(6), date(2026, 1, 1), date(2026, 12, 31))
    assert friday.text() == (
        "20260101T220000||PT2H|weekly|20261231T235959||fr / 20260102T000000||PT6H|weekly|20270101T235959||sa"
    )


@given(SCHEDULES, MOMENTS)
def test_between_now_and_the_next_change_nothing_changes(schedule: Schedule, moment: datetime) -> None:
    expression = parsed(schedule.text())
    now = int(moment.timestamp())
    applies, change = next_change(expression, now)
    end = change if change is not None else now + int(timedelta(days=8).total_seconds())
    for at in (now, now + (end - now) // 3, now + (end - now) // 2, end - 1):
        assert (expression.check(at) is Timing.APPLIES) is applies
    if change is not None:
        assert (expression.check(change) is Timing.APPLIES) is not applies
