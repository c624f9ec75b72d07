"""Looking up a destination's host as the proxy does, within a bounded time.

With a port the proxy asks for addresses (A, AAAA) through the system's resolver; without one for NAPTR, then
SRV, then addresses (resolve.c; reference: Loading). The whole look-up takes less than a second here. It is
this machine's resolver that answers, which may not be the proxy's.
"""

import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as StillRunningError
from dataclasses import dataclass
from enum import Enum

import dns.exception
import dns.resolver

from dispatcher.routing.addresses import Name

LIMIT_S = 0.9
_FAIR_SHARE = 0.8
"""What part of a short limit a look-up must have had until its silence counts."""

_SRV_PREFIXES = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp", "sctp": "_sip._sctp"}
# The system's resolver can't be interrupted: a look-up that outlasts the limit goes on here, and the number
# of threads bounds how many can.
_threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="names")
# Many names at once have threads of their own, so that a form never waits behind a table full of dead ones.
_batch_threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="name-batch")


class Outcome(Enum):
    """What a look-up came to."""

    FOUND = "found"
    NO_SUCH_NAME = "no such name"
    NO_ANSWER = "no answer"
    NOT_LOOKED_UP = "not asked"
    """The time for all names together was over before this one's turn."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """The outcome, and the addresses as text where there are any.

    `ttl_s` is their time to live in DNS, None where there is none (a name out of a hosts file).
    """

    outcome: Outcome
    addresses: tuple[str, ...] = ()
    ttl_s: float | None = None


def look_up(host: str, port: int | None, transport: str) -> Lookup:
    """Look `host` up as the proxy would, in less than a second."""
    deadline = time.monotonic() + LIMIT_S
    target = host if port else _service_target(host, transport, deadline) or host
    return _addresses(target, deadline)


def look_up_all(names: Iterable[Name], limit_s: float, *, with_ttl: bool = False) -> dict[Name, Lookup]:
    """Look all `names` up, many at once, each in less than a second, within `limit_s` seconds altogether.

    With `with_ttl` DNS is queried for the time to live of each answer, which costs one more query.
    """
    deadline = time.monotonic() + limit_s
    started: dict[Name, float] = {}

    def look_up_one(name: Name) -> Lookup:
        started[name] = time.monotonic()
        return _look_up(name, deadline, with_ttl)

    pending = {name: _batch_threads.submit(look_up_one, name) for name in dict.fromkeys(names)}
    wait(pending.values(), timeout=limit_s)
    # One that began just before the end had no time for an answer, so its result is unknown.
    latest = deadline - min(LIMIT_S, limit_s * _FAIR_SHARE)
    return {name: _result(future, started.get(name, deadline) <= latest) for name, future in pending.items()}


def _result(future: Future[Lookup], had_time: bool) -> Lookup:
    if future.cancel() or future.cancelled():
        return Lookup(Outcome.NOT_LOOKED_UP)
    if future.done():
        return future.result()
    return Lookup(Outcome.NO_ANSWER if had_time else Outcome.NOT_LOOKED_UP)


def _look_up(name: Name, end: float, with_ttl: bool) -> Lookup:
    if time.monotonic() >= end:
        return Lookup(Outcome.NOT_LOOKED_UP)
    host, port, transport = name
    deadline = min(end, time.monotonic() + LIMIT_S)
    target = host if port else _service_target(host, transport, deadline) or host
    found = _classified(lambda: _system_addresses(target))
    if not with_ttl or found.outcome is not Outcome.FOUND:
        return found
    answer = _ask(target, "A", deadline) or _ask(target, "AAAA", deadline)
    ttl_s = float(answer.rrset.ttl) if answer and answer.rrset else None
    return Lookup(found.outcome, found.addresses, ttl_s)


def _service_target(host: str, transport: str, deadline: float) -> str | None:
    """The host that NAPTR or else SRV records name for `host`, None where there are none."""
    replacement = _naptr_replacement(host, deadline)
    service = replacement or f"{_SRV_PREFIXES.get(transport, '_sip._udp')}.{host}"
    answer = _ask(service, "SRV", deadline)
    if not answer:
        return None
    best = min(answer, key=lambda record: (record.priority, -record.weight))
    return str(best.target).rstrip(".") or None


def _naptr_replacement(host: str, deadline: float) -> str | None:
    answer = _ask(host, "NAPTR", deadline)
    services = [record for record in answer or () if record.service.upper().startswith(b"SIP")]
    if not services:
        return None
    best = min(services, key=lambda record: (record.order, record.preference))
    return str(best.replacement).rstrip(".") or None


def _ask(name: str, record_type: str, deadline: float) -> dns.resolver.Answer | None:
    remaining = min(deadline - time.monotonic(), LIMIT_S / 3)
    if remaining <= 0:
        return None
    try:
        return dns.resolver.resolve(name, record_type, lifetime=remaining)
    except (dns.exception.DNSException, OSError, ValueError):
        return None


def _addresses(host: str, deadline: float) -> Lookup:
    future: Future[list[str]] = _threads.submit(_system_addresses, host)
    try:
        return _classified(lambda: future.result(timeout=max(0.05, deadline - time.monotonic())))
    except StillRunningError:
        future.cancel()
        return Lookup(Outcome.NO_ANSWER)


def _classified(addresses: Callable[[], list[str]]) -> Lookup:
    """The outcome of a query to the system's resolver."""
    try:
        found = addresses()
    except socket.gaierror as error:
        no_name = error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
        return Lookup(Outcome.NO_SUCH_NAME if no_name else Outcome.NO_ANSWER)
    except StillRunningError:
        raise
    except (OSError, UnicodeError):
        return Lookup(Outcome.NO_SUCH_NAME)
    return Lookup(Outcome.FOUND, tuple(dict.fromkeys(found)))


def _system_addresses(host: str) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)]
