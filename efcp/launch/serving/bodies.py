"""Request and response bodies, between a client at any pace and a thread that must not wait for it.

A request's body is received against a limit of size and of pace, before a thread is taken; a response goes to
the client however slowly that reads. Times are seconds of the event loop's clock, sizes are bytes.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
import threading
from collections import deque

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

GRACE_S = 15.0
"""What a body may take at any pace."""
PACE = 8 * 1024
"""Bytes a second that a body has to come with after that."""
LARGEST = 20_000_000
"""A form's body: the largest script that is checked, 10 MB, encoded. Uploads of call logs are apart."""
SMALL = 64 * 1024
"""Bodies up to this are always taken; larger ones share ALL_LARGE."""
ALL_LARGE = 64_000_000
"""Bytes of larger bodies that one worker process holds at a time."""


class BodyRefusedError(Exception):
    """The request is answered with this status instead of being handled; `retry`: it may come again."""

    def __init__(self, status: int, text: str, *, retry: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.retry = retry


class ClientLeftError(OSError):
    """The client closed its connection before its request was complete."""


class PacedBody:
    """The parts of one body as they come, each awaited no longer than the pace permits."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._began = asyncio.get_running_loop().time()
        self.received = 0
        self.is_complete = False

    async def next_part(self) -> bytes:
        """The next bytes; empty at the end. Raises BodyRefusedError (408) or ClientLeftError."""
        if self.is_complete:
            return b""
        deadline = self._began + GRACE_S + self.received / PACE
        try:
            async with asyncio.timeout_at(deadline):
                message = await self._receive()
        except TimeoutError:
            raise BodyRefusedError(408, "The request came too slowly.") from None
        if message["type"] != "http.request":
            raise ClientLeftError("The client left.")
        part = bytes(message.get("body", b""))
        self.received += len(part)
        self.is_complete = not message.get("more_body", False)
        return part

    async def skip(self, seconds: float) -> None:
        """Read what the handler left, for so long: closing before it was read would lose the response."""
        try:
            async with asyncio.timeout(seconds):
                while not self.is_complete:
                    await self.next_part()
        except (TimeoutError, BodyRefusedError, ClientLeftError):
            return


class LargeBodies:
    """How many bytes of larger bodies this process holds."""

    def __init__(self, limit: int = ALL_LARGE) -> None:
        self._limit = limit
        self._bytes = 0

    def take(self, size: int) -> None:
        """Count `size` more bytes; raises BodyRefusedError (503) where there is no room."""
        if self._bytes + size > self._limit:
            raise BodyRefusedError(503, "The panel takes too many large forms at once.", retry=True)
        self._bytes += size

    def give_back(self, size: int) -> None:
        """Count them no longer."""
        self._bytes -= size


async def whole_body(body: PacedBody, announced: int, large: LargeBodies) -> bytes:
    """All of an ordinary body, at most LARGEST bytes. Raises BodyRefusedError or ClientLeftError."""
    if announced > LARGEST:
        raise BodyRefusedError(413, "What was sent is too large.")
    parts = bytearray()
    counted = 0
    try:
        while part := await _some(body):
            if len(parts) + len(part) > LARGEST:
                raise BodyRefusedError(413, "What was sent is too large.")
            parts += part
            beyond = len(parts) - counted
            if len(parts) > SMALL and beyond > 0:
                large.take(beyond)
                counted = len(parts)
    finally:
        large.give_back(counted)
    return bytes(parts)


async def _some(body: PacedBody) -> bytes:
    """The next bytes that are not empty; empty at the end only."""
    while not body.is_complete:
        if part := await body.next_part():
            return part
    return b""


class UploadStream(io.RawIOBase):
    """An upload as the thread that handles it reads it, while it comes; OSError where it stops coming."""

    def __init__(self, body: PacedBody, loop: asyncio.AbstractEventLoop) -> None:
        self._body = body
        self._loop = loop
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the buffer with what came; 0 at the end."""
        if not self._rest:
            future = asyncio.run_coroutine_threadsafe(_some(self._body), self._loop)
            try:
                self._rest = memoryview(future.result())
            except BodyRefusedError as error:
                raise OSError(str(error)) from None
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


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
