"""A proxy whose memory the tests write themselves, as the watcher would."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from dispatcher import services
from dispatcher.routing.rows import DestinationRow
from efcp.audit.services import Actor
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact, WatcherHeartbeat
from efcp.sip.uri import uri_key

SOMEBODY = Actor("somebody", "192.0.2.7")


@pytest.fixture
def add_row(db: None) -> Callable[..., int]:
    """Return a function that adds a row by the panel's own service and returns its id."""

    def add(destination: str, setid: int = 1, **columns: Any) -> int:
        return services.add(DestinationRow(setid=setid, destination=destination, **columns), SOMEBODY)

    return add


@pytest.fixture
def proxy(db: None) -> Proxy:
    """Return an enabled proxy that answered a second ago, under a running watcher; its memory is empty."""
    return make_proxy("edge-1")


def make_proxy(name: str, seen_s_ago: float = 1.0) -> Proxy:
    """Store an enabled proxy that answered `seen_s_ago` seconds ago."""
    now = timezone.now()
    WatcherHeartbeat.objects.update_or_create(pk=1, defaults={"started_at": now, "beat_at": now})
    proxy = Proxy.objects.create(name=name, mi_url="http://127.0.0.1:9/mi")
    seen_at = now - timedelta(seconds=seen_s_ago)
    ProxyContact.objects.create(proxy=proxy, tried_at=now, seen_at=seen_at, asked_at=seen_at)
    return proxy


def hold(proxy: Proxy, uri: str, setid: int = 1, **values: Any) -> KnownDestination:
    """Put a destination into what is known of the proxy's memory."""
    described = {"state": "active", "weight": 1, "priority": 0, "description": ""} | values
    return KnownDestination.objects.create(
        proxy=proxy,
        partition=proxy.partition,
        setid=setid,
        uri=uri,
        uri_key=uri_key(uri),
        position=0,
        since=timezone.now(),
        **described,
    )
