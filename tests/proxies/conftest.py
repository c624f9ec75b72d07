"""Proxies of the tests: small MI servers on loopback, and rows that name them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from efcp.mi import Endpoint, MiClient
from efcp.proxies.models import Proxy
from efcp.proxies.polling import PollRequest
from efcp.proxies.reconcile import ProxyAnswer
from efcp.proxies.visits import VisitResult, visit
from tests.factories import ProxyFactory
from tests.proxies.mi_server import FakeMi

PATIENCE_S = 60.0
"""A limit that no machine is too slow for: what a limit does has tests of its own."""
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def mi() -> Iterator[FakeMi]:
    """An MI server that listens."""
    server = FakeMi()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make_mi() -> Iterator[Callable[[], FakeMi]]:
    """Return a function that starts further MI servers."""
    servers: list[FakeMi] = []

    def make() -> FakeMi:
        server = FakeMi()
        server.start()
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def proxy(db: None, mi: FakeMi) -> Proxy:
    """The row of the proxy that `mi` is."""
    return ProxyFactory.create(name="edge-1", mi_url=mi.url)


Store = Callable[..., VisitResult]


@pytest.fixture
def store(proxy: Proxy, mi: FakeMi) -> Store:
    """Return a function that reads the list of `mi` and stores it as asked for `seconds` after START."""

    def read_and_store(seconds: float = 0, *, full: bool = True) -> VisitResult:
        question = PollRequest("default", full=full)
        snapshot = question(MiClient(Endpoint.parse(mi.url), timeout=PATIENCE_S)).snapshot
        requested_at = START + timedelta(seconds=seconds)
        reports = replace(snapshot.reports, requested_at=requested_at) if snapshot.reports else None
        return visit(proxy, ProxyAnswer(replace(snapshot, requested_at=requested_at, reports=reports)))

    return read_and_store
