"""The watcher: the process that asks every enabled proxy again and again, and stores what changed.

Threads ask, this thread stores. A proxy that hangs costs its own thread and nothing else; a database that
goes away costs the answers of that time and nothing else. Any number of watchers may run: the one that holds
the lease works, the others wait for it.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import Error as AnyDatabaseError
from django.db import close_old_connections, connection

from efcp.mi import MiClient
from efcp.proxies import visits
from efcp.proxies.events import EventReceiver, Subscription
from efcp.proxies.fan_out import DEFAULT_LIMIT_S, MAX_THREADS, Answer, ask, target_of
from efcp.proxies.leader import LeaderTasks, Lease
from efcp.proxies.models import Proxy, ProxyContact
from efcp.proxies.polling import PLAIN_FOR, Poll, PollRequest, Pulse, feel_pulse
from efcp.proxies.visits import VisitResult, store_answer

log = logging.getLogger(__name__)

IDENTITY_EVERY_S = 30.0
LOADS_EVERY_S = 10.0
"""How often a proxy is asked whether it loaded again: no list shows that."""
LONGEST_INTERVAL_S = 30.0
COST_SHARE = 5
"""A proxy is left alone for this many times what its last poll cost: the reply's time and the storing."""
EXTRA_EVERY_S = 1.0
EXTRA_COST_SHARE = 2
"""An event brings about an extra look at most once in EXTRA_EVERY_S, and in this many times a look's cost."""
LONGEST_WAIT_S = 0.5
"""The longest that the loop waits for an answer before it looks whether it is to end."""
DATABASE_REST_S = 1.0
STUCK_AFTER_S = 60.0
"""A watcher whose loop did not come round for so long gives its lease up."""

EventPlace = tuple[str, int]
"""The address and port that events come to; port 0 is any free one."""


@dataclass(slots=True)
class Watched:
    """When a proxy is due, and what is remembered of it between polls. `..._at` are monotonic seconds."""

    proxy: Proxy
    due_at: float
    interval_s: float
    plain_until: datetime | None
    digest: str
    start: str = ""
    identity_due_at: float = 0.0
    loads_due_at: float = 0.0
    extra_at: float = 0.0
    pulse_at: float = 0.0
    wants_reports: bool = True
    is_polling: bool = False
    problem: str = ""
    events_problem: str | None = None
    peers: frozenset[str] = frozenset()

    def notice_event(self, now: float) -> None:
        """Be due for an extra look, as soon as another is allowed."""
        pause_s = max(EXTRA_EVERY_S, EXTRA_COST_SHARE * self.interval_s / COST_SHARE)
        extra_at = max(now, self.extra_at + pause_s)
        self.wants_reports = True
        if extra_at < self.due_at:
            self.due_at = self.extra_at = extra_at


