"""One of everything in a trial, and the address of every page, by the URL conf."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.urls import get_resolver, reverse

from tests.browser.conftest import Browser, Panel
from tests.test_hostile_requests import named

SUBMIT = """
const [page, which, changes, done] = arguments;
fetch(page).then((answer) => answer.text()).then((text) => {
  const form = new DOMParser().parseFromString(text, "text/html").querySelector(which);
  const body = new FormData(form);
  for (const [name, value] of Object.entries(changes)) body.set(name, value);
  for (const name of ["log", "file"]) {
    if (body.has(name)) body.set(name, new Blob([body.get(name)]), "numbers.csv");
  }
  return fetch(form.getAttribute("action") || page, { method: "POST", body });
}).then((answer) => answer.text().then((text) => {
  const after = new DOMParser().parseFromString(text, "text/html");
  const refusal = after.querySelectorAll(".field-error, .notice-error");
  done([answer.status, answer.url, [...refusal].map((each) => each.textContent).join(" ")]);
}));
"""
ASK = """
const [page, done] = arguments;
fetch(page).then((answer) => answer.text().then((text) => {
  done([answer.redirected ? 302 : answer.status, text.includes("<html")]);
}));
"""
NO_PAGES = {
    "metrics",
    *(f"accounts:oidc-{name}" for name in ("begin", "callback", "confirm")),
    "accounts:choose-password",
    "notifications:message",
    "preview:bulk-translation-download",
    *(f"{module}:{name}" for module in ("dialplan", "dispatcher") for name in ("export", "batch_of_write")),
}
"""What is for other programs, files, what leads on to another page, and what no page has made here
(a link to set a password, a message that was sent).
"""

QUERIES = {
    "audit:list": ("?kind=dispatcher",),
    "dialplan:list": ("?dpid=1", "?sort=-pr"),
    "home": ("?wall",),
    "dispatcher:several": ("?all=1",),
    "dispatcher:list": ("?setid=2", "?sort=weight&size=2&page=2", "?q=nothing-like-it"),
    "operations:choose": ("?setid=2", "?host=127.0.0.1"),
    "operations:everything": ("?q=127",),
    "preview:algorithms": ("?setid=1",),
    "preview:call": ("?setid=1",),
    "preview:routes": ("?dpid=1&number=0301234",),
    "preview:distribution": ("?setid=1",),
}
"""Queries with which a page shows what it does not show without one."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What was made in a trial: of each address that takes a number, one that exists; else 1 does."""

    panel: Panel
    browser: Browser
    numbers: dict[str, int] = field(default_factory=dict)

    def make(self) -> "Samples":
        """Make one of everything that a page is about."""
        self.browser.see(self.panel.url("accounts/time-zone/"))
        self._submit("system/dispatcher/add/", setid="3", destination="sip:127.0.0.1:5999")
        self._submit("system/dispatcher/1/edit/", description="first of them")
        self.numbers["dispatcher:restore"] = self._newest_record("dispatcher")
        self._submit("system/dialplan/add/", dpid="1", match_exp="^9")
        self._submit("system/dialplan/1/edit/", attrs="x")
        self.numbers["dialplan:restore"] = self._newest_record("dialplan")
        for module, name in (("dispatcher", "attrs"), ("dialplan", "attrs")):
            changes = {f"how_{name}": "set", f"value_{name}": "y"}
            batch = self._submit(f"system/{module}/several/?all=1", **changes)
            self.numbers[f"{module}:batch"] = batch
            file = self._submit(f"system/{module}/import/", file="id,attrs\n1,y\n")
            self.numbers[f"{module}:import_columns"] = file
        self._ask_the_proxies()
        landed = self._submit("system/dispatcher/1/state/", state="active")
        self.numbers["operations:state-run"] = landed
        self.numbers["operations:run"] = self._submit("system/dispatcher/reload/")
        self.numbers["operations_dialplan:run"] = self._submit("system/dialplan/reload/")
        self._submit("system/dispatcher/2/maintenance/", reason="new board", anyway="y", typed_set="1")
        channel = {
            "channel": "webhook",
            "url": "http://127.0.0.1:9/",
            "min_active": "1",
            "after_s": "0",
            "states": "probing",
            "secret": "a-long-enough-secret",
        }
        self._submit("system/notifications/add/", name="all", **channel)
        password = {"new_password": "a-long-enough-one", "repeated_password": "a-long-enough-one"}
        self._submit("accounts/users/add/", username="somebody", role="viewer", **password)
        user = {"accounts:delete-user": 2, "accounts:edit-user": 2, "accounts:user-password": 2}
        self.numbers.update(user)
        log = self._submit("preview/spread/logs/", log="called\n4930123\n")
        self.numbers.update({"preview:distribution-log": log, "preview:bulk-translation-log": log})
        self.numbers["preview:bulk-translation-run"] = self._submit(f"preview/numbers/{log}/", column="0")
        self.numbers["preview:distribution-count"] = self._submit(f"preview/spread/logs/{log}/", call_id="0")
        return self

    def pages(self) -> Iterator[str]:
        """The address of every page, under /cp/.

        They are read from the URL conf, so that a new page is among them by itself. AssertionError where it
        takes the number of something that is not made here.
        """
        for name, numbers in sorted(set(named(get_resolver().url_patterns))):
            if name.startswith("api:") and name != "api:reference":
                continue  # they answer programs
            path = reverse(name, args=[self.numbers.get(name, 1)] * numbers)
            status, is_whole = self.browser.driver.execute_async_script(ASK, path)
            if status in (302, 405) or name in NO_PAGES:
                continue
            assert status == 200, f"{name} at {path} answers {status}: make a sample of it"
            if not is_whole:
                continue
            for query in ("", *QUERIES.get(name, ())):
                yield path.removeprefix("/cp/") + query

    def _submit(self, page: str, which: str = "main form[method=post]", **changes: str) -> int:
        """Fill in and send the form of a page; the number in the address where that leads, else 0."""
        url = self.panel.url(page)
        status, landed, refusal = self.browser.driver.execute_async_script(SUBMIT, url, which, changes)
        assert (status, landed != url) == (200, True), f"{page} answers {status}: {refusal}"
        last = landed.rstrip("/").rpartition("/")[2]
        return int(last) if last.isdigit() else 0

    def _ask_the_proxies(self) -> None:
        """Query proxies for a translation: the first question that anybody asks."""
        self.browser.see(self.panel.url("system/dialplan/?dpid=1"))
        self.browser.type("input", "955")
        self.browser.press("Query proxies")
        self.browser.wait_for("proxies currently return")

    def _newest_record(self, kind: str) -> int:
        """The id of the newest audit record of that kind."""
        self.browser.see(self.panel.url(f"audit/?kind={kind}"))
        link = self.browser.driver.find_element("css selector", "main tbody a[href^='/cp/audit/']")
        return int(str(link.get_attribute("href")).rstrip("/").rpartition("/")[2])
