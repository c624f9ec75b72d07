"""Every page as it is shown: on a phone, with a keyboard, and under the content policy."""

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.conftest import Browser, Panel

PASSWORD = "a-long-enough-one"
PAGES = (
    "",
    "?wall",
    "system/dispatcher/",
    "system/dispatcher/?sort=weight&q=127",
    "system/dispatcher/?q=nothing-like-it",
    "system/dispatcher/add/",
    "system/dispatcher/1/",
    "system/dispatcher/1/edit/",
    "system/dispatcher/1/delete/",
    "system/dispatcher/1/state/",
    "system/dispatcher/reload/",
    "system/dispatcher/state/",
    "system/dispatcher/state/everything/?q=127",
    "system/dispatcher/state/choose/?host=127.0.0.1",
    "system/dispatcher/1/maintenance/",
    "system/dispatcher/maintenance/",
    "system/notifications/",
    "system/notifications/add/",
    "system/dispatcher/sets/1/name/",
    "system/dialplan/?dpid=1",
    "system/dialplan/add/",
    "system/dialplan/1/edit/",
    "system/dialplan/1/delete/",
    "system/dialplan/names/1/",
    "preview/call/?setid=1",
    "preview/spread/?setid=1",
    "preview/algorithms/?setid=1",
    "preview/outage/",
    "system/proxies/",
    "system/proxies/add/",
    "audit/",
    "accounts/users/",
    "accounts/users/add/",
    "accounts/password/",
    "nothing/here/",
)
WITHOUT_A_NAME = """
return [...document.querySelectorAll('main input:not([type=hidden]), main select, main textarea')]
  .filter(field => field.offsetParent && !field.labels.length && !field.getAttribute('aria-label'))
  .map(field => field.name);
"""
FROM_ELSEWHERE = """
return performance.getEntriesByType('resource').map(entry => entry.name)
  .filter(name => !name.startsWith(location.origin));
"""


def sign_in(panel: Panel, browser: Browser) -> None:
    """Sign in for the first time, or again."""
    browser.see(panel.url(""))
    browser.type("username", "admin")
    browser.type("password", PASSWORD).submit()
    browser.wait_for(" ")
    if "State board" in browser.text:
        return
    assert browser.problems(invalid=[browser.driver.current_url]) == [], "the wrong password alone is refused"
    browser.type("password", "opensips").submit()
    browser.wait_for("Choose your own password")
    browser.type("current_password", "opensips")
    browser.type("new_password", PASSWORD)
    browser.type("repeated_password", PASSWORD).submit()
    browser.wait_for("State board")


@pytest.mark.browser
def test_every_page_fits_a_phone_names_its_fields_and_loads_nothing_from_elsewhere(
    panel: Panel, browser: Browser
) -> None:
    sign_in(panel, browser)
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for page in PAGES:
        browser.see(panel.url(page))
        script = browser.driver.execute_script
        assert script("return document.documentElement.scrollWidth") <= 390, f"{page} is too wide"
        assert script("return document.title").strip(), f"{page} has no title"
        assert script("return document.querySelectorAll('h1').length") == 1, f"{page} has no one heading"
        assert script(WITHOUT_A_NAME) == [], f"{page} has fields without a name"
        assert script(FROM_ELSEWHERE) == [], f"{page} loads from another host"
    refused = [problem for problem in browser.problems() if "404" not in problem]
    assert refused == []


INVALID = """
const field = document.getElementById(arguments[0]);
const sane = document.getElementById(arguments[1]);
const border = (element) => getComputedStyle(element).borderColor;
return [field.getAttribute("aria-invalid"), border(field) !== border(sane)];
"""


@pytest.mark.browser
@pytest.mark.parametrize(
    ("page", "field", "other", "wrong", "right"),
    [
        ("system/dispatcher/add/", "destination", "description", "sip:[::1", "sip:127.0.0.1"),
        ("system/dispatcher/1/edit/", "weight", "description", "x", "3"),
        ("system/dialplan/add/", "match_exp", "attrs", "^7([0-9]+", "^7([0-9]+)$"),
        ("system/proxies/add/", "mi_url", "cluster", "gopher://x", "http://127.0.0.1:1/mi"),
        (
            "system/script/write/",
            "database_url",
            "socket",
            "nothing",
            "mysql://opensips:pw@127.0.0.1/opensips",
        ),
    ],
)
def test_a_field_that_is_found_wrong_while_it_is_typed_is_marked_until_it_is_right(
    panel: Panel, browser: Browser, page: str, field: str, other: str, wrong: str, right: str
) -> None:
    sign_in(panel, browser)
    browser.see(panel.url(page))
    for text in (wrong, right):
        browser.type(field, text).send_keys(Keys.TAB)
        if "proxies" in page:
            browser.press("Test")
        expected = ["true", True] if text == wrong else [None, False]
        browser.wait_until(
            lambda: browser.driver.execute_script(INVALID, f"id_{field}", f"id_{other}") == expected,  # noqa: B023
            f"{field} with {text} is not marked {expected}",
        )
    assert browser.problems() == []


@pytest.mark.browser
def test_a_field_shows_its_findings_while_it_is_typed(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("system/dispatcher/add/"))
    browser.type("destination", "sip:u@10.0.0.1;lr")
    browser.wait_for("give a wrong next hop")
    browser.type("destination", "sip:10.0.0.1;transport=tls")
    browser.wait_for("proto_tls")
    browser.type("weight", "70000")
    browser.wait_for("16 bits")
