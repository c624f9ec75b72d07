"""The watcher: one process that asks every enabled proxy again and again, and stores what changed.

Threads ask, this thread stores. A proxy that hangs costs its own thread and nothing else; a database that
goes away costs the answers of that time and nothing else.
"""

import logging
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import Error as AnyDatabaseError
from django.db import close_old_connections, connection

from efcp.proxies import services
from efcp.proxies.asking import MAX_THREADS, Answer, ask, target_of
from efcp.proxies.duties import Duties
from efcp.proxies.models import Proxy, ProxyContact
from efcp.proxies.polling import PLAIN_FOR, Poll, Question, Result, store_answer

log = logging.getLogger(__name__)

BEAT_EVERY_S = 5.0
IDENTITY_EVERY_S = 30.0
LONGEST_INTERVAL_S = 30.0
COST_SHARE = 5
"""A proxy is left alone for this many times what its last poll cost: the reply's time and the storing."""
LONGEST_WAIT_S = 0.5
"""The longest that the loop waits for an answer before it looks whether it is to end."""
DATABASE_REST_S = 1.0


@dataclass(slots=True)
class Watched:
    """When a proxy is due, and what is remembered of it between polls. `..._at` are monotonic seconds."""

    proxy: Proxy
    due_at: float
    interval_s: float
    plain_until: datetime | None
    identity_due_at: float = 0.0
    is_asked: bool = False
    problem: str = ""


class Watcher:
    """Watches the enabled proxies, each every `interval_s` seconds or slower, until `stopping` is set."""

    def __init__(self, interval_s: float, stopping: threading.Event) -> None:
        self.interval_s = interval_s
        self.stopping = stopping
        self._started_at = datetime.now(UTC)
        self._watched: dict[int, Watched] = {}
        self._answers: queue.SimpleQueue[tuple[int, Future[Answer[Poll]]]] = queue.SimpleQueue()
        self._refresh_at = 0.0
        self._beat_at = 0.0
        self._database_is_away = False

    def run(self) -> None:
        """Watch until `stopping` is set; requests under way then end within their own limit."""
        duties = Duties(lambda: True, self.stopping)
        duties.start()
        with ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="mi") as pool:
            while not self.stopping.is_set():
                close_old_connections()
                with self._surviving_database_trouble():
                    self._refresh()
                    self._beat()
                self._ask_due(pool)
                self._store_next_answer()
            pool.shutdown(wait=False, cancel_futures=True)
        duties.join()

    def poll_once(self) -> dict[str, Result]:
        """Ask every enabled proxy once, store the answers, and return what became of each by its name."""
        self._refresh()
        results = {}
        with ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="mi") as pool:
            for watched in self._watched.values():
                self._ask(pool, watched)
            for _ in tuple(self._watched):
                proxy_id, future = self._answers.get()
                watched = self._watched[proxy_id]
                results[watched.proxy.name] = self._store(watched, future)
        return results

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
            )

    def _beat(self) -> None:
        now = time.monotonic()
        if now < self._beat_at:
            return
        services.beat(self._started_at, datetime.now(UTC))
        self._beat_at = now + BEAT_EVERY_S

    def _ask_due(self, pool: ThreadPoolExecutor) -> None:
        now = time.monotonic()
        for watched in self._watched.values():
            if not watched.is_asked and watched.due_at <= now:
                self._ask(pool, watched)

    def _ask(self, pool: ThreadPoolExecutor, watched: Watched) -> None:
        question = Question(
            partition=watched.proxy.partition,
            full=watched.plain_until is None or watched.plain_until <= datetime.now(UTC),
            identity=watched.identity_due_at <= time.monotonic(),
        )
        watched.is_asked = True
        watched.due_at = time.monotonic() + self.interval_s
        proxy_id = watched.proxy.pk
        future = pool.submit(ask, target_of(watched.proxy), question)
        future.add_done_callback(lambda done: self._answers.put((proxy_id, done)))

    def _store_next_answer(self) -> None:
        next_due = min((w.due_at for w in self._watched.values() if not w.is_asked), default=float("inf"))
        wait = min(LONGEST_WAIT_S, max(0.01, next_due - time.monotonic()))
        try:
            proxy_id, future = self._answers.get(timeout=wait)
        except queue.Empty:
            return
        watched = self._watched.get(proxy_id)
        if watched is None:
            return
        with self._surviving_database_trouble():
            self._store(watched, future)

    def _store(self, watched: Watched, future: Future[Answer[Poll]]) -> Result:
        """Store one answer and decide when the proxy is due again."""
        watched.is_asked = False
        started = time.monotonic()
        try:
            answer = future.result()
        except Exception:
            # A fault of the panel's own with one proxy's answer must not end the watching of all others.
            log.exception("%s: the answer could not be read", watched.proxy.name)
            return Result("The panel could not read the answer; its log tells why.")
        result = store_answer(answer)
        if answer.error is None:
            self._adapt_pace(watched, answer.value, time.monotonic() - started)
        self._remember(watched, answer, result)
        return result

    def _adapt_pace(self, watched: Watched, poll: Poll, storing_s: float) -> None:
        """Ask costly proxies less often, and those whose full list is too large without `full` for a time."""
        cost_s = poll.listing.round_trip_s + storing_s
        interval_s = round(min(LONGEST_INTERVAL_S, max(self.interval_s, COST_SHARE * cost_s)), 1)
        plain_until = datetime.now(UTC) + PLAIN_FOR if poll.full_is_too_large else watched.plain_until
        if (interval_s, plain_until) != (watched.interval_s, watched.plain_until):
            services.store_pace(watched.proxy, interval_s, plain_until)
        watched.due_at += interval_s - self.interval_s
        watched.interval_s = interval_s
        watched.plain_until = plain_until

    def _remember(self, watched: Watched, answer: Answer[Poll], result: Result) -> None:
        if answer.error is not None:
            watched.identity_due_at = 0.0
        elif answer.value.identity is not None:
            watched.identity_due_at = time.monotonic() + IDENTITY_EVERY_S
        if result.problem != watched.problem:
            log.warning("%s: %s", watched.proxy.name, result.problem or "answers again")
        if result.restarted:
            log.warning("%s restarted", watched.proxy.name)
        watched.problem = result.problem

    @contextmanager
    def _surviving_database_trouble(self) -> Iterator[None]:
        """Swallow what the database raises, say it once, and rest a moment before the next try."""
        try:
            yield
        except AnyDatabaseError as error:
            if not self._database_is_away:
                log.warning("The database can't be used, the watcher goes on trying: %s", error)
            self._database_is_away = True
            connection.close()
            self.stopping.wait(DATABASE_REST_S)
        else:
            if self._database_is_away:
                log.warning("The database can be used again")
            self._database_is_away = False


def _is_same(one: Proxy, other: Proxy) -> bool:
    """Whether two readings of a proxy's row tell the watcher the same."""

    def told(proxy: Proxy) -> tuple[object, ...]:
        return (
            proxy.name,
            proxy.mi_url,
            proxy.mi_username,
            bytes(proxy.mi_password_encrypted),
            proxy.partition,
        )

    return told(one) == told(other)
