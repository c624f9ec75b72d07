"""Numeric addresses as OpenSIPS reads and prints them (ip_addr.h), and as the C library does."""

import ipaddress
import re

_OCTET = re.compile(r"(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])\Z")
_MAX_HEXTET = 0xFFFF
_MAX_COLONS = 7


def ipv4(text: str) -> str | None:
    """The dotted quad that the proxy takes `text` for, None for none.

    An empty last number counts as 0: `10.0.0.` is 10.0.0.0. Leading zeros are refused.
    """
    parts = text.split(".")
    if len(parts) != 4:
        return None
    if parts[3] == "":
        parts[3] = "0"
    if not all(part.isascii() and _OCTET.match(part) for part in parts):
        return None
    return ".".join(parts)


def c_library_ipv4(text: str) -> str | None:
    """The dotted quad that the C library's resolver takes `text` for (inet_aton), None for none.

    One to four numbers, decimal or octal; the last one fills the rest: `1.2.3` is 1.2.0.3.
    """
    parts = text.split(".")
    if not 1 <= len(parts) <= 4:
        return None
    numbers = [_c_number(part) for part in parts]
    if any(number is None for number in numbers):
        return None
    *leading, last = [number for number in numbers if number is not None]
    room = 256 ** (4 - len(leading))
    if any(number > 255 for number in leading) or last >= room:
        return None
    value = last
    for index, number in enumerate(leading):
        value += number << (8 * (3 - index))
    return str(ipaddress.IPv4Address(value))


def _c_number(text: str) -> int | None:
    if re.fullmatch(r"0[0-7]*", text):
        return int(text, 8)
    return int(text) if re.fullmatch(r"[1-9][0-9]*", text) else None


def ipv6(text: str) -> str | None:
    """The IPv6 address in `text`, with or without brackets, as the proxy prints it; None for none.

    It prints eight groups in upper-case hexadecimal, none left out.
    """
    if text.startswith("[") and not text.endswith("]"):
        return None
    groups = _groups(text[1:-1] if text.startswith("[") else text)
    return None if groups is None else ":".join(f"{group:X}" for group in groups)


def _groups(text: str) -> list[int] | None:
    """Eight numbers. The proxy keeps 16 bits of longer ones, and reads a lone colon at an end as a 0."""
    if not re.fullmatch(r"[0-9a-fA-F:]*", text) or text.count(":") > _MAX_COLONS or ":::" in text:
        return None
    front, gap, back = text.partition("::")
    if not gap:
        return _numbers(text) if text.count(":") == _MAX_COLONS else None
    if "::" in back:
        return None
    before = _numbers(front) if front else [0]
    after = _numbers(back.removesuffix(":")) if back else []
    return before + [0] * (8 - len(before) - len(after)) + after


def _numbers(text: str) -> list[int]:
    return [int(group or "0", 16) & _MAX_HEXTET for group in text.split(":")]
