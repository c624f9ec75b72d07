"""Routes of checked scripts that the previews take their arguments from."""

from collections.abc import Mapping
from dataclasses import dataclass

from efcp.editing.listing import integer
from efcp.script.models import KeptRoute
from efcp.script.script_routes import THE_GUIDES, Handling

MAX_OFFERED = 200
MAX_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class RouteChoice:
    """The routes that a page offers, and the chosen one."""

    offered: tuple[KeptRoute, ...]
    chosen: KeptRoute | None

    def defaults(self) -> dict[str, str]:
        """The arguments that the chosen route gives, by the names of the forms' fields."""
        route = self.chosen
        if route is None:
            return {}
        arguments = {
            "route": route.pk,
            "setid": route.setid,
            "algorithm": route.algorithm,
            "flags": route.flags,
            "max_results": route.maximum,
            "threshold": route.threshold,
        }
        return {name: str(value) for name, value in arguments.items() if value is not None}

    def handling(self) -> Handling | None:
        """What the script does when a destination fails; the guide's way where no route is chosen."""
        return _handling(self.chosen)


def handling_of_route(name: str, setid: int) -> Handling | None:
    """What the route of this name and set does on a failure; the guide's way where there is none."""
    return _handling(KeptRoute.objects.filter(name=name, setid=setid).first() if name else None)


def _handling(route: KeptRoute | None) -> Handling | None:
    if route is None:
        return THE_GUIDES
    if not route.failure_route:
        return None
    return Handling(route.failure_route, route.mark, route.tries_next, route.armed_again, route.last_code)


def route_choice(query: Mapping[str, str]) -> RouteChoice:
    """The choice that the parameter `route` makes; a route that no longer exists counts as none."""
    number = integer(query.get("route"), 1, MAX_ID)
    chosen = KeptRoute.objects.filter(pk=number).first() if number is not None else None
    return RouteChoice(tuple(KeptRoute.objects.all()[:MAX_OFFERED]), chosen)
