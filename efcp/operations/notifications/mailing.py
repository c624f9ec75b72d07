"""Sends a notice by e-mail, through the server that EFCP_SMTP_URL names."""

import smtplib
import socket
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as PoolTimeoutError

from django.conf import settings
from django.core.mail import BadHeaderError, EmailMessage

from efcp.operations.models import Notice, NotificationRule

LIMIT_S = 30.0
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

_WORDS = {"down": "down", "back": "back", "test": "test"}


class MailError(Exception):
    """The server did not take the message; the text is one line for people."""


class MaybeSentError(MailError):
    """Nobody knows whether the server took the message."""


def can_send() -> bool:
    """Whether a server is set."""
    return bool(settings.EMAIL_HOST)


def send(rule: NotificationRule, notice: Notice) -> None:
    """Send a notice to the rule's recipients. Raises MailError, or MaybeSentError where no answer came."""
    if not can_send():
        raise MailError("EFCP_SMTP_URL is not set.")
    message = EmailMessage(
        subject=_subject(notice),
        body=_body(notice),
        to=recipients(rule.recipients),
        headers={"Message-ID": f"<{notice.key}@efcp>"},
    )
    # smtplib bounds each step only: a server that drips would be waited for without end.
    pool = ThreadPoolExecutor(1, thread_name_prefix="mail")
    try:
        pool.submit(message.send).result(LIMIT_S)
    except PoolTimeoutError:
        raise MaybeSentError(f"The mail server took longer than {LIMIT_S:.0f} s.") from None
    except _NOT_SENT as error:
        raise MailError(f"The mail server did not take it: {error}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise MaybeSentError(f"The connection to the mail server broke: {error}") from error
    finally:
        pool.shutdown(wait=False)


def recipients(text: str) -> list[str]:
    """The addresses in a text that divides them by commas or lines."""
    return [each.strip() for each in text.replace("\n", ",").split(",") if each.strip()]


def _subject(notice: Notice) -> str:
    destinations = notice.content["destinations"]
    count = len(destinations) + notice.content["further"]
    if notice.kind == "test":
        subject = f"[EFCP] test of {notice.content['rule']}"
    elif count == 1:
        subject = f"[EFCP] {_WORDS[notice.kind]}: {destinations[0]['uri']} in set {destinations[0]['set']}"
    else:
        subject = f"[EFCP] {count} destinations {_WORDS[notice.kind]}: {notice.content['rule']}"
    return " ".join(subject.split())


def _body(notice: Notice) -> str:
    if notice.kind == "test":
        return "This is a test: messages of this rule reach you.\n"
    lines = [
        f"{each['uri']} in set {each['set']} {each['set_name']} on {each['proxy']}:"
        f" {'up again, was ' if notice.kind == 'back' else ''}{each['state']} since {each['since']}"
        for each in notice.content["destinations"]
    ]
    if notice.content["further"]:
        lines.append(f"and {notice.content['further']} more")
    if settings.PUBLIC_URL:
        lines += ["", f"{settings.PUBLIC_URL}/cp/system/dispatcher/state/"]
    return "\n".join(lines) + "\n"
