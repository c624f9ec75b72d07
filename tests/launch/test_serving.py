"""What slow, odd and many clients get from the panel's own server, over real sockets."""

import http.client
import http.cookiejar
import re
import shutil
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from efcp.configuration import PROJECT_DIR
from efcp.launch.serving.bodies import GRACE_S, LARGEST
from efcp.launch.serving.connections import HEAD_WITHIN_S
from tests.launch.panel import free_port, until
from tests.launch.served import PASSWORD, Served, served
from tests.launch.slow import KINDS, SIGN_IN, longest_answer_s, slow_clients

SLOW = 500
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
HOST = b"Host: 127.0.0.1\r\n"
UPLOAD = "/cp/preview/spread/logs/upload/"
OUT_OF_DATE = b"This page was out of date"
"""What the sign-in page says to a form without a token; it shows the user name again."""


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server, for all tests of this file."""
    with served(tmp_path_factory.mktemp("served")) as server:
        yield server


def exchange(port: int, request: bytes, *, half_close: bool = False) -> bytes:
    """Send bytes; what comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


def test_health_and_sign_in_answer_while_500_slow_connections_are_open(panel: Served) -> None:
    with slow_clients(panel.port, SLOW):
        for path in ("/cp/healthz", SIGN_IN):
            # An answer that waits for one of the slow ones takes 10 seconds or more.
            assert longest_answer_s(panel.origin + path, tries=10) < HEAD_WITHIN_S


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_slow_client_binds_a_thread(panel: Served, kind: object) -> None:
    with slow_clients(panel.port, 40, (kind,)):  # type: ignore[arg-type]
        assert longest_answer_s(panel.origin + "/cp/healthz", tries=5) < HEAD_WITHIN_S


def test_a_head_that_does_not_end_is_given_up(panel: Served) -> None:
    assert exchange(panel.port, b"GET /cp/healthz HTTP/1.1\r\n" + HOST) == b""


def test_a_body_that_does_not_come_is_dropped_and_reported(panel: Served) -> None:
    head = f"POST {SIGN_IN} HTTP/1.1\r\n".encode() + HOST + FORM + b"Content-Length: 100\r\n\r\nuser"
    assert GRACE_S < 30
    assert exchange(panel.port, head).startswith(b"HTTP/1.1 408 ")


def test_http_1_0_is_answered_and_closed(panel: Served) -> None:
    answer = exchange(panel.port, b"GET /cp/healthz HTTP/1.0\r\n" + HOST + b"\r\n")
    assert answer.startswith(b"HTTP/1.")
    assert b" 200 OK\r\n" in answer
    assert answer.endswith(b"ok\n")


def test_a_chunked_form_is_read(panel: Served) -> None:
    head = f"POST {SIGN_IN} HTTP/1.1\r\n".encode() + HOST + FORM + b"Connection: close\r\n"
    body = b"Transfer-Encoding: chunked\r\n\r\n9\r\nusername=\r\n4\r\nwho1\r\n0\r\n\r\n"
    answer = exchange(panel.port, head + body)
    assert OUT_OF_DATE in answer
    assert b'value="who1"' in answer


def test_expect_100_continue_is_answered_before_the_body_comes(panel: Served) -> None:
    head = f"POST {SIGN_IN} HTTP/1.1\r\n".encode() + HOST + FORM
    with socket.create_connection(("127.0.0.1", panel.port), timeout=30) as connection:
        connection.sendall(head + b"Content-Length: 13\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"username=who2")
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert b'value="who2"' in answer


def test_pipelined_requests_are_answered_in_turn(panel: Served) -> None:
    one = b"GET /cp/healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    last = b"GET /cp/healthz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    assert exchange(panel.port, one * 20 + last).count(b"HTTP/1.1 200 OK\r\n") == 21


def test_a_half_closed_connection_is_answered(panel: Served) -> None:
    request = b"GET /cp/healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    assert exchange(panel.port, request, half_close=True).endswith(b"ok\n")


def test_a_connection_that_is_half_closed_within_its_request_is_closed(panel: Served) -> None:
    head = f"POST {SIGN_IN} HTTP/1.1\r\n".encode() + HOST + FORM + b"Content-Length: 100\r\n\r\nuser"
    assert b" 200 " not in exchange(panel.port, head, half_close=True)


def test_ten_thousand_headers_are_refused(panel: Served) -> None:
    headers = b"".join(b"X-%d: y\r\n" % number for number in range(10_000))
    answer = exchange(panel.port, b"GET /cp/healthz HTTP/1.1\r\n" + HOST + headers + b"\r\n")
    assert answer == b"" or re.match(rb"HTTP/1\.1 4\d\d ", answer)
    assert exchange(panel.port, b"GET /cp/healthz HTTP/1.0\r\n" + HOST + b"\r\n").endswith(b"ok\n")


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: -5\r\n",
        b"Transfer-Encoding: gzip\r\n",
    ],
)
def test_a_request_whose_end_is_in_doubt_is_refused(panel: Served, framing: bytes) -> None:
    head = f"POST {SIGN_IN} HTTP/1.1\r\n".encode() + HOST + FORM + framing
    answer = exchange(panel.port, head + b"\r\n0\r\n\r\nGET /cp/healthz HTTP/1.1\r\n" + HOST + b"\r\n")
    assert b" 200 " not in answer


