"""A gateway dies and comes back: the board shows both by itself, whatever the number of proxies."""

import pytest

from tests.browser.conftest import Browser
from tests.browser.outages import outage, watched_gateway


@pytest.mark.browser
@pytest.mark.parametrize("proxies", [1, 5])
def test_the_board_shows_by_itself_that_a_gateway_died_on_every_proxy_and_came_back(
    proxies: int, browser: Browser
) -> None:
    """How soon it does is measured by `make bench`: a machine with other work may take any time."""
    with watched_gateway(proxies, browser) as port:
        outage(port, proxies, browser)
        assert browser.problems() == []
