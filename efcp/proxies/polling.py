"""One visit's requests to a proxy, and the parsed answer: in a thread, without the database."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from efcp.mi import (
    IdentifierReports,
    MiClient,
    MiError,
    RefusedError,
    ReplyTooLargeError,
    UnfinishedReplyError,
)
from efcp.proxies.events import Subscribed, Subscription
from efcp.proxies.load_reports import LoadReports, partition_of, reporting_modules
from efcp.proxies.memory import DispatcherReports, Snapshot
from efcp.proxies.reconcile import ProxyAnswer, ProxyIdentity

PLAIN_FOR = timedelta(minutes=10)
"""How long a proxy whose full list was too large is asked without `full` before the next attempt with it."""

LONGEST_UP = timedelta(days=36_500)
MAX_START_TEXT = 64
"""Bounds of what a proxy may say of its start."""


@dataclass(frozen=True, slots=True)
class Poll(ProxyAnswer):
    """What one poll read. `events` is the outcome of subscribing to events, None where that was not due."""

    full_is_too_large: bool = False
    events: Subscribed | None = None


@dataclass(frozen=True, slots=True)
class PollRequest:
    """What to ask a proxy for in one poll.

    The version is requested with `version`, the reports with `reports`, those of loading with
    `loads`; all of them where the proxy started since it gave the text `known_start`, the reports also where
    the list is not the one of `known_digest`. With `subscription`, the proxy's events are subscribed to.
    """

    partition: str
    full: bool = True
    version: bool = False
    reports: bool = True
    known_digest: str = ""
    known_start: str = ""
    subscription: Subscription | None = None
    loads: bool = False

    def __call__(self, client: MiClient) -> Poll:
        """Ask `client`; the list without `full` where the full one is too large. Raises MiError."""
        identity = self._identity(client)
        events = self.subscription(client) if self.subscription else None
        is_new = identity is not None and identity.up_since_text != self.known_start
        snapshot, is_too_large = self._list(client, self.reports or is_new)
        asks_for_loads = self.loads or (is_new and self.known_start != "")
        loads = load_reports(client, self.partition) if asks_for_loads else {}
        return Poll(snapshot, identity, loads, is_too_large, events)

    def _list(self, client: MiClient, wants_reports: bool) -> tuple[Snapshot, bool]:
        """The list, and whether it is without `full` because the full one is too large."""
        if not self.full:
            return self._snapshot(client, wants_reports, full=False), False
        try:
            return self._snapshot(client, wants_reports, full=True), False
        except (ReplyTooLargeError, UnfinishedReplyError):
            return self._snapshot(client, wants_reports, full=False), True

    def _identity(self, client: MiClient) -> ProxyIdentity | None:
        """When the proxy started, and its version if asked for or changed; None where it refuses."""
        try:
            uptime = client.uptime()
            wants_version = self.version or uptime.up_since != self.known_start
            version = client.version().version if wants_version else None
        except RefusedError:
            return None
        up_since = datetime.now(UTC) - min(LONGEST_UP, timedelta(seconds=min(uptime.up_time_s, 10**10)))
        return ProxyIdentity(version, up_since, uptime.up_since[:MAX_START_TEXT])

    def _snapshot(self, client: MiClient, wants_reports: bool, *, full: bool) -> Snapshot:
        requested_at = datetime.now(UTC)
        listing = client.ds_list(partition=self.partition, full=full)
        found = Snapshot.of(listing, self.partition, requested_at)
        if not wants_reports and found.digest == self.known_digest:
            return found
        return replace(found, reports=_reports(client, self.partition))


@dataclass(frozen=True, slots=True)
class Pulse:
    """Whether the proxy still answers, by its own text of its start; for one whose list costs too much."""

    start: str


def feel_pulse(client: MiClient) -> Pulse:
    """Ask `client` when it started. Raises MiError; that it refuses to say is an answer too."""
    try:
        return Pulse(client.uptime().up_since[:MAX_START_TEXT])
    except RefusedError:
        return Pulse("")


def load_reports(client: MiClient, partition: str) -> dict[str, LoadReports]:
    """What the proxy reports of its loads by module; one for which no usable answer came is missing."""
    found = {}
    for module in reporting_modules():
        reports = load_reports_of(client, module, partition_of(module, partition))
        if reports is not None:
            found[module] = reports
    return found


def load_reports_of(client: MiClient, module: str, partition: str) -> LoadReports | None:
    """What the proxy reports of loading one partition: empty where it refuses, None without an answer."""
    requested_at = datetime.now(UTC)
    try:
        ring = client.sr_list_reports(module, partition).of(module, partition)
    except RefusedError:
        ring = None
    except MiError:
        return None
    return LoadReports(requested_at, ring or IdentifierReports(module, partition, ()))


def _reports(client: MiClient, partition: str) -> DispatcherReports | None:
    """What the proxy reports; None where it says nothing: the list counts without them."""
    requested_at = datetime.now(UTC)
    try:
        return DispatcherReports.of(client.sr_list_reports("dispatcher"), partition, requested_at)
    except MiError:
        return None
