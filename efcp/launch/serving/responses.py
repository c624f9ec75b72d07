"""A response on its way from the thread that makes it to the client, however slowly that reads."""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

AHEAD = 8_000_000
"""Bytes that a thread may be ahead of the client; every page fits, so that it never waits for one."""
PIECE = 256 * 1024
PIECE_WITHIN_S = 20.0
"""How long a client may take to read a piece before its connection is closed."""


class ClientTooSlowError(OSError):
    """The client is gone, or reads too slowly."""


class Outlet:
    """What the thread writes into, and the event loop sends from."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parts: deque[bytes] = deque()
        self._lock = threading.Condition()
        self._waiting = 0
        self._is_closed = False
        self._news = asyncio.Event()
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []

    def write(self, part: bytes) -> None:
        """Hand over a part; waits while the client is far behind. Raises ClientTooSlowError."""
        if not part:
            return
        with self._lock:
            while self._waiting > AHEAD and not self._is_closed:
                self._lock.wait()
            if self._is_closed:
                raise ClientTooSlowError("The client is gone.")
            self._parts.append(part)
            self._waiting += len(part)
        self.wake()

    def wake(self) -> None:
        """Let the loop look again: something was written, or the thread is done."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

    def close(self) -> None:
        """Nobody will send any more."""
        with self._lock:
            self._is_closed = True
            self._parts.clear()
            self._lock.notify_all()

    def _next(self) -> bytes:
        with self._lock:
            if not self._parts:
                return b""
            part = self._parts.popleft()
            self._waiting -= len(part)
            self._lock.notify_all()
            return part

    async def send_all(self, send: Send, is_done: Callable[[], bool]) -> None:
        """Send what the thread writes until it `is_done`. Raises ClientTooSlowError."""
        started = False
        while True:
            self._news.clear()
            was_done = is_done()
            while part := self._next():
                if not started:
                    started = True
                    await send(
                        {"type": "http.response.start", "status": self.status, "headers": self.headers}
                    )
                for begin in range(0, len(part), PIECE):
                    await _send_piece(send, part[begin : begin + PIECE])
            if was_done:
                break
            await self._news.wait()
        if not self.status:
            return
        if not started:
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_piece(send: Send, piece: bytes) -> None:
    try:
        async with asyncio.timeout(PIECE_WITHIN_S):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except TimeoutError:
        raise ClientTooSlowError("The client reads too slowly.") from None
