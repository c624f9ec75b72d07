"""The routes of a script that choose a destination, and what it does when that one fails. Pure.

The value of a variable is unknown, and is None: nothing is guessed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from efcp.script.checking.overview import Overview, RouteKey, Site, key_of
from efcp.script.findings import Location
from efcp.script.language.syntax import RouteKind

MAX_ROUTES = 200

_NEXT = ("ds_next_dst", "ds_next_domain")
_REPLIES = ("t_reply", "send_reply", "sl_send_reply", "t_reply_with_body", "send_reply_with_body")
_MARKS = {"p": "p", "2": "p", "i": "i", "1": "i", "": "i", "a": "", "0": ""}
"""What ds_mark_dst makes of a failed destination; without a state it is inactive (w_ds_mark_dst)."""

_THRESHOLDS = ("ds_probing_threshold", "ds_probing_threshhold")
_DEFAULT_THRESHOLD = 1


@dataclass(frozen=True, slots=True)
class Handling:
    """What a script does when a destination fails: the guide's failure route, unless declared otherwise.

    `mark` is "p" (probing), "i" (inactive) or "" (nothing); `tries_next` takes the next destination;
    `armed_again` lets the route see a second failure too; `last_code` is the reply when none is left, None
    where the script makes none of its own.
    """

    route: str = "media_failover"
    mark: str = "p"
    tries_next: bool = True
    armed_again: bool = True
    last_code: int | None = 503


THE_GUIDES = Handling()


@dataclass(frozen=True, slots=True)
class ScriptRoute:
    """One call of ds_select_dst: its route ("" for the main one), its arguments, what a failure leads to.

    `maximum` is None for all destinations; `handling` None where no failure route is armed.
    """

    name: str
    place: Location
    set_id: int | None
    algorithm: int | None
    flags: str | None
    maximum: int | None
    threshold: int
    handling: Handling | None

    @property
    def preview_query(self) -> str:
        """The arguments as a URL's query, by the names of the fields of the preview of a call."""
        return urlencode(
            {
                "setid": self.set_id,
                "algorithm": self.algorithm,
                "flags": self.flags or "",
                "threshold": self.threshold,
            }
        )


def script_routes(overview: Overview) -> tuple[ScriptRoute, ...]:
    """The calls of ds_select_dst in routes for requests, in the order of the text, at most MAX_ROUTES."""
    found = (site for site in overview.named("ds_select_dst") if site.route.kind is RouteKind.REQUEST)
    return tuple(_route(overview, site) for site, _ in zip(found, range(MAX_ROUTES), strict=False))


def _route(overview: Overview, site: Site) -> ScriptRoute:
    threshold = overview.value("dispatcher", *_THRESHOLDS)
    return ScriptRoute(
        name=site.route.name,
        place=site.place,
        set_id=site.number(0),
        algorithm=site.number(1),
        flags=site.text(2),
        maximum=site.number(4),
        threshold=threshold if isinstance(threshold, int) else _DEFAULT_THRESHOLD,
        handling=_handling(overview, site),
    )


def _handling(overview: Overview, site: Site) -> Handling | None:
    """The failure route that is armed in the route itself, else in one that it calls."""
    own = [arming for arming in _in_routes(overview, site, "t_on_failure") if arming.text(0)]
    armed = next((arming for arming in own if arming.route is site.route), own[0] if own else None)
    if armed is None:
        return None
    name = armed.text(0) or ""
    start = (RouteKind.FAILURE, name)
    replies = [each.number(0) for each in _reached(overview, start, *_REPLIES)]
    return Handling(
        route=name,
        mark=_mark(overview, start),
        tries_next=any(_reached(overview, start, *_NEXT)),
        armed_again=any(each.text(0) for each in _reached(overview, start, "t_on_failure")),
        last_code=next((code for code in replies if code is not None), None),
    )


def _mark(overview: Overview, start: RouteKey) -> str:
    states = (each.text(0) for each in _reached(overview, start, "ds_mark_dst"))
    return next((_MARKS.get(state.lower(), "") for state in states if state is not None), "")


def _in_routes(overview: Overview, site: Site, *names: str) -> Iterator[Site]:
    return _reached(overview, key_of(site.route), *names)


def _reached(overview: Overview, start: RouteKey, *names: str) -> Iterator[Site]:
    """The calls of these functions in a route and in those that it calls."""
    within = overview.graph.reached([start])
    return (each for each in overview.named(*names) if key_of(each.route) in within)
