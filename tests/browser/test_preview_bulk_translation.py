"""In a browser: a number on its way to a destination, and a log of numbers through a dialplan's rules."""

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from tests.browser.conftest import Browser, Panel
from tests.browser.test_dialplan import add_rule
from tests.browser.test_pages import WITHOUT_A_NAME, sign_in

NUMBERS = 10_000


@pytest.mark.browser
def test_a_number_is_followed_to_a_destination_once_its_dialplan_is_mapped(
    panel: Panel, browser: Browser
) -> None:
    sign_in(panel, browser)
    add_rule(panel, browser, 21, match_exp="^0([1-9][0-9]+)$", subst_exp="^0(.*)$", repl_exp="+49\\1")
    browser.see(panel.url("preview/routes/?dpid=21&number=0301234"))
    browser.wait_for("becomes +49301234")
    browser.driver.find_element(By.CSS_SELECTOR, "a[href*='of=21']").click()
    browser.type("setid", "1")
    browser.press("Save")
    browser.wait_for("Dialplan 21 mapped to set 1")
    browser.see(panel.url("preview/routes/?dpid=21&number=0301234"))
    browser.wait_for("by an administrator")
    assert "Destination sip:" in browser.text
    assert browser.problems() == []


@pytest.mark.browser
def test_a_log_of_numbers_shows_which_rules_are_never_hit(
    panel: Panel, browser: Browser, tmp_path: Path
) -> None:
    sign_in(panel, browser)
    add_rule(panel, browser, 22, pr="1", match_exp="^49[0-9]+$", subst_exp="^49(.*)$", repl_exp="0\\1")
    add_rule(panel, browser, 22, pr="2", match_exp="^33[0-9]+$")
    add_rule(panel, browser, 22, pr="3", match_exp="^49301")
    log = tmp_path / "numbers.csv"
    log.write_text(
        "caller,called\n" + "".join(f"x,sip:49{n:06d}@example.org\n" for n in range(NUMBERS)) + "x,7\n"
    )
    browser.see(panel.url("preview/spread/logs/"))
    browser.driver.find_element(By.NAME, "log").send_keys(str(log))
    browser.press("Upload")
    browser.wait_for("First rows of numbers.csv")
    browser.see(panel.url("preview/numbers/"))
    browser.press("Translate numbers")
    browser.type("dpid", "22")
    browser.choose("column", "called")
    browser.press("Translate")
    browser.wait_for(f"{NUMBERS + 1:,} numbers. Translated: {NUMBERS:,}; No rule matches: 1.")
    assert "Never hit: 2" in browser.text
    assert "49000000 → 0000000" in browser.text
    assert browser.problems() == []
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    script = browser.driver.execute_script
    for page in (browser.driver.current_url, panel.url("preview/numbers/"), panel.url("preview/routes/")):
        browser.see(page)
        assert script("return document.documentElement.scrollWidth") <= 390, f"{page} is too wide"
        assert script(WITHOUT_A_NAME) == [], f"{page} has fields without a name"
