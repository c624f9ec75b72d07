"""Keep the routes of a script, with the audit record."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from efcp.audit.services import Actor, Subject, record
from efcp.script.models import KeptRoute
from efcp.script.script_routes import Handling, ScriptRoute

MAX_KEPT = 1_000
"""Routes of all scripts; the oldest make room."""

_NUMBERS = range(-(2**31), 2**31)


def keep(script: str, routes: Sequence[ScriptRoute], actor: Actor) -> None:
    """Keep these routes of a script; they replace those of a script with the same name."""
    name = script[:100]
    with transaction.atomic():
        replaced = KeptRoute.objects.filter(script=name).count()
        KeptRoute.objects.filter(script=name).delete()
        KeptRoute.objects.bulk_create([_kept(name, route, actor) for route in routes])
        surplus = KeptRoute.objects.order_by("-id").values_list("id", flat=True)[MAX_KEPT:]
        KeptRoute.objects.filter(pk__in=list(surplus)).delete()
        about = Subject("script routes", "", f"routes of {name}")
        record(actor, "keep", about, before={"routes": replaced}, after={"routes": len(routes)})


def _kept(script: str, route: ScriptRoute, actor: Actor) -> KeptRoute:
    handling = route.handling or Handling(
        route="", mark="", tries_next=False, armed_again=False, last_code=None
    )
    return KeptRoute(
        script=script,
        name=route.name[:100],
        line=route.place.line,
        setid=_storable(route.set_id),
        algorithm=_storable(route.algorithm),
        flags=route.flags[:8] if route.flags is not None else None,
        maximum=_storable(route.maximum),
        threshold=_storable(route.threshold) or 1,
        failure_route=handling.route[:100],
        mark=handling.mark,
        tries_next=handling.tries_next,
        armed_again=handling.armed_again,
        last_code=_storable(handling.last_code),
        kept_at=timezone.now(),
        kept_by=actor.name,
    )


def _storable(number: int | None) -> int | None:
    return number if number is not None and number in _NUMBERS else None
