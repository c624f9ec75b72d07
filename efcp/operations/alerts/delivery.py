"""Delivers notices by e-mail or to a webhook, and retries after a pause.

A notice is claimed in the database before it is sent. If the process dies while sending, or the mail server
does not answer, nobody knows whether the notice arrived: it is shown as unknown and not sent again. A webhook
that does not answer is tried again, since it recognizes a repeated message by its id.

A webhook gets JSON, signed; redirects are not followed. The header `EFCP-Signature: t=UNIX_TIME,v1=HEX` holds
the HMAC-SHA256, under the rule's secret, of the time, a dot and the body as sent. A receiver compares it,
refuses an old time, and knows a repeated message by its id.
"""

import hashlib
import hmac
import http.client
import json
import logging
import os
import secrets
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as PoolTimeoutError
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

import urllib3
from django.conf import settings
from django.core.mail import BadHeaderError, EmailMessage
from django.db import transaction
from django.utils import timezone

from efcp.configuration import PROJECT_DIR
from efcp.mi import Endpoint, EndpointError, MiError
from efcp.mi.endpoint import Reach
from efcp.mi.stream import Deadline, open_stream
from efcp.operations.alerts.conditions import Conditions
from efcp.operations.alerts.content import body_of, subject_of
from efcp.operations.alerts.detection import create_notices
from efcp.operations.alerts.models import Channel, Notice, NoticeState, NotificationRule
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.mi_password import UnreadablePasswordError, decrypt, encrypt

log = logging.getLogger(__name__)

EVERY_S = 2.0
AT_ONCE = 20
"""Messages of one beat to a receiver, and receivers of one beat: each may take its whole limit."""

MOST_WAITING = 2_000

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 7200))
"""After the first try, the second, and so on; then it is given up."""

LOST_AFTER = timedelta(minutes=5)


SUMMARY_FROM = 2
"""Messages that wait for a receiver who could not be reached; so many are sent as one summary."""

SUMMARY_LINES = 100


class Beat:
    """The leading watcher's regular turn; keeps what it read of each proxy's list while that is the same."""

    def __init__(self) -> None:
        self._conditions = Conditions()

    def __call__(self, now: datetime) -> None:
        """Create the notices that are due, and send them."""
        create_notices(now, self._conditions)
        deliver_due(now)


def run_due(now: datetime) -> None:
    """One turn by itself."""
    Beat()(now)


def deliver_due(now: datetime) -> None:
    """Send the notices that are due, to each receiver in their order.

    While an earlier message to a receiver is being tried again, later ones wait; then they are one summary.
    """
    _give_up_lost(now)
    waiting = Notice.objects.filter(state=NoticeState.WAITING, rule__enabled=True)
    by_receiver: dict[int, list[Notice]] = {}
    for notice in waiting.select_related("rule", "receiver").order_by("pk")[:MOST_WAITING]:
        by_receiver.setdefault(notice.receiver_id or notice.rule_id, []).append(notice)
    due = [each for each in by_receiver.values() if each[0].next_try_at <= now]
    for notices in due[:AT_ONCE]:
        first = notices[0]
        merges = bool(first.tries) and len(notices) >= SUMMARY_FROM
        for notice in _merge(notices, now) if merges else notices[:AT_ONCE]:
            if not _claim(notice):
                continue
            send(notice)
            if notice.state == NoticeState.WAITING:
                break


@retried_on_lock
@transaction.atomic
def _merge(notices: Sequence[Notice], now: datetime) -> list[Notice]:
    """One summary in place of messages that wait; none where another process claimed one of them."""
    first = notices[0]
    keys = [each.pk for each in notices]
    claimed = Notice.objects.filter(pk__in=keys, state=NoticeState.WAITING).update(state=NoticeState.MERGED)
    if claimed != len(keys):
        transaction.set_rollback(True)
        return []
    lines: list[dict[str, Any]] = []
    further = 0
    for each in notices:
        if each.kind == "summary":
            lines += each.content["messages"]
            further += each.content["further"]
        else:
            subject = subject_of(each.kind, each.content).removeprefix("[EFCP] ")
            lines.append({"id": each.key, "kind": each.kind, "at": each.content["at"], "subject": subject})
    key = secrets.token_hex(16)
    content = {
        "id": key,
        "kind": "summary",
        "rule": first.rule.name,
        "at": now.isoformat(timespec="seconds"),
        "messages": lines[-SUMMARY_LINES:],
        "further": further + max(0, len(lines) - SUMMARY_LINES),
    }
    summary = Notice.objects.create(
        rule=first.rule,
        receiver=first.receiver,
        key=key,
        kind="summary",
        content=content,
        created_at=now,
        next_try_at=now,
        tries=first.tries,
    )
    return [summary]


