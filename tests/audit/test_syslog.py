"""Audit records at a syslog receiver: each in its frame, none lost while it is away, none without end."""

import re
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from efcp.audit import syslog
from efcp.audit.models import AuditForwarding, AuditRecord
from efcp.audit.services import Actor, Subject, record
from efcp.configuration import SyslogReceiver
from tests.ports import free_port

FRAME = re.compile(rb"(\d+) ")


class Receiver:
    """A syslog receiver on a port of loopback, which may be away."""

    def __init__(self) -> None:
        self.port = free_port()
        self.received = b""
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen from now on."""
        server = socket.create_server(("127.0.0.1", self.port))
        server.settimeout(0.05)

        def serve() -> None:
            with server:
                while True:
                    try:
                        connection, _peer = server.accept()
                    except TimeoutError:
                        if self._ended.is_set():
                            return
                        continue
                    with connection:
                        while chunk := connection.recv(65_536):
                            self.received += chunk

        self._thread = threading.Thread(target=serve)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def messages(self) -> list[str]:
        """The messages received, by their octet counts."""
        self.stop()
        found, rest = [], self.received
        while rest:
            head = FRAME.match(rest)
            assert head, rest[:50]
            end = head.end() + int(head[1])
            found.append(rest[head.end() : end].decode())
            rest = rest[end:]
        return found


@pytest.fixture
def receiver(settings: Settings, db: None) -> Iterator[Receiver]:
    """A receiver that is in the settings and does not listen yet."""
    receiver = Receiver()
    settings.SYSLOG = SyslogReceiver("127.0.0.1", receiver.port, tls=False, authority="")
    syslog.forward(timezone.now())  # only what comes from now on
    yield receiver
    receiver.stop()


def write(label: str, action: str = "edit") -> AuditRecord:
    """Store a record."""
    return record(Actor("ada", "192.0.2.1"), action, Subject("user", "7", label), after={"role": "viewer"})


def test_nothing_is_lost_while_the_receiver_is_away(receiver: Receiver) -> None:
    now = timezone.now()
    for number in range(3):
        write(f"user {number}")
        syslog.forward(now + timedelta(minutes=20 * number))
    state = syslog.failing_forwarding()
    assert state is not None
    assert state.failing_since == now
    receiver.start()
    syslog.forward(now + timedelta(hours=1))
    syslog.forward(now + timedelta(hours=1))
    assert syslog.failing_forwarding() is None
    assert [re.sub(".*\ufeff", "", each) for each in receiver.messages()] == [
        f'ada edit user user {number} {{"after": {{"role": "viewer"}}}}' for number in range(3)
    ]


def test_a_record_that_is_committed_late_is_sent_too(receiver: Receiver) -> None:
    receiver.start()
    write("first")
    syslog.forward(timezone.now())
    late = write("late")
    write("early")
    AuditRecord.objects.filter(pk=late.pk).delete()  # not committed yet
    syslog.forward(timezone.now())
    late.save(force_insert=True)
    syslog.forward(timezone.now())
    syslog.forward(timezone.now())
    order = [re.search("first|early|late", each) for each in receiver.messages()]
    assert [found and found[0] for found in order] == ["first", "early", "late"]
    assert AuditForwarding.objects.get().missing == []


def test_a_message_is_as_rfc_5424_has_it(db: None) -> None:
    each = write('a "quoted] \\ line\nand more', "sign in failed")
    each.reason = 'wrong "]\\'
    text = syslog.message(each)
    assert text.startswith(f"<108>1 {each.at.isoformat()} ")
    assert f'[efcp@32473 id="{each.pk}" actor="ada" address="192.0.2.1" action="sign in failed"' in text
    assert 'reason="wrong \\"\\]\\\\"]' in text
    assert "\n" not in text


def test_records_are_kept_as_long_as_is_set(settings: Settings, db: None) -> None:
    old, new = write("old"), write("new")
    AuditRecord.objects.filter(pk=old.pk).update(at=timezone.now() - timedelta(days=40))
    settings.AUDIT_DAYS = 0
    assert syslog.prune_records(timezone.now()) == 0
    settings.AUDIT_DAYS = 30
    assert syslog.prune_records(timezone.now()) == 1
    assert list(AuditRecord.objects.values_list("pk", flat=True)) == [new.pk]
