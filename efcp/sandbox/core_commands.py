"""The MI commands of the core: versions, events, status and reports."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from efcp.sandbox.command import Command
from efcp.sandbox.events import Subscriber
from efcp.sandbox.parameters import INVALID_PARAMS, Given, MiRefusalError, integer, optional_text, text, texts
from efcp.sandbox.proxy import SandboxProxy
from efcp.sandbox.reports import Identifier

DEFAULT_EXPIRE_S = 3600


def _get_statistics(_proxy: SandboxProxy, given: Given) -> Any:
    """No statistics: the sandbox carries no calls, and a proxy leaves out the names that it does not know."""
    texts(given, "statistics")
    return {}


def _uptime(proxy: SandboxProxy, _given: Given) -> Any:
    now = datetime.now(UTC)
    return {
        "Now": time.ctime(now.timestamp()),
        "Up since": time.ctime(proxy.started_at.timestamp()),
        "Up time": f"{int((now - proxy.started_at).total_seconds())} [sec]",
    }


def _version(proxy: SandboxProxy, given: Given) -> Any:
    server = {"Server": f"OpenSIPS ({proxy.version} (x86_64/linux))"}
    # What a release that was not built out of a repository says of its revision, whatever was asked for.
    return server | {"unknown": "unknown"} if "revision" in given else server


def _events_list(proxy: SandboxProxy, _given: Given) -> Any:
    return {"Events": [{"name": name, "id": number} for number, name in enumerate(proxy.events.names)]}


def _event_subscribe(proxy: SandboxProxy, given: Given) -> str:
    expire_s = integer(given, "expire") if "expire" in given else DEFAULT_EXPIRE_S
    if expire_s < 0:
        raise MiRefusalError(*INVALID_PARAMS, "Negative expire value")
    event, socket = _filled(given, "event"), _filled(given, "socket")
    with proxy.guard:
        proxy.events.subscribe(event, socket, expire_s)
    return "OK"


def _filled(given: Given, name: str) -> str:
    value = text(given, name)
    if not value:
        raise MiRefusalError(*INVALID_PARAMS, f"Bad type for parameter '{name}'")
    return value


def _subscribers_list(proxy: SandboxProxy, given: Given) -> Any:
    with proxy.guard:
        if "event" not in given:
            living = ((name, proxy.events.subscribers(name)) for name in proxy.events.names)
            return {"Events": [_subscribed(proxy, name, found) for name, found in living if found]}
        event = text(given, "event")
        found = proxy.events.subscribers(event)
    if "socket" not in given:
        return {"Event": _subscribed(proxy, event, found) if found else {}}
    socket = text(given, "socket")
    one = next((each for each in found if each.socket == socket), None)
    if one is None:
        raise MiRefusalError(404, "Subscriber does not exist")
    return {"Event": {"name": event, "id": proxy.events.number(event), "Subscriber": one.listed()}}


def _subscribed(proxy: SandboxProxy, event: str, found: list[Subscriber]) -> dict[str, object]:
    listed = [each.listed() for each in found]
    return {"name": event, "id": proxy.events.number(event), "Subscribers": listed}


def _named(proxy: SandboxProxy, group: str) -> tuple[Identifier, ...]:
    """The identifiers of a group. Names of groups and identifiers are in lower case, and found in either."""
    found = proxy.reports.groups().get(group.lower())
    if found is None:
        raise MiRefusalError(404, "Group not found")
    return found


def _identified(group: tuple[Identifier, ...], name: str, refusal: str) -> Identifier:
    found = next((each for each in group if each.name == name.lower()), None)
    if found is None:
        raise MiRefusalError(404, refusal)
    return found


def _sr_get_status(proxy: SandboxProxy, given: Given) -> Any:
    group = _named(proxy, text(given, "group"))
    wanted = optional_text(given, "identifier") or "main"
    if wanted.lower() == "all":
        ready = all(each.status >= 0 for each in group)
        return {"Readiness": ready, "Status": 1 if ready else -1, "Details": "aggregated"}
    return _identified(group, wanted, "Identity not found").listed_status()


def _of_each_group(
    proxy: SandboxProxy, given: Given, listed: Callable[[Identifier], dict[str, object]]
) -> list[dict[str, object]]:
    """What `listed` tells of the identifiers of one group, or of all groups where none is named."""
    wanted = optional_text(given, "group")
    with proxy.guard:
        if wanted is not None:
            return [listed(each) for each in _named(proxy, wanted)]
        return [
            {"Name": name, "Identifiers": [listed(each) for each in group]}
            for name, group in proxy.reports.groups().items()
        ]


def _sr_list_status(proxy: SandboxProxy, given: Given) -> Any:
    return _of_each_group(proxy, given, lambda each: {"Name": each.name, **each.listed_status()})


def _sr_list_reports(proxy: SandboxProxy, given: Given) -> Any:
    group, identifier = optional_text(given, "group"), optional_text(given, "identifier")
    if group is None or identifier is None:
        return _of_each_group(
            proxy, given, lambda each: {"Name": each.name, "Reports": each.listed_reports()}
        )
    with proxy.guard:
        return _identified(_named(proxy, group), identifier, "Identifier not found").listed_reports()


def _sr_list_identifiers(proxy: SandboxProxy, given: Given) -> Any:
    def listed(name: str, group: tuple[Identifier, ...]) -> dict[str, object]:
        return {"Group": name, "Identifiers": [each.name for each in group]}

    wanted = optional_text(given, "group")
    if wanted is not None:
        return listed(wanted.lower(), _named(proxy, wanted))
    return [listed(name, group) for name, group in proxy.reports.groups().items()]


CORE_COMMANDS: dict[str, Command] = {
    "get_statistics": Command((("statistics",),), _get_statistics, "statistics"),
    "uptime": Command(((),), _uptime),
    "version": Command(((), ("revision",)), _version),
    "event_subscribe": Command((("event", "socket"), ("event", "socket", "expire")), _event_subscribe),
    "events_list": Command(((),), _events_list),
    "subscribers_list": Command(((), ("event",), ("event", "socket")), _subscribers_list),
    "sr_get_status": Command((("group",), ("group", "identifier")), _sr_get_status),
    "sr_list_status": Command(((), ("group",)), _sr_list_status),
    "sr_list_reports": Command(((), ("group",), ("group", "identifier")), _sr_list_reports),
    "sr_list_identifiers": Command(((), ("group",)), _sr_list_identifiers),
}