class Watcher:
    """Watches the enabled proxies, each every `interval_s` seconds or slower, until `stopping` is set.

    With `events_at` it asks the proxies for events, and looks at once where one comes. `limit_s` bounds each
    call to a proxy, in seconds.
    """

    def __init__(
        self,
        interval_s: float,
        stopping: threading.Event,
        events_at: EventPlace | None = None,
        limit_s: float = DEFAULT_LIMIT_S,
    ) -> None:
        self.interval_s = interval_s
        self.limit_s = limit_s
        self.stopping = stopping
        self._events_at = events_at
        self._lease = Lease(self._is_well)
        self._came_round_at = time.monotonic()
        self._watched: dict[int, Watched] = {}
        self._answers: queue.SimpleQueue[tuple[int, Future[Answer[Poll | Pulse]]] | None] = (
            queue.SimpleQueue()
        )
        self._events_lock = threading.Lock()
        self._events_from: set[str] = set()
        self._receiver: EventReceiver | None = None
        self._subscription: Subscription | None = None
        self._refresh_at = 0.0
        self._database_is_away = False

    def run(self) -> None:
        """Watch until `stopping` is set; requests under way then end within their own limit."""
        lease = threading.Thread(target=self._lease.keep, args=(self.stopping,), name="lease")
        lease.start()
        tasks = LeaderTasks(lambda: self._lease.is_ours, self.stopping)
        tasks.start()
        try:
            with ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="mi") as pool:
                while not self.stopping.is_set():
                    self._came_round_at = time.monotonic()
                    close_old_connections()
                    if self._lease.is_ours:
                        self._watch(pool)
                    else:
                        self._rest()
                pool.shutdown(wait=False, cancel_futures=True)
        finally:
            self.stopping.set()
            self._rest()
            tasks.join()
            lease.join()

    def poll_once(self) -> dict[str, VisitResult]:
        """Poll every enabled proxy once, store the answers, and return the outcome of each by its name."""
        self._refresh()
        results = {}
        with ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="mi") as pool:
            for watched in self._watched.values():
                self._ask(pool, watched)
            for _ in tuple(self._watched):
                answered = self._answers.get()
                if answered is not None:
                    watched = self._watched[answered[0]]
                    results[watched.proxy.name] = self._store(watched, answered[1])
        return results

    def _is_well(self) -> bool:
        return time.monotonic() - self._came_round_at < STUCK_AFTER_S

    def _watch(self, pool: ThreadPoolExecutor) -> None:
        """One turn of the loop while this watcher leads."""
        self._listen()
        with self._surviving_database_trouble():
            self._refresh()
        self._take_events()
        self._ask_due(pool)
        self._store_next_answer()

    def _rest(self) -> None:
        """Forget everything while another leads: it is read again when the lead comes back."""
        if self._receiver is not None:
            self._receiver.close()
        self._receiver = self._subscription = None
        self._watched.clear()
        self._refresh_at = 0.0
        self.stopping.wait(LONGEST_WAIT_S / 2)

    def _listen(self) -> None:
        """Open the socket for events; where that fails, the proxies are watched without them."""
        if self._receiver is not None or self._events_at is None:
            return
        self._receiver = EventReceiver(*self._events_at, self._note_event)
        try:
            self._subscription = self._receiver.open()
        except OSError as error:
            log.warning("Events can't be received at %s port %d: %s", *self._events_at, error.strerror)

    def _note_event(self, address: str) -> None:
        """Called in the receiver's thread."""
        with self._events_lock:
            is_new = address not in self._events_from
            self._events_from.add(address)
        if is_new:
            self._answers.put(None)

    def _take_events(self) -> None:
        now = time.monotonic()
        with self._events_lock:
            came_from, self._events_from = self._events_from, set()
        for watched in self._watched.values():
            if watched.peers & came_from:
                watched.notice_event(now)

    def _refresh(self) -> None:
        """Read which proxies are to be watched, and as what, once per interval; spread new ones over it."""
        now = time.monotonic()
        if now < self._refresh_at:
            return
        proxies = {proxy.pk: proxy for proxy in Proxy.objects.filter(enabled=True).select_related("contact")}
        self._refresh_at = now + self.interval_s
        for gone in self._watched.keys() - proxies.keys():
            del self._watched[gone]
        for number, proxy in enumerate(proxies.values()):
            if proxy.pk in self._watched and _is_same(self._watched[proxy.pk].proxy, proxy):
                continue
            contact = getattr(proxy, "contact", None) or ProxyContact()
            self._watched[proxy.pk] = Watched(
                proxy,
                due_at=now + self.interval_s * number / len(proxies),
                interval_s=contact.interval_s,
                plain_until=contact.plain_until,
                digest=contact.sets_digest,
            )

    def _ask_due(self, pool: ThreadPoolExecutor) -> None:
        now = time.monotonic()
        for watched in self._watched.values():
            if watched.is_polling:
                continue
            if watched.due_at <= now:
                self._ask(pool, watched)
            elif watched.interval_s > self.interval_s and watched.pulse_at <= now:
                self._submit(pool, watched, feel_pulse)

    def _ask(self, pool: ThreadPoolExecutor, watched: Watched) -> None:
        now = time.monotonic()
        looks_around = watched.identity_due_at <= now
        asks_for_loads = looks_around or watched.wants_reports or watched.loads_due_at <= now
        if asks_for_loads:
            watched.loads_due_at = now + LOADS_EVERY_S
        question = PollRequest(
            partition=watched.proxy.partition,
            full=watched.plain_until is None or watched.plain_until <= datetime.now(UTC),
            version=looks_around,
            reports=looks_around or watched.wants_reports,
            known_digest=watched.digest,
            known_start=watched.start,
            subscription=self._subscription if looks_around else None,
            loads=asks_for_loads,
        )
        watched.wants_reports = False
        watched.due_at = time.monotonic() + self.interval_s
        self._submit(pool, watched, question)

    def _submit(
        self, pool: ThreadPoolExecutor, watched: Watched, question: Callable[[MiClient], Poll | Pulse]
    ) -> None:
        watched.is_polling = True
        watched.pulse_at = time.monotonic() + self.interval_s
        proxy_id = watched.proxy.pk
        future: Future[Answer[Poll | Pulse]] = pool.submit(
            ask, target_of(watched.proxy), question, self.limit_s
        )
        future.add_done_callback(lambda done: self._answers.put((proxy_id, done)))

    def _store_next_answer(self) -> None:
        next_due = min((w.due_at for w in self._watched.values() if not w.is_polling), default=float("inf"))
        wait = min(LONGEST_WAIT_S, max(0.01, next_due - time.monotonic()))
        try:
            answered = self._answers.get(timeout=wait)
        except queue.Empty:
            return
        watched = self._watched.get(answered[0]) if answered else None
        if answered is None or watched is None:
            return
        with self._surviving_database_trouble():
            self._store(watched, answered[1])

    def _store(self, watched: Watched, future: Future[Answer[Poll | Pulse]]) -> VisitResult:
        """Store one answer and decide when the proxy is due again."""
        watched.is_polling = False
        started = time.monotonic()
        try:
            answer = future.result()
        except Exception:
            # A fault of the panel's own with one proxy's answer must not end the watching of all others.
            log.exception("%s: the answer could not be read", watched.proxy.name)
            return VisitResult(problem="The reply could not be read; see the panel's log.")
        result = store_answer(answer)
        if answer.error is not None or not isinstance(answer.value, Pulse):
            self._remember(watched, answer, result, time.monotonic() - started)
        elif result.start != watched.start:
            watched.due_at = 0.0
        return result

    def _adapt_pace(self, watched: Watched, poll: Poll, storing_s: float) -> None:
        """Ask costly proxies less often, and those whose full list is too large without `full` for a time."""
        cost_s = poll.snapshot.round_trip_s + storing_s
        interval_s = round(min(LONGEST_INTERVAL_S, max(self.interval_s, COST_SHARE * cost_s)), 1)
        plain_until = datetime.now(UTC) + PLAIN_FOR if poll.full_is_too_large else watched.plain_until
        if (interval_s, plain_until) != (watched.interval_s, watched.plain_until):
            visits.store_pace(watched.proxy, interval_s, plain_until)
        watched.due_at += interval_s - self.interval_s
        watched.interval_s = interval_s
        watched.plain_until = plain_until

    def _remember(
        self, watched: Watched, answer: Answer[Poll | Pulse], result: VisitResult, storing_s: float
    ) -> None:
        """Store the outcome of a list; without one the next attempt is not put off."""
        if answer.error is not None or isinstance(answer.value, Pulse) or result.problem:
            watched.identity_due_at = 0.0
            watched.wants_reports = True
            watched.due_at = min(watched.due_at, time.monotonic() + self.interval_s)
        else:
            self._adapt_pace(watched, answer.value, storing_s)
            watched.digest = answer.value.snapshot.digest
            watched.start = result.start
            self._remember_identity(watched, answer.value)
        if result.problem != watched.problem:
            log.warning("%s: %s", watched.proxy.name, result.problem or "answers again")
        if result.restarted:
            log.warning("%s restarted", watched.proxy.name)
        watched.problem = result.problem

    def _remember_identity(self, watched: Watched, poll: Poll) -> None:
        if poll.identity is not None and poll.identity.version is not None:
            watched.identity_due_at = time.monotonic() + IDENTITY_EVERY_S
        if poll.events is None:
            return
        watched.peers = poll.events.peers
        if self._receiver is not None:
            self._receiver.peers = frozenset().union(*(each.peers for each in self._watched.values()))
        if poll.events.problem != watched.events_problem:
            visits.store_events(watched.proxy, poll.events.problem)
            watched.events_problem = poll.events.problem

    @contextmanager
    def _surviving_database_trouble(self) -> Iterator[None]:
        """Swallow what the database raises, say it once, and rest a moment before the next try."""
        try:
            yield
        except AnyDatabaseError as error:
            if not self._database_is_away:
                log.warning("The database can't be used, the watcher goes on trying: %s", error)
            self._database_is_away = True
            for watched in self._watched.values():
                # What was read is lost: the reports are read once more.
                watched.wants_reports = True
            connection.close()
            self.stopping.wait(DATABASE_REST_S)
        else:
            if self._database_is_away:
                log.warning("The database can be used again")
            self._database_is_away = False


def _is_same(one: Proxy, other: Proxy) -> bool:
    """Whether two readings of a proxy's row are the same to the watcher."""

    def columns(proxy: Proxy) -> tuple[object, ...]:
        return (
            proxy.name,
            proxy.mi_url,
            proxy.mi_username,
            bytes(proxy.mi_password_encrypted),
            proxy.partition,
        )

    return columns(one) == columns(other)
