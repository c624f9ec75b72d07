"""Algorithms compared in a browser, with made-up calls and with calls out of a log."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.conftest import Browser, Panel
from tests.browser.test_pages import sign_in


@pytest.mark.browser
def test_algorithms_are_compared_side_by_side(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("preview/algorithms/"))
    browser.press("Compare")
    browser.wait_for("Dispatcher or load balancer?")
    browser.wait_for_row("load_balancer", "×")
    browser.driver.find_element(By.CSS_SELECTOR, "details.more summary").click()
    browser.type("log", "0,10\n1,10\nbroken\n2,10")
    browser.press("Compare")
    browser.wait_for("line 3: broken")
    assert browser.problems() == []


@pytest.mark.browser
def test_a_drawing_is_one_stop_of_the_tab_key_and_arrows_walk_along_it(
    panel: Panel, browser: Browser
) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("preview/outage/"))
    lanes = browser.driver.find_elements(By.CSS_SELECTOR, ".lane:has(.chart-hit)")
    stops = [len(lane.find_elements(By.CSS_SELECTOR, '[tabindex="0"]')) for lane in lanes]
    assert stops == [1, 1]
    label = "return document.activeElement.getAttribute('aria-label')"
    browser.driver.execute_script(
        "arguments[0].focus()", lanes[0].find_element(By.CSS_SELECTOR, '[tabindex="0"]')
    )
    assert browser.driver.execute_script(label) == "Up from 120 to 180 s"
    browser.driver.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    assert browser.driver.execute_script(label) == "Down from 3 to 120 s"
    browser.driver.switch_to.active_element.send_keys(Keys.HOME)
    assert browser.driver.execute_script(label) == "Up from 0 to 3 s"
    assert browser.problems() == []
