"""A connection to a proxy that ends at one deadline for the whole request, the name lookup included.

Hand-written below urllib3, because its timeouts (like every socket timeout) bound single operations: a peer
that sends one byte now and then is never cut off. Here the remaining time is set before each operation.

getaddrinfo can't be interrupted, so it runs in a daemon thread. Past the deadline the caller goes on, and
the thread stays until the system's resolver gives up (often 10 to 30 s). Requests for a name that is still
being looked up wait for that same lookup, so at most one thread per name and port is left behind.
"""

import errno
import io
import math
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

from efcp.mi.endpoint import Endpoint
from efcp.mi.errors import Obstacle, Stage, TooSlowError, UnreachableError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment, by the monotonic clock, at which a request that may take `limit_s` seconds is given up."""

    ends_at: float
    limit_s: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """The deadline `seconds` from now. Raises ValueError for anything but a positive, finite number."""
        if not (math.isfinite(seconds) and seconds > 0):
            raise ValueError(f"A timeout must be a positive number of seconds, not {seconds!r}.")
        return cls(time.monotonic() + seconds, seconds)

    def remaining(self, stage: Stage) -> float:
        """Seconds left, more than 0; raise TooSlowError, naming `stage`, where none are left."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise self.passed_at(stage)
        return left

    def at_most(self, seconds: float) -> "Deadline":
        """This deadline, or the one `seconds` from now, whichever comes first."""
        return Deadline(min(self.ends_at, time.monotonic() + seconds), self.limit_s)

    def passed_at(self, stage: Stage) -> TooSlowError:
        """The error that says that this deadline passed at `stage`."""
        return TooSlowError(stage, self.limit_s)


class Address(NamedTuple):
    """One socket address of a host."""

    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


_lock = threading.Lock()
_under_way: dict[tuple[str, int], Future[list[Address]]] = {}


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """Every TCP address of `host`, in the system's order of preference; an IP address without a lookup.

    Raises UnreachableError for a name that has none, TooSlowError at the deadline.
    """
    try:
        return _addresses(host, port, socket.AI_NUMERICHOST)
    except OSError:
        lookup = _join_or_start(host, port)
    try:
        return lookup.result(deadline.remaining(Stage.NAME))
    except TimeoutError:
        raise deadline.passed_at(Stage.NAME) from None
    except (OSError, UnicodeError) as error:
        detail = error.strerror if isinstance(error, OSError) else "not a valid name"
        raise UnreachableError(
            host, Obstacle.NAME, f"its name could not be looked up ({detail or error})"
        ) from error


def _join_or_start(host: str, port: int) -> Future[list[Address]]:
    with _lock:
        lookup = _under_way.get((host, port))
        if lookup is None:
            lookup = _under_way[host, port] = Future()
            threading.Thread(
                target=_look_up, args=(host, port, lookup), name=f"lookup of {host}", daemon=True
            ).start()
    return lookup


def _look_up(host: str, port: int, lookup: Future[list[Address]]) -> None:
    try:
        addresses = _addresses(host, port)
    except (OSError, UnicodeError) as error:
        _finish(host, port)
        lookup.set_exception(error)
    else:
        _finish(host, port)
        lookup.set_result(addresses)


def _finish(host: str, port: int) -> None:
    with _lock:
        del _under_way[host, port]


def _addresses(host: str, port: int, flags: int = 0) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [Address(family, sockaddr) for family, _type, _protocol, _name, sockaddr in found]


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
                endpoint.place, Obstacle.TLS, f"TLS failed ({_tls_problem(error)})"
            ) from error


def _tls_problem(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return "it closed the connection"
