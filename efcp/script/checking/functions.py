"""Calls of functions: unknown, not loaded, in a wrong kind of route, wrong arguments and their values."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from efcp.script.checking.overview import Overview, RouteKey, Site, key_of
from efcp.script.checking.variables import lookup
from efcp.script.findings import MAXIMUM_PLACES, Location, ScriptFinding, error, likely
from efcp.script.knowledge.facts import ArgumentType, FunctionFacts, renamed
from efcp.script.language.syntax import Argument, ArgumentKind, RouteKind
from efcp.script.language.variables import reference, references

_SHOWN_NAMES = 10
_NEVER_JUDGED = frozenset({ArgumentKind.NAME, ArgumentKind.NONE, ArgumentKind.EXPRESSION})
"""What is left out, or an error already."""
_FLAGS_CHECKED_ELSEWHERE = frozenset({("ds_select_dst", 3), ("ds_select_domain", 3)})
"""The check of their flags says more of these."""
_LIKE_AVP = frozenset({"avp", "bavp"})


def _also(sites: Iterable[Site]) -> tuple[Location, ...]:
    places = dict.fromkeys(site.place for site in sites)
    return tuple(places)[1 : MAXIMUM_PLACES + 1]


def _of_statements(sites: Iterable[Site]) -> tuple[Site, ...]:
    """Those calls that are not within async or launch: these have functions of their own."""
    return tuple(site for site in sites if not site.later)


def unknown(overview: Overview) -> Iterator[ScriptFinding]:
    """A function that no module has: the proxy does not start (cfg.y). It is not reported where a module is
    loaded whose functions aren't described."""
    if not overview.is_whole or overview.loads_undescribed:
        return
    suggested = 0
    for name, called in overview.function_names.items():
        sites = _of_statements(called)
        if not sites or name in overview.knowledge.core_functions or overview.homes(name):
            continue
        text = f"OpenSIPS {overview.knowledge.version} has no function {name[:60]}: the proxy does not start."
        now = renamed()["functions"].get(name)
        message = f"{text} {now}" if now else text + likely(name, overview.known_functions, suggested)
        suggested += 1
        yield error("function-unknown", sites[0].place, message, _also(sites))


def without_module(overview: Overview) -> Iterator[ScriptFinding]:
    """A function of a module that is not loaded: the proxy does not start (cfg.y)."""
    if not overview.is_whole or overview.loads_undescribed:
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


def _without_module(modules: tuple[str, ...], sites: list[Site]) -> ScriptFinding:
    names = ", ".join(sorted({site.call.name for site in sites})[:_SHOWN_NAMES])
    needed = modules[0] if len(modules) == 1 else f"one of {', '.join(modules)}"
    text = f"{names}: {needed} is not loaded, so the proxy does not start."
    message = f'{text} Write loadmodule "{modules[0]}.so" above the routes.'
    first, *_ = sites
    return error("function-without-module", first.place, message, _also(sites))


def early(overview: Overview) -> Iterator[ScriptFinding]:
    """A route stands above the loadmodule of a function that it calls: the proxy does not start (cfg.y)."""
    reported: set[str] = set()
    for name, sites in overview.function_names.items():
        for module, _ in overview.homes(name):
            loaded = overview.loaded.get(module)
            if loaded is None or module in reported or name in overview.knowledge.core_functions:
                continue
            first = sites[0]
            if overview.order[id(first.route)] < overview.order[id(loaded)]:
                reported.add(module)
                text = f"{name} is called above the loadmodule of {module}: the proxy does not start."
                message = f"{text} Put all loadmodule lines above the first route."
                yield error("function-early", first.place, message, (loaded.place,))


def kinds_of_routes(overview: Overview) -> Iterator[ScriptFinding]:
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


def _refused(site: Site, function: FunctionFacts, refused: list[RouteKind]) -> ScriptFinding:
    by_way = "" if site.route.kind in refused else f", which leads to route[{site.route.name}]"
    allowed = ", ".join(kind for kind in RouteKind if kind in function.routes)
    text = f"{function.name} may not be called in {', '.join(refused)}{by_way}: the proxy does not start."
    return error("function-misplaced", site.place, f"{text} It may in {allowed}.")


def async_calls(overview: Overview) -> Iterator[ScriptFinding]:
    """async and launch call functions of their own (acmd_export_t): the proxy does not start with another."""
    described = overview.knowledge.modules
    if not overview.is_whole or overview.loads_undescribed:
        return
    for site in overview.sites:
        name = site.call.name
        if not site.later or overview.async_function(name):
            continue
        homes = [module.name for module in described.values() if name in module.async_functions]
        if homes:
            text = f"{name}: {homes[0]} is not loaded, so the proxy does not start."
            message = f'{text} Write loadmodule "{homes[0]}.so" above the routes.'
            yield error("function-without-module", site.place, message)
        else:
            text = f"No module has a function {name[:60]} for async and launch: the proxy does not start."
            yield error("function-unknown", site.place, text)


