"""A script is written on a page, and checked as it was written."""

import pytest
from selenium.webdriver.common.by import By

from tests.browser.conftest import Browser, Panel
from tests.browser.test_pages import sign_in

SCRIPT = (
    'route[to_media] { if (!ds_select_dst(1, 4, "f")) exit; t_on_failure("again"); t_relay(); }\n'
    'failure_route[again] { ds_mark_dst("i"); if (ds_next_dst()) t_relay(); }\n'
)

LINES = "return [...document.querySelectorAll('.script code')].map(line => line.textContent).join('\\n')"
"""The written script, read at once: an answer that comes meanwhile replaces every line."""


@pytest.mark.browser
def test_what_is_written_follows_the_answers_and_passes_the_check(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("system/script/"))
    browser.press("Write")
    browser.press("Write script")
    browser.wait_for("No findings")
    browser.type("threshold", "3")
    browser.choose("minimal", "A complete configuration")
    browser.wait_for('modparam("dispatcher", "ds_probing_threshold", 3)')
    browser.wait_for("route[to_media_vbb]")
    text = browser.driver.execute_script(LINES)
    browser.see(panel.url("system/script/"))
    browser.driver.execute_script("document.getElementsByName('text')[0].value = arguments[0]", text)
    browser.press("Check script")
    browser.wait_for("No findings")
    assert browser.problems() == []


@pytest.mark.browser
def test_a_route_of_a_checked_script_is_picked_in_a_preview(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("system/script/"))
    browser.driver.execute_script("document.getElementsByName('text')[0].value = arguments[0]", SCRIPT)
    browser.driver.find_element(By.NAME, "keep").click()
    browser.press("Check script")
    browser.wait_for("saved for previews")
    browser.see(panel.url("preview/"))
    browser.choose("route", "route[to_media]: set 1, algorithm 4, flags f (pasted:1)")
    browser.press("Apply")
    browser.wait_for(
        "marks failed destinations as inactive, tries the next destination, but is not armed again"
    )
    assert browser.driver.find_element(By.NAME, "algorithm").get_property("value") == "4"
    browser.type("failures", "3")
    browser.press("Preview")
    browser.wait_for("is not armed again: the caller gets this reply")
    assert browser.problems() == []