@retried_on_lock
def _give_up_lost(now: datetime) -> None:
    lost = Notice.objects.filter(state=NoticeState.SENDING, next_try_at__lte=now - LOST_AFTER)
    for pk in list(lost.values_list("pk", flat=True)[:AT_ONCE]):
        Notice.objects.filter(pk=pk, state=NoticeState.SENDING).update(
            state=NoticeState.UNKNOWN, error="The panel was stopped while sending."
        )


@retried_on_lock
def _claim(notice: Notice) -> bool:
    """Whether it is this process that is to send it."""
    waiting = Notice.objects.filter(pk=notice.pk, state=NoticeState.WAITING)
    return bool(waiting.update(state=NoticeState.SENDING, next_try_at=timezone.now()))


@retried_on_lock
def _store(notice: Notice) -> None:
    notice.save(update_fields=["tries", "state", "next_try_at", "error"])


def send(notice: Notice) -> None:
    """Send a claimed notice once, and store the outcome."""
    notice.tries += 1
    try:
        receiver = notice.receiver or notice.rule
        _CHANNELS[receiver.channel](receiver, notice)
    except MaybeSentError as error:
        notice.state, notice.error = NoticeState.UNKNOWN, str(error)[:255]
    except (MailError, WebhookError) as error:
        notice.error = str(error)[:255]
        if notice.tries > len(PAUSES):
            notice.state = NoticeState.GIVEN_UP
            log.warning("Notice %s of %s failed for good: %s", notice.key, notice.rule.name, notice.error)
        else:
            notice.state = NoticeState.WAITING
            notice.next_try_at = timezone.now() + PAUSES[notice.tries - 1]
    else:
        notice.state, notice.error = NoticeState.SENT, ""
    _store(notice)


MAIL_LIMIT_S = 30.0
"""On the whole time of a message; each step of it has settings.EMAIL_TIMEOUT."""

_NOT_SENT = (
    smtplib.SMTPResponseException,
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPNotSupportedError,
    ConnectionRefusedError,
    socket.gaierror,
    BadHeaderError,
)
"""What can only come before the server has taken the message."""


class MailError(Exception):
    """The server did not take the message; the text is one line for people."""


class MaybeSentError(MailError):
    """Nobody knows whether the server took the message."""


def can_send() -> bool:
    """Whether a server is set."""
    return bool(settings.EMAIL_HOST)


