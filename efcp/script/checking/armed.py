"""Failure, branch and reply routes: armed and not defined, defined and not armed, not armed again."""

from collections.abc import Iterator

from efcp.script.checking.graph import Graph, RouteKey, key_of
from efcp.script.checking.nearest import likely
from efcp.script.checking.overview import Overview, Site
from efcp.script.findings import Finding, Severity
from efcp.script.language.syntax import ArgumentKind, RouteKind

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


def missing(overview: Overview) -> Iterator[Finding]:
    """A route is armed and not defined: the proxy does not start (fixup_froute and its likes in tm.c)."""
    if not overview.is_understood:
        return
    asked = 0
    for site in overview.named(*ARMING):
        kind, name = ARMING[site.call.name], site.text(0)
        if not name or (kind, name) in overview.routes:
            continue
        names = [other for known, other in overview.routes if known is kind]
        text = f"{site.call.name} names {kind}[{name[:60]}], which is not defined: the proxy does not start."
        said = text + likely(name, names, asked)
        asked += 1
        yield Finding(Severity.ERROR, "armed-missing", site.place, said)


def never_armed(overview: Overview) -> Iterator[Finding]:
    """A route that is defined and that nothing arms is never run. A name in an argument of any function
    counts, as modules take such names too."""
    if not overview.is_understood or any(site.text(0) is None for site in overview.named(*ARMING)):
        return
    named = _named(overview)
    for (kind, name), route in overview.routes.items():
        if kind in _NAMES and name and name not in named:
            text = f'Nothing arms {kind}[{name}], so it is never run. Write {_NAMES[kind]}("{name}");'
            yield Finding(Severity.WARNING, "never-armed", route.place, f"{text} before t_relay().")


def _named(overview: Overview) -> frozenset[str]:
    in_calls = (argument for site in overview.sites for argument in site.call.arguments)
    texts = {argument.text for argument in in_calls if argument.kind is ArgumentKind.STRING}
    return frozenset(texts | {str(parameter.value) for parameter in overview.script.parameters})


def not_armed_again(overview: Overview) -> Iterator[Finding]:
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
            said = f'{text} Write t_on_failure("{route}"); before t_relay().'
            yield Finding(Severity.WARNING, "not-armed-again", found.place, said)


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
    tried = False
    for site in sites:
        called = (RouteKind.REQUEST, site.text(0) or "") if site.call.name == "route" else None
        tried = tried or site.call.name in NEXT or called in tries
        if tried and (site.call.name == "t_relay" or called in relays):
            return site
    return None


def next_without_rest(overview: Overview) -> Iterator[Finding]:
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
        said = f'{text}, as ds_select_dst(1, 4, "f").'
        yield Finding(Severity.WARNING, "next-without-flag-f", site.place, said, also)


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


CHECKS = (missing, never_armed, not_armed_again, next_without_rest)
