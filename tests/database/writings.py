"""One turn of writing, as each of the panel's processes writes."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from dispatcher import services
from dispatcher.models import Destination
from dispatcher.routing.destinations import DestinationState
from dispatcher.routing.memory import UnsavedState
from dispatcher.routing.rows import DestinationRow
from efcp.audit.services import Actor
from efcp.jobs.cleanup import run_cleanup
from efcp.proxies.models import KnownDestination, Proxy, StateChange, WatcherHeartbeat
from efcp.sandbox import tables

EDITOR = Actor("editor", "192.0.2.7")


def as_panel(turn: int) -> None:
    """Add a destination, edit it, delete it."""
    uri = f"sip:10.{os.getpid() % 250}.{turn // 250 % 250}.{turn % 250}"
    row_id = services.add(DestinationRow(setid=9, destination=uri), EDITOR)
    original = DestinationRow.of(Destination.objects.get(pk=row_id))
    after = services.update(row_id, original, replace(original, weight="5"), EDITOR)
    services.delete(row_id, after, EDITOR)


def as_watcher(turn: int) -> None:
    """Read what is known of a proxy's memory, then write a change of each state, in one transaction."""
    now = timezone.now()
    proxy, _created = Proxy.objects.get_or_create(name="edge", defaults={"mi_url": "http://127.0.0.1:9/mi"})
    state = ("active", "probing")[turn % 2]
    with transaction.atomic():
        known = {each.uri for each in KnownDestination.objects.filter(proxy=proxy)}
        for number in range(20):
            uri = f"sip:10.9.9.{number}"
            if uri not in known:
                KnownDestination.objects.create(
                    proxy=proxy,
                    partition="default",
                    setid=9,
                    uri=uri,
                    uri_key=uri,
                    position=number,
                    state=state,
                    since=now,
                )
            StateChange.objects.create(
                proxy=proxy, partition="default", setid=9, uri=uri, uri_key=uri, at=now, state_after=state
            )
        KnownDestination.objects.filter(proxy=proxy).update(state=state, since=now)
    WatcherHeartbeat.objects.update_or_create(pk=2, defaults={"started_at": now, "beat_at": now})


def as_worker(_turn: int) -> None:
    """Enqueue a job, which the running worker does, and do the chores once more."""
    run_cleanup.enqueue()
    StateChange.objects.filter(at__lt=timezone.now() - timedelta(seconds=2)).delete()


def as_sandbox(turn: int) -> None:
    """Write a proxy's own states into the table."""
    rows = Destination.objects.values_list("setid", "destination")[:20]
    tables.flush([UnsavedState(setid, uri, DestinationState(turn % 3)) for setid, uri in rows])


WRITINGS: dict[str, Callable[[int], None]] = {
    "panel": as_panel,
    "watcher": as_watcher,
    "worker": as_worker,
    "sandbox": as_sandbox,
}
