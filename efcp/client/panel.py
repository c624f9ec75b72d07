"""Calls of the panel's API, each within what is left of one limit on the whole command.

http.client over efcp.mi.stream, because timeouts of HTTP libraries bound single operations: a server that
sends a byte now and then would never be given up.
"""

import http.client
import ipaddress
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from efcp.mi import Endpoint, EndpointError, MiError
from efcp.mi.errors import Stage, TooSlowError
from efcp.mi.stream import Deadline, open_stream

BASE = "/cp/api/v1"
LARGEST_ANSWER = 64_000_000
PAGE = 1_000


class PanelError(Exception):
    """The panel can't be reached, or answers with something else than its API does."""


class UnansweredError(PanelError):
    """The connection was lost: a write may have been carried out."""


class AddressError(PanelError):
    """The address or the token can't be used; nothing was sent."""


class ProblemAnswerError(Exception):
    """The panel refused a call; `problem` has its problem details (RFC 9457)."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail", "")))
        self.problem = dict(problem)

    @property
    def lines(self) -> list[str]:
        """What went wrong, for people."""
        findings = [
            ": ".join(filter(None, (each["field"], each["text"])))
            for each in self.problem.get("findings", ())
        ]
        return [f"{self.problem.get('title', 'Refused')}: {self}", *(f"  {each}" for each in findings)]


@dataclass(frozen=True, slots=True)
class PanelApi:
    """A panel's API: its address, a token, and when every call has to be over."""

    endpoint: Endpoint
    token: str = field(repr=False)
    deadline: Deadline

    @classmethod
    def at(cls, address: str, token: str, limit_s: float, *, permit_plain: bool = False) -> "PanelApi":
        """The panel at an origin such as https://panel.example.org. Raises AddressError."""
        try:
            parts = urlsplit(address.strip())
            endpoint = Endpoint.parse(f"{parts.scheme}://{parts.netloc}/")
        except (EndpointError, ValueError) as error:
            raise AddressError(f"{address} is no address of a panel: {error}") from None
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise AddressError(f"{address} is more than an origin: leave out what follows the host and port.")
        if not (endpoint.tls or permit_plain or _is_loopback(endpoint.host)):
            raise AddressError("Only https keeps the token secret. EFCP_INSECURE_HTTP=1 permits plain HTTP.")
        if not token or not token.isascii() or not token.isprintable():
            raise AddressError(
                "Set EFCP_TOKEN to a token of the panel, or EFCP_TOKEN_FILE to a file with one."
            )
        return cls(endpoint, token, Deadline.after(limit_s))

    def get(self, path: str, **query: Any) -> Any:
        """What the API answers to a GET."""
        return self.call("GET", path, query)

    def post(self, path: str, body: Mapping[str, Any], **query: Any) -> Any:
        """What the API answers to a POST: sent once more, by the same key, where the answer was lost."""
        key = uuid4().hex
        try:
            return self.call("POST", path, query, body, key)
        except UnansweredError:
            return self.call("POST", path, query, body, key)

    def items(self, path: str, limit: int, **query: Any) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page, at most `limit`."""
        cursor: str | None = ""
        while cursor is not None and limit > 0:
            page = self.get(path, **query, limit=min(limit, PAGE), **({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            limit -= len(page["items"])
            cursor = page["next"]

    def ended(self, path: str, run: dict[str, Any], wait_s: int = 20) -> dict[str, Any]:
        """A run once it is over. Raises UnansweredError at the deadline."""
        while run["is_open"]:
            run = self.get(path, wait=max(0, min(wait_s, int(self._remaining_s() - 2))))
            self._remaining_s()
        return run

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> Any:
        """The JSON of an answer. Raises ProblemAnswerError and PanelError."""
        chosen = {name: value for name, value in (query or {}).items() if value is not None}
        address = f"{BASE}{path}" + (f"?{urlencode(chosen)}" if chosen else "")
        sent = b"" if body is None else json.dumps(body).encode()
        try:
            status, content_type, text = self._exchange(method, address, sent, key)
        except TooSlowError as error:
            raise PanelError(f"{self.endpoint.place} did not answer within {error.limit_s:g} s.") from error
        except MiError as error:
            raise PanelError(str(error)) from error
        except (http.client.HTTPException, OSError) as error:
            lost = f"{self.endpoint.place} closed the connection without an answer."
            raise UnansweredError(lost) from error
        return _checked(status, content_type, text)

    def _exchange(self, method: str, address: str, body: bytes, key: str) -> tuple[int, str, bytes]:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/json",
            "User-Agent": "efcpctl",
            "Connection": "close",
        }
        if body:
            headers["Content-Type"] = "application/json"
        if key:
            headers["Idempotency-Key"] = key
        with open_stream(self.endpoint, self.deadline, ssl.create_default_context()) as stream:
            connection = http.client.HTTPConnection(self.endpoint.host, self.endpoint.port)
            connection.sock = cast("ssl.SSLSocket", stream)  # all that it uses of a socket, Stream has
            connection.request(method, address, body=body or None, headers=headers)
            stream.send()
            answer = connection.getresponse()
            text = answer.read(LARGEST_ANSWER + 1)
            return answer.status, answer.headers.get("Content-Type", ""), text

    def _remaining_s(self) -> float:

        try:
            return self.deadline.remaining(Stage.WAITING)
        except TooSlowError as error:
            raise UnansweredError(f"It was not over within {error.limit_s:g} s.") from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked(status: int, content_type: str, text: bytes) -> Any:
    kind = content_type.partition(";")[0].strip()
    if len(text) > LARGEST_ANSWER or kind not in {"application/json", "application/problem+json"}:
        raise PanelError(f"This is no answer of the panel's API: status {status}, {kind or 'no type'}.")
    try:
        found = json.loads(text)
    except ValueError:
        raise PanelError(f"The answer is not JSON: status {status}.") from None
    if status >= 400:
        raise ProblemAnswerError(found if isinstance(found, dict) else {"detail": str(found)})
    return found
