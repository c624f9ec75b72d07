"""A destination is taken out for a time in a browser, and put back; a setting of many is undone."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.browser.conftest import Browser, Panel, running_panel
from tests.browser.test_pages import sign_in


@pytest.fixture(scope="module")
def panel() -> Iterator[Panel]:
    """Return a trial with its samples."""
    with running_panel() as running:
        yield running


@pytest.mark.browser
def test_a_destination_is_taken_out_and_put_back_by_the_watcher(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("system/dispatcher/1/maintenance/"))
    browser.wait_for("% of calls move")
    browser.type("reason", "new board")
    browser.press("Schedule")
    browser.wait_for("Out of service")
    browser.see(panel.url("system/dispatcher/state/"))
    browser.wait_for("Maintenance until")
    browser.see(panel.url("system/dispatcher/1/"))
    browser.wait_for("Set by maintenance of admin: new board")
    browser.see(panel.url("system/dispatcher/maintenance/"))
    browser.press("End now")
    browser.wait_for("Active again")
    browser.see(panel.url("system/dispatcher/1/"))
    browser.wait_for("End of maintenance: new board")
    assert browser.problems() == []


@pytest.mark.browser
def test_every_page_goes_by_the_clock_of_the_browser(panel: Panel, browser: Browser) -> None:
    """Typed, shown and read in one zone, although the panel's machine is in another."""
    browser.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    sign_in(panel, browser)
    begins_at = datetime.now(ZoneInfo("Asia/Tokyo")).replace(second=0) + timedelta(hours=30)
    browser.see(panel.url("system/dispatcher/3/maintenance/"))
    browser.wait_for("Start (Asia/Tokyo (JST)")
    script = "document.querySelector('[name=begins_at]').value = arguments[0]"
    browser.driver.execute_script(script, f"{begins_at:%Y-%m-%dT%H:%M}")
    browser.type("reason", "new rack")
    browser.press("Schedule")
    begin, end = f"{begins_at:%Y-%m-%d %H:%M} JST", f"{begins_at + timedelta(hours=1):%Y-%m-%d %H:%M} JST"
    for page in ("maintenance/", "3/", "3/maintenance/"):
        browser.see(panel.url(f"system/dispatcher/{page}"))
        browser.wait_for(end)
        assert (begin in browser.text) == (page != "3/maintenance/")
    # A travelling user gets the new zone from the next page on.
    browser.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "America/Phoenix"})
    browser.see(panel.url("system/dispatcher/maintenance/"))
    there = f"{begins_at.astimezone(ZoneInfo('America/Phoenix')):%Y-%m-%d %H:%M} MST"
    for _ in range(50):
        browser.see(panel.url("system/dispatcher/maintenance/"))
        if there in browser.text:
            break
    assert there in browser.text
    assert browser.problems() == []


@pytest.mark.browser
def test_everything_on_a_host_is_set_and_that_is_undone(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("system/dispatcher/state/choose/?host=127.0.0.1&setid=2"))
    browser.wait_for("rec-1")
    browser.driver.find_element("css selector", "input[name=state][value=inactive]").click()
    browser.press("Change state")
    browser.wait_for("Accepted")
    browser.wait_for("2 back to active")
    browser.press("Undo")
    browser.wait_for("Undo by")
    browser.wait_for("Accepted")
    browser.see(panel.url("system/dispatcher/state/"))
    browser.wait_for("2 · Recording 2 of 2")
    assert browser.problems() == []
