"""A proxy whose memory the tests write themselves, as the watcher would."""

from collections.abc import Callable
from typing import Any

import pytest

from efcp.proxies.models import KnownDestination, Proxy
from tests.factories import (
    SOMEBODY as SOMEBODY,
)
from tests.factories import (
    DestinationFactory,
    KnownDestinationFactory,
    ProxyContactFactory,
)


@pytest.fixture
def add_row(db: None) -> Callable[..., int]:
    """Return a function that adds a row by the panel's own service and returns its id."""

    def add(destination: str, setid: int = 1, **columns: Any) -> int:
        return DestinationFactory.create(setid=setid, destination=destination, **columns).pk

    return add


@pytest.fixture
def proxy(db: None) -> Proxy:
    """Return an enabled proxy that answered a second ago, under a running watcher; its memory is empty."""
    return make_proxy("edge-1")


def make_proxy(name: str, answered_s_ago: float = 1.0) -> Proxy:
    """Store an enabled proxy that answered `seen_s_ago` seconds ago."""
    return ProxyContactFactory.create(proxy__name=name, answered_s_ago=answered_s_ago).proxy


def hold(proxy: Proxy, uri: str, setid: int = 1, **values: Any) -> KnownDestination:
    """Put a destination into what is known of the proxy's memory."""
    return KnownDestinationFactory.create(proxy=proxy, uri=uri, setid=setid, **values)
