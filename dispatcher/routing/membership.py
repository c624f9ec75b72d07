"""Whether an address belongs to a destination, by ds_is_in_list (dispatch.c, all releases)."""

import re
from collections.abc import Iterable

from dispatcher.routing.destinations import LiveDestination, LiveSet
from efcp.sip import address

_BRACKET = re.compile(r"\[(?P<negation>[!^]?)(?P<members>\]?[^\]]*)\]")


class NoAddressError(ValueError):
    """The given address is not numeric: ds_is_in_list fails."""


def member_at(
    sets: Iterable[LiveSet],
    ip: str,
    port: int = 0,
    setid: int | None = None,
    *,
    active_only: bool = False,
    pattern: str | None = None,
) -> tuple[int, LiveDestination] | None:
    """The first destination with this address and the number of its set; None where there is none.

    A `port` of 0, as a destination's own port of 0, means any. `setid` None searches all sets. `pattern` is a
    shell pattern that the attributes have to match; a destination without attributes matches none. Raises
    NoAddressError.
    """
    numeric = address.ipv4(ip) or address.ipv6(ip)
    if numeric is None:
        raise NoAddressError(ip)
    fits = None if pattern is None else _pattern(pattern)
    for live in sets:
        if setid not in {None, live.setid}:
            continue
        for each in live.destinations:
            if active_only and not each.active:
                continue
            if _has_address(each, numeric, port) and (fits is None or _attributes_fit(each, fits)):
                return live.setid, each
    return None


def _has_address(destination: LiveDestination, ip: str, port: int) -> bool:
    for listed in destination.loaded.addresses:
        own_ip, _, own_port = listed.rpartition(":")
        if own_ip == ip and (port == 0 or int(own_port) in {0, port}):
            return True
    return False


def _attributes_fit(destination: LiveDestination, fits: re.Pattern[str]) -> bool:
    attributes = destination.loaded.attrs
    return bool(attributes) and fits.fullmatch(attributes) is not None


def _pattern(pattern: str) -> re.Pattern[str]:
    """The shell pattern as a regular expression (fnmatch(3) with FNM_PERIOD).

    A backslash takes the next character as it is; a period at the very beginning is matched by a period
    only, not by a wildcard.
    """
    expression = r"(?!\.)" if pattern[:1] in {"*", "?", "["} else ""
    position = 0
    while position < len(pattern):
        piece, position = _piece(pattern, position)
        expression += piece
    return re.compile(expression, re.DOTALL)


def _piece(pattern: str, position: int) -> tuple[str, int]:
    """The regular expression of what stands at `position`, and where the next piece begins."""
    character = pattern[position]
    if character == "*":
        return ".*", position + 1
    if character == "?":
        return ".", position + 1
    if character == "[" and (bracket := _BRACKET.match(pattern, position)):
        return _class(bracket["members"], negated=bool(bracket["negation"])), bracket.end()
    if character == "\\" and position + 1 < len(pattern):
        return re.escape(pattern[position + 1]), position + 2
    return re.escape(character), position + 1


def _class(members: str, *, negated: bool) -> str:
    """One character of `members`, or any other; a range that runs backwards has none."""
    allowed = ""
    while members:
        is_range = members[1:2] == "-" and len(members) > 2
        first, last = members[0], members[2] if is_range else members[0]
        members = members[3 if is_range else 1 :]
        if first <= last:
            allowed += f"{re.escape(first)}-{re.escape(last)}"
    if not allowed:
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{allowed}]"
