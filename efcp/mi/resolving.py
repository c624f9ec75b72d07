"""Looking up a host name within a deadline.

getaddrinfo can't be interrupted, so it runs in a daemon thread. Past the deadline the caller goes on, while
the thread stays until the system's resolver gives up by itself (often 10 to 30 s). Requests for a name that
is still being looked up wait for that same lookup, so that at most one thread per name and port is left.
"""

import socket
import threading
from concurrent.futures import Future
from typing import NamedTuple

from efcp.mi.deadline import Deadline
from efcp.mi.errors import Obstacle, Stage, UnreachableError


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
