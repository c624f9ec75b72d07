"""A proxy that dies while a page is open: top bar and board tell it by themselves."""

from collections.abc import Iterator

import pytest

from tests.browser.conftest import Browser, Panel, running_panel
from tests.browser.test_pages import sign_in
from tests.proxies.mi_server import FakeMi, listed


@pytest.fixture(scope="module")
def panel() -> Iterator[Panel]:
    """Return a trial with its samples."""
    with running_panel() as running:
        yield running


@pytest.fixture
def dying(panel: Panel, browser: Browser) -> Iterator[FakeMi]:
    """A proxy that the panel knows and that answers."""
    server = FakeMi(sets={77: [listed("sip:192.0.2.77")]})
    server.start()
    try:
        sign_in(panel, browser)
        browser.see(panel.url("system/proxies/add/"))
        browser.type("name", "dying")
        browser.type("mi_url", server.url)
        browser.press("Add")
        browser.wait_for("Answers")
        yield server
    finally:
        server.stop()


@pytest.mark.browser
def test_an_open_page_shows_a_dead_proxy_by_itself(panel: Panel, browser: Browser, dying: FakeMi) -> None:
    browser.see(panel.url("system/dispatcher/state/?"))
    browser.wait_for("77 ")
    browser.driver.execute_script("document.body.dataset.same = 'yes'")
    dying.stop()
    browser.wait_for("1 of 2 proxies answer")
    browser.wait_for("dying refuses the connection")
    browser.wait_for("last known: 1 of 1")
    assert browser.driver.execute_script("return document.body.dataset.same") == "yes"
    dying.start()
