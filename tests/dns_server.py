"""A DNS server on loopback, and Python's own look-ups answered by it."""

import socketserver
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

UDP_ROOM = 512


@dataclass
class NameServer:
    """Answers for `addresses` by name; of a name in `silent` nothing, of one in `failing` SERVFAIL.

    `queries` has every queried name with its type.
    """

    addresses: dict[str, list[str]] = field(default_factory=dict)
    ttl: int = 5
    silent: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    queries: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    def reply(self, wire: bytes, room: int) -> bytes | None:
        """The answer to a question; truncated where it does not fit into `room` bytes."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.queries.append((name, kind))
        if name in self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if name in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif name not in self.addresses:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif found := self._of_kind(name, kind):
            response.answer.append(dns.rrset.from_text_list(question.name, self.ttl, "IN", kind, found))
        full = response.to_wire()
        if len(full) <= room:
            return full
        response.answer.clear()
        response.flags |= dns.flags.TC
        return response.to_wire()

    def _of_kind(self, name: str, kind: str) -> list[str]:
        if kind not in {"A", "AAAA"}:
            return []
        return [each for each in self.addresses[name] if (":" in each) == (kind == "AAAA")]


class _Datagrams(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, sock = self.request
        answer = cast(Any, self.server).names.reply(wire, UDP_ROOM)
        if answer is not None:
            sock.sendto(answer, self.client_address)


class _Streams(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        (length,) = struct.unpack("!H", self.rfile.read(2))
        answer = cast(Any, self.server).names.reply(self.rfile.read(length), 65535)
        if answer is not None:
            self.wfile.write(struct.pack("!H", len(answer)) + answer)


def _servers() -> tuple[socketserver.ThreadingUDPServer, socketserver.ThreadingTCPServer]:
    """Servers for datagrams and streams on one free port."""
    for _try in range(50):
        streams = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Streams)
        try:
            return socketserver.ThreadingUDPServer(streams.server_address, _Datagrams), streams
        except OSError:  # the port is busy for datagrams
            streams.server_close()
    raise OSError("No port is free for both.")


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    """A DNS server that answers every look-up of this process."""
    names = NameServer()
    datagrams, streams = _servers()
    names.port = datagrams.server_address[1]
    threads = []
    for server in (datagrams, streams):
        server.daemon_threads = True
        vars(server)["names"] = names
        threads.append(threading.Thread(target=server.serve_forever, args=(0.05,)))
        threads[-1].start()
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], names.port, 3.0
    system, dns.resolver.default_resolver = dns.resolver.default_resolver, resolver
    dns.resolver.override_system_resolver(resolver)
    yield names
    dns.resolver.restore_system_resolver()
    dns.resolver.default_resolver = system
    for server in (datagrams, streams):
        server.shutdown()
        server.server_close()
    for thread in threads:
        thread.join()
