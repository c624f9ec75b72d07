"""The sockets that a script gives its proxy, as far as its text tells them."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from efcp.script.checking.overview import Overview
from efcp.script.language.syntax import Setting

_SOCKET = re.compile(
    r"(?:(?P<protocol>[a-z_]+):)?(?P<host>\[[^\]]*\]|[^:\s]+|\*)(?::(?P<port>\d+))?(?:$|\s)", re.IGNORECASE
)


def listeners(overview: Overview) -> Iterator[Setting]:
    """The settings that make listeners."""
    for setting in overview.script.settings:
        if setting.name in ("socket", "listen") and isinstance(setting.value, str):
            yield setting


def is_no_listener(overview: Overview, text: str) -> bool:
    """Whether a socket is surely none of the script's: where one of these is a name, an interface or all
    addresses, nothing is sure."""
    if not overview.is_whole or any(setting.name == "alias" for setting in overview.script.settings):
        return False
    found = [str(setting.value) for setting in listeners(overview)]
    parts = [_SOCKET.match(each) for each in found]
    if not all(match and _is_address(match["host"]) for match in parts):
        return False
    wanted = _SOCKET.match(text.strip())
    if wanted is None:
        return True
    host, port, protocol = wanted["host"].strip("[]").lower(), wanted["port"], wanted["protocol"]
    return not any(
        host in each.lower()
        and (port is None or port in each)
        and (protocol is None or each.lower().startswith(protocol.lower()))
        for each in found
    )


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host.strip("[]")))
    except ValueError:
        return False
