"""Axes: their ticks are round, in order and within the plot, and every value has its place."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from efcp.charts.axes import Tick, span_axis, time_axis, value_axis, value_text
from efcp.charts.drawings import Series, line_chart

BEGIN = datetime(2026, 10, 24, 9, 7, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def assert_in_order(ticks: tuple[Tick, ...]) -> None:
    places = [each.at for each in ticks]
    assert places == sorted(set(places))
    assert all(-1e-9 <= each <= 100 + 1e-9 for each in places)


@given(st.floats(0, 1e9), st.booleans())
def test_a_value_axis_reaches_the_largest_value_with_few_ticks(most: float, whole: bool) -> None:
    axis = value_axis(most, "%", whole=whole)
    assert axis.top >= most * (1 - 1e-9)
    assert 2 <= len(axis.ticks) <= 7
    assert axis.ticks[0].text == "0 %"
    assert axis.ticks[-1].at == 100
    assert_in_order(axis.ticks)


@given(st.floats(0.5, 1e5))
def test_a_span_axis_ends_where_the_time_ends(length: float) -> None:
    axis = span_axis(length, "s")
    assert axis.place(length) == 100
    assert len(axis.ticks) >= 2
    assert_in_order(axis.ticks)


@given(st.integers(60, 100 * 86_400), st.sampled_from([UTC, BERLIN]))
def test_a_time_axis_has_round_times_in_the_zone(seconds: int, zone: ZoneInfo) -> None:
    axis = time_axis(BEGIN, BEGIN + timedelta(seconds=seconds), zone)
    assert len(axis.ticks) <= 7
    assert_in_order(axis.ticks)
    for tick in axis.ticks:
        local = (BEGIN + timedelta(seconds=seconds) * (tick.at / 100)).astimezone(zone)
        shown = local + timedelta(milliseconds=1)
        assert tick.text in {f"{shown:%H:%M}", f"{shown:%H:%M:%S}", f"{shown.day} {shown:%b}"}


def test_days_stay_at_midnight_when_the_clocks_change() -> None:
    axis = time_axis(BEGIN, BEGIN + timedelta(days=5), BERLIN)
    assert [each.text for each in axis.ticks] == ["25 Oct", "26 Oct", "27 Oct", "28 Oct", "29 Oct"]


def test_numbers_read_as_people_write_them() -> None:
    assert [value_text(each) for each in (0, 6673, 0.25, 1e6)] == ["0", "6,673", "0.25", "1,000,000"]
    assert value_text(66.7, "%") == "66.7 %"


def test_a_line_breaks_where_nothing_is_known() -> None:
    axis = time_axis(BEGIN, BEGIN + timedelta(hours=4))
    series = Series("a", (1, 3, None, 4), 1)
    chart = line_chart("Calls", axis, ["1", "2", "3", "4"], [series])
    assert [len(path.split()) for path in chart.lines[0].paths] == [2, 1]
    assert [each.text for each in chart.columns][2] == "3: unknown"
    assert any(marker.x == 87.5 for marker in chart.markers)