def send_mail(rule: NotificationRule, notice: Notice) -> None:
    """Send a notice to the rule's recipients. Raises MailError, or MaybeSentError where no answer came."""
    if not can_send():
        raise MailError("EFCP_SMTP_URL is not set.")
    message = EmailMessage(
        subject=subject_of(notice.kind, notice.content),
        body=body_of(notice.kind, notice.content),
        to=recipients(rule.recipients),
        headers={"Message-ID": f"<{notice.key}@efcp>"},
    )
    # smtplib bounds each step only: a server that drips would be waited for without end.
    pool = ThreadPoolExecutor(1, thread_name_prefix="mail")
    try:
        pool.submit(message.send).result(MAIL_LIMIT_S)
    except PoolTimeoutError:
        raise MaybeSentError(f"The mail server did not respond within {MAIL_LIMIT_S:.0f} s.") from None
    except _NOT_SENT as error:
        raise MailError(f"The mail server rejected the message: {error}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise MaybeSentError(f"The connection to the mail server failed: {error}") from error
    finally:
        pool.shutdown(wait=False)


def recipients(text: str) -> list[str]:
    """The addresses in a text that divides them by commas or lines."""
    return [each.strip() for each in text.replace("\n", ",").split(",") if each.strip()]


WEBHOOK_LIMIT_S = 10.0
WEBHOOK_SECRET = b"efcp: secrets of webhooks"


class WebhookError(Exception):
    """The receiver did not take the message; the text is one line for people."""


def encrypted_secret(secret: str) -> bytes:
    """The secret as it is stored."""
    return encrypt(secret, WEBHOOK_SECRET)


def signature(secret: str, moment: int, body: bytes) -> str:
    """The value of the header EFCP-Signature."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


class SignedReceiver(Protocol):
    """Where to post to, and the secret to sign with."""

    @property
    def url(self) -> str:
        """The whole address; raises UnreadablePasswordError under another secret key."""

    @property
    def secret_encrypted(self) -> bytes | memoryview:
        """The secret as `encrypted_secret` gives it."""


class SignedMessage(Protocol):
    """What is posted."""

    @property
    def content(self) -> Any:
        """As JSON."""


def post_webhook(rule: SignedReceiver, notice: SignedMessage) -> None:
    """Send a notice; any answer of 200 to 299 is a receipt. Raises WebhookError."""
    try:
        endpoint = Endpoint.parse(rule.url, reach=Reach(settings.WEBHOOK_NETWORKS))
        secret = decrypt(bytes(rule.secret_encrypted), WEBHOOK_SECRET)
    except EndpointError as error:
        raise WebhookError(str(error)) from error
    except UnreadablePasswordError:
        raise WebhookError(
            "Its URL and secret can't be decrypted with EFCP_SECRET_KEY: enter them again."
        ) from None
    body = json.dumps(notice.content).encode()
    try:
        signed = {"EFCP-Signature": signature(secret, int(time.time()), body)}
        status = post_bytes(endpoint, body, signed)
    except MiError as error:
        raise WebhookError(str(error)) from error
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError):
        raise WebhookError("The connection was closed without an answer.") from None
    if not 200 <= status < 300:
        raise WebhookError(f"The receiver returned status {status}.")


def post_bytes(endpoint: Endpoint, body: bytes, extra: Mapping[str, str]) -> int:
    """Post JSON with extra headers within WEBHOOK_LIMIT_S; the status of the answer, whose body is not read.

    Redirects are not followed. Raises MiError, urllib3's HTTPError, HTTPException or OSError.
    """
    deadline = Deadline.after(WEBHOOK_LIMIT_S)
    with open_stream(endpoint, deadline, ssl.create_default_context()) as stream:
        connection = urllib3.connection.HTTPConnection(endpoint.host, endpoint.port)
        connection.sock = cast("ssl.SSLSocket", stream)  # all that it uses of a socket, Stream has
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "EFCP",
            "Connection": "close",
            **extra,
        }
        connection.request("POST", endpoint.target, body=body, headers=headers, preload_content=False)
        stream.send()
        return int(connection.getresponse().status)


APPRISE_LIMIT_S = 25.0
"""On the whole time of a message, the start of its process included."""

_APPRISE_BYTES = 1 << 30
"""Of address space: an answer of any size ends the process, not the watcher."""


def send_by_apprise(rule: NotificationRule, notice: Notice) -> None:
    """Send a notice by Apprise. Raises MailError, or MaybeSentError where the time was over."""
    try:
        url = rule.url
    except UnreadablePasswordError:
        raise MailError("Its address can't be decrypted with EFCP_SECRET_KEY: enter it again.") from None
    given = {
        "url": url,
        "title": subject_of(notice.kind, notice.content),
        "body": body_of(notice.kind, notice.content),
        "networks": [str(each) for each in settings.WEBHOOK_NETWORKS],
        "bytes": _APPRISE_BYTES,
    }
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "efcp.operations.alerts.apprise_process"],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=APPRISE_LIMIT_S,
            cwd=PROJECT_DIR,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(settings.UPLOAD_DIR)},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MaybeSentError(f"The receiver did not answer within {APPRISE_LIMIT_S:.0f} s.") from None
    if problem := ended.stdout.strip():
        raise MailError(problem)
    if ended.returncode:
        raise MaybeSentError("Apprise ended with an error; whether it sent the message is unknown.")


_CHANNELS: dict[str, Callable[[NotificationRule, Notice], None]] = {
    Channel.EMAIL: send_mail,
    Channel.WEBHOOK: post_webhook,
    Channel.APPRISE: send_by_apprise,
}
