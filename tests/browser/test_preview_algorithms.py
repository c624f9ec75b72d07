"""Algorithms compared in a browser, with made-up calls and with calls out of a log."""

import pytest
from selenium.webdriver.common.by import By

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
