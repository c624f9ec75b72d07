"""Proxies that load and keep states on loopback, and rows of the table."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone

from dispatcher import services
from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from efcp.audit.services import Actor
from efcp.operations.reloads.models import ReloadRun
from efcp.proxies.models import Proxy, WatcherHeartbeat
from tests.factories import ReloadResultFactory
from tests.operations.fake_proxy import FakeProxy
from tests.proxies.mi_server import listed

URI = "sip:10.0.0.1:5060"
SOMEBODY = Actor("somebody", "192.0.2.7")
OUR_THREADS = ("apply", "reload", "set-state", "probe")


@pytest.fixture
def play(transactional_db: None) -> Iterator[Callable[..., FakeProxy]]:
    """Return a function that starts a fake proxy; the panel's threads end before the database goes."""
    now = timezone.now()
    WatcherHeartbeat.objects.update_or_create(pk=1, defaults={"started_at": now, "beat_at": now})
    playing: list[FakeProxy] = []

    def start(**how: Any) -> FakeProxy:
        proxy = FakeProxy(**how)
        proxy.start()
        playing.append(proxy)
        return proxy

    yield start
    for proxy in playing:
        proxy.stop()
    for thread in threading.enumerate():
        if thread.name in OUR_THREADS:
            thread.join(20)


@pytest.fixture
def edge(play: Callable[..., FakeProxy]) -> FakeProxy:
    """A fake proxy with an empty memory."""
    return play()


@pytest.fixture
def add_row(transactional_db: None) -> Iterator[Callable[..., int]]:
    """Return a function that adds a row by the panel's own service and returns its id.

    The rows are deleted afterwards: the table is not managed, so that a flush leaves it as it is.
    """

    def add(destination: str, setid: int = 1, **columns: Any) -> int:
        return services.add(DestinationRow(setid=setid, destination=destination, **columns), SOMEBODY)

    yield add
    Destination.objects.all().delete()


@pytest.fixture
def proxy(edge: FakeProxy) -> Proxy:
    """The row of a proxy that holds URI in set 1, and the panel knows it."""
    edge.sets, edge.table = {1: [listed(URI)]}, {1: [URI]}
    return edge.remembered(edge.row())


@pytest.fixture
def reload_run(proxy: Proxy) -> ReloadRun:
    """A reload that ended well."""
    return ReloadResultFactory.create(proxy=proxy, is_done=True).run
