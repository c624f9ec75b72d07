"""POSTs a notice as JSON, signed, with one limit on the whole time; no redirect is followed.

The header `EFCP-Signature: t=UNIX_TIME,v1=HEX` holds the HMAC-SHA256, under the rule's secret, of the time, a
dot and the body as sent. A receiver compares it, refuses an old time, and knows a repeated message by its id.
"""

import hashlib
import hmac
import http.client
import json
import ssl
import time
from typing import cast

import urllib3
from django.conf import settings

from efcp.mi import Endpoint, EndpointError, MiError
from efcp.mi.deadline import Deadline
from efcp.mi.reach import Reach
from efcp.mi.stream import open_stream
from efcp.operations.models import Notice, NotificationRule
from efcp.proxies.mi_password import UnreadablePasswordError, decrypt, encrypt

LIMIT_S = 10.0
PURPOSE = b"efcp: secrets of webhooks"


class WebhookError(Exception):
    """The receiver did not take the message; the text is one line for people."""


def sealed(secret: str) -> bytes:
    """The secret as it is stored."""
    return encrypt(secret, PURPOSE)


def signature(secret: str, moment: int, body: bytes) -> str:
    """The value of the header EFCP-Signature."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def send(rule: NotificationRule, notice: Notice) -> None:
    """Send a notice; any answer of 200 to 299 is a receipt. Raises WebhookError."""
    try:
        endpoint = Endpoint.parse(rule.url, reach=Reach(settings.WEBHOOK_NETWORKS))
        secret = decrypt(bytes(rule.secret_encrypted), PURPOSE)
    except EndpointError as error:
        raise WebhookError(str(error)) from error
    except UnreadablePasswordError:
        raise WebhookError(
            "Its address and secret can't be read with this installation's secret key: enter them again."
        ) from None
    body = json.dumps(notice.content).encode()
    try:
        status = _post(endpoint, body, signature(secret, int(time.time()), body))
    except MiError as error:
        raise WebhookError(str(error)) from error
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError):
        raise WebhookError("The connection was closed without an answer.") from None
    if not 200 <= status < 300:
        raise WebhookError(f"The receiver answered with status {status}.")


def _post(endpoint: Endpoint, body: bytes, signed: str) -> int:
    """The status of the answer, whose body is not read."""
    deadline = Deadline.after(LIMIT_S)
    with open_stream(endpoint, deadline, ssl.create_default_context()) as stream:
        connection = urllib3.connection.HTTPConnection(endpoint.host, endpoint.port)
        connection.sock = cast("ssl.SSLSocket", stream)  # all that it uses of a socket, Stream has
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "EFCP",
            "Connection": "close",
            "EFCP-Signature": signed,
        }
        connection.request("POST", endpoint.target, body=body, headers=headers, preload_content=False)
        stream.send()
        return int(connection.getresponse().status)
