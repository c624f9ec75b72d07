"""On every page of the URL conf: a quiet console, and parts that refresh themselves keep what is shown."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.browser.conftest import Browser, Panel, running_browser, running_panel
from tests.browser.samples import Samples
from tests.browser.test_pages import sign_in

REFRESHES = ":is([data-refresh], [hx-trigger*='every ']):not(.proxy-dots)"
COUNT_REFRESHES = f"""
const isHurried = arguments[0];
const hurry = () => document.querySelectorAll("[data-refresh]:not(.proxy-dots)").forEach(
  (element) => element.dispatchEvent(new CustomEvent("efcp:refresh")));
window.refreshes = 0;
if (isHurried) hurry();
document.addEventListener("htmx:afterRequest", (event) => {{
  if (event.detail.requestConfig.elt.matches("{REFRESHES}")) setTimeout(hurry, 20, window.refreshes += 1);
}});
"""
IS_AT_REST = "return document.readyState === 'complete' && !document.querySelector('.htmx-request')"
SHOWN = """
const text = (selector) => [...document.querySelectorAll(selector)].map((each) => each.innerText);
const fields = [...document.querySelectorAll("main [role=search] :is(input, select)")];
return JSON.stringify({
  address: location.href,
  fields: fields.map((field) => [field.name, field.value]),
  rows: text("main tbody :is(code, .mono)"),
  heads: text("main h1, main h2"),
  counts: text("main .pager, .page-head > p"),
});
"""
RUN_AXE = """
const [options, done] = arguments;
axe.run(document, options).then((result) => done(result.violations.map(
  (each) => [each.id, each.impact, each.nodes[0].html.slice(0, 200), each.nodes[0].failureSummary])));
"""
EVERYTHING: dict[str, Any] = {"resultTypes": ["violations"]}
PALETTE_IS_OPEN = "return document.querySelector('.palette[open]') !== null"
COLOURS = EVERYTHING | {"runOnly": ["color-contrast", "link-in-text-block"]}
SEARCH = "main [role=search] input[type=search]"
LINKS = "main thead a, main nav[aria-label=Pages] a"
Act = Callable[[], None]


@pytest.fixture(scope="module")
def samples() -> Iterator[Samples]:
    """Return a trial with one of everything, and a browser signed in to it."""
    with running_panel() as panel, running_browser() as browser:
        sign_in(panel, browser)
        yield Samples(panel, browser).make()


def open_page(panel: Panel, browser: Browser, page: str) -> None:
    """Open a page, and wait until what it fetches by itself is there."""
    browser.see(panel.url(page))
    come_to_rest(browser)


def come_to_rest(browser: Browser) -> None:
    """Wait until the browser fetches nothing, twice in a row: what was fetched may fetch more."""
    for _ in range(2):
        browser.wait_until(lambda: bool(browser.driver.execute_script(IS_AT_REST)), "it never comes to rest")


@pytest.mark.browser
def test_every_page_is_quiet_accessible_and_fits_a_phone(samples: Samples) -> None:
    """Each page is opened once: on a desktop in light, then as it stands on a phone in dark."""
    browser, pages, axe = samples.browser, list(samples.pages()), axe_core()
    browser.problems()  # those of asking pages that answer only POST
    found: list[tuple[Any, ...]] = []
    titles: dict[str, str] = {}
    try:
        for page in pages:
            emulate(browser, 1280, "light")
            open_page(samples.panel, browser, page)
            address, title = page.partition("?")[0], browser.driver.title
            if titles.setdefault(title, address) != address:
                found.append((page, f"has the title {title!r} of {titles[title]}"))
            found += [(page, problem) for problem in browser.problems()]
            browser.driver.execute_script(axe)
            found += [(page, "light", each) for each in violations(browser, EVERYTHING)]
            emulate(browser, 390, "dark")
            found += [(page, "dark", each) for each in violations(browser, COLOURS)]
            if browser.driver.execute_script("return document.documentElement.scrollWidth > innerWidth"):
                found.append((page, "is wider than a phone"))
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert found == []


def axe_core() -> str:
    """The script of axe-core, out of a package that is installed for it alone (requirements/axe.lock)."""
    package = find_spec("axe_playwright_python")
    assert package is not None, "make dev installs it"
    assert package.origin is not None
    return Path(package.origin).with_name("axe.min.js").read_text()


def emulate(browser: Browser, width: int, scheme: str) -> None:
    """Show the page at a width, in a colour scheme."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def violations(browser: Browser, options: dict[str, Any]) -> list[Any]:
    """What axe-core finds wrong on the page as it is shown: rule, impact, and the first place."""
    found: list[Any] = browser.driver.execute_async_script(RUN_AXE, options)
    return found


def filters_of(browser: Browser) -> Iterator[tuple[str, Act]]:
    """Each way to filter, sort or page on the open page, with what it is called."""
    driver = browser.driver
    for select in driver.find_elements(By.CSS_SELECTOR, "main [role=search] select"):
        name = str(select.get_attribute("name"))
        yield name, partial(choose_last, browser, name)
    if driver.find_elements(By.CSS_SELECTOR, SEARCH):
        yield "search", lambda: driver.find_element(By.CSS_SELECTOR, SEARCH).send_keys("127")
    links = len(driver.find_elements(By.CSS_SELECTOR, LINKS))
    for number in {0, links - 1} if links else ():  # one that sorts, and one that pages where there is any
        yield f"link {number}", partial(follow, browser, number)


