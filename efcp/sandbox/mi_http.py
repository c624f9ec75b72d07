"""MI over HTTP as httpd and mi_http speak it, their oddities included (recorded vectors, `mi`, `raw`).

A proxy never ends the body of a 400 or 405, and never answers a request without an id. The sandbox keeps such
connections too, but only for a time, and only so many of all.
"""

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import Any

from efcp.sandbox.commands import answer
from efcp.sandbox.parameters import MiRefusalError
from efcp.sandbox.proxy import SandboxProxy

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 256
MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 1024 * 1024
IDLE_S = 30.0
HANG_S = 120.0
PATH = "/mi"
_CHUNKED = "Transfer-Encoding: chunked\r\n"


class _HangUpError(Exception):
    """The connection is closed without an answer."""


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    content_type: str
    body: bytes


class MiServer:
    """Serves MI of one sandbox on a loopback port."""

    def __init__(self, proxy: SandboxProxy, lock: asyncio.Lock) -> None:
        self._proxy = proxy
        self._lock = lock
        self._connections = 0
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> int:
        """Listen on 127.0.0.1; return the port. Raises OSError where it is busy."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=MAX_HEAD_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= MAX_CONNECTIONS:
            writer.close()
            return
        self._connections += 1
        try:
            while True:
                request = await asyncio.wait_for(_read(reader), IDLE_S)
                await self._respond(request, writer)
        except (_HangUpError, TimeoutError, OSError, ValueError, asyncio.IncompleteReadError):
            return
        finally:
            self._connections -= 1
            writer.close()

    async def _respond(self, request: _Request, writer: asyncio.StreamWriter) -> None:
        if request.path.partition("?")[0] != PATH:
            await _send(writer, 400, "text/html", b"<html><body>Unable to parse URL!</body></html>")
        elif request.method != "POST":
            await _hang(writer, 405)
        elif request.content_type.partition(";")[0].strip().lower() != "application/json":
            raise _HangUpError
        elif not request.body:
            await _hang(writer, 400)
        else:
            reply = await self._reply(request.body)
            if reply is None:
                await asyncio.sleep(HANG_S)
                raise _HangUpError
            await _send(writer, 200, "application/json", reply)

    async def _reply(self, body: bytes) -> bytes | None:
        """The JSON of the answer; None for a request that is never answered."""
        try:
            request = json.loads(body)
        except (ValueError, RecursionError):
            return _encode({"error": {"code": -32700, "message": "Parse error"}, "id": None})
        if not isinstance(request, dict):
            return _encode({"error": {"code": -32600, "message": "Invalid Request"}, "id": None})
        request_id = request.get("id")
        method = request.get("method")
        if request.get("jsonrpc") != "2.0" or not isinstance(method, str):
            return _encode({"error": {"code": -32600, "message": "Invalid Request"}, "id": request_id})
        # Loading asks the database and the names service: in a thread, so that probing goes on meanwhile.
        async with self._lock:
            told = await asyncio.to_thread(self._call, method, request.get("params"))
        return None if "id" not in request else _encode(told | {"id": request_id})

    def _call(self, method: str, params: object) -> dict[str, Any]:
        try:
            return {"result": answer(self._proxy, method, params)}
        except MiRefusalError as error:
            return {"error": error.as_object()}
        except Exception:
            log.exception("The command %s failed", method)
            return {"error": {"code": -32603, "message": "Internal error"}}


def _encode(told: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0"} | told, separators=(",", ":"), ensure_ascii=False).encode()


async def _read(reader: asyncio.StreamReader) -> _Request:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    path, _, version = rest.partition(" ")
    if not version.startswith("HTTP/1."):
        raise _HangUpError
    headers = {
        name.strip().lower(): value.strip()
        for name, colon, value in (line.partition(":") for line in lines)
        if colon
    }
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        raise _HangUpError
    body = await reader.readexactly(int(length))
    return _Request(method, path, headers.get("content-type", ""), body)


async def _send(writer: asyncio.StreamWriter, status: int, content_type: str, body: bytes) -> None:
    reason = {200: "OK", 400: "Bad Request"}[status]
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()


async def _hang(writer: asyncio.StreamWriter, status: int) -> None:
    """Send the head of an answer whose body never ends, and end the connection after a long time."""
    reason = {400: "Bad Request", 405: "Method Not Allowed"}[status]
    writer.write(f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n{_CHUNKED}\r\n".encode())
    await writer.drain()
    await asyncio.sleep(HANG_S)
    raise _HangUpError
