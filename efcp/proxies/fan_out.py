"""Fan-out: MI requests to one proxy or many at once, from threads that never touch the database.

Each proxy has a limit of its own on its whole time, so that a dead one does not delay the others. What went
wrong with a proxy is a value in its answer, never an exception that hides the other answers.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from django.conf import settings
from django.db import connection

from efcp.mi import Endpoint, MiClient, MiError
from efcp.mi.endpoint import Reach
from efcp.proxies.mi_password import UnreadablePasswordError
from efcp.proxies.models import Proxy

MAX_THREADS = 32
DEFAULT_LIMIT_S = 3.0

T = TypeVar("T")
R = TypeVar("R")


class NotSentError(MiError):
    """The proxy was not asked: its address or the stored password can't be used. The message says which."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a thread needs to know of a proxy to ask it, read from its row beforehand."""

    proxy: Proxy
    endpoint: Endpoint | NotSentError

    @property
    def partition(self) -> str:
        """The dispatcher partition that the panel looks after on this proxy."""
        return self.proxy.partition


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """One proxy's answer: a result or an error, when the request was sent, seconds it took."""

    proxy: Proxy
    result: T | MiError
    requested_at: datetime
    took: float

    @property
    def error(self) -> MiError | None:
        """Why there is no value, None where there is one."""
        return self.result if isinstance(self.result, MiError) else None

    @property
    def value(self) -> T:
        """The proxy's reply; raises the error where there is none."""
        if isinstance(self.result, MiError):
            raise self.result
        return self.result


def target_of(proxy: Proxy) -> Target:
    """Whom to ask for `proxy`; an unusable address or password becomes the answer's error."""
    try:
        return Target(proxy, _endpoint(proxy))
    except UnreadablePasswordError:
        return Target(
            proxy,
            NotSentError("The stored MI password can't be decrypted with EFCP_SECRET_KEY: enter it again."),
        )
    except ValueError as error:
        return Target(proxy, NotSentError(f"The MI address can't be used: {error}"))


def _endpoint(proxy: Proxy) -> Endpoint:
    return Endpoint.parse(
        proxy.mi_url,
        proxy.mi_username,
        proxy.mi_password(),
        Reach(settings.PROXY_NETWORKS),
        proxy.mi_authority,
    )


def ask(target: Target, question: Callable[[MiClient], T], limit_s: float = DEFAULT_LIMIT_S) -> Answer[T]:
    """Ask one proxy in this thread. `limit_s` bounds each call that `question` makes, in seconds."""
    requested_at = datetime.now(UTC)
    started = time.monotonic()
    if isinstance(target.endpoint, NotSentError):
        return Answer(target.proxy, target.endpoint, requested_at, 0.0)
    result: T | MiError
    try:
        result = question(MiClient(target.endpoint, timeout=limit_s))
    except MiError as error:
        result = error
    return Answer(target.proxy, result, requested_at, time.monotonic() - started)


S = TypeVar("S")

log = logging.getLogger(__name__)


def in_background(work: Callable[[], None], name: str) -> threading.Event:
    """Begin `work` in a thread with a database connection of its own; return an event set at its end."""
    ended = threading.Event()

    def run() -> None:
        try:
            work()
        finally:
            connection.close()
            ended.set()

    threading.Thread(target=run, name=name, daemon=True).start()
    return ended


def fan_out(targets: Sequence[T], ask_one: Callable[[T], R], store: Callable[[R], S]) -> list[S]:
    """Ask all targets at once, store each answer in this thread as it comes; return what `store` returned.

    A target is a proxy, or several that share one exchange. `ask_one` must not use the database. What is
    raised for one target is logged, and that target missing from what is returned; the others are asked and
    stored all the same.
    """
    if not targets:
        return []
    stored: list[S] = []
    # A thread for each, however many: a silent proxy may hold its thread for the whole limit.
    with ThreadPoolExecutor(len(targets), thread_name_prefix="mi") as pool:
        for future in as_completed([pool.submit(ask_one, target) for target in targets]):
            try:
                stored.append(store(future.result()))
            except Exception:
                # A fault of the panel's own with one proxy must not lose what the others answered.
                log.exception("What a proxy answered could not be stored")
                connection.close()
    return stored
