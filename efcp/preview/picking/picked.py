"""A call to a route of a script that was kept: what of the question it answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from efcp.editing.listing import integer
from efcp.script.models import KeptRoute
from efcp.script.script_routes.routes import THE_GUIDES, Handling

MAX_OFFERED = 200
MAX_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Picking:
    """The routes that can be picked, and the one that is."""

    offered: tuple[KeptRoute, ...]
    picked: KeptRoute | None

    def defaults(self) -> dict[str, str]:
        """What the route says of the question, by the names of the forms' fields."""
        route = self.picked
        if route is None:
            return {}
        said = {
            "route": route.pk,
            "setid": route.setid,
            "algorithm": route.algorithm,
            "flags": route.flags,
            "max_results": route.maximum,
            "threshold": route.threshold,
        }
        return {name: str(value) for name, value in said.items() if value is not None}

    def handling(self) -> Handling | None:
        """What the script does when a destination fails; the guide's way where no route is picked."""
        return _handling(self.picked)


def handling_of_route(name: str, setid: int) -> Handling | None:
    """What a kept route of this name that chooses from this set does; the guide's way where there is none."""
    return _handling(KeptRoute.objects.filter(name=name, setid=setid).first() if name else None)


def _handling(route: KeptRoute | None) -> Handling | None:
    if route is None:
        return THE_GUIDES
    if not route.failure_route:
        return None
    return Handling(route.failure_route, route.mark, route.tries_next, route.armed_again, route.last_code)


def picking(asked: Mapping[str, str]) -> Picking:
    """What an address asks for by `route`; a route that is not kept any more counts as not asked for."""
    number = integer(asked.get("route"), 1, MAX_ID)
    picked = KeptRoute.objects.filter(pk=number).first() if number is not None else None
    return Picking(tuple(KeptRoute.objects.all()[:MAX_OFFERED]), picked)
