"""The effect of a change, shown on the pages where it is typed."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.conftest import Browser, Panel
from tests.browser.test_pages import sign_in


@pytest.mark.browser
def test_an_edit_shows_its_effect_while_it_is_typed(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("system/dispatcher/5/edit/"))
    browser.type("weight", "3").send_keys(Keys.TAB)
    browser.wait_for("of calls move")
    browser.wait_for_row("sip:127.0.0.1", "75.0 %")
    assert browser.problems() == []


@pytest.mark.browser
def test_deleting_and_a_state_show_who_takes_over(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("system/dispatcher/5/delete/"))
    browser.wait_for("takes all calls of the set")
    browser.see(panel.url("system/dispatcher/5/state/"))
    browser.driver.find_element(By.CSS_SELECTOR, "input[name=state][value=inactive]").click()
    browser.wait_for("takes all calls of the set")
    assert browser.problems() == []
