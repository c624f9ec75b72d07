"""What each proxy loaded last, from its reports and from the panel's own reloads."""

from datetime import UTC, datetime, timedelta

import pytest

from efcp.mi.replies import IdentifierReports, StatusReport
from efcp.proxies.load_reports import LastLoad, LoadReports, LoadSource, PanelLoad
from efcp.proxies.loads import last_loads, loaded_rows, record_panel_load
from efcp.proxies.models import Proxy
from tests.dispatcher.conftest import make_proxy
from tests.factories import store_load_reports

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROWS = ((1, "one"), (2, "zwei"))


def ring(
    *loads: tuple[float, int], failed: float | None = None, start: float | None = None
) -> IdentifierReports:
    """The reports of loads, each given by its second after NOON and its number of rows."""
    reports: list[StatusReport] = []
    for second, count in loads:
        at = NOON + timedelta(seconds=second)
        reports += [
            StatusReport(at, "starting DB data loading"),
            StatusReport(at, "DB data loading successfully completed"),
            StatusReport(at, f"{count} rules loaded (0 discarded)"),
        ]
    if failed is not None:
        reports.append(StatusReport(NOON + timedelta(seconds=failed), "DB data loading failed, discarding"))
    if start is not None:
        reports.append(StatusReport(NOON + timedelta(seconds=start), "starting DB data loading"))
    return IdentifierReports("dialplan", "default", tuple(reports[-20:]))


def reports(second: float, reported: IdentifierReports) -> LoadReports:
    return LoadReports(NOON + timedelta(seconds=second), reported)


def notice(proxy: Proxy, second: float, reported: IdentifierReports) -> LastLoad:
    store_load_reports(proxy, "dialplan", "default", reports(second, reported))
    return last_loads([proxy], "dialplan")[proxy.pk]


def reload(proxy: Proxy, before: LoadReports | None, after: LoadReports | None, **other: object) -> LastLoad:
    columns = {"started_at": NOON, "rows": ROWS, "problem": "", "fits": True} | other
    record_panel_load(
        proxy,
        "dialplan",
        "default",
        PanelLoad(**columns, reports_before=before, reports=after),  # type: ignore[arg-type]
    )
    return last_loads([proxy], "dialplan")[proxy.pk]


@pytest.fixture
def proxy(db: None) -> Proxy:
    return make_proxy("edge-1")


def clean_reload(proxy: Proxy) -> LastLoad:
    """A reload by the panel at second 100, of a proxy that started at 0."""
    before, after = ring((0, 1)), ring((0, 1), (100, 2))
    return reload(proxy, reports(99, before), reports(101, after))


def test_the_first_load_of_a_ring_that_is_not_full_is_that_of_the_start(proxy: Proxy) -> None:
    load = notice(proxy, 60, ring((0, 5)))
    assert (load.source, load.started_at, load.loaded, load.digest) == (LoadSource.START, NOON, 5, None)


def test_a_second_load_is_by_other_hands(proxy: Proxy) -> None:
    notice(proxy, 60, ring((0, 5)))
    load = notice(proxy, 120, ring((0, 5), (90, 6)))
    assert (load.source, load.started_at, load.loaded) == (LoadSource.OTHER, NOON + timedelta(seconds=90), 6)


def test_a_full_ring_gives_no_start(proxy: Proxy) -> None:
    load = notice(proxy, 600, ring(*((second, 5) for second in range(0, 70, 10))))
    assert load.source == LoadSource.OTHER


def test_a_clock_that_is_wrong_dates_a_load_between_the_readings(proxy: Proxy) -> None:
    notice(proxy, 1000, ring((0, 5)))
    load = notice(proxy, 1010, ring((0, 5), (90, 6)))
    assert load.started_at == NOON + timedelta(seconds=1000)
    load = notice(proxy, 1020, ring((0, 5), (90, 6), (5000, 6)))
    assert load.started_at == NOON + timedelta(seconds=1020)


def test_what_a_clean_reload_loaded_is_known(proxy: Proxy) -> None:
    load = clean_reload(proxy)
    assert load.source == LoadSource.PANEL
    assert load.digest is not None
    assert loaded_rows(load.digest) == ROWS


def test_it_is_known_until_another_load_is_reported(proxy: Proxy) -> None:
    clean_reload(proxy)
    assert notice(proxy, 110, ring((0, 1), (100, 2))).digest is not None
    load = notice(proxy, 130, ring((0, 1), (100, 2), (120, 2)))
    assert (load.source, load.digest) == (LoadSource.OTHER, None)


def test_a_restart_is_a_load_too(proxy: Proxy) -> None:
    clean_reload(proxy)
    load = notice(proxy, 130, ring((120, 2)))
    assert (load.source, load.digest) == (LoadSource.START, None)


def test_a_load_that_failed_leaves_what_was_loaded(proxy: Proxy) -> None:
    clean_reload(proxy)
    load = notice(proxy, 130, ring((0, 1), (100, 2), failed=120))
    assert load.digest is not None
    assert load.failed_at == NOON + timedelta(seconds=120)


def test_reports_requested_before_the_reload_do_not_count(proxy: Proxy) -> None:
    clean_reload(proxy)
    assert notice(proxy, 99, ring((0, 1))).digest is not None


def test_a_load_that_was_reported_after_the_reload_wins_over_it(proxy: Proxy) -> None:
    notice(proxy, 110, ring((0, 1), (100, 2), (105, 2)))
    load = clean_reload(proxy)
    assert (load.source, load.digest) == (LoadSource.OTHER, None)


@pytest.mark.parametrize(
    ("before", "after", "other"),
    [
        pytest.param(None, reports(101, ring((0, 1), (100, 2))), {}, id="no answer before"),
        pytest.param(reports(99, ring((0, 1))), None, {}, id="no answer after"),
        pytest.param(reports(99, ring()), reports(101, ring()), {}, id="reports no loads"),
        pytest.param(
            reports(99, ring((0, 1), start=99)),
            reports(101, ring((0, 1), (99, 2))),
            {},
            id="another under way",
        ),
        pytest.param(reports(99, ring((0, 1))), reports(101, ring((0, 1))), {}, id="no new load reported"),
        pytest.param(reports(99, ring((0, 1))), reports(101, ring((100, 2))), {}, id="restarted"),
        pytest.param(reports(99, ring((0, 1))), reports(101, ring((0, 1), (100, 3))), {}, id="other count"),
        pytest.param(
            reports(99, ring((0, 1))),
            reports(101, ring((0, 1), (100, 2))),
            {"fits": False},
            id="holds other rows",
        ),
        pytest.param(
            reports(99, ring((0, 1))),
            reports(101, ring((0, 1), (100, 2))),
            {"rows": None, "problem": "The table was written to."},
            id="written to meanwhile",
        ),
    ],
)
def test_where_it_is_not_sure_what_a_reload_read_its_rows_are_not_known(
    proxy: Proxy, before: LoadReports | None, after: LoadReports | None, other: dict[str, object]
) -> None:
    load = reload(proxy, before, after, **other)
    assert load.digest is None
    assert load.problem


def test_a_proxy_that_refuses_to_report_has_an_unknown_load(proxy: Proxy) -> None:
    load = notice(proxy, 60, ring())
    assert (load.source, load.started_at) == (LoadSource.UNKNOWN, None)


def test_proxies_that_loaded_the_same_share_its_rows(proxy: Proxy) -> None:
    other = make_proxy("edge-2")
    first, second = clean_reload(proxy), clean_reload(other)
    assert first.digest == second.digest
