"""Routes called and not defined, defined and not called, defined twice; a part of a script."""

from collections.abc import Iterator

from efcp.script.checking.graph import RouteKey, key_of
from efcp.script.checking.nearest import likely
from efcp.script.checking.overview import Overview
from efcp.script.findings import Finding, Place, Severity
from efcp.script.language.syntax import ArgumentKind, RouteKind


def twice(overview: Overview) -> Iterator[Finding]:
    """A route of one kind and name is defined a second time: the proxy does not start (cfg.y)."""
    for route in overview.script.routes:
        first = overview.routes[key_of(route)]
        if route is not first:
            name = f"{route.kind}[{route.name}]" if route.name else f"{route.kind} without a name"
            text = f"{name} is defined already: the proxy does not start. Give one of them another name."
            yield Finding(Severity.ERROR, "route-twice", route.place, text, (first.place,))


def _wanted(overview: Overview) -> Iterator[tuple[str, Place, str]]:
    """Every route that is asked for by name, with its place and what happens where it is missing."""
    for site in overview.named("route"):
        if name := site.text(0):
            yield name, site.place, "the proxy does not start."
    for _, resume in overview.resumes:
        if resume.route and "$" not in resume.route:
            yield resume.route, resume.place, f"what comes after {resume.word} is lost."
    scoring = overview.parameter("dispatcher", "algo_route")
    if scoring and isinstance(scoring.value, str) and scoring.value:
        yield scoring.value, scoring.place, "algorithm 10 finds no destination."


def missing(overview: Overview) -> Iterator[Finding]:
    """A route is asked for and not defined: fix_actions in route.c refuses a route(), and for the others
    the route is missing once it is wanted."""
    if not overview.is_understood:
        return
    names = [name for kind, name in overview.routes if kind is RouteKind.REQUEST and name]
    told: set[str] = set()
    for name, place, effect in _wanted(overview):
        if name in told or (RouteKind.REQUEST, name) in overview.routes:
            continue
        text = f"There is no route[{name[:60]}]: {effect}"
        said = text + likely(name, names, len(told))
        told.add(name)
        yield Finding(Severity.ERROR, "route-missing", place, said)


def never_called(overview: Overview) -> Iterator[Finding]:
    """A route that nothing leads to. Nothing is said where a route is called by a variable, or where some of
    the script was not understood. A name in any argument or parameter counts as a call: modules take them."""
    if not overview.is_understood or _calls_by_variable(overview):
        return
    reached = _reached(overview)
    for key, route in overview.routes.items():
        if key[0] is RouteKind.REQUEST and key[1] and key not in reached:
            text = f"Nothing calls route[{route.name}]. Write route({route.name}); where it is to be used."
            yield Finding(Severity.WARNING, "route-never-called", route.place, text)


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


def fragment(overview: Overview) -> Iterator[Finding]:
    """Only a part was given, so that nothing is said of what may stand elsewhere."""
    if overview.is_whole or not overview.script.items:
        return
    why = "there is no main route { }" if overview.main is None else "some of it was not read"
    text = (
        f"This is a part of a script: {why}. Not judged: whether modules, listeners and routes are missing,"
    )
    place = overview.script.items[0].place
    yield Finding(Severity.HINT, "fragment", place, f"{text} and whether each route is called.")


CHECKS = (twice, missing, never_called, fragment)
