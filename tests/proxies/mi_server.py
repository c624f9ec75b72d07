"""A small MI server on loopback, whose memory a test sets and changes."""

import json
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON = dict[str, Any]


def listed(uri: str, state: str = "Active", hits: int = 0, **more: Any) -> JSON:
    """A destination as ds_list tells it."""
    return {"URI": uri, "state": state, "first_hit_counter": hits, "resolved_addresses": [], **more}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # As many as may knock at once: beyond it the kernel drops, and the caller tries again after a second.
    request_queue_size = 128


@dataclass
class FakeMi:
    """Answers version, uptime, which and ds_list from `sets`; `requests` counts them by command.

    `full_is_too_large` has ds_list with `full` answered as httpd does beyond its buffer (status 500, a body
    that never ends), `hangs` has every request wait, `closes` ends each connection without an answer,
    `refusal` has ds_list refused with that message,
    `requires` is the Authorization header without which the answer is 401. `reports` are those of flags that
    sr_list_reports gives, None where it is refused, `loads` those of loading; events are sent to the sockets
    of `subscribers`, unless it `refuses_events`.
    """

    sets: dict[int, list[JSON]] = field(default_factory=dict)
    partition: str = "default"
    up_since: str = "Mon Nov 23 09:38:34 2026"
    up_s: int = 17
    version: str = "OpenSIPS (3.4.18 (x86_64/linux))"
    commands: tuple[str, ...] = ("ds_list", "ds_reload", "ds_set_state", "dp_reload")
    full_is_too_large: bool = False
    hangs: bool = False
    closes: bool = False
    refusal: str = ""
    requires: str = ""
    requests: Counter[str] = field(default_factory=Counter)
    reports: list[JSON] | None = None
    loads: list[JSON] = field(default_factory=list)
    refuses_events: bool = False
    subscribers: list[str] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)
    _server: _Server | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}/mi"

    def start(self, port: int = 0) -> None:
        """Listen, on a free port unless one is given."""
        self.ending.clear()
        self._server = _Server(("127.0.0.1", port), _handler_of(self))
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> int:
        """Stop listening; return the port, so that it can start there again."""
        assert self._server is not None
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        return int(self._server.server_address[1])

    def result_of(self, method: str, params: JSON) -> JSON:
        """The reply's `result` or `error`."""
        if method == "version":
            return {"result": {"Server": self.version}}
        if method == "uptime":
            return {"result": {"Now": "x", "Up since": self.up_since, "Up time": f"{self.up_s} [sec]"}}
        if method == "which":
            return {"result": list(self.commands)}
        if method == "sr_list_reports" and self.reports is not None:
            of_flags = {"Name": f"{self.partition};events", "Reports": self.reports}
            return {"result": [of_flags, {"Name": self.partition, "Reports": self.loads}]}
        if method == "event_subscribe":
            if self.refuses_events:
                return {"error": {"code": 400, "message": "Bad parameter value"}}
            self.subscribers.append(params["socket"])
            return {"result": "OK"}
        if method == "ds_list" and not self.refusal:
            return {"result": {"PARTITIONS": [self._listed_partition(full="full" in params)]}}
        return {"error": {"code": 500, "message": self.refusal or "ERROR"}}

    def switch(self, at: datetime, uri: str, status: str, reason: str, setid: int = 1) -> None:
        """Report a flag of a destination as the proxy does; "inactive" set, "active" taken away."""
        log = f"DESTINATION <{uri}>, set {setid} switched to [{status}] due to {reason}\n"
        report = {"Timestamp": int(at.timestamp()), "Date": "x", "Log": log}
        self.reports = [*(self.reports or []), report][-200:]

    def raise_event(self) -> None:
        """Send an event to everybody who asked for it."""
        event = {"jsonrpc": "2.0", "method": "E_DISPATCHER_STATUS", "params": {"group": 1}}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for subscriber in set(self.subscribers):
                _, host, port = subscriber.split(":")
                sender.sendto(json.dumps(event).encode(), (host, int(port)))

    def _listed_partition(self, *, full: bool) -> JSON:
        details = {"weight": 1, "priority": 0} if full else {}
        sets = [
            {"id": setid, "Destinations": [{**details, **each} for each in destinations]}
            for setid, destinations in self.sets.items()
        ]
        return {"name": self.partition, "SETS": sets} if sets else {"name": self.partition}


def _handler_of(mi: FakeMi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            params = request.get("params") or {}
            mi.requests[request["method"] + (" full" if "full" in params else "")] += 1
            if mi.closes:
                self.close_connection = True
                return
            if mi.hangs:
                mi.ending.wait(30)
                return
            if mi.requires and self.headers.get("Authorization") != mi.requires:
                self._send(401, b"{}")
            elif mi.full_is_too_large and "full" in params:
                self._send_unfinished()
            else:
                reply = {"jsonrpc": "2.0", "id": request["id"], **mi.result_of(request["method"], params)}
                self._send(200, json.dumps(reply).encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _send_unfinished(self) -> None:
            self.send_response(500)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            mi.ending.wait(30)

        def log_message(self, *_args: object) -> None:
            """Stay silent."""

    return Handler


def wait_until(condition: Any, limit_s: float = 60.0) -> bool:
    """Wait until `condition()` holds; return whether it came to hold."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False
