"""A rule is added in a browser, broken and fixed; an input is translated while it is typed."""

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
def test_a_rule_is_broken_fixed_run_and_added(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("system/dialplan/add/"))
    browser.type("match_exp", "^7([0-9]+")
    browser.wait_for("missing closing parenthesis")
    browser.type("match_exp", "^7([0-9]+)$")
    browser.type("subst_exp", "^7(.*)$")
    browser.type("repl_exp", "+1\\1")
    browser.type("input", "7555")
    browser.wait_for("Output +1555")
    browser.press("Add")
    browser.wait_for("was added to dialplan 1")
    browser.type("input", "7556")
    browser.wait_for("Output +1556")
    assert browser.problems() == []


def add_rule(panel: Panel, browser: Browser, dpid: int, **columns: str) -> None:
    """Add a rule on the page."""
    browser.see(panel.url(f"system/dialplan/add/?dpid={dpid}"))
    for name, value in columns.items():
        browser.type(name, value)
    browser.press("Add")
    browser.wait_for(f"was added to dialplan {dpid}")


def expressions(browser: Browser) -> list[str]:
    """The match expressions of the list, from above."""
    cells = browser.driver.find_elements(By.CSS_SELECTOR, "td[data-label=Match] code")
    return [cell.text for cell in cells]


@pytest.mark.browser
def test_a_rule_is_moved_before_another(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    for pr, expression in enumerate(("^1", "^2", "^3")):
        add_rule(panel, browser, 7, pr=str(pr), match_exp=expression)
    browser.see(panel.url("system/dialplan/?dpid=7"))
    assert expressions(browser) == ["^1", "^2", "^3"]
    browser.press("Move ^3 up")
    browser.wait_for("^3 moved")
    assert expressions(browser) == ["^1", "^3", "^2"]


@pytest.mark.browser
def test_a_saved_case_goes_red_when_a_rule_breaks_it_and_green_when_it_is_fixed(
    panel: Panel, browser: Browser
) -> None:
    sign_in(panel, browser)
    add_rule(panel, browser, 8, match_exp="^7([0-9]+)$", subst_exp="^7(.*)$", repl_exp="+1\\1")
    browser.see(panel.url("system/dialplan/?dpid=8"))
    browser.type("input", "7555")
    browser.wait_for("Output +1555")
    browser.press("Save as test case")
    browser.wait_for("passes")
    browser.see(panel.url("system/dialplan/?dpid=8"))
    browser.press("Edit")
    browser.wait_for("Edit rule")
    browser.type("repl_exp", "+44\\1")
    browser.wait_for("fails +44555")
    browser.press("Save")
    browser.wait_for("Test case “7555” fails: output “+44555”. Expected: “+1555”. It passed before.")
    browser.press("Edit")
    browser.wait_for("Edit rule")
    browser.type("repl_exp", "+1\\1")
    browser.wait_for("all would pass, 1 fixed")
    browser.press("Save")
    browser.wait_for_row("7555", "passes")
    assert browser.problems() == []


@pytest.mark.browser
def test_a_rule_is_reloaded_and_the_proxy_gives_what_the_table_would(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    add_rule(panel, browser, 9, match_exp="^9([0-9]+)$", subst_exp="^9(.*)$", repl_exp="+9\\1")
    browser.see(panel.url("system/dialplan/?dpid=9"))
    browser.type("input", "955")
    browser.press("Query proxies")
    browser.wait_for("not reloaded since that change")
    browser.press("Reload proxies")
    browser.wait_for("Loaded on the proxies")
    browser.press("Reload")
    browser.wait_for("Reloaded")
    browser.see(panel.url("system/dialplan/?dpid=9"))
    browser.type("input", "955")
    browser.press("Query proxies")
    browser.wait_for("same")
    assert browser.problems() == []
