"""A rule is added in a browser, broken and mended; an input is tried while it is typed."""

from collections.abc import Iterator

import pytest

from tests.browser.conftest import Browser, Panel, running_panel
from tests.browser.test_pages import sign_in


@pytest.fixture(scope="module")
def panel() -> Iterator[Panel]:
    """Return a trial with its samples."""
    with running_panel() as running:
        yield running


@pytest.mark.browser
def test_a_rule_is_broken_mended_tried_and_added(panel: Panel, browser: Browser) -> None:
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
