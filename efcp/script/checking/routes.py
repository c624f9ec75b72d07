"""Routes of all kinds: missing, never called or armed, defined twice, not armed again; a part of a script."""

from collections.abc import Iterator

from efcp.script.checking.overview import Graph, Overview, RouteKey, Site, key_of
from efcp.script.findings import Location, ScriptFinding, error, hint, likely, warning
from efcp.script.language.syntax import ArgumentKind, RouteKind


def twice(overview: Overview) -> Iterator[ScriptFinding]:
    """A route of one kind and name is defined a second time: the proxy does not start (cfg.y)."""
    for route in overview.script.routes:
        first = overview.routes[key_of(route)]
        if route is not first:
            name = f"{route.kind}[{route.name}]" if route.name else f"{route.kind} without a name"
            text = f"{name} is defined already: the proxy does not start. Give one of them another name."
            yield error("route-twice", route.place, text, (first.place,))


def _required(overview: Overview) -> Iterator[tuple[str, Location, str]]:
    """Every route that is called by name, with its place and the effect of its absence."""
    for site in overview.named("route"):
        if name := site.text(0):
            yield name, site.place, "the proxy does not start."
    for _, resume in overview.resumes:
        if resume.route and "$" not in resume.route:
            yield resume.route, resume.place, f"what comes after {resume.word} is lost."
    scoring = overview.parameter("dispatcher", "algo_route")
    if scoring and isinstance(scoring.value, str) and scoring.value:
        yield scoring.value, scoring.place, "algorithm 10 finds no destination."


def missing(overview: Overview) -> Iterator[ScriptFinding]:
    """A route is called and not defined: fix_actions in route.c refuses a route(), and for the others
    the route is missing once it is needed."""
    if not overview.is_understood:
        return
    names = [name for kind, name in overview.routes if kind is RouteKind.REQUEST and name]
    reported: set[str] = set()
    for name, place, effect in _required(overview):
        if name in reported or (RouteKind.REQUEST, name) in overview.routes:
            continue
        text = f"Undefined route[{name[:60]}]: {effect}"
        message = text + likely(name, names, len(reported))
        reported.add(name)
        yield error("route-missing", place, message)


def never_called(overview: Overview) -> Iterator[ScriptFinding]:
    """A route that nothing calls. It is not reported where a route is called by a variable, or where some of
    the script was not understood. A name in any argument or parameter counts as a call: modules take them."""
    if not overview.is_understood or _calls_by_variable(overview):
        return
    reached = _reached(overview)
    for key, route in overview.routes.items():
        if key[0] is RouteKind.REQUEST and key[1] and key not in reached:
            text = f"Nothing calls route[{route.name}]. Write route({route.name}); where it is to be used."
            yield warning("route-never-called", route.place, text)


def _calls_by_variable(overview: Overview) -> bool:
    return any(site.text(0) is None for site in overview.named("route"))


def _reached(overview: Overview) -> frozenset[RouteKey]:
    """All routes that something mentions. One that only calls itself is not among them."""
    mentioned = {(RouteKind.REQUEST, name) for name in _mentioned(overview)}
    callers = {
        (RouteKind.REQUEST, name)
        for site in overview.named("route")
        if (name := site.text(0)) and key_of(site.route) != (RouteKind.REQUEST, name)
    }
    return frozenset(mentioned | callers)


def _mentioned(overview: Overview) -> Iterator[str]:
    for parameter in overview.script.parameters:
        if isinstance(parameter.value, str):
            yield parameter.value
    for _, resume in overview.resumes:
        yield resume.route
    for site in overview.sites:
        if site.call.name == "route":
            continue
        for argument in site.call.arguments:
            if argument.kind is ArgumentKind.STRING:
                yield argument.text


def fragment(overview: Overview) -> Iterator[ScriptFinding]:
    """Only a part was given: what the rest may contain is not reported as missing."""
    if overview.is_whole or not overview.script.items:
        return
    why = "there is no main route { }" if overview.main is None else "some of it was not read"
    text = (
        f"This is a part of a script: {why}. Not judged: whether modules, listeners and routes are missing,"
    )
    place = overview.script.items[0].place
    yield hint("fragment", place, f"{text} and whether each route is called.")


ARMING = {
    "t_on_failure": RouteKind.FAILURE,
    "t_on_branch": RouteKind.BRANCH,
    "t_on_reply": RouteKind.REPLY,
}
"""Which function arms which kind of route (tm.c)."""

NEXT = ("ds_next_dst", "ds_next_domain")
_NAMES = {kind: name for name, kind in ARMING.items()}


def arming(overview: Overview) -> dict[RouteKey, set[RouteKey]]:
    """Which route arms which."""
    found: dict[RouteKey, set[RouteKey]] = {}
    for site in overview.named(*ARMING):
        if name := site.text(0):
            found.setdefault(key_of(site.route), set()).add((ARMING[site.call.name], name))
    return found


