"""Kind `mi`: requests and replies over MI, events, malformed requests, against the sandbox's server.

Each release in the file is checked, against a sandbox that plays that release.
"""

import asyncio
import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from dialplan.translation.rules import RuleRow
from dispatcher.routing.environment import Environment
from dispatcher.routing.memory import ProxyMemory
from dispatcher.routing.rows import DestinationRow
from efcp.mi import as_text
from efcp.releases import Release
from efcp.sandbox import events
from efcp.sandbox.mi_http import MiServer
from efcp.sandbox.proxy import SandboxProxy, SandboxTables
from tests.conformance.acceptance import LISTENER, SIP_PORT, resolve

WAIT_S = 0.5
"""How long an answer that never comes, or never ends, is waited for."""
LEFT_OUT = {"Timestamp", "Date", "Now", "Up since", "Up time", "Server", "db_url"}
VALUE_LEFT_OUT = {"which", "core:which", "help", "core:help", "get_statistics", "statistics:get"}
COUNTDOWN_S = 5
"""How far a ttl may have run down from its expire: the seconds that went by differ between runs."""
SUBSCRIBE = {"event_subscribe", "evi:subscribe"}
FIRST_LOADED_STEP = 2
"""The steps before this one meet an empty `dispatcher` (README of the recordings).

`dialplan` was empty only when the proxy started: its rules are loaded by the transcript's own dp_reload.
"""


def compare(vectors: Any) -> Iterator[str | None]:
    """Replay each version's transcript, events and malformed requests; one item per request and event."""
    for version, recorded in vectors.items():
        for difference in _compare_version(version, recorded):
            yield None if difference is None else f"{version}: {difference}"


def _compare_version(version: str, recorded: dict[str, Any]) -> Iterator[str | None]:
    rows: list[DestinationRow] = []
    rules: list[RuleRow] = []
    proxy = SandboxProxy(
        memory=ProxyMemory(Environment(resolve=resolve, listeners=(LISTENER,), release=Release.of(version))),
        tables=SandboxTables(lambda: rows, lambda: rules, "mysql://opensips@127.0.0.1/mi"),
        version=f"{version}.0",
        send_event=events.send,
    )
    proxy.reload()
    proxy.reload_dialplan()
    rules.extend(RuleRow(**rule) for rule in recorded["rows"]["dialplan"])
    with _served(proxy) as port, _subscriber() as subscriber:
        for index, step in enumerate(recorded["transcript"]):
            if index == FIRST_LOADED_STEP:
                rows.extend(_row(columns) for columns in recorded["rows"]["dispatcher"])
                proxy.reload(inherit_state=False)
            yield _compare_step(port, step, subscriber)
        yield from _compare_events(_received(subscriber), recorded["events"])
        for case in recorded["raw"]:
            yield _compare_raw(port, case)


def _row(columns: dict[str, Any]) -> DestinationRow:
    socket_name = columns.get("socket")
    return DestinationRow(
        **columns | {"socket": socket_name.replace("SIP", SIP_PORT) if socket_name else None}
    )


def _compare_step(port: int, step: dict[str, Any], subscriber: socket.socket) -> str | None:
    request = {"jsonrpc": "2.0", "id": 1, "method": step["method"]}
    if step["params"] is not None:
        request["params"] = _own_socket(step, subscriber)
    sent = json.dumps(request).replace("127.0.0.1:SIP", f"127.0.0.1:{SIP_PORT}")
    status, _kind, body = _ask(port, "POST", "/mi", sent, {"Content-Type": "application/json"})
    if status != http.HTTPStatus.OK:
        return f"{step['method']} {step['params']}: HTTP {status}"
    mine = json.loads(body.replace(LISTENER, "udp:127.0.0.1:SIP"))
    answer = {name: mine[name] for name in ("result", "error") if name in mine}
    if step["method"] in VALUE_LEFT_OUT and "result" in step["reply"]:
        same = type(answer.get("result")) is type(step["reply"]["result"])
    else:
        same = _comparable(answer) == _comparable(step["reply"])
    if same:
        return None
    return f"{step['method']} {step['params']}: {json.dumps(answer)} for {json.dumps(step['reply'])}"