def follow(browser: Browser, number: int) -> None:
    """Follow one of the links that sort and page."""
    browser.driver.find_elements(By.CSS_SELECTOR, LINKS)[number].click()


def choose_last(browser: Browser, name: str) -> None:
    """Choose the last option of a filter that is not chosen yet."""
    select = Select(browser.driver.find_element(By.CSS_SELECTOR, f"main [role=search] select[name={name}]"))
    [option for option in select.options if not option.is_selected()][-1].click()


@pytest.mark.browser
def test_what_refreshes_itself_keeps_filter_order_and_page(samples: Samples) -> None:
    browser = samples.browser
    filled: list[tuple[str, str]] = []
    for page in samples.pages():
        open_page(samples.panel, browser, page)
        if not browser.driver.find_elements(By.CSS_SELECTOR, REFRESHES):
            continue
        wait_for_refreshes(browser, page, is_hurried=bool(filled))
        for name, narrow in list(filters_of(browser)):
            open_page(samples.panel, browser, page)
            wait_for_refreshes(browser, f"{page} after {name}", narrow)
            filled.append((page, name))
    assert {("system/dispatcher/", name) for name in ("setid", "live", "search", "link 0")} <= set(filled)


@pytest.mark.browser
def test_back_from_a_filter_leads_to_what_was_shown_before(samples: Samples) -> None:
    browser, page = samples.browser, "system/dispatcher/"
    open_page(samples.panel, browser, page)
    shown = browser.driver.execute_script(SHOWN)
    choose_last(browser, "setid")
    browser.wait_for(" match")
    browser.driver.back()
    browser.wait_until(lambda: bool(browser.driver.execute_script(SHOWN) == shown), "back shows else")
    wait_for_refreshes(browser, page, is_hurried=False)


def wait_for_refreshes(
    browser: Browser, where: str, narrow: Act | None = None, *, is_hurried: bool = True
) -> None:
    """Narrow what the page shows, and wait for two refreshes: AssertionError where it then shows else.

    Unless hurried, the first comes at the pace of the page; the others follow at once.
    """
    driver, before = browser.driver, browser.driver.current_url
    if narrow is not None:
        narrow()
        browser.wait_until(lambda: driver.current_url != before, f"{where}: nothing happens")
        come_to_rest(browser)
    shown = driver.execute_script(SHOWN)
    driver.execute_script(COUNT_REFRESHES, is_hurried)
    browser.wait_until(
        lambda: bool(driver.execute_script("return window.refreshes >= 2")), f"{where}: no refresh"
    )
    assert driver.execute_script(SHOWN) == shown, where


def jump(browser: Browser, letters: str, shown: str) -> None:
    """Open what the palette finds first, by keys alone, and wait for its heading."""
    ActionChains(browser.driver).key_down(Keys.CONTROL).send_keys("k").key_up(Keys.CONTROL).perform()
    browser.wait_until(lambda: bool(browser.driver.execute_script(PALETTE_IS_OPEN)), "no palette")
    press_keys(browser, letters)
    found = "return document.querySelector('.palette [aria-selected=true]')?.textContent.toLowerCase() ?? ''"
    browser.wait_until(
        lambda: letters in str(browser.driver.execute_script(found)), f"{letters} is not found"
    )
    press_keys(browser, Keys.ENTER)
    browser.wait_for(shown)
    come_to_rest(browser)


def press_keys(browser: Browser, keys: str) -> None:
    """Type into whatever has the focus."""
    ActionChains(browser.driver).send_keys(keys).perform()


def tab_to(browser: Browser, selector: str) -> None:
    """Press Tab until an element that matches has the focus."""
    for _ in range(120):
        press_keys(browser, Keys.TAB)
        if browser.driver.execute_script("return document.activeElement.matches(arguments[0])", selector):
            return
    raise AssertionError(f"{selector} can't be reached by Tab")


@pytest.mark.browser
def test_add_reload_state_and_maintenance_by_keys_alone(samples: Samples) -> None:
    browser, uri = samples.browser, "sip:127.0.0.1:5998"
    open_page(samples.panel, browser, "")
    jump(browser, "add destination", "Add destination")
    press_keys(browser, uri + Keys.ENTER)
    browser.wait_for("was added")
    jump(browser, "reload dispatcher", "Reload proxies")
    tab_to(browser, "main .button-primary")
    press_keys(browser, Keys.ENTER)
    browser.wait_for("Reloaded")
    jump(browser, uri, uri)
    tab_to(browser, "main a[href$='/state/']")
    press_keys(browser, Keys.ENTER)
    browser.wait_for("Change live state")
    tab_to(browser, "[name=state]")
    press_keys(browser, Keys.ARROW_DOWN)
    tab_to(browser, "main .button-primary")
    press_keys(browser, Keys.ENTER)
    browser.wait_for("Accepted")
    jump(browser, uri, uri)
    tab_to(browser, "main a[href$='/maintenance/']")
    press_keys(browser, Keys.ENTER)
    browser.wait_for("Schedule maintenance")
    tab_to(browser, "#id_reason")
    press_keys(browser, "new board")
    tab_to(browser, "main .button-primary")
    press_keys(browser, Keys.ENTER)
    browser.wait_for("new board")
