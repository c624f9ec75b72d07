"""A gateway dies and comes back: how soon the board shows it, whatever the number of proxies."""

import pytest

from tests.browser.conftest import Browser
from tests.browser.outages import Outage, outage, watched_gateway

TRIES = 3


@pytest.mark.browser
@pytest.mark.parametrize("proxies", [1, 5, 20])
def test_the_board_shows_an_outage_as_soon_as_the_probing_allows_and_two_seconds(
    proxies: int, browser: Browser
) -> None:
    """Of a few outages one is to be in time: the machine has other work at the same moment."""
    found: list[Outage] = []
    with watched_gateway(proxies, browser) as port:
        while not any(each.is_in_time for each in found) and len(found) < TRIES:
            found.append(outage(port, proxies, browser))
        assert browser.problems() == []
    assert any(each.is_in_time for each in found), found
