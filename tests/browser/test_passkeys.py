"""A passkey in Chromium, whose authenticator is a virtual one: added, used as second factor, used alone."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions

from tests.browser.conftest import Browser, Panel, running_panel
from tests.browser.test_pages import PASSWORD, sign_in
from tests.environment import DATABASE


@pytest.fixture(scope="module")
def panel() -> Iterator[Panel]:
    """A panel by the name `localhost`, for which browsers offer passkeys, where one may sign in alone."""
    with running_panel(EFCP_SANDBOX="0", EFCP_PASSKEY_SIGN_IN="1") as running:
        yield replace(running, origin=running.origin.replace("127.0.0.1", "localhost"))


def sign_out(panel: Panel, browser: Browser) -> None:
    """Sign out, and look at the sign-in page."""
    browser.driver.execute_script("document.querySelector('form[action$=\"/sign-out/\"]').submit()")
    browser.wait_for("Sign in to EFCP")


@pytest.mark.browser
def test_a_passkey_is_added_used_behind_the_password_and_used_alone(panel: Panel, browser: Browser) -> None:
    options = VirtualAuthenticatorOptions()
    options.has_resident_key = options.has_user_verification = options.is_user_verified = True
    driver = browser.driver
    driver.add_virtual_authenticator(options)
    try:
        sign_in(panel, browser)
        browser.see(panel.url("accounts/security/key/"))
        browser.type("name", "laptop")
        driver.find_element("name", "alone").click()
        browser.press("Add")
        browser.wait_for("Recovery codes")
        assert len(driver.find_elements("css selector", ".recovery-codes li")) == 10
        browser.press("I have kept them")
        browser.wait_for("signs in alone")

        sign_out(panel, browser)
        browser.type("username", "admin")
        browser.type("password", PASSWORD).submit()
        browser.wait_for("Use a passkey or security key")
        browser.press("Use a passkey or security key")
        browser.wait_for("State board")

        sign_out(panel, browser)
        browser.press("Sign in with a passkey")
        browser.wait_for("State board")

        # A copy of the key has not counted along.
        with sqlite3.connect(panel.folder / DATABASE) as database:
            counted = "json_set(data, '$.sign_count', 1000) WHERE type = 'webauthn'"
            database.execute(f"UPDATE mfa_authenticator SET data = {counted}")  # noqa: S608 - no input
        sign_out(panel, browser)
        browser.press("Sign in with a passkey")
        browser.wait_for("The counter of this key went back")
        assert browser.problems() == []
    finally:
        driver.remove_virtual_authenticator()