def arguments(overview: Overview) -> Iterator[ScriptFinding]:
    """Too few arguments, too many, or of another class than the function takes: the proxy does not start."""
    for site in overview.sites:
        name = site.call.name
        function = overview.async_function(name) if site.later else overview.function(name, site.route.kind)
        if function is None:
            continue
        given = len(site.call.arguments)
        if function.at_least <= given <= function.at_most:
            yield from _classes(overview, site, function)
            continue
        text = f"{function.name} takes {_count(function)}, here it has {given}: the proxy does not start."
        yield error("function-arguments", site.place, text)


def _count(function: FunctionFacts) -> str:
    least, most = function.at_least, function.at_most
    if least == most:
        return f"{most or 'no'} argument{'' if most == 1 else 's'}"
    return f"{least} to {most} arguments"


def _classes(overview: Overview, site: Site, function: FunctionFacts) -> Iterator[ScriptFinding]:
    """Each argument against its class, as check_cmd_call_params in cmds.c and fix_cmd in mod_fix.c do it."""
    pairs = zip(site.call.arguments, function.takes, strict=False)
    for position, (argument, expected) in enumerate(pairs, start=1):
        if argument.kind is ArgumentKind.NONE and not expected.optional:
            text = f"Argument {position} of {function.name} can't be left out: the proxy does not start."
            yield error("function-arguments", site.place, text)
            continue
        problem = _WRONG[expected.type](overview, argument)
        if (
            argument.kind in _NEVER_JUDGED
            or (function.name, position) in _FLAGS_CHECKED_ELSEWHERE
            or not problem
        ):
            continue
        text = f"Argument {position} of {function.name} must be {problem}: the proxy does not start."
        advice = _names_of_flags(function, position, argument) or _advice(expected.type, argument)
        message = f"{text}{advice}{_old_notation(site, position, argument.text)}"
        yield error("argument-type", site.place, message)


def _integer(_overview: Overview, argument: Argument) -> str:
    fits = argument.kind in (ArgumentKind.NUMBER, ArgumentKind.VARIABLE)
    return "" if fits else "a number or a variable without quotes"


def _text(_overview: Overview, argument: Argument) -> str:
    return "" if argument.kind in (ArgumentKind.STRING, ArgumentKind.VARIABLE) else "a text in quotes"


def _static(_overview: Overview, argument: Argument) -> str:
    fits = argument.kind is ArgumentKind.STRING and not any(references(argument.text))
    return "" if fits else "a text in quotes without variables"


def _variable(_overview: Overview, argument: Argument) -> str:
    return "" if argument.kind is ArgumentKind.VARIABLE else "a variable without quotes"


def _writable(overview: Overview, argument: Argument) -> str:
    if argument.kind is not ArgumentKind.VARIABLE:
        return "a variable without quotes"
    known = lookup(overview, reference(argument.text))
    return "" if known is None or known.is_writable else "a variable that can be set"


def _avp(_overview: Overview, argument: Argument) -> str:
    fits = argument.kind is ArgumentKind.VARIABLE and reference(argument.text).name in _LIKE_AVP
    return "" if fits else "an $avp() without quotes"


def _settable(_overview: Overview, argument: Argument) -> str:
    fits = argument.kind is ArgumentKind.VARIABLE and reference(argument.text).name in {*_LIKE_AVP, "var"}
    return "" if fits else "an $avp() or a $var() without quotes"


_WRONG: dict[ArgumentType, Callable[[Overview, Argument], str]] = {
    ArgumentType.INTEGER: _integer,
    ArgumentType.STRING: _text,
    ArgumentType.PLAIN: _text,
    ArgumentType.REGEX: _text,
    ArgumentType.STATIC: _static,
    ArgumentType.VARIABLE: _variable,
    ArgumentType.WRITABLE: _writable,
    ArgumentType.AVP: _avp,
    ArgumentType.SETTABLE: _settable,
}
"""What an argument must be where it is not that, "" where it is."""


def _advice(expected: ArgumentType, argument: Argument) -> str:
    """What to write instead, where that is plain."""
    text = argument.text
    if expected in (ArgumentType.STRING, ArgumentType.PLAIN, ArgumentType.STATIC, ArgumentType.REGEX):
        return f' Write "{text[:60]}".' if argument.kind is ArgumentKind.NUMBER else ""
    stripped = text.strip()
    bare = stripped.startswith("$") and not reference(stripped).rest
    if argument.kind is ArgumentKind.STRING and (
        bare or (expected is ArgumentType.INTEGER and stripped.isdecimal())
    ):
        return f" Write {stripped[:60]} without quotes."
    return ""


def _names_of_flags(function: FunctionFacts, position: int, argument: Argument) -> str:
    """What flags that were given as a number are called now."""
    names = function.values.get(position, ())
    if argument.kind is not ArgumentKind.NUMBER or isinstance(names, str):
        return ""
    found = flags_of(function.name, argument.text, names)
    return f" Write {found}." if found else ""


