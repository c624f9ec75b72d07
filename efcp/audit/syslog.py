"""Forwards audit records to a syslog receiver: RFC 5424 over TCP or TLS, framed by octet counts (RFC 5425).

The audit table itself is the queue: a row says up to which record all were sent, so that nothing is lost
while the receiver, or the panel, is away. A transaction may commit after one with a higher id, so ids that
were missing are looked for again. A batch counts as sent once the receiver has acknowledged every byte and
closed at our end of it; if the connection breaks before, all of it is sent again, and `id` shows that.

logging.handlers.SysLogHandler speaks RFC 3164 and drops what it can't send.
"""

import contextlib
import fcntl
import json
import logging
import socket
import ssl
import struct
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Max

from efcp.audit.models import AuditForwarding, AuditRecord
from efcp.configuration import SyslogReceiver
from efcp.mi import MiError
from efcp.mi.endpoint import tls_context
from efcp.mi.errors import Stage
from efcp.mi.stream import Deadline, resolve

log = logging.getLogger(__name__)

EVERY_S = 2.0
LIMIT_S = 10.0
"""On the whole time of one batch."""
CLOSES_WITHIN_S = 2.0
AT_ONCE = 500
MISSING_AT_MOST = 1_000
MISSING_FOR = timedelta(minutes=10)
"""How long an id that was passed over may still be committed."""
MOST_CHANGES = 4_096
"""Characters of the columns before and after."""

_FACILITY_AUDIT = 13
_NOTICE, _WARNING = 5, 4
_WARNED_OF = frozenset({"sign in failed", "throttle"})
_BOM = "\ufeff"
_SIOCOUTQ = 0x5411
"""How many bytes the other side has not acknowledged yet (Linux, tcp(7))."""


def forward(now: datetime) -> None:
    """Send what is new, a batch at a time. For the leading watcher."""
    receiver: SyslogReceiver | None = settings.SYSLOG
    if receiver is None:
        return
    state, is_new = AuditForwarding.objects.get_or_create(pk=1, defaults={"sent_id": _newest_id()})
    if is_new:
        return
    while batch := _due(state):
        try:
            send([message(record) for record in batch], receiver)
        except (MiError, OSError) as error:
            _note_failure(state, now, error)
            return
        _note_sent(state, batch, now)
        if len(batch) < AT_ONCE:
            return


def _due(state: AuditForwarding) -> list[AuditRecord]:
    passed = [pk for pk, _since in state.missing]
    late = list(AuditRecord.objects.filter(pk__in=passed).order_by("pk")[:AT_ONCE]) if passed else []
    new = AuditRecord.objects.filter(pk__gt=state.sent_id).order_by("pk")
    return late + list(new[: AT_ONCE - len(late)])


def _note_sent(state: AuditForwarding, batch: list[AuditRecord], now: datetime) -> None:
    sent = {record.pk for record in batch}
    oldest = (now - MISSING_FOR).timestamp()
    kept = [[pk, since] for pk, since in state.missing if pk not in sent and since > oldest]
    newest = max(state.sent_id, *sent)
    first = max(state.sent_id + 1, newest - MISSING_AT_MOST) if state.sent_id else newest
    passed = [pk for pk in range(first, newest) if pk not in sent]
    state.missing = [*kept, *([pk, now.timestamp()] for pk in passed)][-MISSING_AT_MOST:]
    state.sent_id, state.failing_since, state.error = newest, None, ""
    state.save()


def _note_failure(state: AuditForwarding, now: datetime, error: Exception) -> None:
    if state.failing_since is None:
        log.warning("The syslog receiver does not take audit records: %s", error)
        state.failing_since = now
    state.error = (getattr(error, "strerror", None) or str(error))[:255]
    state.save()


def failing_forwarding() -> AuditForwarding | None:
    """The state of forwarding where the receiver has not taken the last batch."""
    if settings.SYSLOG is None:
        return None
    return AuditForwarding.objects.exclude(failing_since=None).first()