def _own_socket(step: dict[str, Any], subscriber: socket.socket) -> Any:
    """The parameters, with this run's own socket instead of the recording's subscriber."""
    params = step["params"]
    if step["method"] not in SUBSCRIBE or not isinstance(params, dict):
        return params
    if not str(params.get("socket", "")).startswith("udp:127.0.0.1:"):
        return params
    return params | {"socket": f"udp:127.0.0.1:{subscriber.getsockname()[1]}"}


def _comparable(value: Any) -> Any:
    """Without what the recording's README leaves out, such as times and event sockets."""
    if isinstance(value, list):
        return [_comparable(each) for each in value]
    if not isinstance(value, dict):
        return value
    left_out = LEFT_OUT | ({"id"} if str(value.get("name", "")).startswith("E_") else set())
    left_out |= {"socket"} if "expire" in value else set()
    answer = {name: None if name in left_out else _comparable(each) for name, each in value.items()}
    if isinstance(value.get("ttl"), int):
        answer["ttl"] = value["expire"] - value["ttl"] <= COUNTDOWN_S
    return answer


def _compare_events(received: list[str], expected: list[str]) -> Iterator[str | None]:
    for position in range(max(len(received), len(expected))):
        mine = received[position] if position < len(received) else None
        theirs = expected[position] if position < len(expected) else None
        yield None if mine == theirs else f"event {position}: {mine} for {theirs}"


def _compare_raw(port: int, case: dict[str, Any]) -> str | None:
    name = case["case"]
    headers = {"Content-Type": "text/plain" if name == "wrong_ctype" else "application/json"}
    method = "GET" if name == "get" else "POST"
    path = "/nothing" if name == "wrong_path" else "/mi"
    status, kind, body = _ask(port, method, path, case.get("body", ""), headers)
    expected_status, expected_kind, expected_body = case["reply"]
    body, expected_body = (
        re.sub(r"OpenSIPS \([^)]*\)\)", "OpenSIPS (x))", text) for text in (body, expected_body)
    )
    same = (status, kind, body) == (expected_status, expected_kind, expected_body)
    return None if same else f"raw {name}: {(status, kind, body)} for {case['reply']}"


def _ask(
    port: int, method: str, path: str, body: str, headers: dict[str, str]
) -> tuple[int, str | None, str]:
    """Status, content type and body; a hung or closed connection in the recording's words."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body or None, headers if method == "POST" else {})
        if _is_left_unanswered(body):
            connection.sock.settimeout(WAIT_S)
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type"), _body(response, connection)
    except TimeoutError:
        return 0, None, "TimeoutError"
    except (http.client.RemoteDisconnected, ConnectionError):
        return 0, None, "RemoteDisconnected"
    finally:
        connection.close()


def _is_left_unanswered(body: str) -> bool:
    """Whether the request is well-formed but for its id, so that no answer is expected."""
    try:
        request = json.loads(body)
    except ValueError:
        return False
    return isinstance(request, dict) and "id" not in request


def _body(response: http.client.HTTPResponse, connection: http.client.HTTPConnection) -> str:
    if response.getheader("Transfer-Encoding") == "chunked":
        connection.sock.settimeout(WAIT_S)
    try:
        return as_text(response.read())
    except TimeoutError:
        return "HANG: headers sent, chunked body never ends"


@contextmanager
def _subscriber() -> Iterator[socket.socket]:
    """A UDP socket on loopback for events."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as subscriber:
        subscriber.bind(("127.0.0.1", 0))
        yield subscriber


def _received(subscriber: socket.socket) -> list[str]:
    """The datagrams that have arrived; on loopback that is all that were sent."""
    subscriber.setblocking(False)
    received = []
    while True:
        try:
            received.append(as_text(subscriber.recv(65_535)))
        except BlockingIOError:
            return received


@contextmanager
def _served(proxy: SandboxProxy) -> Iterator[int]:
    """Serve the proxy's MI on a free loopback port, in a thread that ends with the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    with ThreadPoolExecutor(max_workers=1) as commands:
        server = MiServer(proxy, commands)
        try:
            yield asyncio.run_coroutine_threadsafe(server.start(0), loop).result(10)
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()