def armed_missing(overview: Overview) -> Iterator[ScriptFinding]:
    """A route is armed and not defined: the proxy does not start (fixup_froute and its likes in tm.c)."""
    if not overview.is_understood:
        return
    suggested = 0
    for site in overview.named(*ARMING):
        kind, name = ARMING[site.call.name], site.text(0)
        if not name or (kind, name) in overview.routes:
            continue
        names = [other for known, other in overview.routes if known is kind]
        text = f"{site.call.name} names {kind}[{name[:60]}], which is not defined: the proxy does not start."
        message = text + likely(name, names, suggested)
        suggested += 1
        yield error("armed-missing", site.place, message)


def never_armed(overview: Overview) -> Iterator[ScriptFinding]:
    """A route that is defined and that nothing arms is never run. A name in an argument of any function
    counts, as modules take such names too."""
    if not overview.is_understood or any(site.text(0) is None for site in overview.named(*ARMING)):
        return
    named = _named(overview)
    for (kind, name), route in overview.routes.items():
        if kind in _NAMES and name and name not in named:
            text = f'Nothing arms {kind}[{name}], so it never runs. Write {_NAMES[kind]}("{name}");'
            yield warning("never-armed", route.place, f"{text} before t_relay().")


def _named(overview: Overview) -> frozenset[str]:
    in_calls = (argument for site in overview.sites for argument in site.call.arguments)
    texts = {argument.text for argument in in_calls if argument.kind is ArgumentKind.STRING}
    return frozenset(texts | {str(parameter.value) for parameter in overview.script.parameters})


def not_armed_again(overview: Overview) -> Iterator[ScriptFinding]:
    """A failure route that tries the next destination and does not arm any failure route.

    Arming holds for one try only: tm forgets it before it runs the failure route (run_failure_handlers in
    t_reply.c).
    """
    backwards = overview.graph.reversed()
    arms = backwards.reached(key_of(site.route) for site in overview.named("t_on_failure"))
    tries = backwards.reached(key_of(site.route) for site in overview.named(*NEXT))
    relays = backwards.reached(key_of(site.route) for site in overview.named("t_relay"))
    for route, sites in _failure_routes(overview).items():
        key = (RouteKind.FAILURE, route)
        if key in arms or key not in tries or key not in relays:
            continue
        if found := _relay_after_next(sites, tries, relays):
            text = "This try has no failure route: if it fails too, the call fails."
            message = f'{text} Write t_on_failure("{route}"); before t_relay().'
            yield warning("not-armed-again", found.place, message)


def _failure_routes(overview: Overview) -> dict[str, list[Site]]:
    found: dict[str, list[Site]] = {}
    for site in overview.sites:
        if site.route.kind is RouteKind.FAILURE:
            found.setdefault(site.route.name, []).append(site)
    return found


def _relay_after_next(
    sites: list[Site], tries: frozenset[RouteKey], relays: frozenset[RouteKey]
) -> Site | None:
    """The call that sends to the next destination."""
    selects_next = False
    for site in sites:
        called = (RouteKind.REQUEST, site.text(0) or "") if site.call.name == "route" else None
        selects_next = selects_next or site.call.name in NEXT or called in tries
        if selects_next and (site.call.name == "t_relay" or called in relays):
            return site
    return None


def next_without_rest(overview: Overview) -> Iterator[ScriptFinding]:
    """ds_next_dst where no selection kept the others: it finds none, and the call fails at once.

    Only flag f of ds_select_dst keeps them (ds_select_dst in dispatch.c).
    """
    if not overview.is_whole:
        return
    selections = tuple(overview.named("ds_select_dst", "ds_select_domain"))
    keeping = [site for site in selections if _keeps(site)]
    served = _served(overview, keeping)
    related = _served(overview, selections)
    for site in overview.named(*NEXT):
        key = key_of(site.route)
        if key in served or (keeping and key not in related):
            continue
        text = (
            f'{site.call.name} finds nothing: no ds_select_dst before it keeps the others. Give it flag "f"'
        )
        also = tuple(each.place for each in selections[:3])
        message = f'{text}, as ds_select_dst(1, 4, "f").'
        yield warning("next-without-flag-f", site.place, message, also)


def _keeps(site: Site) -> bool:
    flags = site.text(2)
    return flags is None or "f" in flags.lower()


def _served(overview: Overview, selections: list[Site] | tuple[Site, ...]) -> frozenset[RouteKey]:
    """The routes that run after one of the selections: those that its route calls or arms, and those that a
    route arms which calls it."""
    armed = arming(overview)
    onwards: Graph = overview.graph.joined(armed)
    selecting = {key_of(site.route) for site in selections}
    callers = overview.graph.reversed().reached(selecting)
    by_callers = {key for caller in callers for key in armed.get(caller, ())}
    return callers | onwards.reached(selecting | by_callers)


CHECKS = (
    twice,
    missing,
    never_called,
    fragment,
    armed_missing,
    never_armed,
    not_armed_again,
    next_without_rest,
)
