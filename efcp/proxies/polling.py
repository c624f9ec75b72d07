"""One poll of one proxy: what is asked, in a thread without the database, and what its answer stores."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from efcp.mi import (
    MiClient,
    MiError,
    NotMiError,
    Obstacle,
    RefusedError,
    TooLargeError,
    TooSlowError,
    UnfinishedReplyError,
    UnreachableError,
)
from efcp.mi.replies import IdentifierReports
from efcp.proxies import services
from efcp.proxies.asking import Answer, NotAskedError
from efcp.proxies.events import Subscribed, Subscription
from efcp.proxies.loads import MODULES, LoadReports, notice_loads, partition_of
from efcp.proxies.models import TryOutcome
from efcp.proxies.services import Met
from efcp.proxies.snapshot import Reports, Snapshot

PLAIN_FOR = timedelta(minutes=10)
"""How long a proxy whose full list was too large is asked without `full` before that is tried again."""

LONGEST_UP = timedelta(days=36_500)
MAX_START_TEXT = 64
"""Bounds of what a proxy may say of its start."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a proxy says of itself: its version, when it started, and its own text of that moment.

    `version` is None where it was not asked for: the proxy did not start since it told it.
    """

    version: str | None
    up_since: datetime
    up_since_text: str


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll read. `events` is what came of asking for events, None where that was not asked.

    `loads` are the reports of loading by module, of those that were asked for and told.
    """

    snapshot: Snapshot
    full_is_too_large: bool
    identity: Identity | None
    events: Subscribed | None = None
    loads: Mapping[str, LoadReports] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask a proxy for in one poll.

    The version is asked for with `version`, the reports with `reports`, what it reports of loading with
    `loads`; all of them where the proxy started since it told the text `known_start`, the reports also where
    the list is not the one of `known_digest`. With `subscription`, the proxy is asked to send its events.
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
        return Poll(snapshot, is_too_large, identity, events, loads)

    def _list(self, client: MiClient, wants_reports: bool) -> tuple[Snapshot, bool]:
        """The list, and whether it is without `full` because the full one is too large."""
        if not self.full:
            return self._snapshot(client, wants_reports, full=False), False
        try:
            return self._snapshot(client, wants_reports, full=True), False
        except (TooLargeError, UnfinishedReplyError):
            return self._snapshot(client, wants_reports, full=False), True

    def _identity(self, client: MiClient) -> Identity | None:
        """When the proxy started, and its version if asked for or changed; None where it refuses to tell."""
        try:
            uptime = client.uptime()
            wants_version = self.version or uptime.up_since != self.known_start
            version = client.version().version if wants_version else None
        except RefusedError:
            return None
        up_since = datetime.now(UTC) - min(LONGEST_UP, timedelta(seconds=min(uptime.up_time_s, 10**10)))
        return Identity(version, up_since, uptime.up_since[:MAX_START_TEXT])

    def _snapshot(self, client: MiClient, wants_reports: bool, *, full: bool) -> Snapshot:
        asked_at = datetime.now(UTC)
        listing = client.ds_list(partition=self.partition, full=full)
        found = Snapshot.of(listing, self.partition, asked_at)
        if not wants_reports and found.digest == self.known_digest:
            return found
        return replace(found, reports=_reports(client, self.partition))


@dataclass(frozen=True, slots=True)
class Pulse:
    """Whether the proxy still answers, by its own text of its start; for one whose list costs too much."""

    start: str


def feel_pulse(client: MiClient) -> Pulse:
    """Ask `client` when it started. Raises MiError; that it refuses to tell is an answer too."""
    try:
        return Pulse(client.uptime().up_since[:MAX_START_TEXT])
    except RefusedError:
        return Pulse("")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a poll: whether the proxy answered usably, restarted, and what was stored.

    `start` is the proxy's text of its start as it is stored now.
    """

    problem: str = ""
    restarted: bool = False
    start: str = ""
    state_changes: int = 0
    outcome: services.Outcome = services.Outcome.STORED


def store_answer(answer: Answer[Poll] | Answer[Poll | Pulse]) -> Result:
    """Store what `answer` tells, a failure too; raises only what the database raises.

    That a proxy still answers is not stored: its last list counts as fresh for its whole interval.
    """
    if answer.error is not None:
        return _failed(answer, answer.error)
    poll = answer.value
    if isinstance(poll, Pulse):
        return Result(start=poll.start)
    met = Met.SAME
    if poll.identity is not None:
        met = services.store_identity(
            answer.proxy, poll.identity.version, poll.identity.up_since, poll.identity.up_since_text
        )
    if met is Met.STRANGER:
        return Result("Another proxy answers at this address in turn with the one that is known.")
    stored = services.store_snapshot(answer.proxy, poll.snapshot)
    if met is Met.RESTARTED:
        services.date_from_start(answer.proxy, poll.snapshot)
    for module, reports in poll.loads.items():
        notice_loads(answer.proxy, module, partition_of(module, poll.snapshot.memory.partition), reports)
    start = poll.identity.up_since_text if poll.identity else ""
    return Result("", met is Met.RESTARTED, start, stored.state_changes, stored.outcome)


def load_reports(client: MiClient, partition: str) -> dict[str, LoadReports]:
    """What the proxy reports of its loads by module; one for which no usable answer came is missing."""
    found = {}
    for module in MODULES:
        reports = load_reports_of(client, module, partition_of(module, partition))
        if reports is not None:
            found[module] = reports
    return found


def load_reports_of(client: MiClient, module: str, partition: str) -> LoadReports | None:
    """What the proxy reports of loading one partition: empty where it refuses, None without an answer."""
    asked_at = datetime.now(UTC)
    try:
        ring = client.sr_list_reports(module, partition).of(module, partition)
    except RefusedError:
        ring = None
    except MiError:
        return None
    return LoadReports(asked_at, ring or IdentifierReports(module, partition, ()))


def outcome_of(error: MiError) -> TryOutcome:
    """What a failed try is stored as."""
    match error:
        case UnreachableError(obstacle=Obstacle.REFUSED):
            return TryOutcome.REFUSED
        case UnreachableError():
            return TryOutcome.UNREACHABLE
        case TooSlowError():
            return TryOutcome.TOO_SLOW
        case NotMiError(status=None):
            return TryOutcome.CLOSED
        case NotAskedError():
            return TryOutcome.NOT_ASKED
    return TryOutcome.UNUSABLE


def _failed(answer: Answer[Poll] | Answer[Poll | Pulse], error: MiError) -> Result:
    problem = str(error)
    stored = services.store_failure(answer.proxy, problem, answer.asked_at, outcome_of(error))
    return Result(problem, outcome=stored)


def _reports(client: MiClient, partition: str) -> Reports | None:
    """What the proxy reports; None where it tells nothing: the list counts without them."""
    asked_at = datetime.now(UTC)
    try:
        return Reports.of(client.sr_list_reports("dispatcher"), partition, asked_at)
    except MiError:
        return None
