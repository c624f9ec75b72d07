"""What the grammar takes for a listener (socket_def in cfg.y): `udp:192.0.2.1:5060 as 203.0.113.1 tag a`."""

from collections.abc import Sequence
from ipaddress import ip_address

from efcp.releases import RELEASE_3_6, RELEASE_4_0, Release
from efcp.script.checking.nearest import likely
from efcp.script.language.literals import RESERVED, number
from efcp.script.language.syntax import Argument, ArgumentKind

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
    return "" if _after_host(parts, 0) == len(parts) else f"is no address or name: {_shown(parts)}"


def problem_of_socket(parts: Sequence[Argument], release: Release) -> str:
    """Why something is no listener, "" where it is one."""
    known = protocols(release)
    if len(parts) < 3 or parts[1].text != ":" or parts[0].kind is not ArgumentKind.NAME:
        if parts[0].text.lower() in known and len(parts) == 1:
            return f"lacks the address behind {parts[0].text}:"
        return f"begins with a protocol, as udp:{_shown(parts)}"
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
        return f"is no address or name: {_shown(parts)}"
    if position < len(parts) and parts[position].text == ":":
        after = _after_ports(parts, position + 1, release)
        if after == position + 1:
            return f"has no port behind its last colon: {_shown(parts)}"
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
            return f"is not understood from {parts[position].text[:20]} on: {_shown(parts)}"
    return ""


def _shown(parts: Sequence[Argument]) -> str:
    return "".join(part.text for part in parts)[:60]
