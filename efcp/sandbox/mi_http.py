"""MI over HTTP as httpd and mi_http speak it, their oddities included (recorded vectors, `mi`, `raw`).

A proxy never ends the body of a 400, 405 or 500, and never answers a request without an id. The sandbox keeps
such connections too, but only for a time, and only so many. (Proxies also sent the head of a 202
for such a request, and then nothing: the recording has nothing at all, and so it is here.)
"""

import asyncio
import logging
from concurrent.futures import Executor
from dataclasses import dataclass
from http import HTTPStatus

from efcp.sandbox import commands, jsonrpc
from efcp.sandbox.jsonrpc import Unanswered
from efcp.sandbox.proxy import SandboxProxy

log = logging.getLogger(__name__)

HTTP_ROOT = "/mi"
_MAX_HEAD_BYTES = 16 * 1024
_MAX_BODY_BYTES = 1024 * 1024
_READ_AT_ONCE = 4096
_JSON = "application/json"
_TAKEN_TYPES = (_JSON, "text/xml")
"""mi_http looks only at the beginning of the content type, and takes XML's for JSON too."""
_NO_SUCH_PATH = b"<html><body>Unable to parse URL!</body></html>"
_NO_SUCH_METHOD = b"<html><body>Unsupported HTTP request!</body></html>"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How long and how many: a request, an answer, a connection that hangs; connections, hanging ones."""

    request_s: float = 30.0
    answer_s: float = 30.0
    hang_s: float = 120.0
    connections: int = 256
    hanging: int = 64


class _HangUpError(Exception):
    """The connection is closed without an answer."""


@dataclass(frozen=True, slots=True)
class _HttpRequest:
    method: str
    path: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class MiServer:
    """Serves MI of one sandbox on a port of loopback, one command after the other as httpd's process.

    Commands wait for the database and for names: they run in `thread`, an executor with one thread.
    """

    def __init__(self, proxy: SandboxProxy, thread: Executor, limits: HttpLimits | None = None) -> None:
        self._proxy = proxy
        self._thread = thread
        self._limits = limits or HttpLimits()
        self._connections: set[asyncio.Task[None]] = set()
        self._hanging = 0
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> int:
        """Listen on 127.0.0.1; return the port. Raises OSError where it is busy."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port, limit=_MAX_HEAD_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more, and end all connections."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= self._limits.connections:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(_Connection(reader, writer)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, connection: _Connection) -> None:
        try:
            while True:
                request = await asyncio.wait_for(_read(connection), self._limits.request_s)
                await self._respond(request, connection)
        except (_HangUpError, TimeoutError, OSError, EOFError, asyncio.LimitOverrunError):
            return
        finally:
            connection.writer.close()

    async def _respond(self, request: _HttpRequest, connection: _Connection) -> None:
        is_mi = request.path == HTTP_ROOT or request.path.startswith(f"{HTTP_ROOT}/")
        if request.method not in {"GET", "POST"}:
            await self._send(connection, HTTPStatus.NOT_ACCEPTABLE, "text/html", _NO_SUCH_METHOD)
        elif request.body and not request.content_type.lower().startswith(_TAKEN_TYPES):
            raise _HangUpError
        elif not is_mi:
            await self._send(connection, HTTPStatus.BAD_REQUEST, "text/html", _NO_SUCH_PATH)
        elif request.method == "GET":
            await self._hang(connection, HTTPStatus.METHOD_NOT_ALLOWED)
        elif not request.body:
            await self._hang(connection, HTTPStatus.BAD_REQUEST)
        else:
            await self._answer(request.body, connection)

    async def _answer(self, body: bytes, connection: _Connection) -> None:
        loop = asyncio.get_running_loop()
        try:
            reply = await loop.run_in_executor(self._thread, self._carry_out, body)
        except Exception:
            log.exception("A command failed")
            reply = Unanswered.UNPRINTABLE
        if isinstance(reply, bytes):
            await self._send(connection, HTTPStatus.OK, _JSON, reply)
        elif reply is Unanswered.NOTIFICATION:
            await self._hang(connection, None)
        else:
            await self._hang(connection, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _carry_out(self, body: bytes) -> bytes | Unanswered:
        return jsonrpc.answer(body, lambda method, params: commands.answer(self._proxy, method, params))

    async def _send(
        self, connection: _Connection, status: HTTPStatus, content_type: str, body: bytes
    ) -> None:
        head = f"{_status_line(status)}Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.writer.write(head.encode() + body)
        await asyncio.wait_for(connection.writer.drain(), self._limits.answer_s)

    async def _hang(self, connection: _Connection, status: HTTPStatus | None) -> None:
        """Send the head of an answer whose body never ends, or nothing, and wait until the client goes."""
        if status is not None:
            head = f"{_status_line(status)}Content-Type: {_JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
            connection.writer.write(head.encode())
        if self._hanging >= self._limits.hanging:
            raise _HangUpError
        self._hanging += 1
        try:
            await asyncio.wait_for(_until_closed(connection.reader), self._limits.hang_s)
        finally:
            self._hanging -= 1
        raise _HangUpError


def _status_line(status: HTTPStatus) -> str:
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n"


async def _until_closed(reader: asyncio.StreamReader) -> None:
    while await reader.read(_READ_AT_ONCE):
        pass


async def _read(connection: _Connection) -> _HttpRequest:
    """The next request; raise _HangUpError for what is no HTTP, or a body without a length."""
    head = await connection.reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    target, _, version = rest.partition(" ")
    if not version.startswith("HTTP/1."):
        raise _HangUpError
    headers = {
        name.strip().lower(): value.strip()
        for name, colon, value in (line.partition(":") for line in lines)
        if colon
    }
    if "transfer-encoding" in headers:
        raise _HangUpError
    if headers.get("expect", "").lower() == "100-continue":
        connection.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await connection.reader.readexactly(_length(headers.get("content-length", "0")))
    return _HttpRequest(method, target.partition("?")[0], headers.get("content-type", ""), body)


def _length(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 9 or int(digits) > _MAX_BODY_BYTES:
        raise _HangUpError
    return int(digits)