def test_a_body_too_large_is_refused_before_it_comes(panel: Served) -> None:
    length = f"Content-Length: {LARGEST + 1}\r\nConnection: close\r\n\r\n".encode()
    answer = exchange(panel.port, f"POST {SIGN_IN} HTTP/1.1\r\n".encode() + HOST + FORM + length)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_header_with_an_underscore_does_not_pass_for_a_proxy_s(panel: Served) -> None:
    # Its hyphenated namesake makes the panel think that the browser used TLS; there is no trusted proxy here.
    head = b"GET /cp/ HTTP/1.1\r\n" + HOST + b"Connection: close\r\nX_Forwarded_Proto: https\r\n"
    assert b"\r\nLocation: /cp/" in exchange(panel.port, head + b"\r\n")


def test_a_websocket_is_refused(panel: Served) -> None:
    key = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    head = b"GET /cp/ HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + key
    assert exchange(panel.port, head + b"\r\n").startswith(b"HTTP/1.1 403 ")


def test_the_server_ends_although_connections_are_open(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        kept = socket.create_connection(("127.0.0.1", server.port))
        kept.sendall(b"GET /cp/healthz HTTP/1.1\r\n" + HOST + b"\r\n")
        assert kept.recv(1000)
        server.process.terminate()
        assert server.process.wait(8) == 0
        kept.close()


class Visitor:
    """Somebody signed in."""

    def __init__(self, origin: str, *, signs_in: bool = True) -> None:
        self.origin = origin
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        if not signs_in:
            return
        self.get(SIGN_IN)
        fields = {"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": self.token}
        self._opener.open(origin + SIGN_IN, urllib.parse.urlencode(fields).encode()).close()

    @property
    def token(self) -> str:
        """The token that a form has to have."""
        return next(str(cookie.value) for cookie in self.cookies if cookie.name == "csrftoken")

    def get(self, path: str) -> str:
        """The page at a path."""
        with self._opener.open(self.origin + path, timeout=30) as answer:
            return str(answer.read().decode())

    def upload(self, port: int, rows: int) -> int:
        """Upload a call log of so many rows; the status that comes back."""
        head = (
            '--b\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n'
            f'{self.token}\r\n--b\r\nContent-Disposition: form-data; name="log"; filename="a.csv"\r\n'
            "Content-Type: text/csv\r\n\r\nruri,from,callid\r\n"
        ).encode()
        row = b"sip:100@example.test,sip:200@example.test,%010d\r\n"
        tail = b"\r\n--b--\r\n"
        length = len(head) + rows * len(row % 1) + len(tail)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.putrequest("POST", UPLOAD)
        connection.putheader("Content-Type", "multipart/form-data; boundary=b")
        connection.putheader("Content-Length", str(length))
        connection.putheader("Cookie", "; ".join(f"{each.name}={each.value}" for each in self.cookies))
        connection.endheaders(head)
        for begin in range(0, rows, 10_000):
            connection.send(b"".join(row % number for number in range(begin, min(begin + 10_000, rows))))
        connection.send(tail)
        status = connection.getresponse().status
        connection.close()
        return status


def test_a_large_call_log_is_uploaded_while_slow_ones_are(panel: Served) -> None:
    browser = Visitor(panel.origin)
    with slow_clients(panel.port, 60):
        assert browser.upload(panel.port, rows=400_000) == 302
    assert "a.csv" in browser.get("/cp/preview/spread/logs/")


NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
{lines}
  }}
}}
"""


@pytest.fixture
def nginx(panel: Served, tmp_path: Path) -> Iterator[int]:
    """The port of an nginx with the README's own lines in front of the panel."""
    readme = (PROJECT_DIR / "README.md").read_text(encoding="utf-8")
    match = re.search(r"nginx for example.*?```\n(.*?)```", readme, re.DOTALL)
    assert match is not None
    lines = match[1].replace("127.0.0.1:8000", f"127.0.0.1:{panel.port}")
    port = free_port()
    (tmp_path / "conf").write_text(NGINX.format(folder=tmp_path, port=port, lines=lines))
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/usr/local/sbin")
    assert program is not None, "nginx is missing: `tests/install` installs it"
    process = subprocess.Popen(
        [program, "-p", str(tmp_path), "-c", str(tmp_path / "conf")], stderr=sys.stderr
    )
    try:
        assert until(lambda: _listens(port) or process.poll() is not None, 20)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_behind_nginx_with_the_readme_s_lines_slow_clients_stop_nothing(panel: Served, nginx: int) -> None:
    browser = Visitor(panel.origin)
    with slow_clients(nginx, SLOW):
        for path in ("/cp/healthz", SIGN_IN):
            assert longest_answer_s(f"http://127.0.0.1:{nginx}{path}", tries=10) < HEAD_WITHIN_S
        assert browser.upload(nginx, rows=200_000) == 302
