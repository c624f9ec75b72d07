"""One poll of one proxy: what is asked, in a thread without the database, and what its answer stores."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from efcp.mi import DsList, MiClient, RefusedError, TooLargeError, UnfinishedReplyError
from efcp.proxies import services
from efcp.proxies.asking import Answer
from efcp.proxies.memory import UnusableListError

PLAIN_FOR = timedelta(minutes=10)
"""How long a proxy whose full list was too large is asked without `full` before that is tried again."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a proxy says of itself: its version, when it started, and its own text of that moment."""

    version: str
    up_since: datetime
    up_since_text: str


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll read; `asked_at` is when its ds_list request was sent."""

    listing: DsList
    asked_at: datetime
    full_is_too_large: bool
    identity: Identity | None


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask a proxy for in one poll."""

    partition: str
    full: bool
    identity: bool

    def __call__(self, client: MiClient) -> Poll:
        """Ask `client`; the list without `full` where the full one is too large. Raises MiError."""
        identity = _identity(client) if self.identity else None
        if not self.full:
            return self._list(client, identity, full=False, full_is_too_large=False)
        try:
            return self._list(client, identity, full=True, full_is_too_large=False)
        except (TooLargeError, UnfinishedReplyError):
            return self._list(client, identity, full=False, full_is_too_large=True)

    def _list(
        self, client: MiClient, identity: Identity | None, *, full: bool, full_is_too_large: bool
    ) -> Poll:
        asked_at = datetime.now(UTC)
        listing = client.ds_list(partition=self.partition, full=full)
        return Poll(listing, asked_at, full_is_too_large, identity)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a poll: whether the proxy answered usably, restarted, and what was stored."""

    problem: str = ""
    restarted: bool = False
    state_changes: int = 0
    outcome: services.Outcome = services.Outcome.STORED


def store_answer(answer: Answer[Poll]) -> Result:
    """Store what `answer` tells, a failure too; raises only what the database raises."""
    if answer.error is not None:
        return _failed(answer, str(answer.error))
    poll = answer.value
    try:
        stored = services.store_snapshot(answer.proxy, poll.listing, poll.asked_at)
    except UnusableListError as error:
        return _failed(answer, str(error))
    restarted = poll.identity is not None and services.store_identity(
        answer.proxy, poll.identity.version, poll.identity.up_since, poll.identity.up_since_text
    )
    return Result("", restarted, stored.state_changes, stored.outcome)


def _failed(answer: Answer[Poll], problem: str) -> Result:
    return Result(problem, outcome=services.store_failure(answer.proxy, problem, answer.asked_at))


def _identity(client: MiClient) -> Identity | None:
    """The proxy's version and start, None where it refuses to tell."""
    try:
        version = client.version()
        uptime = client.uptime()
    except RefusedError:
        return None
    up_since = datetime.now(UTC) - timedelta(seconds=uptime.up_time_s)
    return Identity(version.version, up_since, uptime.up_since)
