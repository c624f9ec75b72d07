"""A connection to a proxy, each of whose operations ends at the deadline of the whole request.

A timeout of a socket bounds one operation only, so that a peer that sends one byte now and then is never cut
off. Here the time that is left is set before each single operation.
"""

import errno
import io
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from efcp.mi.deadline import Deadline
from efcp.mi.endpoint import Endpoint
from efcp.mi.errors import Obstacle, Stage, TooSlowError, UnreachableError
from efcp.mi.resolving import Address, resolve

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_OBSTACLES = {
    errno.ECONNREFUSED: Obstacle.REFUSED,
    errno.EHOSTUNREACH: Obstacle.NO_ROUTE,
    errno.ENETUNREACH: Obstacle.NO_ROUTE,
}


class Stream:
    """What http.client needs of a socket, bounded by `deadline`; `stage` names what is being done.

    Its close() does nothing, since http.client closes a socket while it still reads from it: the context of
    open_stream() closes the connection.
    """

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self.deadline = deadline
        self.stage = Stage.SENDING
        self._unsent = bytearray()

    def sendall(self, data: bytes) -> None:
        """Keep `data` until send(): http.client writes head and body one after the other."""
        self._unsent += data

    def send(self) -> None:
        """Send what was kept, in one write, or raise TooSlowError.

        Over TLS it is one record: OpenSIPS's httpd waits in vain for a body whose record it has already read
        together with the head's.
        """
        data, self._unsent = bytes(self._unsent), bytearray()
        self._socket.settimeout(self.deadline.remaining(self.stage))
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise self.deadline.passed_at(self.stage) from None

    def receive_into(self, buffer: "WriteableBuffer") -> int:
        """Read what has come, at least one byte; 0 at the end; or raise TooSlowError."""
        self._socket.settimeout(self.deadline.remaining(self.stage))
        try:
            return self._socket.recv_into(buffer)
        except TimeoutError:
            raise self.deadline.passed_at(self.stage) from None

    def makefile(self, _mode: str) -> io.BufferedReader:
        """The incoming bytes as a binary file."""
        return io.BufferedReader(_Incoming(self))

    def settimeout(self, _seconds: float | None) -> None:
        """Nothing: the deadline decides."""

    def close(self) -> None:
        """Nothing: see the class."""


class _Incoming(io.RawIOBase):
    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        return self._stream.receive_into(buffer)


@contextmanager
def open_stream(endpoint: Endpoint, deadline: Deadline, tls_context: ssl.SSLContext) -> Iterator[Stream]:
    """Connect to `endpoint`, with TLS where its scheme asks for it; closed when the context ends.

    Raises UnreachableError and TooSlowError.
    """
    addresses = resolve(endpoint.host, endpoint.port, deadline)
    connected = _connect(endpoint, addresses, deadline)
    if endpoint.tls:
        connected = _with_tls(connected, endpoint, deadline, tls_context)
    with connected:
        yield Stream(connected, deadline)


def _connect(endpoint: Endpoint, addresses: list[Address], deadline: Deadline) -> socket.socket:
    failure: UnreachableError | TooSlowError = UnreachableError(
        endpoint.place, Obstacle.NAME, "its name has no address"
    )
    for index, address in enumerate(addresses):
        # The very address that is connected to: a name may lead elsewhere the next time it is looked up.
        if refusal := endpoint.reach.refusal(str(address.sockaddr[0])):
            failure = UnreachableError(endpoint.place, Obstacle.FORBIDDEN, refusal)
            continue
        # An address that never answers leaves the next ones their share of the time.
        share = deadline.remaining(Stage.CONNECTING) / (len(addresses) - index)
        try:
            return _connect_to(address, share)
        except TimeoutError:
            failure = deadline.passed_at(Stage.CONNECTING)
        except OSError as error:
            failure = _unreachable(endpoint, error)
    raise failure


def _connect_to(address: Address, seconds: float) -> socket.socket:
    connecting = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        # The end of a large request must not wait for the ACK of what came before.
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connecting.settimeout(seconds)
        connecting.connect(address.sockaddr)
    except BaseException:
        connecting.close()
        raise
    return connecting


def _unreachable(endpoint: Endpoint, error: OSError) -> UnreachableError:
    obstacle = _OBSTACLES.get(error.errno or 0, Obstacle.OTHER)
    detail = os.strerror(error.errno).lower() if error.errno else "the connection failed"
    return UnreachableError(endpoint.place, obstacle, detail)


def _with_tls(
    connected: socket.socket, endpoint: Endpoint, deadline: Deadline, tls_context: ssl.SSLContext
) -> socket.socket:
    with connected:  # wrap_socket takes the descriptor out of it; until then it is closed on an error
        # OpenSSL's handshake as a whole, not each of its reads, is bounded by the socket's timeout.
        connected.settimeout(deadline.remaining(Stage.TLS))
        try:
            return tls_context.wrap_socket(connected, server_hostname=endpoint.host)
        except TimeoutError:
            raise deadline.passed_at(Stage.TLS) from None
        except (OSError, ValueError) as error:
            raise UnreachableError(
                endpoint.place, Obstacle.TLS, f"no TLS with it ({_tls_problem(error)})"
            ) from error


def _tls_problem(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return "it closed the connection"
