"""How fast pages are: the same requests to this panel, a bare Django page and the old panel, in turns.

Times are milliseconds until the page stands, with all that it loads by itself: the median, and in brackets
the 95th percentile. Machines are noisy: the ratios of one run are what counts.
"""

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import urllib3

from efcp.database.versions import SETTLED_AFTER_S
from tests.bench.clients import DISPATCHER, Client, OldPerson, Person
from tests.bench.site import PER_SET, BenchSite, fill

CLIENTS = 8
WATCHERS = 200
WATCHED_FOR_S = 15
CHANGES_A_SECOND = 10
WARM_UP = 10
BOARD = "/cp/system/dispatcher/state/"
POLLED = {DISPATCHER: "destinations", BOARD: "board", "/cp/": "now"}
"""The pages that refresh themselves, and the part that is fetched."""

Act = Callable[[int], object]


def in_turns(count: int, acts: Mapping[str, Act]) -> dict[str, list[float]]:
    """Milliseconds of each of `count` calls of each act, in turns, after some that do not count."""
    times: dict[str, list[float]] = {name: [] for name in acts}
    for number in range(count + WARM_UP):
        for name, act in acts.items():
            started = time.perf_counter()
            act(number)
            if number >= WARM_UP:
                times[name].append((time.perf_counter() - started) * 1000)
    return times


