"""`python -m tests.bench`: how fast the dispatcher's pages are, beside the old panel's figures.

Times are milliseconds of whole requests over one kept connection, as a browser waits for them: the median,
and in brackets the 95th percentile. Machines are noisy: look at the ratios within one run.
"""

import argparse
import html
import random
import re
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urlencode

import urllib3

from tests.bench import call_log, frames, outages, probing, replay, script, takeover, translation
from tests.bench.site import PASSWORD, Site, fill, running_site

# ../shared/reference/old-panel.md: the old panel's medians on two cores.
OLD_PANEL = {
    "list": {100: 3.8, 1_000: 6.0, 10_000: 34, 50_000: 171},
    "search": {100: 3.3, 1_000: 6.9, 10_000: 43, 50_000: 161},
    "add": {100: 3.8, 1_000: 7.2, 10_000: 31, 50_000: 143},
    "reload": {100: 2.8, 1_000: 8.6, 10_000: 51, 50_000: 247},
}
CLIENTS = 8
DISPATCHER = "/cp/system/dispatcher/"


class Person:
    """A signed-in administrator on one kept connection."""

    def __init__(self, site: Site) -> None:
        self._pool = urllib3.connection_from_url(site.origin, maxsize=1)
        self._cookies: dict[str, str] = {}
        self.get("/cp/accounts/sign-in/")
        self.post("/cp/accounts/sign-in/", {"username": "admin", "password": PASSWORD})

    def get(self, path: str) -> str:
        """The text of a page."""
        return self._ask("GET", path, None)

    def post(self, path: str, fields: dict[str, str]) -> str:
        """The text of the answer to a form."""
        token = {"csrfmiddlewaretoken": self._cookies.get("csrftoken", "")}
        return self._ask("POST", path, urlencode(fields | token))

    def _ask(self, method: str, path: str, body: str | None) -> str:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = self._pool.urlopen(method, path, body, headers, redirect=False, retries=False)
        # Each form measured here is answered by a redirect; a page in its place says what was refused.
        if answer.status != (200 if body is None else 302):
            raise SystemExit(f"{method} {path}: {answer.status}")
        for cookie in answer.headers.getlist("Set-Cookie"):
            name, _, rest = cookie.partition("=")
            self._cookies[name] = rest.partition(";")[0]
        return answer.data.decode()


def timed(count: int, act: Callable[[int], object]) -> list[float]:
    """Milliseconds of each of `count` calls, after a few that do not count."""
    for number in range(5):
        act(-1 - number)
    times = []
    for number in range(count):
        started = time.perf_counter()
        act(number)
        times.append((time.perf_counter() - started) * 1000)
    return times


def report(name: str, size: int, times: list[float]) -> None:
    """Print one line."""
    median = statistics.median(times)
    p95 = statistics.quantiles(times, n=20)[-1]
    old = OLD_PANEL.get(name, {}).get(size)
    beside = f"   old panel {old:g}, ratio {median / old:.2f}" if old else ""
    print(f"{size:>6} {name:<24}{median:8.1f} ({p95:.1f}){beside}", flush=True)


def bare_page(site: Site, size: int, requests: int) -> None:
    """Measure the yardstick again: a machine's speed changes from minute to minute."""
    pool = urllib3.connection_from_url(site.yardstick, maxsize=1)
    headers = {"Cookie": f"sessionid={site.yardstick_session}"}

    def ask(_number: int) -> None:
        answer = pool.urlopen("GET", "/", headers=headers, retries=False)
        if answer.status != 200:
            raise SystemExit(f"the bare page: {answer.status}")

    report("a bare Django page", size, timed(requests, ask))


