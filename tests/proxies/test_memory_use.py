"""The watcher's memory while large replies come, good ones and others."""

import itertools
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.proxies.mi_server import wait_until
from tests.proxies.watchers import prepare, watchers

pytestmark = pytest.mark.long
MAX_MB = 170
SIZE = 15_000_000
REPLIES = 21
WITHIN_S = 300.0
HEAD = '{"jsonrpc":"2.0","id":%d,"result":{"PARTITIONS":[{"name":"default","SETS":['
FRAME = ('{"id":1,"Destinations":[', "]}]}]}}")
LISTED = '{"URI":"sip:gw%06d.example.net:5060","state":"Active","first_hit_counter":0,"attr":"%s","weight":1,'
DETAILS = '"priority":0,"description":"","resolved_addresses":["10.0.0.1:5060"]}'


def good() -> str:
    """As many destinations as SIZE has room for."""
    attrs = "x" * 200
    count = SIZE // len(LISTED % (0, attrs) + DETAILS)
    return ",".join(LISTED % (number, attrs) + DETAILS for number in range(count)).join(FRAME)


KINDS: dict[str, Callable[[], str]] = {
    "destinations": good,
    "empty lists": lambda: "[]," * (SIZE // 3),
    "a long text": lambda: '"' + "x" * SIZE,
    "numbers": lambda: "1000," * (SIZE // 5),
    "objects in destinations": lambda: FRAME[0] + '{"a":{"b":1}},' * (SIZE // 14),
    "lists in destinations": lambda: FRAME[0] + '{"a":[' + "[]," * (SIZE // 3),
    "100 MB": lambda: " " * 100_000_000,
}


class _LargeServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_args: object) -> None:
        """A client that reads no further is no fault here."""


class LargeReplies:
    """Answers ds_list with a large text; `count` is how often it did."""

    def __init__(self, text: str) -> None:
        self.count = itertools.count(1)
        self.sent = 0
        replies = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if request["method"] == "ds_list":
                    replies.sent = next(replies.count)
                    body = (HEAD % request["id"] + text).encode()
                else:
                    error = {"code": 500, "message": "no"}
                    body = json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """Stay silent."""

        self._server = _LargeServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/mi"

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def most_mb(pid: int) -> float:
    """The most memory that a process has had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) / 1024


def test_the_watcher_s_memory_is_limited_while_large_replies_come(tmp_path: Path) -> None:
    servers = [LargeReplies(make()) for make in KINDS.values()]
    try:
        prepare(tmp_path, [server.url for server in servers])
        with watchers(tmp_path, 1) as (watcher,):
            assert wait_until(lambda: sum(server.sent for server in servers) >= REPLIES, WITHIN_S)
            assert most_mb(watcher.pid) < MAX_MB
    finally:
        for server in servers:
            server.stop()
    assert all(server.sent for server in servers)
