"""gunicorn's asyncio worker, with what it lacks.

That is: a limit on the time of a head and on the number of connections, answers to clients that have closed
their sending half, and an end that does not wait for idle connections. It relies on gunicorn's own names
that are not documented; tests/launch/test_serving.py fails where they change.
"""

import asyncio
import resource
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

HEAD_WITHIN_S = 10.0
"""How long a new connection may take to send the head of its first request; later ones have `keepalive`."""
MAX_CONNECTIONS = 1_500
"""Of one worker process; the one that has waited longest without a complete head makes room for a new one."""
SPARE_FILES = 200
"""Files that are left to everything else."""
FIRST_HEAD_WITHIN_S = 1.0
"""How long a connection that came just before the server's end may take; it is answered, too."""
LET_GO_AFTER_S = 20.0
"""How long a closed connection may take to read the rest of its response."""


class LimitedProtocol(ASGIProtocol):  # type: ignore[misc]
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._head_timer = self.worker.loop.call_later(HEAD_WITHIN_S, self.close_without_head)
        self.worker.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._head_timer.cancel()
        self.worker.remove(self)
        super().connection_lost(exc)

    def eof_received(self) -> bool:
        """The client has sent all that it will: answer what is complete, then close."""
        receiver = self._body_receiver
        if self._current_request is None or receiver is None or not receiver._complete:
            return False
        self._keepalive = 0.05
        return True

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return self._current_request is None

    def close_without_head(self) -> None:
        """Close, unless a request is under way."""
        if self.is_idle and self.req_count <= 1:
            self.let_go()

    def let_go(self) -> None:
        """Close at once, whatever the client does."""
        self._closed = True
        if self._request_ready is not None:
            self._request_ready.set()
        if self.transport is not None:
            self.transport.abort()

    def _close_transport(self) -> None:
        super()._close_transport()
        transport = self.transport
        if transport is None:
            return
        # gunicorn leaves it open where the client was gone already.
        transport.close()
        if transport.get_write_buffer_size():
            self.worker.loop.call_later(LET_GO_AFTER_S, transport.abort)


class LimitedWorker(gasgi.ASGIWorker):  # type: ignore[misc]
    """One worker process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections: dict[LimitedProtocol, None] = {}
        self._max_connections = MAX_CONNECTIONS

    def init_process(self) -> None:
        """Have as many files as are permitted, and no more connections than these."""
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = MAX_CONNECTIONS + SPARE_FILES
        files = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        self._max_connections = max(files - SPARE_FILES, 1)
        super().init_process()

    def add(self, connection: LimitedProtocol) -> None:
        """Count a new connection; where there are too many, the oldest that is idle goes."""
        self._connections[connection] = None
        if len(self._connections) <= self._max_connections:
            return
        oldest = next((each for each in self._connections if each.is_idle), connection)
        self._connections.pop(oldest, None)
        oldest.let_go()

    def remove(self, connection: LimitedProtocol) -> None:
        """Count a connection no longer."""
        self._connections.pop(connection, None)

    async def _serve(self) -> None:
        # Looked up by name when a connection comes.
        gasgi.ASGIProtocol = LimitedProtocol
        await super()._serve()

    async def _shutdown(self) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self._connections):
            if connection.is_idle and connection.req_count > 1:
                connection.let_go()
            else:
                self.loop.call_later(FIRST_HEAD_WITHIN_S, connection.close_without_head)
        await super()._shutdown()
