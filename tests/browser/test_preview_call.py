"""One call previewed in a browser, from the list on, with the guide's own example."""

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


def leave_two_gateways(panel: Panel, browser: Browser) -> None:
    """Delete all but two of set 1's rows from the table, as the guide's own example has it."""
    for row in (3, 4):
        browser.see(panel.url(f"system/dispatcher/{row}/delete/"))
        browser.press("Delete")
        browser.wait_for("Add destination")
    browser.see(panel.url("system/dispatcher/"))


@pytest.mark.browser
def test_the_guides_example_and_its_failure_route(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    leave_two_gateways(panel, browser)
    browser.press("Preview a call")
    browser.wait_for("Hash:")
    browser.choose("source", "table as loaded by trial")
    browser.type("setid", "1")
    browser.choose("algorithm", "2 · hash of the To URI")
    browser.type("to_uri", "sip:bob@example.org")
    browser.type("failures", "2").submit()
    browser.wait_for("States afterwards")
    assert 'ds_select_dst(1, 2, "f")' in browser.text
    assert "Hashed: bob" in browser.text
    assert "the caller gets 503" in browser.text
    assert browser.problems() == []


@pytest.mark.browser
def test_a_pasted_request_is_taken_apart(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("preview/call/"))
    browser.driver.find_element(By.CSS_SELECTOR, "details.paste summary").click()
    browser.type("pasted", "INVITE sip:a@x SIP/2.0\nFrom: <sip:ann@x\n")
    browser.press("Fill in fields")
    browser.wait_for("Line 2, column 7")
    browser.type("pasted", "INVITE sip:a@x SIP/2.0\nFrom: <sip:ann@x>\nCall-ID: pasted-one\n")
    browser.press("Fill in fields")
    browser.wait_for("Hashed: pasted-one")
    assert all("422" in problem for problem in browser.problems()), "the refusal alone is told as an error"
