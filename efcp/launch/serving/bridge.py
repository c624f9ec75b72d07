"""The ASGI application that gunicorn serves, in front of the panel's WSGI application."""

import asyncio
import io
import json
import sys
from collections.abc import Callable, Iterable, MutableMapping
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

from efcp.launch.serving.bodies import (
    BodyRefusedError,
    ClientLeftError,
    ClientTooSlowError,
    LargeBodies,
    Outlet,
    PacedBody,
    Receive,
    Send,
    UploadStream,
    whole_body,
)
from efcp.launch.serving.lanes import BusyError, Lane, RequestKind

Scope = MutableMapping[str, Any]
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

HEALTH_WITHIN_S = 0.9
"""The health check is answered within a second: after this long the panel counts as not healthy."""
SKIP_FOR_S = 5.0
RETRY_AFTER_S = 2
_BUFFER = 256 * 1024
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""
_TITLES = {408: "Too slow", 411: "Length needed", 413: "Too large", 503: "The panel is busy"}
_BUSY = "Nothing was done. Try again in a few seconds."


class Bridge:
    """Receives each request, has a thread of its lane handle it, sends the response."""

    def __init__(self, wsgi: Wsgi, kind_of: Callable[[str, str, bytes], RequestKind]) -> None:
        self._wsgi = wsgi
        self._kind_of = kind_of
        self._large = LargeBodies()
        self._lanes: dict[RequestKind, Lane] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the panel has no WebSockets."""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        # Made here, since each worker process has an event loop of its own.
        self._lanes = self._lanes or {kind: Lane.of(kind) for kind in RequestKind}
        body = PacedBody(receive)
        try:
            await self._serve(scope, body, send)
        except BodyRefusedError as refused:
            await _refuse(send, scope, refused.status, refused.text, retry=refused.retry)
            await body.skip(SKIP_FOR_S)
        except BusyError:
            await _refuse(send, scope, 503, _BUSY, retry=True)
            await body.skip(SKIP_FOR_S)
        except (ClientLeftError, ClientTooSlowError):
            # Without a complete response gunicorn closes the connection.
            return

    async def _serve(self, scope: Scope, body: PacedBody, send: Send) -> None:
        announced = _announced(scope["headers"])
        kind = self._kind_of(scope["method"], scope["path"], scope["query_string"])
        if kind is RequestKind.UPLOAD:
            if announced is None:
                raise BodyRefusedError(411, "An upload has to say how large it is.")
            stream = UploadStream(body, asyncio.get_running_loop())
            environ = environ_of(scope, io.BufferedReader(stream, _BUFFER), announced)
            await self._handle(kind, environ, send)
            await body.skip(SKIP_FOR_S)
            return
        received = await whole_body(body, announced or 0, self._large)
        environ = environ_of(scope, io.BytesIO(received), len(received))
        if kind is RequestKind.HEALTH:
            await self._handle_in_time(scope, environ, send)
        else:
            await self._handle(kind, environ, send)

    async def _handle_in_time(self, scope: Scope, environ: dict[str, Any], send: Send) -> None:
        try:
            async with asyncio.timeout(HEALTH_WITHIN_S):
                await self._handle(RequestKind.HEALTH, environ, send)
        except TimeoutError:
            await _refuse(send, scope, 503, "The database is not responding in time.", retry=True)

    async def _handle(self, kind: RequestKind, environ: dict[str, Any], send: Send) -> None:
        outlet = Outlet(asyncio.get_running_loop())
        try:
            future = await self._lanes[kind].run(partial(_call, self._wsgi, environ, outlet))
            future.add_done_callback(lambda _done: outlet.wake())
            await outlet.send_all(send, future.done)
            future.result()
        finally:
            outlet.close()


def _call(wsgi: Wsgi, environ: dict[str, Any], outlet: Outlet) -> None:
    """Run the application in a thread."""

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        outlet.status = int(status.split(" ", 1)[0])
        outlet.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return outlet.write

    response = wsgi(environ, start_response)
    try:
        for part in response:
            outlet.write(part)
    finally:
        if hasattr(response, "close"):
            response.close()


def environ_of(scope: Scope, body: io.BufferedIOBase, length: int) -> dict[str, Any]:
    """The WSGI environment (PEP 3333) of an ASGI scope; `length` bytes are in the body."""
    path = unquote_to_bytes(scope["raw_path"]) if scope.get("raw_path") else scope["path"].encode()
    server = scope.get("server") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1] or ""),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": str((scope.get("client") or ("",))[0]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        _add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
    # What came decides, so that a chunked body has a length too.
    environ["CONTENT_LENGTH"] = str(length)
    return environ


def _add_header(environ: dict[str, Any], name: str, value: str) -> None:
    """One header; `A_B` is left out, since it would read as `A-B`, which a trusted proxy may have set."""
    if "_" in name or name in {"content-length", "transfer-encoding"}:
        return
    key = name.upper().replace("-", "_")
    key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
    if key in environ:
        value = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
    environ[key] = value


def _announced(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """How many bytes of body the head announces; None where it does not say (chunked)."""
    names = {name: value for name, value in headers if name in {b"content-length", b"transfer-encoding"}}
    if b"transfer-encoding" in names:
        return None
    return int(names.get(b"content-length", b"0"))


def _problem(status: int, title: str, text: str) -> bytes:
    """Problem details (RFC 9457), as the API gives them."""
    return json.dumps(
        {
            "type": "urn:efcp:problem:refused",
            "title": title,
            "status": status,
            "code": "refused",
            "detail": text,
            "findings": [],
        }
    ).encode()


async def _refuse(send: Send, scope: Scope, status: int, text: str, *, retry: bool) -> None:
    title = _TITLES[status]
    of_api = scope["path"].startswith("/cp/api/")
    body = _problem(status, title, text) if of_api else _PAGE.format(title=title, text=text).encode()
    headers = [
        (b"content-type", b"application/problem+json" if of_api else b"text/html; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'"),
    ]
    if retry:
        headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
