"""Starting a probe and storing its outcome, each with an audit record."""

import threading
from dataclasses import dataclass
from datetime import timedelta

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from efcp.audit.services import Actor, Subject, record, stored_despite
from efcp.editing.repository import serialized_writes
from efcp.operations.probes.models import ProbeRun
from efcp.operations.probes.sending import LIMIT_S, ProbeToSend, send
from efcp.proxies.fan_out import in_background
from efcp.proxies.locking import retried_on_lock
from efcp.sip.uri import uri_key

MOST_AT_ONCE = 8
"""Probes under way at any moment, of all people and processes together."""

_SLACK_S = 4.0


class ProbesBusyError(Exception):
    """A probe of this destination is under way, or as many as may be; nothing was sent."""


@dataclass(frozen=True, slots=True)
class PlannedProbe:
    """A probe of the destination of row `row_id`, with the name of the proxy whose address is taken."""

    row_id: int
    setid: int
    proxy: str
    sent: ProbeToSend


def start(request: PlannedProbe, actor: Actor) -> tuple[ProbeRun, threading.Event]:
    """Begin the probe in a thread of its own; return it, and an event that is set at its end.

    Raises ProbesBusyError.
    """
    probe = _probe(request, actor)
    try:
        _create(probe, request, actor)
    except (OperationalError, InterfaceError) as error:
        if stored_despite(error, actor) is None:
            raise
    return probe, in_background(lambda: _execute(probe, request.sent), "probe")


def _probe(request: PlannedProbe, actor: Actor) -> ProbeRun:
    now, sent = timezone.now(), request.sent
    return ProbeRun(
        setid=request.setid,
        uri=sent.uri,
        uri_key=uri_key(sent.uri),
        proxy=request.proxy,
        method=sent.method,
        from_uri=sent.from_uri,
        transport=sent.transport,
        address=sent.address,
        port=sent.port,
        actor=actor.name,
        started_at=now,
        deadline=now + timedelta(seconds=LIMIT_S + _SLACK_S),
    )


@retried_on_lock
def _create(probe: ProbeRun, request: PlannedProbe, actor: Actor) -> None:
    sent = request.sent
    probe.pk = None  # an attempt that was rolled back left its id behind
    with serialized_writes("efcp_probe"):
        under_way = ProbeRun.objects.filter(ended_at=None, deadline__gte=probe.started_at)
        if under_way.filter(uri_key=probe.uri_key).exists():
            raise ProbesBusyError("A probe of this destination is already in progress.")
        if under_way.count() >= MOST_AT_ONCE:
            raise ProbesBusyError(f"{MOST_AT_ONCE} probes are in progress: try again in a few seconds.")
        probe.save(force_insert=True)
        record(
            actor,
            "probe",
            Subject("dispatcher", str(request.row_id), f"{sent.uri} in set {request.setid}"),
            after={
                "method": sent.method,
                "from": sent.from_uri,
                "transport": sent.transport,
                "address": f"{sent.address} port {sent.port}",
            },
        )


def _execute(probe: ProbeRun, sent: ProbeToSend) -> None:
    outcome = send(sent, LIMIT_S)
    _store(
        probe,
        code=outcome.code,
        reason=outcome.reason,
        took_ms=outcome.took_s * 1000,
        source=outcome.source[:64],
        problem=outcome.problem[:255],
    )


@retried_on_lock
def _store(probe: ProbeRun, **columns: object) -> None:
    ProbeRun.objects.filter(pk=probe.pk).update(ended_at=timezone.now(), **columns)
