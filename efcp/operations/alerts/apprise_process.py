"""`python -m efcp.operations.alerts.apprise_process`: send one message by Apprise, in a process of its own.

Apprise and its plugins know no limit on their whole time or on where they connect. So it runs apart: the
parent ends it when its time is over, and each connection is judged here by its address, as for webhooks. What
to send comes by the standard input as JSON, since an address has secrets and other users see arguments: url,
title, body, networks, bytes. The answer is one line, the problem without the address, or none.
"""

import json
import resource
import socket
import sys
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from efcp.mi.endpoint import Reach

SCHEMES = frozenset(
    {
        "discord",
        "gotify",
        "gotifys",
        "mmost",
        "mmosts",
        "msteams",
        "ntfy",
        "ntfys",
        "opsgenie",
        "pagerduty",
        "pover",
        "rocket",
        "rockets",
        "signl4",
        "sinch",
        "slack",
        "tgram",
        "twilio",
        "vonage",
        "workflows",
        "zulip",
    }
)
"""The plugins that may be used: none of them runs a program, reads a file or writes to this machine."""


class ForbiddenAddressError(OSError):
    """A plugin wanted to connect to where nothing may be sent."""


def _judged(connect: Callable[..., Any], reach: Reach) -> Callable[..., Any]:
    """The same function, for addresses that may be connected to."""

    def judge(sock: socket.socket, address: Any) -> Any:
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            raise ForbiddenAddressError("only IP addresses may be connected to")
        if refusal := reach.refusal(str(address[0])):
            raise ForbiddenAddressError(refusal)
        return connect(sock, address)

    return judge


def main() -> None:
    """Send what the standard input holds."""
    given = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (given["bytes"], given["bytes"]))
    scheme = given["url"].partition("://")[0].lower()
    if scheme not in SCHEMES:
        sys.stdout.write("This kind of address is not permitted.\n")
        return
    reach = Reach(tuple(ip_network(each) for each in given["networks"]))
    import apprise

    socket.socket.connect = _judged(socket.socket.connect, reach)  # type: ignore[method-assign]
    socket.socket.connect_ex = _judged(socket.socket.connect_ex, reach)  # type: ignore[method-assign]
    receiver = apprise.Apprise.instantiate(given["url"])
    if not receiver:
        sys.stdout.write("Apprise can't read the address.\n")
    elif not receiver.notify(title=given["title"], body=given["body"]):
        sys.stdout.write(f"The receiver ({scheme}) did not accept the message.\n")


if __name__ == "__main__":
    main()