def send(messages: Iterable[str], receiver: SyslogReceiver) -> None:
    """Send messages in one connection.

    Raises MiError or OSError where not all were acknowledged within LIMIT_S.
    """
    encoded = (each.encode() for each in messages)
    framed = b"".join(b"%d %s" % (len(each), each) for each in encoded)
    deadline = Deadline.after(LIMIT_S)
    with _connected(receiver, deadline) as connection:
        connection.settimeout(deadline.remaining(Stage.BODY))
        connection.sendall(framed)
        while _unacknowledged(connection):
            deadline.remaining(Stage.BODY)
            time.sleep(0.01)
        _wait_for_the_end(connection)


def _wait_for_the_end(connection: socket.socket) -> None:
    """Wait until the receiver has read everything and closes; one that doesn't close has acknowledged it.

    Raises OSError where it broke off instead.
    """
    connection.settimeout(CLOSES_WITHIN_S)
    try:
        if isinstance(connection, ssl.SSLSocket):
            with contextlib.suppress(ssl.SSLError):
                connection.unwrap().recv(1)
        else:
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)
    except TimeoutError:
        return


def _connected(receiver: SyslogReceiver, deadline: Deadline) -> socket.socket:
    failure: OSError = OSError("its name has no address")
    for address in resolve(receiver.host, receiver.port, deadline):
        plain = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            plain.settimeout(deadline.remaining(Stage.CONNECTING))
            plain.connect(address.sockaddr)
            if not receiver.tls:
                return plain
            return tls_context(receiver.authority).wrap_socket(plain, server_hostname=receiver.host)
        except OSError as error:
            plain.close()
            failure = error
    raise failure


def _unacknowledged(connection: socket.socket) -> int:
    (count,) = struct.unpack("i", fcntl.ioctl(connection, _SIOCOUTQ, b"\0" * 4))
    return int(count)


def message(record: AuditRecord) -> str:
    """The record as RFC 5424 has it: structured data with each part, then a sentence and the columns."""
    severity = _WARNING if record.action in _WARNED_OF else _NOTICE
    parts = {
        "id": str(record.pk),
        "actor": record.actor,
        "token": record.token,
        "address": record.address,
        "action": record.action,
        "kind": record.subject_kind,
        "subject": record.subject_id,
        "reason": record.reason,
    }
    data = " ".join(f'{name}="{_escaped(value)}"' for name, value in parts.items() if value)
    host = _name(socket.gethostname(), 255)
    kind = _name(record.subject_kind, 32)
    head = f"<{_FACILITY_AUDIT * 8 + severity}>1 {record.at.isoformat()} {host} efcp - {kind}"
    words = f"{record.actor or '-'} {record.action} {record.subject_kind} {record.subject_label}"
    return f"{head} [efcp@32473 {data}] {_BOM}{_one_line(words)}{_changes(record)}"


def _changes(record: AuditRecord) -> str:
    changed: dict[str, Any] = {"before": record.before, "after": record.after}
    present = {name: values for name, values in changed.items() if values is not None}
    return " " + json.dumps(present, ensure_ascii=False)[:MOST_CHANGES] if present else ""


def _escaped(value: str) -> str:
    """A parameter's value (RFC 5424 section 6.3.3)."""
    for sign in ("\\", '"', "]"):
        value = value.replace(sign, "\\" + sign)
    return _one_line(value)


def _one_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _name(text: str, most: int) -> str:
    """A field of the header: printable ASCII without spaces, or the nil value."""
    return "".join(sign for sign in text if "!" <= sign <= "~")[:most] or "-"


def _newest_id() -> int:
    return AuditRecord.objects.aggregate(newest=Max("id"))["newest"] or 0


def prune_records(now: datetime) -> int:
    """Delete records that are older than settings.AUDIT_DAYS, if that is set. For the cleanup job."""
    if not settings.AUDIT_DAYS:
        return 0
    deleted = 0
    old = AuditRecord.objects.filter(at__lt=now - timedelta(days=settings.AUDIT_DAYS)).order_by("pk")
    while ids := list(old.values_list("pk", flat=True)[:5_000]):
        deleted += AuditRecord.objects.filter(pk__in=ids).delete()[0]
    return deleted
