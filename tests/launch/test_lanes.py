"""Requests beyond what the threads can do: refused early, and no kind keeps another waiting."""

import asyncio
import threading
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import pytest

from efcp.launch.serving import bodies, lanes
from efcp.launch.serving.bridge import Bridge
from efcp.launch.serving.lanes import THREADS, RequestKind, kind_of

Sent = list[MutableMapping[str, Any]]
KINDS = {"/health": RequestKind.HEALTH, "/sign-in": RequestKind.ENTRANCE}


class Application:
    """A WSGI application whose pages wait until they are let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.began = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Wait, unless it is no page."""
        self.began += 1
        if environ["PATH_INFO"] == "/page":
            self.let_go.wait(30)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]


@pytest.fixture
def application() -> Application:
    """The application."""
    return Application()


@pytest.fixture
def bridge(application: Application, monkeypatch: pytest.MonkeyPatch) -> Bridge:
    """The bridge in front of it; nobody is patient."""
    monkeypatch.setattr(lanes, "PATIENCE_S", 0.05)
    return Bridge(application, lambda _method, path, _query: KINDS.get(path, RequestKind.PAGE))


async def ask(bridge: Bridge, path: str) -> Sent:
    """What comes back from a request for `path`."""
    sent: Sent = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "http_version": "1.1",
        "headers": [],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    await bridge(scope, receive, send)
    return sent


def test_what_waits_too_long_is_refused_and_nothing_is_done(bridge: Bridge, application: Application) -> None:
    async def many() -> list[Sent]:
        pages = [asyncio.create_task(ask(bridge, "/page")) for _ in range(3 * THREADS[RequestKind.PAGE])]
        await asyncio.wait(pages, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.2)
        application.let_go.set()
        return [await page for page in pages]

    answers = asyncio.run(many())
    statuses = sorted(answer[0]["status"] for answer in answers)
    assert statuses == [200] * THREADS[RequestKind.PAGE] + [503] * 2 * THREADS[RequestKind.PAGE]
    assert application.began == THREADS[RequestKind.PAGE]
    refused = next(answer for answer in answers if answer[0]["status"] == 503)
    assert (b"retry-after", b"2") in refused[0]["headers"]
    assert b"Nothing was done" in refused[1]["body"]


def test_health_and_sign_in_answer_while_every_page_waits(bridge: Bridge, application: Application) -> None:
    async def both() -> list[int]:
        pages = [asyncio.create_task(ask(bridge, "/page")) for _ in range(3 * THREADS[RequestKind.PAGE])]
        await asyncio.sleep(0)
        statuses = [(await ask(bridge, path))[0]["status"] for path in KINDS]
        application.let_go.set()
        await asyncio.gather(*pages)
        return statuses

    assert asyncio.run(both()) == [200, 200]


def test_a_client_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PIECE_WITHIN_S", 0.05)
    monkeypatch.setattr(bodies, "AHEAD", 10)
    ended = threading.Event()

    def endless(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield b"x" * 1000
        finally:
            ended.set()

    async def ask_and_not_read() -> None:
        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.body":
                await asyncio.sleep(30)

        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "http_version": "1.1"}
        await Bridge(endless, lambda *_: RequestKind.PAGE)({**scope, "headers": []}, receive, send)

    asyncio.run(ask_and_not_read())
    assert ended.wait(20)


def test_programs_have_threads_of_their_own_and_those_that_wait_have_others() -> None:
    assert kind_of("GET", "/cp/api/v1/rules") is RequestKind.API
    assert kind_of("GET", "/cp/api/v1/events", b"cursor=e1-2-3&wait=20") is RequestKind.WATCH
    assert kind_of("POST", "/cp/api/v1/state-runs", b"wait=5") is RequestKind.WATCH
    assert kind_of("GET", "/cp/system/dispatcher/", b"wait=5") is RequestKind.PAGE
