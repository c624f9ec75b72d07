"""The main job, end to end, as a newcomer does it: add a destination, reload the proxy, watch its state."""

import socket
from collections.abc import Iterator

import pytest

from tests.browser.conftest import Browser, Panel, free_port, running_panel, sip_endpoint

PASSWORD = "a-long-enough-one"


@pytest.fixture(scope="module")
def panel() -> Iterator[Panel]:
    """Return a trial that probes every second, so that a change of state is not waited for long."""
    with running_panel(EFCP_SANDBOX_PING_INTERVAL="1") as running:
        yield running


@pytest.mark.browser
def test_a_newcomer_adds_a_destination_reloads_and_watches_it_fail_and_return(
    panel: Panel, browser: Browser
) -> None:
    port = free_port(socket.SOCK_DGRAM)
    destination = f"sip:127.0.0.1:{port}"

    browser.see(panel.url(""))
    browser.type("username", "admin")
    browser.type("password", "opensips").submit()
    browser.wait_for("Choose your own password")
    browser.see(panel.url("system/dispatcher/"))
    assert "Add destination" not in browser.text, "nothing but the change is reachable before it"
    browser.type("current_password", "opensips")
    browser.type("new_password", PASSWORD)
    browser.type("repeated_password", PASSWORD).submit()
    browser.wait_for("State board")
    browser.see(panel.url("system/dispatcher/"))
    browser.wait_for_live("vbb-3", "Probing")

    browser.press("Add destination")
    browser.type("setid", "1")
    browser.type("destination", destination)
    browser.type("description", "the new one")
    browser.choose("probe_mode", "Always")
    browser.press("Add")
    browser.wait_for("was added to set 1")
    browser.wait_for_row(destination, "not loaded")

    browser.press("Reload proxies")
    browser.wait_for("to add")
    browser.press("Reload")
    browser.wait_for("Reloaded")
    assert "Still differs" in browser.text

    browser.see(panel.url("system/dispatcher/"))
    browser.wait_for_live(destination, "Probing")
    assert "not loaded" not in browser.row_of(destination)
    with sip_endpoint(port):
        browser.wait_for_live(destination, "Active")
    browser.wait_for_live(destination, "Probing")
    assert browser.problems() == []
