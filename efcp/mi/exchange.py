"""One HTTP POST to a proxy: no redirect is followed, nothing is sent twice, no proxy of the environment used.

Each request has a connection of its own: a proxy's error may leave a body that never ends (`raw` in the
recorded vectors), and such a connection can't be used again.

urllib3's connection and response do the HTTP; its pool, retries and timeouts are left out, because they
would follow, repeat and bound single operations where one deadline bounds the whole (`efcp/mi/stream.py`).
"""

import http.client
import ssl
from collections.abc import Callable
from typing import cast

import urllib3

from efcp.mi.endpoint import Endpoint, excerpt
from efcp.mi.errors import NotMiError, ReplyTooLargeError, Stage, TooSlowError, UnfinishedReplyError
from efcp.mi.stream import Deadline, Stream, open_stream

_READ_AT_ONCE = 64 * 1024

_ERROR_BODY_GRACE_S = 0.5
"""How long the body of an HTTP error is waited for: the error is known, only its excerpt may still come."""

_ERROR_BODY_BYTES = 4096

_BROKEN = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


def post(
    endpoint: Endpoint,
    body: bytes,
    deadline: Deadline,
    max_bytes: int,
    tls_context: ssl.SSLContext,
    take: Callable[[bytes], None],
) -> None:
    """Send `body`, which is JSON, and have `take` take the body of the answer, which says that it is JSON.

    Raises UnreachableError, TooSlowError, ReplyTooLargeError for an answer of more than `max_bytes`,
    NotMiError for any other answer than HTTP 200 with JSON, UnfinishedReplyError for an HTTP error that never
    ends.
    """
    with open_stream(endpoint, deadline, tls_context) as stream:
        try:
            response = _ask(endpoint, body, stream)
        except _BROKEN as error:
            raise _no_answer(error) from None
        if response.status != http.client.OK:
            raise _http_error(endpoint, response, stream)
        _require_plain_json(endpoint, response)
        _body(response, stream, max_bytes, take)


def _ask(endpoint: Endpoint, body: bytes, stream: Stream) -> urllib3.HTTPResponse:
    connection = urllib3.connection.HTTPConnection(endpoint.host, endpoint.port)
    connection.sock = cast("ssl.SSLSocket", stream)  # all that it uses of a socket, Stream has
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "EFCP",
        "Connection": "close",
    }
    if endpoint.authorization is not None:
        headers["Authorization"] = endpoint.authorization
    connection.request(
        "POST", endpoint.target, body=body, headers=headers, preload_content=False, decode_content=False
    )
    stream.send()
    stream.stage = Stage.WAITING
    return connection.getresponse()


def _no_answer(error: BaseException) -> NotMiError:
    if isinstance(error, OSError):
        return NotMiError("the connection was closed without a reply")
    return NotMiError("it is not HTTP")


def _body(
    response: urllib3.HTTPResponse, stream: Stream, max_bytes: int, take: Callable[[bytes], None]
) -> None:
    stream.stage = Stage.BODY
    if response.length_remaining is not None and response.length_remaining > max_bytes:
        raise ReplyTooLargeError(max_bytes)
    size = 0
    try:
        while chunk := response.read1(_READ_AT_ONCE):
            size += len(chunk)
            if size > max_bytes:
                raise ReplyTooLargeError(max_bytes)
            take(chunk)
    except _BROKEN:
        raise NotMiError(
            f"the connection broke off after {size:,} bytes",
            response.status,
            _content_type(response),
        ) from None


def _http_error(endpoint: Endpoint, response: urllib3.HTTPResponse, stream: Stream) -> NotMiError:
    start, ended = _error_body(response, stream)
    content_type = excerpt(endpoint, _content_type(response))
    quoted = excerpt(endpoint, start.decode("utf-8", "replace"))
    if not ended:
        return UnfinishedReplyError(response.status, content_type, quoted)
    kind = f", {content_type}" if content_type else ""
    return NotMiError(
        f"HTTP status {response.status}{kind}{_hint(response)}",
        response.status,
        content_type,
        quoted,
    )


def _error_body(response: urllib3.HTTPResponse, stream: Stream) -> tuple[bytes, bool]:
    """The start of an HTTP error's body, and whether it ended, or at least went on, in a short time."""
    stream.deadline = stream.deadline.at_most(_ERROR_BODY_GRACE_S)
    start = bytearray()
    try:
        while len(start) < _ERROR_BODY_BYTES and (chunk := response.read1(_ERROR_BODY_BYTES)):
            start += chunk
    except TooSlowError:
        return bytes(start), False
    except _BROKEN:
        return bytes(start), True
    return bytes(start), True


def _hint(response: urllib3.HTTPResponse) -> str:
    if 300 <= response.status < 400:
        return ": redirects are not followed"
    if response.status in {401, 403}:
        return ": user name or password missing or wrong"
    if response.status in {400, 404}:
        return ": check the path (OpenSIPS uses /mi unless mi_http's root is set)"
    return ""


def _require_plain_json(endpoint: Endpoint, response: urllib3.HTTPResponse) -> None:
    content_type = excerpt(endpoint, _content_type(response))
    if content_type.partition(";")[0].strip().lower() != "application/json":
        named = f"“{content_type}”" if content_type else "missing"
        raise NotMiError(f"its content type is {named}, not application/json", response.status, content_type)
    encoding = response.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise NotMiError("it is compressed, which was not requested", response.status, content_type)


def _content_type(response: urllib3.HTTPResponse) -> str:
    return response.headers.get("content-type", "")
