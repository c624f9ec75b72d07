"""Threads apart by kind of request, so that no kind keeps another waiting; none is waited for long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TypeVar

from django.urls import reverse

PATIENCE_S = 1.0
"""A request that waited so long for a thread is answered with 503: the queue is longer than that."""

Result = TypeVar("Result")


class RequestKind(StrEnum):
    """What a request is for."""

    HEALTH = "health"
    ENTRANCE = "entrance"  # signing in
    FILE = "file"  # of the panel's own: styles and scripts
    UPLOAD = "upload"
    API = "api"  # a program's call
    WATCH = "watch"  # a program's call that waits for something to happen
    PAGE = "page"


THREADS = {
    RequestKind.HEALTH: 1,
    RequestKind.ENTRANCE: 2,
    RequestKind.FILE: 1,
    RequestKind.UPLOAD: 2,
    RequestKind.API: 3,
    RequestKind.WATCH: 6,
    RequestKind.PAGE: 4,
}


class BusyError(Exception):
    """No thread became free in time; nothing was done."""


@dataclass(slots=True)
class Lane:
    """Some threads, and who waits for one, first come first served."""

    pool: ThreadPoolExecutor
    free: asyncio.Semaphore

    @classmethod
    def of(cls, kind: RequestKind) -> "Lane":
        """The lane of a kind of request."""
        count = THREADS[kind]
        return cls(ThreadPoolExecutor(count, thread_name_prefix=f"efcp-{kind}"), asyncio.Semaphore(count))

    async def run(self, call: Callable[[], Result]) -> "Future[Result]":
        """Have a thread begin the call; raises BusyError where none is free within PATIENCE_S."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.free.acquire()
        except TimeoutError:
            raise BusyError from None
        loop = asyncio.get_running_loop()
        future = self.pool.submit(call)
        # Given back when the thread is free, whether or not anyone still waits for its response.
        future.add_done_callback(lambda _done: _in_loop(loop, self.free.release))
        return future


def _in_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)


@cache
def _paths() -> tuple[tuple[str, str], str, str, str]:
    upload = reverse("preview:distribution-upload")
    return (reverse("healthz"), reverse("readyz")), reverse("accounts:sign-in"), upload, "/cp/static/"


def kind_of(method: str, path: str, query: bytes = b"") -> RequestKind:
    """The kind of a request for `path`, with the query string as it was sent."""
    health, sign_in, upload, static = _paths()
    if path in health:
        return RequestKind.HEALTH
    if path == sign_in:
        return RequestKind.ENTRANCE
    if path.startswith(static):
        return RequestKind.FILE
    if path.startswith("/cp/api/"):
        return RequestKind.WATCH if b"wait" in query else RequestKind.API
    if path == upload and method == "POST":
        return RequestKind.UPLOAD
    return RequestKind.PAGE