def measure(site: Site, person: Person, size: int, requests: int) -> None:
    """Fill the table with `size` destinations and measure every page."""
    fill(site, size)
    dice = random.Random(size)
    pages = max(1, size // 30)
    # After a fill the server is still busy with purging what was there before.
    time.sleep(2)
    bare_page(site, size, requests)
    # So is the interpreter, which makes code quicker while it runs.
    timed(4 * requests, lambda _n: person.get(f"{DISPATCHER}?page={dice.randint(1, pages)}"))
    report(
        "list", size, timed(requests, lambda _n: person.get(f"{DISPATCHER}?page={dice.randint(1, pages)}"))
    )
    report("list, one page polled", size, timed(requests, lambda _n: person.get(f"{DISPATCHER}?page=2")))
    found = timed(requests, lambda _n: person.get(f"{DISPATCHER}?q=gateway+{dice.randrange(size)}"))
    report("search", size, found)
    report("add", size, timed(requests, lambda n: person.post(f"{DISPATCHER}add/", _new_row(size, n))))
    report("edit", size, _edits(person, requests))
    report(
        "pending (fragment)", size, timed(min(requests, 20), lambda _n: person.get(f"{DISPATCHER}pending/"))
    )
    sent, took = _reloads(person, min(requests, 10))
    report("reload", size, took)
    report("reload, its form sent", size, sent)
    report("reload, its page", size, timed(min(requests, 10), lambda _n: person.get(f"{DISPATCHER}reload/")))


def _read(person: Person, path: str, _number: int) -> None:
    person.get(path)


def _new_row(size: int, number: int) -> dict[str, str]:
    return {
        "setid": str(1_000_000 + size),
        "destination": f"sip:192.0.2.{number % 250}:{6000 + number}",
        "state": "0",
        "weight": "1",
        "probe_mode": "0",
        "priority": "0",
    }


def _edits(person: Person, requests: int) -> list[float]:
    times = []
    for number in range(requests):
        path = f"{DISPATCHER}{1 + number}/edit/"
        page = person.get(path)
        found = re.findall(r'<input [^>]*?name="(\w+)"[^>]*? value="([^"]*)"', page)
        fields = {name: html.unescape(value) for name, value in found}
        fields |= {"state": "0", "probe_mode": "0", "description": f"edited {number}"}
        started = time.perf_counter()
        person.post(path, fields)
        times.append((time.perf_counter() - started) * 1000)
    return times


def _reloads(person: Person, requests: int) -> tuple[list[float], list[float]]:
    """What sending the form takes, and what ds_reload itself took by the panel's own record.

    The form's answer does not wait for the proxy, whose read-back is in neither.
    """
    sent, took = [], []
    for _number in range(requests):
        page = person.get(f"{DISPATCHER}reload/")
        proxy = re.search(r'name="proxy" value="(\d+)"', page)
        started = time.perf_counter()
        person.post(f"{DISPATCHER}reload/", {"proxy": proxy[1] if proxy else "", "inherit_state": "y"})
        sent.append((time.perf_counter() - started) * 1000)
        time.sleep(0.2)
        recent = re.search(rf"{DISPATCHER}reload/(\d+)/", person.get(f"{DISPATCHER}reload/"))
        run = person.get(f"{DISPATCHER}reload/{recent[1]}/") if recent else ""
        reported_ms = re.search(r"([\d.]+)(?:&nbsp;|\s)ms", run)
        if reported_ms:
            took.append(float(reported_ms[1]))
    return sent, took or [float("nan")] * 2


def throughput(site: Site, size: int, requests: int) -> None:
    """Pages a second that CLIENTS signed-in people get together."""
    people = [Person(site) for _ in range(CLIENTS)]

    def read(person: Person) -> None:
        for page in range(requests):
            person.get(f"{DISPATCHER}?page={1 + page % max(1, size // 30)}")

    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(read, people))
    rate = CLIENTS * requests / (time.perf_counter() - started)
    print(f"{size:>6} {'list, 8 clients':<24}{rate:8.0f} pages a second", flush=True)


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--sizes", default="100,1000,10000,50000")
    parser.add_argument("--requests", type=int, default=100)
    arguments = parser.parse_args()
    # Pages first: after the log's gigabytes the machine is busy with its memory for a while.
    with running_site() as site:
        person = Person(site)
        for name, path in (("healthz", "/cp/healthz"), ("own password page", "/cp/accounts/password/")):
            report(name, 0, timed(arguments.requests, partial(_read, person, path)))
        for size in (int(text) for text in arguments.sizes.split(",")):
            measure(site, person, size, arguments.requests)
            if size in {1_000, 10_000}:
                throughput(site, size, arguments.requests)
    replay.measure()
    call_log.measure()
    probing.measure()
    script.measure()
    frames.measure()
    translation.measure()
    translation.measure_many()
    takeover.measure()
    outages.measure()


if __name__ == "__main__":
    main()
