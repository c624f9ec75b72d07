"""Global settings: unknown, old, or of a value that the grammar does not take (assign_stm in cfg.y)."""

import re
from collections.abc import Callable, Iterator, Sequence

from efcp.releases import RELEASE_4_0
from efcp.script.checking.nearest import likely
from efcp.script.checking.overview import Overview
from efcp.script.checking.sockets import problem_of_host, problem_of_socket
from efcp.script.findings import Finding, Severity
from efcp.script.knowledge.loading import renamed
from efcp.script.language.syntax import Argument, ArgumentKind, Setting

_EFFECT = "the proxy does not start"
_OLD = ("listen", "log_facility", "log_name", "log_stderror")
"""What earlier releases warn of, and later ones refuse (warn() in cfg.y)."""

_BOUNDS = {
    "event_pkg_threshold": (0, 100),
    "event_shm_threshold": (0, 100),
    "tcp_accept_aliases": (0, 2),
    "tcp_connect_timeout": (1, None),
    "tcp_threads": (1, None),
}
"""Numbers that the grammar refuses outside of these, both included."""

_FACILITIES = frozenset(
    {"auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "syslog", "user", "uucp"}
    | {f"local{number}" for number in range(8)}
)
_FORMATS = frozenset({"plain_text", "json", "json_cee"})
_POLL_METHODS = frozenset({"poll", "epoll", "sigio_rt", "select", "kqueue", "/dev/poll"})


def _is_facility(text: str) -> bool:
    return text.lower().startswith("log_") and text.lower().removeprefix("log_") in _FACILITIES


def _is_format(text: str) -> bool:
    return text in _FORMATS


def _is_poll_method(text: str) -> bool:
    return text.lower() in _POLL_METHODS


_CHOICES: dict[str, tuple[Callable[[str], bool], str]] = {
    "log_facility": (_is_facility, "LOG_DAEMON or LOG_LOCAL0"),
    "syslog_facility": (_is_facility, "LOG_DAEMON or LOG_LOCAL0"),
    "stderror_log_format": (_is_format, '"plain_text", "json" or "json_cee"'),
    "syslog_log_format": (_is_format, '"plain_text", "json" or "json_cee"'),
    "poll_method": (_is_poll_method, "epoll, poll, select or sigio_rt"),
}
_PROFILED = re.compile("use_auto_scaling_profile", re.IGNORECASE)


def unknown(overview: Overview) -> Iterator[Finding]:
    """A global setting that this version does not have: the proxy does not start (cfg.y)."""
    known = overview.knowledge.settings
    strange = [setting for setting in overview.script.settings if setting.name not in known]
    for number, setting in enumerate(strange):
        text = f"OpenSIPS {overview.knowledge.version} has no setting {setting.name[:60]}: {_EFFECT}."
        now = renamed()["settings"].get(setting.name)
        said = f"{text} {now}" if now else text + likely(setting.name, known, number)
        yield Finding(Severity.ERROR, "setting-unknown", setting.place, said)


def old(overview: Overview) -> Iterator[Finding]:
    """Old names of which the proxy warns when it starts: later releases refuse them."""
    for setting in overview.script.settings:
        if setting.name in _OLD and setting.name in overview.knowledge.settings:
            effect = f"the proxy warns of it, and {RELEASE_4_0} does not start with it"
            text = f"{setting.name} is an old name: {effect}."
            said = f"{text} {renamed()['settings'][setting.name]}"
            yield Finding(Severity.WARNING, "setting-old", setting.place, said)


def values(overview: Overview) -> Iterator[Finding]:
    """A value of another form than the grammar takes, or one that it refuses."""
    for setting in overview.script.settings:
        forms = overview.knowledge.settings.get(setting.name)
        if forms is None or not setting.parts:
            continue
        problem = _problem(overview, setting, sorted(forms))
        if problem:
            text = f"{setting.name} {problem}: {_EFFECT}."
            yield Finding(Severity.ERROR, "setting-value", setting.place, text)


def _problem(overview: Overview, setting: Setting, forms: Sequence[str]) -> str:
    if template := _unrendered(setting.parts):
        return f"is {template[:40]}, which is filled in by nobody"
    problems = [FORMS[form](overview, setting.parts) for form in forms]
    if all(problems):
        return problems[0]
    return _out_of_bounds(setting)


def _unrendered(parts: Sequence[Argument]) -> str:
    """A variable of the environment, or of a template: no setting takes one."""
    found = (part.text for part in parts if part.kind is ArgumentKind.VARIABLE)
    return next(found, "")


def _out_of_bounds(setting: Setting) -> str:
    if setting.name in _BOUNDS and isinstance(setting.value, int):
        low, high = _BOUNDS[setting.name]
        if setting.value < low or (high is not None and setting.value > high):
            return f"takes {low} to {high}" if high is not None else f"takes {low} or more"
    if setting.name in _CHOICES:
        fits, choices = _CHOICES[setting.name]
        if not fits(setting.parts[0].text):
            return f"takes {choices}, not {setting.parts[0].text[:40]}"
    return ""


def _kinds(parts: Sequence[Argument]) -> tuple[ArgumentKind, ...]:
    return tuple(part.kind for part in parts)


def _number(_overview: Overview, parts: Sequence[Argument]) -> str:
    return "" if _kinds(parts) == (ArgumentKind.NUMBER,) else f"takes a number{_shown(parts)}"


def _signed(_overview: Overview, parts: Sequence[Argument]) -> str:
    unsigned = parts[1:] if parts[0].text in ("+", "-") else parts
    return "" if _kinds(unsigned) == (ArgumentKind.NUMBER,) else f"takes a number{_shown(parts)}"


def _string(_overview: Overview, parts: Sequence[Argument]) -> str:
    return "" if _kinds(parts) == (ArgumentKind.STRING,) else f"takes a text in quotes{_shown(parts)}"


def _strings(_overview: Overview, parts: Sequence[Argument]) -> str:
    texts, colons = parts[::2], parts[1::2]
    fits = all(part.kind is ArgumentKind.STRING for part in texts) and len(texts) == len(colons) + 1
    fits = fits and all(part.text == ":" for part in colons)
    return "" if fits else f"takes a text in quotes{_shown(parts)}"


def _word(_overview: Overview, parts: Sequence[Argument]) -> str:
    return "" if _kinds(parts) == (ArgumentKind.NAME,) else f"takes a word without quotes{_shown(parts)}"


def _profiled(_overview: Overview, parts: Sequence[Argument]) -> str:
    kinds = (ArgumentKind.NUMBER, ArgumentKind.NAME, ArgumentKind.NAME)
    fits = _kinds(parts) == kinds and _PROFILED.fullmatch(parts[1].text)
    return "" if fits else f"takes a number, and use_auto_scaling_profile with a name{_shown(parts)}"


def _host(_overview: Overview, parts: Sequence[Argument]) -> str:
    return problem_of_host(parts)


def _socket(overview: Overview, parts: Sequence[Argument]) -> str:
    return problem_of_socket(parts, overview.knowledge.release)


def _any(_overview: Overview, _parts: Sequence[Argument]) -> str:
    return ""


def _shown(parts: Sequence[Argument]) -> str:
    return f", not {' '.join(part.text for part in parts)[:40]}"


FORMS: dict[str, Callable[[Overview, Sequence[Argument]], str]] = {
    "number": _number,
    "signed": _signed,
    "string": _string,
    "strings": _strings,
    "word": _word,
    "profiled": _profiled,
    "host": _host,
    "socket": _socket,
    "aliases": _any,
    "group": _any,
    "list": _any,
    "profile": _any,
}
"""By the words of the data: why a value is not of that form, "" where it is."""

CHECKS = (unknown, old, values)
