"""The MI commands of the core: versions, events, status and reports."""

import time
from datetime import UTC, datetime
from typing import Any

from efcp.sandbox.command import Command
from efcp.sandbox.events import Subscriber
from efcp.sandbox.parameters import INVALID_PARAMS, Given, MiRefusalError, integer, text, texts
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


def _version(proxy: SandboxProxy, _given: Given) -> Any:
    return {"Server": f"OpenSIPS ({proxy.version} (x86_64/linux))"}


def _events_list(proxy: SandboxProxy, _given: Given) -> Any:
    return {"Events": [{"name": name, "id": number} for number, name in enumerate(proxy.events.names)]}


def _event_subscribe(proxy: SandboxProxy, given: Given) -> str:
    expire_s = integer(given, "expire") if "expire" in given else DEFAULT_EXPIRE_S
    if expire_s < 0:
        raise MiRefusalError(*INVALID_PARAMS, "Negative expire value")
    event, socket = text(given, "event"), text(given, "socket")
    with proxy.guard:
        proxy.events.subscribe(event, socket, expire_s)
    return "OK"


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


def _group(proxy: SandboxProxy, given: Given) -> tuple[Identifier, ...]:
    group = proxy.reports.groups().get(text(given, "group"))
    if group is None:
        raise MiRefusalError(404, "Group not found")
    return group


def _sr_get_status(proxy: SandboxProxy, given: Given) -> Any:
    group = _group(proxy, given)
    wanted = text(given, "identifier") if "identifier" in given else "main"
    if wanted.lower() == "all":
        ready = all(each.status >= 0 for each in group)
        return {"Readiness": ready, "Status": 1 if ready else -1, "Details": "aggregated"}
    found = next((each for each in group if each.name == wanted), None)
    if found is None:
        raise MiRefusalError(404, "Identity not found")
    return found.listed_status()


def _sr_list_status(proxy: SandboxProxy, given: Given) -> Any:
    def listed(group: tuple[Identifier, ...]) -> list[dict[str, object]]:
        return [{"Name": each.name, **each.listed_status()} for each in group]

    if "group" in given:
        return listed(_group(proxy, given))
    return [{"Name": name, "Identifiers": listed(group)} for name, group in proxy.reports.groups().items()]


def _sr_list_reports(proxy: SandboxProxy, given: Given) -> Any:
    def listed(group: tuple[Identifier, ...]) -> list[dict[str, object]]:
        return [{"Name": each.name, "Reports": each.listed_reports()} for each in group]

    with proxy.guard:
        if "group" not in given:
            groups = proxy.reports.groups().items()
            return [{"Name": name, "Identifiers": listed(group)} for name, group in groups]
        group = _group(proxy, given)
        if "identifier" not in given:
            return listed(group)
        wanted = text(given, "identifier")
        found = next((each for each in group if each.name == wanted), None)
        if found is None:
            raise MiRefusalError(404, "Identifier not found")
        return found.listed_reports()


def _sr_list_identifiers(proxy: SandboxProxy, given: Given) -> Any:
    def listed(name: str, group: tuple[Identifier, ...]) -> dict[str, object]:
        return {"Group": name, "Identifiers": [each.name for each in group]}

    if "group" in given:
        return listed(text(given, "group"), _group(proxy, given))
    return [listed(name, group) for name, group in proxy.reports.groups().items()]


CORE_COMMANDS: dict[str, Command] = {
    "get_statistics": Command((("statistics",),), _get_statistics, "statistics"),
    "uptime": Command(((),), _uptime),
    "version": Command(((),), _version),
    "event_subscribe": Command((("event", "socket"), ("event", "socket", "expire")), _event_subscribe),
    "events_list": Command(((),), _events_list),
    "subscribers_list": Command(((), ("event",), ("event", "socket")), _subscribers_list),
    "sr_get_status": Command((("group",), ("group", "identifier")), _sr_get_status),
    "sr_list_status": Command(((), ("group",)), _sr_list_status),
    "sr_list_reports": Command(((), ("group",), ("group", "identifier")), _sr_list_reports),
    "sr_list_identifiers": Command(((), ("group",)), _sr_list_identifiers),
}
