"""The state board in a browser: it follows the proxy by itself, and lets its reader be."""

from collections.abc import Iterator

import pytest

from efcp.mi import Endpoint, ListedState, MiClient
from tests.browser.conftest import Browser, Panel, free_port, running_panel
from tests.browser.test_pages import sign_in


@pytest.fixture(scope="module")
def mi_port() -> int:
    """Where the trial's proxy listens, so that the test can speak to it."""
    return free_port()


@pytest.fixture(scope="module")
def panel(mi_port: int) -> Iterator[Panel]:
    """Return a trial with its samples."""
    with running_panel(EFCP_SANDBOX_MI_PORT=str(mi_port)) as running:
        yield running


@pytest.mark.browser
def test_the_board_follows_the_proxy_and_keeps_place_and_focus(
    panel: Panel, mi_port: int, browser: Browser
) -> None:
    proxy = MiClient(Endpoint.parse(f"http://127.0.0.1:{mi_port}/mi"))
    sign_in(panel, browser)
    browser.driver.set_window_size(390, 400)
    browser.see(panel.url("system/dispatcher/state/"))
    browser.wait_for("vbb-3")
    browser.driver.execute_script(
        "document.getElementById('set-2').focus(); scrollTo(0, 90); document.body.dataset.same = 'yes'"
    )
    destinations = next(each for each in proxy.ds_list().partitions[0].sets if each.id == 2).destinations
    for destination in destinations:
        proxy.ds_set_state(ListedState.INACTIVE, 2, destination.uri)
    browser.wait_for("1 set takes no calls")
    kept = browser.driver.execute_script(
        "return [document.activeElement.id, scrollY, document.body.dataset.same]"
    )
    assert kept == ["set-2", 90, "yes"]
    for destination in destinations:
        proxy.ds_set_state(ListedState.ACTIVE, 2, destination.uri)
    browser.wait_for("2 · Recording 2 of 2")
    assert "takes no calls" not in browser.text
    assert browser.problems() == []


@pytest.mark.browser
def test_the_board_shows_when_the_panel_no_longer_answers(browser: Browser) -> None:
    with running_panel() as panel:
        sign_in(panel, browser)
        browser.see(panel.url("system/dispatcher/state/"))
        browser.wait_for("vbb-3")
    browser.driver.execute_script("document.getElementById('board').dataset.staleAfter = 3")
    browser.wait_for("The panel is not responding")
