"""Asking many proxies at once over MI, from threads that never touch the database.

Each proxy has a limit of its own on its whole time, so that a dead one delays the others by nothing. What
went wrong with a proxy is a value in its answer, never an exception that hides the other answers.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from django.conf import settings

from efcp.mi import Endpoint, MiClient, MiError
from efcp.mi.endpoint import Reach
from efcp.proxies.mi_password import UnreadablePasswordError
from efcp.proxies.models import Proxy

MAX_THREADS = 32
DEFAULT_LIMIT_S = 3.0

T = TypeVar("T")
R = TypeVar("R")


class NotAskedError(MiError):
    """The proxy was not asked: its address or the stored password can't be used. The message says which."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a thread needs to know of a proxy to ask it, read from its row beforehand."""

    proxy: Proxy
    endpoint: Endpoint | NotAskedError

    @property
    def partition(self) -> str:
        """The dispatcher partition that the panel looks after on this proxy."""
        return self.proxy.partition


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What came of asking one proxy: a result or an error, when the request was sent, seconds it took."""

    proxy: Proxy
    result: T | MiError
    asked_at: datetime
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
            NotAskedError(
                "The stored MI password can't be read with this installation's secret key: enter it again."
            ),
        )
    except ValueError as error:
        return Target(proxy, NotAskedError(f"The MI address can't be used: {error}"))


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
    asked_at = datetime.now(UTC)
    started = time.monotonic()
    if isinstance(target.endpoint, NotAskedError):
        return Answer(target.proxy, target.endpoint, asked_at, 0.0)
    result: T | MiError
    try:
        result = question(MiClient(target.endpoint, timeout=limit_s))
    except MiError as error:
        result = error
    return Answer(target.proxy, result, asked_at, time.monotonic() - started)


def ask_all(
    targets: Iterable[Target], question: Callable[[MiClient, Target], T], limit_s: float = DEFAULT_LIMIT_S
) -> list[Answer[T]]:
    """Ask all targets at once and wait for every answer; the answers come in the order of the targets.

    `question` runs in a thread of its own for each target (at most MAX_THREADS at a time) and must not use
    the database.
    """
    chosen = list(targets)
    if not chosen:
        return []

    def one(target: Target) -> Answer[T]:
        return ask(target, lambda client: question(client, target), limit_s)

    with ThreadPoolExecutor(min(len(chosen), MAX_THREADS), thread_name_prefix="mi") as pool:
        return list(pool.map(one, chosen))
