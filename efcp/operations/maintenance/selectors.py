"""Reading maintenances: what is under way, what is planned, what was."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from efcp.operations.maintenance.models import Maintenance, MaintenanceOnProxy, Phase
from efcp.sip.uri import uri_key

SHOWN_PAST = 50
SHOWN_OPEN = 500

_OPEN_STEPS = (Phase.PLANNED, Phase.OUT)


@dataclass(frozen=True, slots=True)
class Maintenances:
    """Those that are not over (the next to end first), and the last ones that are."""

    running: tuple[Maintenance, ...]
    past: tuple[Maintenance, ...]


def maintenances() -> Maintenances:
    """Read them with the outcome of each on its proxies, in four queries."""
    past = Maintenance.objects.exclude(_is_open()).prefetch_related("on_proxies__proxy")
    return Maintenances(running=running(), past=tuple(past.order_by("-ends_at", "-pk")[:SHOWN_PAST]))


def running() -> tuple[Maintenance, ...]:
    """Those that are planned or under way, the next to end first."""
    found = Maintenance.objects.filter(_is_open()).prefetch_related("on_proxies__proxy")
    return tuple(found.order_by("ends_at", "pk")[:SHOWN_OPEN])


def open_of(setid: int, uri: str) -> list[Maintenance]:
    """The maintenances of a destination that are planned or under way."""
    found = _open([setid])
    return [each for each in found if uri_key(each.uri) == uri_key(uri)]


def out_of_service(setids: Iterable[int]) -> dict[tuple[int, str], Maintenance]:
    """By set and URI key: the maintenance for which a destination is out somewhere."""
    return {
        (each.setid, uri_key(each.uri)): each
        for each in _open(setids)
        if any(one.step == Phase.OUT for one in each.on_proxies.all())
    }


def _open(setids: Iterable[int]) -> list[Maintenance]:
    found = Maintenance.objects.filter(_is_open(), setid__in=set(setids))
    return list(found.prefetch_related("on_proxies__proxy").order_by("ends_at", "pk")[:SHOWN_OPEN])


def _is_open() -> Exists:
    return Exists(MaintenanceOnProxy.objects.filter(maintenance=OuterRef("pk"), step__in=_OPEN_STEPS))
