"""A write that the database refused, or whose connection was cut: the page says whether it was stored."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from django.db import OperationalError, connection, connections
from django.test import Client
from django.urls import reverse

from dispatcher.models import Destination
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.database.failures import DatabaseFailure
from efcp.editing.models import TableLock
from tests.conftest import ClientAs

NEW = {
    "setid": "1",
    "destination": "sip:10.0.0.1",
    "state": "0",
    "weight": "1",
    "probe_mode": "0",
    "priority": "0",
}


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (OperationalError(1205, "Lock wait timeout exceeded"), DatabaseFailure.BUSY),
        (OperationalError("database is locked"), DatabaseFailure.BUSY),
        (OperationalError(1114, "The table 'dispatcher' is full"), DatabaseFailure.FULL),
        (OperationalError("database or disk is full"), DatabaseFailure.FULL),
        (OperationalError(1290, "running with the --read-only option"), DatabaseFailure.READ_ONLY),
        (OperationalError("attempt to write a readonly database"), DatabaseFailure.READ_ONLY),
        (OperationalError(1142, "INSERT command denied"), DatabaseFailure.NOT_PERMITTED),
        (OperationalError(1969, "max_statement_time exceeded"), DatabaseFailure.TOO_SLOW),
        (OperationalError(2013, "Lost connection during query"), DatabaseFailure.STALLED),
        (OperationalError(9999, "something else"), DatabaseFailure.OTHER),
    ],
)
def test_each_failure_is_called_what_it_is(error: OperationalError, failure: DatabaseFailure) -> None:
    assert DatabaseFailure.of(error) is failure


@pytest.fixture
def administrator(transactional_db: None, client_as: ClientAs) -> Client:
    Destination.objects.all().delete()
    client = client_as(Role.ADMINISTRATOR)
    client.raise_request_exception = False
    return client


@pytest.mark.mariadb
def test_a_table_lock_that_is_not_free_refuses_the_write_and_offers_to_send_it_again(
    administrator: Client,
) -> None:
    TableLock.objects.create(name="dispatcher")
    other = connection.copy()
    with connection.cursor() as cursor:
        cursor.execute("SET innodb_lock_wait_timeout = 1")
    try:
        with other.cursor() as cursor:
            cursor.execute("START TRANSACTION")
            cursor.execute("UPDATE efcp_table_lock SET writes = writes + 1 WHERE name = 'dispatcher'")
        answer = administrator.post(reverse("dispatcher:add"), NEW)
    finally:
        other.close()
        connection.close()
    page = answer.content.decode()
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "The database is busy" in page
    assert "Nothing was saved" in page
    assert Destination.objects.count() == 0
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
    again = {name: fields[name] for name in NEW}
    assert again == NEW
    assert administrator.post(reverse("dispatcher:add"), again).status_code == 302


class CuttingProxy:
    """Relays to the database server, and cuts the connection at a chosen moment of one statement.

    `moment` is "before" (the statement never arrives), or "after" (it is carried out, its answer is lost).
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._armed: tuple[bytes, str] | None = None
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def arm(self, statement: bytes, moment: str) -> None:
        """Cut the connection on which `statement` comes next."""
        self._armed = (statement, moment)

    def close(self) -> None:
        """Stop relaying."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self._start(self._relay_up, client, server)
                self._start(self._relay_down, server, client)

    def _relay_up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self._armed and self._armed[0] in data:
                    _statement, moment = self._armed
                    self._armed = None
                    if moment == "after":
                        # The answer is read here and thrown away, so that the server has carried it out.
                        client.shutdown(socket.SHUT_RDWR)
                        server.sendall(data)
                        server.settimeout(5)
                        continue
                    break
                server.sendall(data)
        _close(client, server)

    def _relay_down(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        _close(client, server)


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@pytest.fixture
def proxy(transactional_db: None) -> Iterator[CuttingProxy]:
    """Let the panel's connection go by a CuttingProxy."""
    settings = connections["default"].settings_dict
    relay = CuttingProxy(settings["HOST"], int(settings["PORT"]))
    former = settings["PORT"]
    connection.close()
    settings["PORT"] = str(relay.port)
    yield relay
    connection.close()
    settings["PORT"] = former
    relay.close()


@pytest.mark.mariadb
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("statement", [b"INSERT INTO dispatcher", b"INSERT INTO `efcp_audit`", b"COMMIT"])
def test_a_cut_connection_is_reported_by_whether_it_wrote(
    proxy: CuttingProxy, administrator: Client, statement: bytes, moment: str
) -> None:
    administrator.get(reverse("dispatcher:list"))
    proxy.arm(statement, moment)
    answer = administrator.post(reverse("dispatcher:add"), NEW)
    page = answer.content.decode()
    written = Destination.objects.count()
    assert AuditRecord.objects.filter(subject_kind="dispatcher").count() == written
    assert written == (1 if (statement, moment) == (b"COMMIT", "after") else 0)
    if written:
        assert answer.status_code == 200
        assert "Your change was saved" in page
        assert "sip:10.0.0.1 in set 1" in page
    else:
        assert answer.status_code == 503
        assert "Nothing was saved" in page
