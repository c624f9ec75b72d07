"""Calls of functions: unknown, of a module that isn't loaded, in a wrong kind of route, wrong arguments."""

from collections.abc import Iterable, Iterator

from efcp.script.checking.graph import RouteKey, key_of
from efcp.script.checking.nearest import likely
from efcp.script.checking.overview import Overview, Site
from efcp.script.findings import Finding, Place, Severity
from efcp.script.knowledge.facts import Function
from efcp.script.language.syntax import ArgumentKind, RouteKind

_SHOWN_PLACES = 10
_NO_INTEGERS = frozenset({ArgumentKind.STRING, ArgumentKind.NAME})


def _also(sites: Iterable[Site]) -> tuple[Place, ...]:
    places = dict.fromkeys(site.place for site in sites)
    return tuple(places)[1 : _SHOWN_PLACES + 1]


def _of_statements(sites: Iterable[Site]) -> tuple[Site, ...]:
    """Those calls that are not within async or launch: these have functions of their own."""
    return tuple(site for site in sites if not site.later)


def unknown(overview: Overview) -> Iterator[Finding]:
    """A function that no module has: the proxy does not start (cfg.y). Nothing is said where a module is
    loaded whose functions aren't described."""
    described = overview.knowledge.modules
    if not overview.is_whole or any(name not in described for name in overview.loaded):
        return
    asked = 0
    for name, called in overview.function_names.items():
        sites = _of_statements(called)
        if not sites or name in overview.knowledge.core_functions or overview.homes(name):
            continue
        text = f"OpenSIPS {overview.knowledge.version} has no function {name[:60]}: the proxy does not start."
        said = text + likely(name, overview.known_functions, asked)
        asked += 1
        yield Finding(Severity.ERROR, "function-unknown", sites[0].place, said, _also(sites))


def without_module(overview: Overview) -> Iterator[Finding]:
    """A function of a module that is not loaded: the proxy does not start (cfg.y)."""
    described = overview.knowledge.modules
    if not overview.is_whole or any(name not in described for name in overview.loaded):
        return
    missing: dict[tuple[str, ...], list[Site]] = {}
    for name, called in overview.function_names.items():
        sites = _of_statements(called)
        modules = tuple(module for module, _ in overview.homes(name))
        if not sites or name in overview.knowledge.core_functions or not modules:
            continue
        if not any(module in overview.loaded for module in modules):
            missing.setdefault(modules, []).extend(sites)
    for modules, found in missing.items():
        yield _without_module(modules, found)


def _without_module(modules: tuple[str, ...], sites: list[Site]) -> Finding:
    names = ", ".join(sorted({site.call.name for site in sites})[:_SHOWN_PLACES])
    needed = modules[0] if len(modules) == 1 else f"one of {', '.join(modules)}"
    text = f"{names}: {needed} is not loaded, so the proxy does not start."
    said = f'{text} Write loadmodule "{modules[0]}.so" above the routes.'
    first, *_ = sites
    return Finding(Severity.ERROR, "function-without-module", first.place, said, _also(sites))


def early(overview: Overview) -> Iterator[Finding]:
    """A route stands above the loadmodule of a function that it calls: the proxy does not start (cfg.y)."""
    told: set[str] = set()
    for name, sites in overview.function_names.items():
        for module, _ in overview.homes(name):
            loaded = overview.loaded.get(module)
            if loaded is None or module in told or name in overview.knowledge.core_functions:
                continue
            first = sites[0]
            if overview.order[id(first.route)] < overview.order[id(loaded)]:
                told.add(module)
                text = f"{name} is called above the loadmodule of {module}: the proxy does not start."
                said = f"{text} Put all loadmodule lines above the first route."
                yield Finding(Severity.ERROR, "function-early", first.place, said, (loaded.place,))


def kinds_of_routes(overview: Overview) -> Iterator[Finding]:
    """A function where its module does not allow it: the proxy does not start.

    It counts for the route that holds the call (cfg.y) and for every kind of route that leads to it by
    route() (check_actions in route.c).
    """
    entered = _entered_from(overview)
    for site in overview.sites:
        function = overview.function(site.call.name)
        if function is None or site.later:
            continue
        kinds = {site.route.kind, *entered.get(key_of(site.route), ())}
        refused = sorted(kinds - function.routes)
        if refused:
            yield _refused(site, function, refused)


def _entered_from(overview: Overview) -> dict[RouteKey, set[RouteKind]]:
    """For each route the kinds of those that lead to it."""
    found: dict[RouteKey, set[RouteKind]] = {}
    for kind in RouteKind:
        starts = {key for key in overview.routes if key[0] is kind and (key[1] == "" or kind != "route")}
        for key in overview.graph.reached(starts):
            found.setdefault(key, set()).add(kind)
    return found


def _refused(site: Site, function: Function, refused: list[RouteKind]) -> Finding:
    by_way = "" if site.route.kind in refused else f", which leads to route[{site.route.name}]"
    allowed = ", ".join(kind for kind in RouteKind if kind in function.routes)
    text = f"{function.name} may not be called in {', '.join(refused)}{by_way}: the proxy does not start."
    return Finding(Severity.ERROR, "function-misplaced", site.place, f"{text} It may in {allowed}.")


def arguments(overview: Overview) -> Iterator[Finding]:
    """Too few arguments, too many, or a text where a number is wanted: the proxy does not start."""
    for site in overview.sites:
        function = overview.function(site.call.name)
        if function is None or site.later:
            continue
        given = len(site.call.arguments)
        if function.at_least <= given <= function.at_most:
            yield from _integers(site, function)
            continue
        text = f"{function.name} takes {_count(function)}, here it has {given}: the proxy does not start."
        yield Finding(Severity.ERROR, "function-arguments", site.place, text)


def _count(function: Function) -> str:
    least, most = function.at_least, function.at_most
    if least == most:
        return f"{most or 'no'} argument{'' if most == 1 else 's'}"
    return f"{least} to {most} arguments"


def _integers(site: Site, function: Function) -> Iterator[Finding]:
    for position, argument in enumerate(site.call.arguments, start=1):
        if position not in function.integer_arguments or argument.kind not in _NO_INTEGERS:
            continue
        text = f"Argument {position} of {function.name} must be a number or a variable without quotes"
        said = f"{text}: the proxy does not start.{_old_notation(site, position, argument.text)}"
        yield Finding(Severity.ERROR, "argument-type", site.place, said)


def _old_notation(site: Site, position: int, text: str) -> str:
    """What became of "partition:set", which versions before 3.0 took."""
    if position == 1 and site.call.name.startswith("ds_select") and ":" in text:
        return " A partition is the fourth argument now."
    return ""


CHECKS = (unknown, without_module, early, kinds_of_routes, arguments)
