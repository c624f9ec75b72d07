"""A script is written on a page, and checked as it was written."""

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By

from tests.browser.conftest import Browser, Panel, running_panel
from tests.browser.test_pages import sign_in


@pytest.fixture(scope="module")
def panel() -> Iterator[Panel]:
    """Return a trial with its samples."""
    with running_panel() as running:
        yield running


@pytest.mark.browser
def test_what_is_written_follows_the_answers_and_passes_the_check(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("system/script/"))
    browser.press("Write")
    browser.press("Write it")
    browser.wait_for("Nothing found")
    browser.type("threshold", "3")
    browser.choose("minimal", "a whole proxy that runs")
    browser.wait_for('modparam("dispatcher", "ds_probing_threshold", 3)')
    browser.wait_for("route[to_media_vbb]")
    lines = browser.driver.find_elements(By.CSS_SELECTOR, ".script code")
    text = "\n".join(line.get_property("textContent") for line in lines)
    browser.see(panel.url("system/script/"))
    browser.driver.execute_script("document.getElementsByName('text')[0].value = arguments[0]", text)
    browser.press("Check")
    browser.wait_for("Nothing found")
    assert browser.problems() == []
