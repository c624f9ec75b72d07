"""How soon the state board shows in a real browser that a gateway died, and that it is back."""

from tests.browser.conftest import running_browser
from tests.browser.outages import DOWN_WITHIN_S, UP_WITHIN_S, outage, watched_gateway

PROXIES = (1, 5)
OUTAGES = 3


def measure() -> None:
    """Print the times for each number of proxies, beside what the proxies' settings allow and two seconds."""
    for proxies in PROXIES:
        with running_browser() as browser, watched_gateway(proxies, browser) as port:
            found = [outage(port, proxies, browser) for _ in range(OUTAGES)]
        downs = " ".join(f"{each.down_after_s:.1f}" for each in found)
        ups = " ".join(f"{each.up_after_s:.1f}" for each in found)
        print(
            f"{proxies:>6} proxies: down on the board after {downs} s (at most {DOWN_WITHIN_S}),"
            f" back after {ups} s (at most {UP_WITHIN_S})",
            flush=True,
        )
