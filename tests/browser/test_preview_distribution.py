"""The spread, in a browser: generated calls, and a log that is uploaded and counted by the worker."""

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from tests.browser.conftest import Browser, Panel
from tests.browser.test_pages import WITHOUT_A_NAME, sign_in

CALLS = 20_000
PAGES = ("preview/spread/?setid=1", "preview/spread/logs/", "preview/spread/logs/1/")


def log_of(folder: Path, calls: int) -> Path:
    """A CSV file of calls, with a broken row."""
    path = folder / "calls.csv"
    rows = "".join(f"{number:08x}@example.org,10:00\n" for number in range(calls))
    path.write_text(f"call_id,start\n{rows}no comma\n")
    return path


@pytest.mark.browser
def test_generated_calls_are_counted_memory_beside_table(panel: Panel, browser: Browser) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("preview/spread/"))
    browser.type("calls", "500")
    browser.press("Count")
    browser.wait_for("500 calls")
    assert "Live on trial" in browser.text
    assert "Table as loaded by trial" in browser.text
    assert "calls move" in browser.text or "No calls move" in browser.text
    assert browser.problems() == []


@pytest.mark.browser
def test_a_log_is_uploaded_and_counted_and_its_pages_fit_a_phone(
    panel: Panel, browser: Browser, tmp_path: Path
) -> None:
    sign_in(panel, browser)
    browser.see(panel.url("preview/spread/logs/"))
    browser.driver.find_element(By.NAME, "log").send_keys(str(log_of(tmp_path, CALLS)))
    browser.press("Upload")
    browser.wait_for("First rows of calls.csv")
    assert "00000001@example.org" in browser.text
    browser.press("Count")
    browser.wait_for(f"{CALLS:,} calls, 1 invalid row skipped")
    assert "1 column instead of 2" in browser.text
    assert browser.problems() == []
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for page in (browser.driver.current_url, *map(panel.url, PAGES)):
        browser.see(page)
        script = browser.driver.execute_script
        assert script("return document.documentElement.scrollWidth") <= 390, f"{page} is too wide"
        assert script(WITHOUT_A_NAME) == [], f"{page} has fields without a name"