def _old_notation(site: Site, position: int, text: str) -> str:
    """ "partition:set", which versions before 3.0 took."""
    if position == 1 and site.call.name.startswith("ds_select") and ":" in text:
        return " A partition is the fourth argument now."
    return ""


_STOPS = "the proxy does not start"
_METHODS = frozenset(
    {"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS"}
    | {"PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"}
)
_FIRST_CODE, _LAST_CODE = 100, 699
_MOST_HOPS = 256
_REPLIED = re.compile(r"all|branch|last", re.IGNORECASE)
_QUALITIES = frozenset({"auth", "auth-int"})
_LEVELS = ("L_ALERT", "L_CRIT", "L_ERR", "L_WARN", "L_NOTICE", "L_INFO", "L_DBG")
_LEVEL_LETTERS = frozenset("ACEWNID")
"""The third letter is all that counts."""
_SHIFTED = {"t_relay": 1, "t_replicate": 1}
"""By how many bits the old numbers of flags are above the places of their names (flag_fixup in tm.c)."""


def _code(text: str) -> str:
    fits = text.isdecimal() and _FIRST_CODE <= int(text) <= _LAST_CODE
    return "" if fits else f"{text[:20]} is not a reply code ({_FIRST_CODE} to {_LAST_CODE})"


def _hops(text: str) -> str:
    fits = text.isdecimal() and 1 <= int(text) <= _MOST_HOPS
    return "" if fits else f"{text[:20]} is out of range (1 to {_MOST_HOPS})"


def _methods(text: str) -> str:
    """Of several methods each must be one that the proxy knows; one alone may be any."""
    names = [name.strip() for name in text.split("|")]
    wrong = [name for name in names if name.upper() not in _METHODS] if len(names) > 1 else []
    return f"{wrong[0][:20] or 'an empty text'} is not a SIP method" if wrong else ""


def _replied(text: str) -> str:
    return "" if _REPLIED.match(text) else f'{text[:20]} is none of "all", "branch" and "last"'


def _quality(text: str) -> str:
    wrong = [part for part in text.split(",") if part.strip() not in _QUALITIES]
    if not wrong:
        return ""
    shown = wrong[0].strip()[:20] or "an empty text"
    return f'{shown} is not a quality of protection: use "auth" or "auth-int", or leave the argument out'


_WORDS: dict[str, Callable[[str], str]] = {
    "code": _code,
    "hops": _hops,
    "methods": _methods,
    "replied": _replied,
    "qop": _quality,
}


def refused(overview: Overview) -> Iterator[ScriptFinding]:
    """A constant that the function's fixup does not take."""
    for site in overview.sites:
        name = site.call.name
        function = overview.async_function(name) if site.later else overview.function(name, site.route.kind)
        for position, expected in function.values.items() if function else ():
            if position > len(site.call.arguments):
                continue
            argument = site.call.arguments[position - 1]
            problem = _problem(name, expected, argument)
            if problem:
                text = f"{name}: {problem}: {_STOPS}."
                yield error("argument-value", site.place, text)


def _problem(name: str, expected: str | tuple[str, ...], argument: Argument) -> str:
    kinds = (ArgumentKind.NUMBER,) if expected in ("code", "hops") else (ArgumentKind.STRING,)
    if argument.kind not in kinds or "$" in argument.text:
        return ""
    if isinstance(expected, str):
        return _WORDS[expected](argument.text)
    wrong = [part for part in argument.text.split(",") if part.strip() and part.strip() not in expected]
    if not wrong:
        return ""
    shown = wrong[0].strip()[:40]
    if meant := flags_of(name, shown, expected):
        return f"{shown} is how versions before 3.0 wrote flags, now it is {meant}"
    return f"unknown flag {shown}; there are {', '.join(expected)}"


def flags_of(function: str, number: str, names: Sequence[str]) -> str:
    """The names of flags that were given as a number, "" where it is none: `"a,b"`."""
    try:
        bits = int(number, 0) >> _SHIFTED.get(function, 0)
    except ValueError:
        return ""
    found = [name for place, name in enumerate(names) if bits >> place & 1]
    return f'"{",".join(found)}"' if found else ""


def logged(overview: Overview) -> Iterator[ScriptFinding]:
    """What xlog and xdbg write must not be empty, and a level is one of eight (fix_actions in route.c)."""
    for site in overview.named("xlog", "xdbg"):
        texts = [argument.text for argument in site.call.arguments]
        if not all(texts):
            text = f"{site.call.name} takes no empty text: {_STOPS}."
            yield error("argument-value", site.place, text)
        elif len(texts) > 1 and not texts[0].startswith("$") and texts[0][2:3] not in _LEVEL_LETTERS:
            text = f"{texts[0][:20]} is not a log level: {_STOPS}. There are {', '.join(_LEVELS)}."
            yield error("argument-value", site.place, text)


CHECKS = (
    unknown,
    without_module,
    early,
    kinds_of_routes,
    async_calls,
    arguments,
    refused,
    logged,
)
