"""Kind `mi`: requests and replies over MI, events, malformed requests, against the sandbox's server."""

import asyncio
import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dialplan.translation.rules import Rule
from dispatcher.routing.environment import Environment
from dispatcher.routing.memory import ProxyMemory
from dispatcher.routing.rows import Row
from efcp.sandbox.mi_http import MiServer
from efcp.sandbox.proxy import SandboxProxy, Tables
from tests.conformance.acceptance import LISTENER, SIP_PORT, resolve

WAIT_S = 0.5
"""How long an answer that never comes, or never ends, is waited for."""
LEFT_OUT = {"Timestamp", "Date", "Now", "Up since", "Up time", "Server", "db_url"}
NOT_COMPARED = {"which", "help", "get_statistics"}
RELEASES = {"3.4": "3.4.18", "3.6": "3.6.8", "4.0": "4.0.1"}


def compare(vectors: Any) -> Iterator[str | None]:
    """Replay each version's transcript, events and malformed requests; one item per request and event."""
    for version, recorded in vectors.items():
        for difference in _compare_version(version, recorded):
            yield None if difference is None else f"{version}: {difference}"


def _compare_version(version: str, recorded: dict[str, Any]) -> Iterator[str | None]:
    rows: list[dict[str, Any]] = []
    events: list[str] = []
    rules = [Rule(**rule) for rule in recorded["rows"]["dialplan"]]
    proxy = SandboxProxy(
        memory=ProxyMemory(Environment(resolve=resolve, listeners=(LISTENER,), version=version)),
        tables=Tables(
            lambda: [_row(columns) for columns in rows], lambda: rules, "mysql://opensips@127.0.0.1/mi"
        ),
        version=RELEASES.get(version, version),
        send_event=lambda _socket, datagram: events.append(datagram.decode()),
    )
    proxy.reload()
    with _served(proxy) as port:
        for index, step in enumerate(recorded["transcript"]):
            if index == 2:
                rows.extend(recorded["rows"]["dispatcher"])
                proxy.reload(inherit_state=False)
            yield _compare_step(port, step)
        for position, event in enumerate(recorded["events"]):
            mine = events[position] if position < len(events) else None
            yield None if mine == event else f"event {position}: {mine} for {event}"
        if len(events) > len(recorded["events"]):
            yield f"more events: {events[len(recorded['events']) :]}"
        for case in recorded["raw"]:
            yield _compare_raw(port, case)


def _row(columns: dict[str, Any]) -> Row:
    socket_name = columns.get("socket")
    return Row(**columns | {"socket": socket_name.replace("SIP", SIP_PORT) if socket_name else None})


def _compare_step(port: int, step: dict[str, Any]) -> str | None:
    request = {"jsonrpc": "2.0", "id": 1, "method": step["method"]}
    if step["params"] is not None:
        request["params"] = step["params"]
    status, _kind, body = _ask(port, "POST", "/mi", json.dumps(request), {"Content-Type": "application/json"})
    mine = json.loads(body.replace(LISTENER, "udp:127.0.0.1:SIP"))
    told = {name: mine[name] for name in ("result", "error") if name in mine}
    if status != 200:
        return f"{step['method']} {step['params']}: HTTP {status}"
    if step["method"] in NOT_COMPARED or step["method"].partition(":")[2] in {"which"}:
        return None if "result" in told else f"{step['method']}: {told}"
    if _comparable(told) == _comparable(step["reply"]):
        return None
    return f"{step['method']} {step['params']}: {json.dumps(told)} for {json.dumps(step['reply'])}"


def _comparable(value: Any) -> Any:
    """Without what the recording's README leaves out: times, the server, the database, event sockets and ids."""
    if isinstance(value, list):
        return [_comparable(each) for each in value]
    if not isinstance(value, dict):
        return value
    left_out = LEFT_OUT | ({"id"} if str(value.get("name", "")).startswith("E_") else set())
    left_out |= {"socket"} if "expire" in value else set()
    if str(value.get("name", "")).startswith("E_") and "Subscribers" not in value:
        return "an event"
    return {name: None if name in left_out else _comparable(each) for name, each in value.items()}


def _compare_raw(port: int, case: dict[str, Any]) -> str | None:
    name = case["case"]
    headers = {"Content-Type": "text/plain" if name == "wrong_ctype" else "application/json"}
    method = "GET" if name == "get" else "POST"
    path = "/nothing" if name == "wrong_path" else "/mi"
    status, kind, body = _ask(port, method, path, case.get("body", ""), headers)
    expected_status, expected_kind, expected_body = case["reply"]
    body = re.sub(r"OpenSIPS \([^)]*\)\)", "OpenSIPS (x))", body)
    expected_body = re.sub(r"OpenSIPS \([^)]*\)\)", "OpenSIPS (x))", expected_body)
    same = (status, kind, body) == (expected_status, expected_kind, expected_body)
    return None if same else f"raw {name}: {(status, kind, body)} for {case['reply']}"


def _ask(
    port: int, method: str, path: str, body: str, headers: dict[str, str]
) -> tuple[int, str | None, str]:
    """Status, content type and body; what hangs or closes is told in the recording's words."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body or None, headers if method == "POST" else {})
        connection.sock.settimeout(WAIT_S)
        response = connection.getresponse()
    except TimeoutError:
        return 0, None, "TimeoutError"
    except (http.client.RemoteDisconnected, ConnectionError):
        return 0, None, "RemoteDisconnected"
    try:
        text = response.read().decode()
    except TimeoutError:
        text = "HANG: headers sent, chunked body never ends"
    finally:
        connection.close()
    return response.status, response.getheader("Content-Type"), text


@contextmanager
def _served(proxy: SandboxProxy) -> Iterator[int]:
    """Serve the proxy's MI on a free loopback port, in a thread that ends with the block."""
    loop = asyncio.new_event_loop()
    started: list[int] = []
    ready = threading.Event()

    async def serve() -> None:
        server = MiServer(proxy, asyncio.Lock())
        started.append(await server.start(0))
        ready.set()
        await stopping.wait()
        await server.stop()
        for task in asyncio.all_tasks(loop) - {asyncio.current_task(loop)}:
            task.cancel()

    stopping = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield started[0]
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
        loop.close()
