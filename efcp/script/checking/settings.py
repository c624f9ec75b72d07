"""Global settings and listeners: unknown, old, or of a value that the grammar does not take (cfg.y)."""

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address

from efcp.releases import RELEASE_3_6, RELEASE_4_0, Release
from efcp.script.checking.overview import Overview
from efcp.script.findings import ScriptFinding, error, likely, warning
from efcp.script.knowledge.facts import renamed
from efcp.script.language.cursor import RESERVED, number
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


def unknown(overview: Overview) -> Iterator[ScriptFinding]:
    """A global setting that this version does not have: the proxy does not start (cfg.y)."""
    known = overview.knowledge.settings
    strange = [setting for setting in overview.script.settings if setting.name not in known]
    for index, setting in enumerate(strange):
        text = f"OpenSIPS {overview.knowledge.version} has no setting {setting.name[:60]}: {_EFFECT}."
        now = renamed()["settings"].get(setting.name)
        message = f"{text} {now}" if now else text + likely(setting.name, known, index)
        yield error("setting-unknown", setting.place, message)


def old(overview: Overview) -> Iterator[ScriptFinding]:
    """Old names of which the proxy warns when it starts: later releases refuse them."""
    for setting in overview.script.settings:
        if setting.name in _OLD and setting.name in overview.knowledge.settings:
            effect = f"the proxy warns of it, and {RELEASE_4_0} does not start with it"
            text = f"{setting.name} is deprecated: {effect}."
            yield warning("setting-old", setting.place, f"{text} {renamed()['settings'][setting.name]}")


def values(overview: Overview) -> Iterator[ScriptFinding]:
    """A value of another form than the grammar takes, or one that it refuses."""
    for setting in overview.script.settings:
        forms = overview.knowledge.settings.get(setting.name)
        if forms is None or not setting.parts:
            continue
        problem = _problem(overview, setting, sorted(forms))
        if problem:
            text = f"{setting.name} {problem}: {_EFFECT}."
            yield error("setting-value", setting.place, text)


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

_PROTOCOLS = frozenset(
    {"bin", "bins", "hep_tcp", "hep_udp", "msrp", "msrps", "sctp", "smpp", "tcp", "tls", "udp", "ws", "wss"}
)
_LATER = {"ipsec": RELEASE_3_6, "bond": RELEASE_4_0}
_ALONE = frozenset({"anycast", "frag", "reuse_port", "accept_subdomain"})
_LATER_ALONE = dict.fromkeys(("allow_proxy_protocol", "send_proxy_protocol", "proxy_protocol"), RELEASE_4_0)
_WITH_WORD = frozenset({"tag", "use_auto_scaling_profile"})
_WITH_NUMBER = frozenset({"use_workers", "tos"})
_WORDS = (ArgumentKind.NAME, ArgumentKind.NUMBER)


def protocols(release: Release) -> frozenset[str]:
    """The protocols that a release knows (parse_proto in socket_info.h)."""
    return _PROTOCOLS | {name for name, since in _LATER.items() if release >= since}


def problem_of_host(parts: Sequence[Argument]) -> str:
    """Why something is no address and no host name, "" where it is one."""
    return "" if _after_host(parts, 0) == len(parts) else f"is not an address or name: {_joined(parts)}"


def problem_of_socket(parts: Sequence[Argument], release: Release) -> str:
    """Why something is no listener, "" where it is one."""
    known = protocols(release)
    if len(parts) < 3 or parts[1].text != ":" or parts[0].kind is not ArgumentKind.NAME:
        if parts[0].text.lower() in known and len(parts) == 1:
            return f"lacks the address behind {parts[0].text}:"
        return f"begins with a protocol, as udp:{_joined(parts)}"
    protocol = parts[0].text.lower()
    if protocol not in known:
        return f"knows no protocol {parts[0].text[:20]}{_meant(protocol, known)}; there are {_listed(known)}"
    if protocol == "bond":
        return ""
    return _of_address(parts, release)


def _meant(name: str, known: frozenset[str]) -> str:
    """What was likely meant: letters in another order first, as in upd."""
    swapped = [each for each in sorted(known) if sorted(each) == sorted(name)]
    return (
        f", but {swapped[0]}"
        if swapped
        else likely(name, known).replace(" Did you mean ", ", but ").rstrip("?")
    )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _of_address(parts: Sequence[Argument], release: Release) -> str:
    position = 3 if parts[2].text == "*" else _after_host(parts, 2)
    if position == 2:
        return f"is not an address or name: {_joined(parts)}"
    if position < len(parts) and parts[position].text == ":":
        after = _after_ports(parts, position + 1, release)
        if after == position + 1:
            return f"has no port behind its last colon: {_joined(parts)}"
        position = after
    return _of_options(parts, position, release)


def _after_host(parts: Sequence[Argument], position: int) -> int:
    """Where a host name or address ends; the same position where there is none."""
    texts = [part.text for part in parts]
    if texts[position : position + 1] == ["["] and texts[position + 2 : position + 3] == ["]"]:
        return position + 3 if _is_address(texts[position + 1]) else position
    if position >= len(parts):
        return position
    if parts[position].kind is ArgumentKind.STRING or _is_address(texts[position]):
        return position + 1
    if not _is_word(parts[position]):
        return position
    position += 1
    while texts[position : position + 1] in (["."], ["-"]) and _is_word(*parts[position + 1 : position + 2]):
        position += 2
    return position


def _is_word(part: Argument | None = None) -> bool:
    """Whether a part of a host name may stand without quotes: no number, and no word of the language."""
    if part is None or part.kind is not ArgumentKind.NAME or part.text in RESERVED:
        return False
    return part.text[0].isalpha() and ":" not in part.text


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _after_ports(parts: Sequence[Argument], position: int, release: Release) -> int:
    """Where a port ends, or several: 5060-5070,5080. The same position where there is none."""
    if position >= len(parts) or parts[position].kind is not ArgumentKind.NUMBER:
        return position
    first, low = position, number(parts[position].text)
    position += 1
    while release.takes_port_ranges and position + 1 < len(parts):
        sign, following = parts[position], parts[position + 1]
        if sign.text not in ("-", ",") or following.kind is not ArgumentKind.NUMBER:
            break
        if sign.text == "-" and number(following.text) < low:
            return first
        low = number(following.text)
        position += 2
    return position


def _of_options(parts: Sequence[Argument], position: int, release: Release) -> str:
    """What stands behind the address: as, use_workers, tag and their like."""
    while position < len(parts):
        word = parts[position].text.lower()
        following = parts[position + 1 : position + 2]
        kind = following[0].kind if following else ArgumentKind.NONE
        if word in _ALONE or (word in _LATER_ALONE and release >= _LATER_ALONE[word]):
            position += 1
        elif (word in _WITH_NUMBER and kind is ArgumentKind.NUMBER) or (
            word in _WITH_WORD and kind in _WORDS
        ):
            position += 2
        elif word == "as" and (after := _after_host(parts, position + 1)) > position + 1:
            position = after
            if position < len(parts) and parts[position].text == ":":
                position = _after_ports(parts, position + 1, release)
        else:
            return f"is not understood from {parts[position].text[:20]} on: {_joined(parts)}"
    return ""


def _joined(parts: Sequence[Argument]) -> str:
    return "".join(part.text for part in parts)[:60]


CHECKS = (
    unknown,
    old,
    values,
)