@dataclass(slots=True)
class Pages:
    """The measurements at one size of the table."""

    site: BenchSite
    size: int
    requests: int
    person: Person
    old: OldPerson | None
    bare: Client

    def measure(self) -> None:
        """Fill the tables and measure every page."""
        fill(self.site, self.size)
        # Servers are still busy after a fill, and an interpreter makes code quicker while it runs.
        for page in range(4 * self.requests):
            self.person.list(1 + page % self._pages)
        dice = random.Random(self.size)
        pages = [dice.randint(1, self._pages) for _ in range(self.requests + WARM_UP)]
        words = [f"gateway {dice.randrange(self.size)}" for _ in pages]
        me, old = self.person, self.old
        self.compare("list", lambda n: me.list(pages[n]), (lambda n: old.list(pages[n])) if old else None)
        wire = {"EFCP": self._wire(me), "the old panel": self._wire(old) if old else 0}
        print(f"{self.size:>6} list, bytes on the wire  {wire}", flush=True)
        self.compare(
            "search", lambda n: me.search(words[n]), (lambda n: old.search(words[n])) if old else None
        )
        if old:
            old.show_all()
            old.list(1)
        self.compare(
            "add",
            lambda n: me.add(1 + n % PER_SET, f"sip:192.0.2.{n % 250}:{6000 + n}"),
            (lambda n: old.add(1 + n % PER_SET, f"sip:198.51.100.{n % 250}:{6000 + n}")) if old else None,
        )
        self._edits()
        self._deletions()
        self.compare(
            "dialplan", lambda n: me.rules(pages[n]), (lambda n: old.rules(pages[n]))
        ) if old else None
        # A page of what changed just now is not kept: docs/decisions/0020-kept-pages.md.
        time.sleep(SETTLED_AFTER_S + 1)
        self._fragment()
        self._refreshes()

    def compare(self, name: str, ours: Act, theirs: Act | None) -> None:
        """Measure one act on both panels, beside the bare page, and print a line."""
        acts = {"EFCP": ours, "bare": self._bare_page} | ({"old": theirs} if theirs else {})
        self.report(name, in_turns(self.requests, acts))

    def report(self, name: str, times: Mapping[str, list[float]]) -> None:
        """Print one line: all medians, and the ratios to what EFCP is measured beside."""
        medians = {who: statistics.median(found) for who, found in times.items()}
        shown = "".join(
            f"  {who} {medians[who]:6.1f} ({statistics.quantiles(found, n=20)[-1]:.1f})"
            for who, found in times.items()
        )
        first = next(iter(times))
        ratios = "".join(f"  {medians[first] / medians[who]:.2f} x {who}" for who in medians if who != first)
        print(f"{self.size:>6} {name:<20}{shown}  {ratios}", flush=True)

    @property
    def _pages(self) -> int:
        return max(1, self.size // 30)

    def _wire(self, client: Client) -> int:
        if isinstance(client, OldPerson):
            client.list(1)
        else:
            client.text(DISPATCHER)
        return client.wire_bytes

    def _bare_page(self, _number: int) -> None:
        self.bare.ask("GET", "/")

    def _edits(self) -> None:
        """The form is not measured, only what sends it."""
        me, old = self.person, self.old
        fields = [
            me.form_fields(f"{DISPATCHER}{1 + number}/edit/") | {"state": "0", "probe_mode": "0"}
            for number in range(self.requests + WARM_UP)
        ]
        self.compare(
            "edit",
            lambda n: me.edit(1 + n, {**fields[n], "description": f"edited {n}"}),
            (lambda n: old.edit(1 + n, {**_old_fields(fields[n]), "description": f"edit {n}"}))
            if old
            else None,
        )

    def _deletions(self) -> None:
        """Delete what was added: with the old panel at hand every second row is its own."""
        me, old = self.person, self.old
        step = 2 if old else 1
        first = self.size + 1
        fields = [
            me.form_fields(f"{DISPATCHER}{first + step * number}/delete/")
            for number in range(self.requests + WARM_UP)
        ]
        self.compare(
            "delete",
            lambda n: me.delete(first + step * n, fields[n]),
            (lambda n: old.delete(first + step * n + 1)) if old else None,
        )

    def _fragment(self) -> None:
        times = in_turns(
            min(self.requests, 20), {"EFCP": lambda _n: self.person.text(f"{DISPATCHER}pending/")}
        )
        self.report("not loaded", times)

    def _refreshes(self) -> None:
        """What a page costs that polls while nothing changes, beside the whole page."""
        for path in POLLED:
            acts: dict[str, Act] = {
                "refresh": _refresh(self.person, path),
                "page": partial(_read, self.person, path),
            }
            self.report(path.removeprefix("/cp"), in_turns(self.requests, acts))

    def watched(self) -> None:
        """How long answers take to WATCHERS open boards and lists, while CHANGES_A_SECOND states change."""
        times: list[float] = []
        ends_at = time.monotonic() + WATCHED_FOR_S

        def watch(number: int) -> None:
            path = (DISPATCHER, BOARD)[number % 2]
            watcher = Client(self.site.origin)
            watcher.cookies |= self.person.cookies
            refresh = _refresh(watcher, path)
            time.sleep(number / WATCHERS)
            while (started := time.monotonic()) < ends_at:
                refresh(0)
                times.append((time.monotonic() - started) * 1000)
                time.sleep(max(0.0, 1 + number % 2 + started - time.monotonic()))

        def change() -> None:
            number = 0
            while time.monotonic() < ends_at:
                number += 1
                uri = f"sip:10.0.0.{number % min(self.size, 200)}:5060"
                setid = str(1 + number % min(self.size, 200) // PER_SET)
                state = "i" if number // 200 % 2 == 0 else "a"
                parameters = {"state": state, "group": setid, "address": uri}
                body = {"jsonrpc": "2.0", "id": 1, "method": "ds_set_state", "params": parameters}
                urllib3.request("POST", self.site.mi_url, json=body, timeout=5, retries=False)
                time.sleep(1 / CHANGES_A_SECOND)

        with ThreadPoolExecutor(WATCHERS + 1) as pool:
            waiting = [pool.submit(change), *(pool.submit(watch, number) for number in range(WATCHERS))]
        for each in waiting:
            each.result()
        name = f"{WATCHERS} boards and lists"
        self.report(name, {"EFCP": times})

    def throughput(self) -> None:
        """Pages a second that CLIENTS signed-in people get together, on each panel in turns."""
        address = self.site.old_panel
        groups: dict[str, Callable[[], Person | OldPerson]] = {"EFCP": lambda: Person(self.site)}
        if address:
            groups["the old panel"] = lambda: OldPerson(address)
        rates: dict[str, list[float]] = {name: [] for name in groups}
        for _round in range(3):
            for name, sign_in in groups.items():
                rates[name].append(self._rate([sign_in() for _ in range(CLIENTS)]))
        medians = {name: statistics.median(found) for name, found in rates.items()}
        shown = "  ".join(f"{name} {rate:.0f}" for name, rate in medians.items())
        print(f"{self.size:>6} pages a second, {CLIENTS} clients: {shown}", flush=True)

    def _rate(self, people: Sequence[Person | OldPerson]) -> float:
        def read(person: Person | OldPerson) -> None:
            for page in range(self.requests):
                if isinstance(person, OldPerson):
                    person.list(1 + page % self._pages)
                else:
                    person.text(f"{DISPATCHER}?page={1 + page % self._pages}")

        started = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(read, people))
        return CLIENTS * self.requests / (time.perf_counter() - started)


def _old_fields(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: fields[name] for name in ("setid", "destination") if name in fields}


def _read(person: Person, path: str, _number: int) -> None:
    person.text(path)


def _refresh(person: Client, path: str) -> Act:
    """A refresh with the tag of the answer before, as static/js/efcp.js sends it."""
    tags: dict[str, str] = {}

    def act(_number: int) -> None:
        headers = {"HX-Request": "true", "HX-Target": POLLED[path], **tags}
        answer = person.refresh(path, headers)
        if tag := answer.headers.get("ETag"):
            tags["If-None-Match"] = tag

    return act
