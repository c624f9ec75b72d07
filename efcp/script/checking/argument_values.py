"""Values of arguments that a function refuses at the start (the fixups of the modules).

Flags that are none, reply codes out of range, methods; of constants alone.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from efcp.script.checking.overview import Overview
from efcp.script.findings import Finding, Severity
from efcp.script.language.syntax import Argument, ArgumentKind

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
    return "" if fits else f"{text[:20]} is no reply code: there are {_FIRST_CODE} to {_LAST_CODE}"


def _hops(text: str) -> str:
    fits = text.isdecimal() and 1 <= int(text) <= _MOST_HOPS
    return "" if fits else f"{text[:20]} is out of range: there are 1 to {_MOST_HOPS}"


def _methods(text: str) -> str:
    """Of several methods each must be one that the proxy knows; one alone may be any."""
    names = [name.strip() for name in text.split("|")]
    wrong = [name for name in names if name.upper() not in _METHODS] if len(names) > 1 else []
    return f"{wrong[0][:20] or 'an empty text'} is no SIP method" if wrong else ""


def _replied(text: str) -> str:
    return "" if _REPLIED.match(text) else f'{text[:20]} is none of "all", "branch" and "last"'


def _quality(text: str) -> str:
    wrong = [part for part in text.split(",") if part.strip() not in _QUALITIES]
    if not wrong:
        return ""
    shown = wrong[0].strip()[:20] or "an empty text"
    return f'{shown} is no quality of protection: write "auth" or "auth-int", or leave the argument out'


_WORDS: dict[str, Callable[[str], str]] = {
    "code": _code,
    "hops": _hops,
    "methods": _methods,
    "replied": _replied,
    "qop": _quality,
}


def refused(overview: Overview) -> Iterator[Finding]:
    """A constant that the function's fixup does not take."""
    for site in overview.sites:
        name = site.call.name
        function = overview.async_function(name) if site.later else overview.function(name, site.route.kind)
        for position, wanted in function.values.items() if function else ():
            if position > len(site.call.arguments):
                continue
            argument = site.call.arguments[position - 1]
            problem = _problem(name, wanted, argument)
            if problem:
                text = f"{name}: {problem}: {_STOPS}."
                yield Finding(Severity.ERROR, "argument-value", site.place, text)


def _problem(name: str, wanted: str | tuple[str, ...], argument: Argument) -> str:
    kinds = (ArgumentKind.NUMBER,) if wanted in ("code", "hops") else (ArgumentKind.STRING,)
    if argument.kind not in kinds or "$" in argument.text:
        return ""
    if isinstance(wanted, str):
        return _WORDS[wanted](argument.text)
    wrong = [part for part in argument.text.split(",") if part.strip() and part.strip() not in wanted]
    if not wrong:
        return ""
    shown = wrong[0].strip()[:40]
    if meant := flags_of(name, shown, wanted):
        return f"{shown} is how versions before 3.0 wrote flags, now it is {meant}"
    return f"there is no flag {shown}; there are {', '.join(wanted)}"


def flags_of(function: str, number: str, names: Sequence[str]) -> str:
    """The names of flags that were given as a number, "" where it is none: `"a,b"`."""
    try:
        bits = int(number, 0) >> _SHIFTED.get(function, 0)
    except ValueError:
        return ""
    found = [name for place, name in enumerate(names) if bits >> place & 1]
    return f'"{",".join(found)}"' if found else ""


def logged(overview: Overview) -> Iterator[Finding]:
    """What xlog and xdbg write must not be empty, and a level is one of eight (fix_actions in route.c)."""
    for site in overview.named("xlog", "xdbg"):
        texts = [argument.text for argument in site.call.arguments]
        if not all(texts):
            text = f"{site.call.name} takes no empty text: {_STOPS}."
            yield Finding(Severity.ERROR, "argument-value", site.place, text)
        elif len(texts) > 1 and not texts[0].startswith("$") and texts[0][2:3] not in _LEVEL_LETTERS:
            text = f"{texts[0][:20]} is no level: {_STOPS}. There are {', '.join(_LEVELS)}."
            yield Finding(Severity.ERROR, "argument-value", site.place, text)


CHECKS = (refused, logged)
