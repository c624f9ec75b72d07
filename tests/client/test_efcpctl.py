"""`efcpctl` against servers that are no panel, without a token, and with text that is not for a terminal."""

import json
import socket
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import click
import pytest

from efcp.client.main import NO_ANSWER, REFUSED, USAGE, cli, run
from efcp.client.output import harmless
from efcp.configuration import PROJECT_DIR

TOKEN = "efcp_0123456789ab_secret"


@contextmanager
def server(answers: list[bytes], *, drips: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives each connection its answer and closes it; its address, and what it was sent."""
    requests: list[bytes] = []
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                connection, _address = listening.accept()
                with connection:
                    requests.append(connection.recv(65_536))
                    connection.sendall(answer)
                    while drips and not ended.wait(0.02):
                        connection.sendall(b" ")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", requests
        ended.set()
        thread.join(10)


def answer(status: str, body: object, kind: str = "application/json") -> bytes:
    text = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EFCP_TOKEN", TOKEN)
    monkeypatch.delenv("EFCP_TOKEN_FILE", raising=False)


def call(monkeypatch: pytest.MonkeyPatch, address: str, *arguments: str) -> int:
    monkeypatch.setenv("EFCP_URL", address)
    return run(arguments)


def test_the_token_is_sent_as_a_header_and_a_problem_is_shown_with_its_findings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = {
        "title": "Forbidden",
        "detail": "No\x1b[2J.",
        "findings": [{"field": "q", "text": "Too long."}],
    }
    with server([answer("403 Forbidden", problem, "application/problem+json")]) as (address, requests):
        assert call(monkeypatch, address, "list", "rules") == REFUSED
    assert f"Authorization: Bearer {TOKEN}\r\n".encode() in requests[0]
    assert capsys.readouterr().err == "Forbidden: No\ufffd[2J.\n  q: Too long.\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"SIP/2.0 200 OK\r\n\r\n",
        answer("200 OK", "a page", "text/html"),
        answer("302 Found", {}, "text/html"),
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{]}",
    ],
    ids=["nothing", "no HTTP", "a page", "a redirect", "no JSON"],
)
def test_what_is_no_panel_is_no_answer(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    with server([sent]) as (address, _requests):
        assert call(monkeypatch, address, "list", "rules") == NO_ANSWER


def test_a_server_that_drips_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
    with server([head], drips=True) as (address, _requests):
        assert call(monkeypatch, address, "--timeout", "0.5", "list", "rules") == NO_ANSWER
    assert "did not answer within 0.5 s" in capsys.readouterr().err


def test_a_write_without_an_answer_is_sent_once_more_with_the_same_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = {"data": {"id": 1, "is_open": False, "clean": True, "results": []}}
    with server([b"", answer("202 Accepted", data)]) as (address, requests):
        assert call(monkeypatch, address, "state", "inactive", "1") == 0
    keys = [each.partition(b"Idempotency-Key: ")[2].partition(b"\r\n")[0] for each in requests]
    assert keys[0] == keys[1] != b""


@pytest.mark.parametrize(
    ("address", "token"),
    [
        ("http://192.0.2.1", TOKEN),
        ("ftp://127.0.0.1", TOKEN),
        ("https://127.0.0.1/cp", TOKEN),
        ("http://127.0.0.1", ""),
        ("http://127.0.0.1", "a\nb"),
    ],
    ids=["plain HTTP", "another scheme", "a path", "no token", "two lines"],
)
def test_an_address_or_token_that_can_not_be_used_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, address: str, token: str
) -> None:
    monkeypatch.setenv("EFCP_TOKEN", token)
    assert call(monkeypatch, address, "list", "rules") == USAGE


def test_wrong_usage_has_a_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (["frob"], ["list"], ["list", "rules", "--where", "x"], ["--timeout", "0", "state"]):
        assert call(monkeypatch, "http://127.0.0.1:9", *arguments) == USAGE


def test_no_text_of_others_moves_the_cursor() -> None:
    assert harmless("a\x1b[2J\r\n\u202eb") == "a\ufffd[2J\ufffd\ufffd\ufffdb"


def test_pip_installs_the_command_and_shells_complete_it(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text())
    module, _, function = project["project"]["scripts"]["efcpctl"].partition(":")
    assert callable(getattr(import_module(module), function))
    assert "efcp*" in project["tool"]["setuptools"]["packages"]["find"]["include"]
    for shell in ("bash", "zsh", "fish"):
        assert run(["completion", shell]) == 0
        assert "_EFCPCTL_COMPLETE" in capsys.readouterr().out


def test_every_command_is_documented() -> None:
    text = Path(PROJECT_DIR / "docs" / "api.md").read_text()
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help
        assert f"`{name}`" in text, name
